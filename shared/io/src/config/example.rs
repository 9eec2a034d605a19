//! What of `understudy.example.toml` stands unchanged in a configuration: it loads, and Telegram would refuse it at the first start.
//!
//! Deliberately absent: the tokens, whose files are not there until somebody writes them. A configuration with `telegram.dc` is for the
//! sandbox or for Telegram's test servers, where any number may be right.

use shared_core::ChannelId;

use super::Config;

const API_ID: i32 = 1;
const CHANNELS: std::ops::RangeInclusive<i64> = 1_000_000_001..=1_000_000_003;

impl Config {
    /// The settings that still have the example's values, each as `key = value`.
    pub fn left_as_in_the_example(&self) -> Vec<String> {
        if self.telegram.dc.is_some() {
            return Vec::new();
        }
        let mut left = Vec::new();
        if self.telegram.api_id == API_ID {
            left.push(format!("telegram.api_id = {API_ID}"));
        }
        for (pool, at) in self.pools.iter().zip(0..) {
            for (channel, nth) in pool.channels.iter().zip(0..) {
                let ChannelId(id) = channel.id;
                if CHANNELS.contains(&id) {
                    left.push(format!("pool[{at}].channel[{nth}].id = {id}"));
                }
            }
        }
        left
    }
}
