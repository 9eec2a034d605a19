//! `[[pool.channel]]`: the supergroups and channels of a pool, and the rights that every bot of it is to have there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use shared_core::{ChannelId, PoolId};

use crate::config::error::Fault;
use crate::config::rights::Right;
use crate::config::value::{whole, words};

words!(
    /// What a channel is to the pool.
    ChannelRole {
        /// A supergroup in which members talk to the bot.
        Group = "group",
        /// Where uploaded files are kept.
        Storage = "storage",
        /// Where submissions are announced.
        Broadcast = "broadcast",
    }
);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    pub id: ChannelId,
    pub role: ChannelRole,
    /// At least these, for each bot.
    pub rights: Vec<Right>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[serde(deserialize_with = "whole")]
    id: i64,
    role: ChannelRole,
    rights: Option<Vec<Right>>,
}

impl Raw {
    pub(super) fn resolve(self) -> ChannelConfig {
        // A group's bot is an administrator so that it sees every message; no single right is needed to talk.
        let least = match self.role {
            ChannelRole::Group => Vec::new(),
            ChannelRole::Storage | ChannelRole::Broadcast => vec![Right::PostMessages],
        };
        ChannelConfig {
            id: ChannelId(self.id),
            role: self.role,
            rights: self.rights.unwrap_or(least),
        }
    }
}

/// `groups` remembers the groups of the pools before this one.
pub(super) fn validate(
    channels: &[Raw],
    pool_key: &str,
    pool: &PoolId,
    groups: &mut BTreeMap<i64, PoolId>,
) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for (at, channel) in channels.iter().enumerate() {
        let key = format!("{pool_key}.channel[{at}].id");
        bare_id(&key, channel.id)?;
        if !seen.insert(channel.id) {
            return Err(Fault::inconsistent(
                key,
                format!("channel {} is in pool `{pool}` twice", channel.id),
                "keep one entry with one role",
            ));
        }
        if channel.role == ChannelRole::Group
            && let Some(other) = groups.insert(channel.id, pool.clone())
        {
            return Err(Fault::inconsistent(
                key,
                format!(
                    "group {} is in pool `{other}` already, both would answer there",
                    channel.id
                ),
                "keep it in one pool",
            ));
        }
    }
    let count = |role| {
        channels
            .iter()
            .filter(|channel| channel.role == role)
            .count()
    };
    let key = format!("{pool_key}.channel");
    match count(ChannelRole::Storage) {
        1 => {}
        0 => {
            return Err(Fault::inconsistent(
                key,
                format!(
                    "pool `{pool}` has no storage channel, files of members would have no place"
                ),
                "make a channel, make every bot its administrator, and add it with role = \"storage\"",
            ));
        }
        many => {
            return Err(Fault::inconsistent(
                key,
                format!("pool `{pool}` has {many} storage channels, files would be in any of them"),
                "keep role = \"storage\" at one",
            ));
        }
    }
    if count(ChannelRole::Broadcast) > 1 {
        return Err(Fault::inconsistent(
            key,
            format!("pool `{pool}` has more than one broadcast channel"),
            "keep role = \"broadcast\" at one",
        ));
    }
    Ok(())
}

/// The Bot API writes channels as -100 and the id; basic groups, which are refused everywhere, as minus the id.
fn bare_id(key: &str, id: i64) -> Result<(), Fault> {
    const BOT_API: i64 = -1_000_000_000_000;
    if id > 0 {
        return Ok(());
    }
    let (what, mend) = if id < BOT_API {
        (
            format!("{id} is the Bot API's form of a channel's id"),
            format!("write {}", BOT_API - id),
        )
    } else {
        (
            format!("{id} is no channel and no supergroup"),
            "convert a basic group into a supergroup and write its new id".to_owned(),
        )
    };
    Err(Fault::inconsistent(key, what, mend))
}
