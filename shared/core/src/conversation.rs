//! One member's dialogue in one chat, as it is stored: an envelope around whatever state the conversation has.
//!
//! Stored form: `<version>\n<json>`. The version grows by one with each commit and is compared by the commit script (compare and swap),
//! so a writer that looked at an older state writes nothing. Invariants: what has been taken in (`marks`) and what it led to (`state`) are
//! in one value and change together or not at all; what is read has a version that a commit can follow, so one that no commit writes
//! ([`stored_version`]) makes the value damaged, however whole the rest is. The envelope does not know what a state means, only which
//! messages it remembers: those of the box in which the conversation took its last step are written without it.
//!
//! An older format is lifted when it is read and written back as the present one with the next commit; a newer one is refused and left
//! as it is, because a program that was rolled back must not drop what it does not know. How to change the format: raise
//! [`STORED_VERSION`], keep the old shape beside the new one, lift it in `decode`, and add a text of the old format to the tests of
//! `bot-worker-core`. What nobody can read is not thrown away either: [`Salvaged`] is what can be known of it.
//!
//! A conversation in which nothing is open is a tombstone: marks and counters alone, kept for [`TOMBSTONE_KEPT`] after its last commit.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::watermark::WatermarksV1;
use crate::{Remembers, UnixMs, Watermarks};

/// The format that this program writes.
pub const STORED_VERSION: u16 = 2;

/// Longest stored form, in bytes. A course with 50 files of ordinary names has about 8 KiB; the cost of a commit grows with it.
pub const LARGEST_STORED: usize = 32 * 1024;

/// No conversation has had more commits: one a microsecond gets here in 140 years. So a version beyond it is damage, and far below what whoever
/// counts it can hold: Lua's numbers are exact up to 2^53, SQL's end at 2^63.
pub const LARGEST_VERSION: u64 = 1 << 52;

/// How long a conversation in which nothing is open is remembered. What it protects against is a replay of what was taken in before the
/// cursor passed it: Telegram keeps updates for about a day and a cursor follows within milliseconds, so only a pool (or a
/// bot with its private box) that is down for longer than this could meet a replay that nobody knows.
pub const TOMBSTONE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is wrong with a stored value. The text never holds the value itself: it may be a member's private words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the stored conversation has no version line")]
    NoVersion,
    #[error("the stored conversation has a version that no commit writes")]
    BadVersion,
    #[error("the stored conversation is not readable at line {line}, column {column}")]
    Unreadable { line: usize, column: usize },
    #[error("the stored conversation has format {found}, this program reads up to {known}")]
    TooNew { found: u16, known: u16 },
    #[error("the stored conversation has {bytes} bytes or more, the limit is {LARGEST_STORED}")]
    TooLarge { bytes: usize },
    #[error("the stored conversation is not text")]
    NotText,
    #[error("the stored conversation remembers a message of an unknown box")]
    NoBox,
}

impl EnvelopeError {
    /// Written by a newer program, so nothing is wrong with it.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::TooNew { .. })
    }
}

/// A conversation with its duplicate protection. `S` is the dialogue's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<S> {
    /// Commits so far; zero before the first. Not part of the JSON: it stands in front of it.
    pub version: u64,
    pub format: u16,
    /// When its member last did something himself, by the committing worker's wall clock; zero before the first. That he was shown something, reminded or
    /// told does not count: when he is to be reminded, his place after a switch and what is outdated follow from this.
    pub at: UnixMs,
    pub marks: Watermarks,
    pub state: S,
}

fn is_never(at: &UnixMs) -> bool {
    *at == UnixMs::default()
}

#[derive(Deserialize)]
struct FormatOnly {
    f: u16,
}

/// An envelope as it is read: the formats differ in their marks.
#[derive(Deserialize)]
struct Read<S, W> {
    #[serde(default)]
    t: UnixMs,
    w: W,
    s: S,
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, EnvelopeError> {
    serde_json::from_str(json).map_err(|error| unreadable(&error))
}

impl<S: Default> Default for Envelope<S> {
    fn default() -> Self {
        Self {
            version: 0,
            format: STORED_VERSION,
            at: UnixMs::default(),
            marks: Watermarks::default(),
            state: S::default(),
        }
    }
}

/// A version as [`Envelope::encode`] writes it, and nothing else that a number could be read from (`007`, `+7`, one that no count of
/// commits reaches): the commit script compares texts, so nobody could commit after that.
pub fn stored_version(text: &str) -> Option<u64> {
    let version: u64 = text.parse().ok()?;
    (version <= LARGEST_VERSION && version.to_string() == text).then_some(version)
}

/// An envelope as it is written.
#[derive(Serialize)]
struct Written<'a, S> {
    f: u16,
    #[serde(skip_serializing_if = "is_never")]
    t: UnixMs,
    w: &'a Watermarks,
    s: S,
}

impl<S: Serialize + Clone + Remembers> Envelope<S> {
    /// The stored form.
    pub fn encode(&self) -> Result<String, EnvelopeError> {
        let mut state = self.state.clone();
        if let Some(home) = self.marks.home() {
            state.each_message(&mut |message| message.shorten(home));
        }
        let written = Written {
            f: self.format,
            t: self.at,
            w: &self.marks,
            s: state,
        };
        let json = serde_json::to_string(&written).map_err(|error| unreadable(&error))?;
        Ok(format!("{}\n{json}", self.version))
    }
}

impl<S: DeserializeOwned + Remembers> Envelope<S> {
    /// Reads the stored form.
    pub fn decode(stored: &str) -> Result<Self, EnvelopeError> {
        let (version, json) = stored.split_once('\n').ok_or(EnvelopeError::NoVersion)?;
        let version = stored_version(version).ok_or(EnvelopeError::BadVersion)?;
        let FormatOnly { f: found } = parse(json)?;
        match found {
            1 => {
                let old: Read<S, WatermarksV1> = parse(json)?;
                Self::put_together(version, old.t, old.w.into(), old.s)
            }
            STORED_VERSION => {
                let read: Read<S, Watermarks> = parse(json)?;
                Self::put_together(version, read.t, read.w, read.s)
            }
            // There was none before the first.
            0 => Err(EnvelopeError::Unreadable { line: 1, column: 1 }),
            _ => Err(EnvelopeError::TooNew {
                found,
                known: STORED_VERSION,
            }),
        }
    }

    fn put_together(
        version: u64,
        at: UnixMs,
        marks: Watermarks,
        mut state: S,
    ) -> Result<Self, EnvelopeError> {
        let (home, mut all) = (marks.home(), true);
        state.each_message(&mut |message| all &= message.lengthen(home));
        if !all {
            return Err(EnvelopeError::NoBox);
        }
        Ok(Self {
            version,
            format: STORED_VERSION,
            at,
            marks,
            state,
        })
    }
}

/// What can be known of a stored value that nobody can read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Salvaged {
    /// Zero where not even that can be read, or no commit can follow it.
    pub version: u64,
    /// Empty where they cannot be read.
    pub marks: Watermarks,
    /// The format of the state, if it has one.
    pub state_format: Option<u16>,
}

impl Salvaged {
    /// Takes what is whole, part by part.
    pub fn from(stored: &[u8]) -> Self {
        let (head, json) = match stored.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&stored[..at], &stored[at + 1..]),
            None => (&[][..], stored),
        };
        let version = std::str::from_utf8(head).ok();
        let version = version.and_then(stored_version).unwrap_or(0);
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(json) else {
            return Self {
                version,
                ..Self::default()
            };
        };
        let marks = value.get("w").cloned().unwrap_or_default();
        let marks = match value.get("f").and_then(serde_json::Value::as_u64) {
            Some(1) => serde_json::from_value::<WatermarksV1>(marks).map(Watermarks::from),
            _ => serde_json::from_value(marks),
        };
        let format = value.get("s").and_then(|state| state.get("v"));
        let format = format.and_then(serde_json::Value::as_u64);
        Self {
            version,
            marks: marks.unwrap_or_default(),
            state_format: format.and_then(|format| u16::try_from(format).ok()),
        }
    }
}

fn unreadable(error: &serde_json::Error) -> EnvelopeError {
    EnvelopeError::Unreadable {
        line: error.line(),
        column: error.column(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Admission, BotId, BoxId, EventId, MessageAt, MessageId, QueryId, UpdateId};

    #[test]
    fn an_envelope_reads_back_and_says_what_is_wrong() {
        let mut envelope = Envelope::<String> {
            state: "secret words".into(),
            ..Default::default()
        };
        envelope.version = 3;
        let stored = envelope.encode().unwrap();
        assert!(stored.starts_with("3\n"));
        assert_eq!(Envelope::<String>::decode(&stored).unwrap(), envelope);

        assert_eq!(
            Envelope::<String>::decode("{}").unwrap_err(),
            EnvelopeError::NoVersion
        );
        let cut = Envelope::<String>::decode(&stored[..stored.len() - 3]).unwrap_err();
        assert!(!cut.to_string().contains("secret"), "{cut}");
        assert_eq!(
            Envelope::<String>::decode("1\n{\"f\":9,\"x\":1}").unwrap_err(),
            EnvelopeError::TooNew {
                found: 9,
                known: STORED_VERSION
            }
        );
        assert!(Envelope::<String>::decode("1\n{\"f\":0}").is_err());
    }

    /// What Rust would read a number from and the commit script would not take for the same one, and what cannot be counted up.
    #[test]
    fn a_version_is_read_only_as_it_is_written() {
        let json = "{\"f\":2,\"w\":{},\"s\":\"x\"}";
        for version in [0, 1, 7, 10, 1 << 32, LARGEST_VERSION] {
            let stored = format!("{version}\n{json}");
            let read = Envelope::<String>::decode(&stored).unwrap();
            assert_eq!(
                (read.version, read.encode().unwrap()),
                (version, stored.clone())
            );
            assert_eq!(Salvaged::from(stored.as_bytes()).version, version);
        }
        let beyond = (LARGEST_VERSION + 1).to_string();
        for version in [
            "",
            "007",
            "00",
            "+7",
            "-0",
            " 7",
            "7 ",
            "7\r",
            "7.0",
            "0x7",
            "1e3",
            "\u{0667}",
            "seven",
            "9007199254740992",
            "18446744073709551615",
            "18446744073709551616",
            &beyond,
        ] {
            let stored = format!("{version}\n{json}");
            assert_eq!(
                Envelope::<String>::decode(&stored),
                Err(EnvelopeError::BadVersion),
                "{version:?}"
            );
            let salvaged = Salvaged::from(stored.as_bytes());
            assert_eq!(salvaged.version, 0, "{version:?}");
        }
    }

    #[test]
    fn format_1_is_lifted() {
        let old = "3\n{\"f\":1,\"t\":9,\"w\":{\"m\":[[\"b7\",4]],\"p\":[5],\"i\":[\"0102030405060708090a0b0c0d0e0f10\"]},\"s\":\"x\"}";
        let mut read = Envelope::<String>::decode(old).unwrap();
        assert_eq!(
            (read.version, read.format, read.at),
            (3, STORED_VERSION, UnixMs(9))
        );
        let mut event = [0; 16];
        for (at, byte) in (1..).zip(event.iter_mut()) {
            *byte = at;
        }
        let known = read.marks.admit(&UpdateId::Internal {
            event: EventId(event),
        });
        assert_eq!(known, Admission::Duplicate);
        let written = read.encode().unwrap();
        assert!(written.contains("\"f\":2"), "{written}");
        assert_eq!(Envelope::<String>::decode(&written).unwrap(), read);
    }

    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
    struct Noted(Vec<MessageAt>);

    impl Remembers for Noted {
        fn each_message(&mut self, visit: &mut dyn FnMut(&mut MessageAt)) {
            self.0.iter_mut().for_each(visit);
        }
    }

    #[test]
    fn messages_of_the_box_that_was_last_heard_are_stored_without_it() {
        let (before, now) = (BoxId::Private(BotId(1)), BoxId::Private(BotId(2)));
        let message = |r#box, id| (r#box, MessageId(id));
        let mut envelope = Envelope {
            state: Noted(vec![message(before, 3).into(), message(now, 4).into()]),
            ..Envelope::default()
        };
        for (r#box, message) in [message(before, 3), message(now, 4)] {
            envelope.marks.admit(&UpdateId::Message { r#box, message });
        }
        let stored = envelope.encode().unwrap();
        assert!(stored.ends_with(",\"s\":[[\"b1\",3],4]}"), "{stored}");
        assert_eq!(Envelope::decode(&stored), Ok(envelope.clone()));

        // He goes on with the bot before: what is at home changes, what is remembered does not.
        envelope.marks.admit(&UpdateId::Message {
            r#box: before,
            message: MessageId(5),
        });
        let stored = envelope.encode().unwrap();
        assert!(stored.ends_with(",\"s\":[3,[\"b2\",4]]}"), "{stored}");
        assert_eq!(Envelope::decode(&stored), Ok(envelope));

        let homeless = Envelope::<Noted>::decode("1\n{\"f\":2,\"w\":{},\"s\":[3]}");
        assert_eq!(homeless, Err(EnvelopeError::NoBox));
    }

    #[test]
    fn what_is_whole_of_a_damaged_value_is_salvaged() {
        let mut envelope = Envelope::<String> {
            version: 7,
            ..Default::default()
        };
        envelope.marks.admit(&UpdateId::Press { query: QueryId(5) });
        let stored = envelope.encode().unwrap();
        let whole = |state: &str| stored.replace("\"s\":\"\"", state).into_bytes();

        let salvaged = Salvaged::from(&whole("\"s\":{\"v\":9}"));
        assert_eq!(salvaged.version, 7);
        assert_eq!(salvaged.marks, envelope.marks);
        assert_eq!(salvaged.state_format, Some(9));
        let cut = Salvaged::from(&stored.as_bytes()[..stored.len() - 3]);
        assert_eq!((cut.version, cut.marks), (7, Watermarks::default()));
        for nothing in [
            &b""[..],
            b"no version",
            b"x\n{}",
            &[0xff, 0xfe, b'\n', 0xff],
        ] {
            assert_eq!(Salvaged::from(nothing), Salvaged::default());
        }
    }
}
