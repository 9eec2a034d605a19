//! Readers for single values: whole numbers, durations in milliseconds, closed sets of words, paths in URLs.
//!
//! Invariant: a number is a whole number; the `config` crate alone would round 2.5 and take `true` for 1.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

/// A whole number. A text is none: what the environment says is read before it comes here (`environment.rs`).
pub(super) fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = deserializer.deserialize_any(WholeNumber)?;
    T::try_from(number)
        .map_err(|_| D::Error::custom("is out of range; write a smaller number, not below zero"))
}

/// Whole milliseconds.
pub(super) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    whole(deserializer).map(Duration::from_millis)
}

/// A span of time in words: `7d`, `12h`, `30m`, `45s`, or 0.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Span)
}

struct Span;

impl Span {
    const WANTED: &'static str =
        "is not a time; write one like \"7d\", \"12h\", \"30m\" or \"45s\", or 0";

    fn read(text: &str) -> Option<Duration> {
        let text = text.trim();
        if text == "0" {
            return Some(Duration::ZERO);
        }
        let unit = text.chars().next_back()?;
        let seconds = match unit {
            'd' => 24 * 3600,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let digits = text.strip_suffix(unit)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        Some(Duration::from_secs(number.checked_mul(seconds)?))
    }
}

impl Visitor<'_> for Span {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time like \"7d\", or 0")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Duration, E> {
        match number {
            0 => Ok(Duration::ZERO),
            _ => Err(E::custom(Self::WANTED)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Duration, E> {
        self.visit_i64(i64::from(number != 0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        Self::read(text).ok_or_else(|| E::custom(Self::WANTED))
    }
}

struct WholeNumber;

impl Visitor<'_> for WholeNumber {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::custom("is out of range; write a smaller number"))
    }

    fn visit_str<E: Error>(self, _text: &str) -> Result<i64, E> {
        Err(E::custom(
            "is a text and has to be a whole number; write digits only, without quotes",
        ))
    }
}

/// The milliseconds of a duration that came from milliseconds.
pub(super) fn in_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A path for a URL: everything but letters, digits and `/-._~` percent-encoded, so that a space or a `?` stays a part of it.
pub(crate) fn url_path(path: &Path) -> String {
    let mut encoded = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A closed set of words: an enum with `ALL`, `as_str`, `Display`, `FromStr` and `Deserialize`, whose error names every word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|known| known.as_str() == text);
                found.copied().ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|known| known.as_str()).collect();
                    format!("is not one of the words for it; write one of {}", known.join(", "))
                })
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_url_keeps_what_would_end_it() {
        let path = Path::new("/var/lib/my bot/a?b#c%d");
        assert_eq!(url_path(path), "/var/lib/my%20bot/a%3Fb%23c%25d");
    }

    #[test]
    fn a_span_is_a_number_and_a_unit_or_zero() {
        let of = |text| Span::read(text).map(|span| span.as_secs());
        let table = [
            ("7d", 604_800),
            ("12h", 43_200),
            ("30m", 1_800),
            ("45s", 45),
            ("0", 0),
            ("0d", 0),
        ];
        for (text, seconds) in table {
            assert_eq!(of(text), Some(seconds), "{text}");
        }
        for none in [
            "",
            "7",
            "d",
            "-1d",
            "1.5h",
            "7 d",
            "7w",
            "+7d",
            "99999999999999999999d",
            "999999999999999999d",
            "7é",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
