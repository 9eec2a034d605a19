//! A bot token: `<bot id>:<35 or so characters>`. The id before the colon is public, the rest is the secret.
//!
//! Source: the Bot API's "authorizing your bot"; the length is not promised, so a range is accepted.

use crate::{BotId, Secret};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bot token is malformed: expected `123456789:AA...` as @BotFather shows it")]
pub struct TokenError;

/// A parsed token. `Debug` shows the bot's id only.
#[derive(Clone)]
pub struct BotToken {
    bot: BotId,
    whole: Secret,
}

impl BotToken {
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let (id, secret) = text.split_once(':').ok_or(TokenError)?;
        let bot = id
            .parse::<i64>()
            .ok()
            .filter(|id| *id > 0)
            .ok_or(TokenError)?;
        let well_formed = (20..=64).contains(&secret.len())
            && secret
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !well_formed {
            return Err(TokenError);
        }
        Ok(Self {
            bot: BotId(bot),
            whole: Secret::new(text),
        })
    }

    pub fn bot(&self) -> BotId {
        self.bot
    }

    /// The whole token, for Telegram and for the sealed store only.
    pub fn expose(&self) -> &str {
        self.whole.expose()
    }
}

impl std::fmt::Debug for BotToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BotToken({}:***)", self.bot.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_names_its_bot_and_hides_the_rest() {
        let token = BotToken::parse("7000001:AAHk3b_0123456789-abcdefghijklmnop").unwrap();
        assert_eq!(token.bot(), BotId(7_000_001));
        assert_eq!(format!("{token:?}"), "BotToken(7000001:***)");
    }

    #[test]
    fn malformed_tokens_are_refused() {
        for bad in [
            "",
            "abc",
            "12:short",
            "x:AAHk3b_0123456789-abcdefghijklmnop",
            "-5:AAHk3b_0123456789-abcdefghijklmnop",
            "7:AAHk3b 0123456789-abcdefghijklmno",
        ] {
            assert_eq!(BotToken::parse(bad).unwrap_err(), TokenError, "{bad:?}");
        }
    }
}
