//! `[rates]`: how fast a bot sends, kept a little below what Telegram allows.
//!
//! Source: <https://core.telegram.org/bots/faq>, "My bot is hitting limits": about one message a second per chat, 20 a minute in a
//! group, 30 a second in all; short bursts are tolerated.

use serde::Deserialize;

use super::error::{Fault, in_range};
use super::value::whole;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesConfig {
    #[serde(deserialize_with = "whole")]
    pub chat_per_second: u32,
    #[serde(deserialize_with = "whole")]
    pub chat_burst: u32,
    #[serde(deserialize_with = "whole")]
    pub group_per_minute: u32,
    #[serde(deserialize_with = "whole")]
    pub group_burst: u32,
    /// Over all chats of one bot.
    #[serde(deserialize_with = "whole")]
    pub bulk_per_second: u32,
    /// How many may leave at once before that rate is the bound.
    #[serde(deserialize_with = "whole")]
    pub bulk_burst: u32,
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self {
            chat_per_second: 1,
            chat_burst: 3,
            group_per_minute: 18,
            group_burst: 5,
            bulk_per_second: 28,
            bulk_burst: 20,
        }
    }
}

impl RatesConfig {
    pub(super) fn validate(&self) -> Result<(), Fault> {
        let ranges = [
            ("chat_per_second", self.chat_per_second, 30),
            ("chat_burst", self.chat_burst, 100),
            ("group_per_minute", self.group_per_minute, 1000),
            ("group_burst", self.group_burst, 100),
            ("bulk_per_second", self.bulk_per_second, 1000),
            ("bulk_burst", self.bulk_burst, 1000),
        ];
        for (key, value, high) in ranges {
            in_range(&format!("rates.{key}"), u64::from(value), 1, high)?;
        }
        Ok(())
    }
}
