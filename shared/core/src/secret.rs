//! Secrets as types: nothing here can be printed, serialised or left behind in memory.
//!
//! Invariant: neither type implements `Serialize` or a `Debug` that shows content; both are wiped when dropped.
//! Who needs the content says so with `expose`, a word that is easy to search for.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: a bot token, an api hash, a password, a URL with one in it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The content. Never pass it to a log, an error, an argument list or a metric.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A permanent MTProto auth key, 256 bytes. Whoever has it is the bot.
#[derive(Clone)]
pub struct AuthKey(Zeroizing<Vec<u8>>);

impl AuthKey {
    pub const LEN: usize = 256;

    pub fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// Reads 512 hex digits; `None` when it is anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(hex::decode(text.trim()).ok()?);
        (bytes.len() == Self::LEN).then_some(Self(bytes))
    }

    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::LEN).then(|| Self(Zeroizing::new(bytes.to_vec())))
    }

    /// The content. See [`Secret::expose`].
    pub fn expose(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        // The constructors let nothing of another length in.
        bytes.copy_from_slice(&self.0);
        bytes
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(***)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(***)");
        assert_eq!(format!("{:?}", AuthKey::new([7; 256])), "AuthKey(***)");
    }

    #[test]
    fn an_auth_key_has_256_bytes() {
        assert!(AuthKey::from_hex(&"ab".repeat(256)).is_some());
        assert!(AuthKey::from_hex(&"ab".repeat(255)).is_none());
        assert!(AuthKey::from_hex("zz").is_none());
        assert_eq!(
            AuthKey::from_hex(&"ab".repeat(256)).unwrap().expose(),
            [0xab; 256]
        );
    }
}
