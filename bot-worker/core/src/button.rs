//! What is inside a button: whose it is, which prompt it belongs to, and the choice.
//!
//! Form: `<flow>:<nonce>:<member>:<choice>`, nonce in hex, at most 64 bytes. A button counts only for the member, the flow and the
//! prompt it was made for; that alone makes foreign, old and doubled presses harmless. It is not a secret and not an
//! authority: Telegram vouches for who pressed. Categories and tags are named by a hash of their name, not by their place in a list,
//! so a changed catalog cannot turn a press into another choice.

use std::fmt;

use shared_core::MemberId;

/// The parsed data of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark<'a> {
    pub flow: &'a str,
    pub nonce: u32,
    pub member: MemberId,
    pub choice: &'a str,
}

impl<'a> Mark<'a> {
    pub fn parse(data: &'a str) -> Option<Self> {
        let mut parts = data.splitn(4, ':');
        let (flow, nonce, member, choice) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            flow,
            nonce: u32::from_str_radix(nonce, 16).ok()?,
            member: MemberId(member.parse().ok()?),
            choice,
        })
    }
}

impl fmt::Display for Mark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{:x}:{}:{}",
            self.flow, self.nonce, self.member.0, self.choice
        )
    }
}

/// Names a category or a tag in eight characters: FNV-1a over the name. `Catalog::validate` refuses two names with one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameHash(u32);

impl NameHash {
    pub fn of(name: &str) -> Self {
        Self(name.bytes().fold(0x811c_9dc5, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        }))
    }

    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 8 {
            return None;
        }
        u32::from_str_radix(text, 16).ok().map(Self)
    }

    /// The name in `names` that is meant.
    pub fn find(self, names: &[String]) -> Option<&String> {
        names.iter().find(|name| Self::of(name) == self)
    }
}

impl fmt::Display for NameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn data_reads_back_and_fits() {
        let choice = format!("+{}", NameHash::of("free"));
        let mark = Mark {
            flow: "u",
            nonce: u32::MAX,
            member: MemberId(i64::MIN),
            choice: &choice,
        };
        let data = mark.to_string();
        assert_eq!(Mark::parse(&data).unwrap(), mark);
        assert!(data.len() <= crate::bound::CALLBACK_DATA, "{data}");
    }

    #[test]
    fn what_is_not_ours_is_not_parsed() {
        for data in ["", "u", "u:1:2", "u:x:2:d", "u:1:x:d", "u:100000000:2:d"] {
            assert_eq!(Mark::parse(data), None, "{data:?}");
        }
    }

    #[test]
    fn a_hash_is_the_published_one_and_reads_back() {
        assert_eq!(NameHash::of("foobar").to_string(), "bf9cf968");
        let hash = NameHash::of("Музыка");
        assert_eq!(NameHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(NameHash::parse("+f"), None);
    }
}
