//! Links that lead a member to a bot: `https://t.me/<bot>?start=<payload>`.
//!
//! A payload is a hint about where somebody comes from, never authority: who he is, Telegram vouches for, and his own conversation is the only one
//! that a payload can bring up. So it names nobody, and the closed list below is all that is ever looked for in it. Invariant: a
//! [`StartPayload`] has Telegram's form (`docs/telegram.md`, Identity), so that it can stand in a link as it is.

use std::fmt;

/// Telegram takes no longer one.
const LONGEST: usize = 64;
/// A username has 5 to 32 of these; what has not is none and gets no link.
const USERNAME: std::ops::RangeInclusive<usize> = 1..=32;

/// What stands behind `?start=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartPayload<'a>(&'a str);

impl StartPayload<'static> {
    /// Begins an upload.
    pub const UPLOAD: Self = Self("upload");
    /// Whoever follows a switch: he is shown where he stands.
    pub const GO_ON: Self = Self("go");
    /// Whoever was invited to start a backup ahead of time.
    pub const BACKUP: Self = Self("backup");
}

impl<'a> StartPayload<'a> {
    /// `None` when Telegram would not take it.
    pub fn parse(text: &'a str) -> Option<Self> {
        let fits = (1..=LONGEST).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        fits.then_some(Self(text))
    }

    /// The payload of a text that Start sends.
    pub fn of_start(text: &'a str) -> Option<Self> {
        let (command, payload) = text.trim().split_once(char::is_whitespace)?;
        (command == "/start").then(|| Self::parse(payload.trim()))?
    }

    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for StartPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Where the bot can be started; `None` for what is no username.
pub fn deep_link(username: &str, payload: Option<StartPayload<'_>>) -> Option<String> {
    let fits = USERNAME.contains(&username.len())
        && username
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then(|| match payload {
        Some(payload) => format!("https://t.me/{username}?start={payload}"),
        None => format!("https://t.me/{username}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_telegrams_form_or_is_none() {
        let longest = "a".repeat(64);
        for taken in ["go", "A-z_09", longest.as_str()] {
            assert_eq!(
                StartPayload::parse(taken).map(|it| it.as_str()),
                Some(taken)
            );
        }
        let too_long = "a".repeat(65);
        for refused in ["", "a b", "a&b=c", "ä", "a\n", "../x", too_long.as_str()] {
            assert_eq!(StartPayload::parse(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn the_payload_of_a_start_is_found() {
        let of = |text| StartPayload::of_start(text).map(|it| it.as_str());
        assert_eq!(of("/start backup"), Some("backup"));
        assert_eq!(of(" /start   go "), Some("go"));
        for none in [
            "/start",
            "/started backup",
            "start backup",
            "/start a b",
            "/start@x go",
        ] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_link_is_made_for_a_username_only() {
        let go_on = Some(StartPayload::GO_ON);
        assert_eq!(
            deep_link("first_bot", go_on).as_deref(),
            Some("https://t.me/first_bot?start=go")
        );
        assert_eq!(
            deep_link("first_bot", None).as_deref(),
            Some("https://t.me/first_bot")
        );
        for none in ["", "a/b", "a?b", "a\r\nSet-Cookie: x"] {
            assert_eq!(deep_link(none, go_on), None, "{none:?}");
        }
    }
}
