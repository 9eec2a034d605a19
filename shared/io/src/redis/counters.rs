//! Counts of work, for reports. They judge nothing and are guarded by nothing.

use std::collections::{BTreeMap, HashMap};

use super::PoolState;
use super::error::StateError;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter { $($(#[$doc])* $name,)* }

        impl Counter {
            pub const ALL: &'static [Counter] = &[$(Counter::$name,)*];

            /// Its name in Redis, in heartbeats and in reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

counters! {
    /// Counted by the commit script itself.
    Commits = "commits",
    /// Commits that were refused by the epoch; counted by the commit script itself.
    CommitsRefused = "commits_refused",
    /// Updates that had been taken in before.
    Duplicates = "duplicates",
    /// Counted when an outbox entry is settled.
    Sent = "sent",
    /// Outbox entries that were of no use any more (another bot's prompts).
    Discarded = "discarded",
    /// Entries that nobody could read and that were moved to the poison stream.
    Poisoned = "poisoned",
    /// Replies that Telegram refused for good and that were moved there as well.
    Refused = "refused",
    /// Replies that a box shows to have been sent, without an answer to that: not sent again.
    FoundSent = "found_sent",
    /// Conversations that nobody could read; counted by the script that moves them aside.
    Quarantined = "quarantined",
    UpdatesUnknown = "updates_unknown",
    FilesToResend = "files_to_resend",
    MaybeRepeated = "maybe_repeated",
    /// Replies that wait now: goes up with `park` and down with `unpark`.
    Parked = "parked",
    ConversationsContinued = "conversations_continued",
    /// Open conversations, lately active, whose members the bot that took over may not write to; counted as it looks through them.
    ConversationsParked = "conversations_parked",
    /// Members who were asked to press Start with the backups.
    Invited = "invited",
    /// Of those, a member and bot each: pressed it. Counted by the script that notes whom the bot may write to.
    InvitedStarted = "invited_started",
    /// Private messages to a standby that nobody acted on: it kept too many, or kept them for too long.
    HeldDropped = "held_dropped",
    /// Acknowledged commits that a failover of Redis has lost; what they took in is taken in again as far as Telegram sends it again.
    LostTail = "lost_tail",
}

/// All counters; those that never moved are zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters(BTreeMap<Counter, i64>);

impl Counters {
    pub fn get(&self, counter: Counter) -> i64 {
        self.0.get(&counter).copied().unwrap_or(0)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Counter, i64)> + '_ {
        Counter::ALL
            .iter()
            .map(|counter| (*counter, self.get(*counter)))
    }
}

impl PoolState {
    pub async fn counters(&self) -> Result<Counters, StateError> {
        let op = self.op("read", &"the counters");
        let found: HashMap<String, i64> = self
            .link
            .query(op, ::redis::cmd("HGETALL").arg(&self.keys.counters))
            .await?;
        let known = Counter::ALL.iter();
        Ok(Counters(
            known
                .filter_map(|counter| Some((*counter, *found.get(counter.as_str())?)))
                .collect(),
        ))
    }

    pub async fn count(&self, changes: &[(Counter, i64)]) -> Result<(), StateError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut pipeline = ::redis::pipe();
        for (counter, by) in changes {
            pipeline
                .cmd("HINCRBY")
                .arg(&self.keys.counters)
                .arg(counter.as_str())
                .arg(*by)
                .ignore();
        }
        self.link
            .pipeline(self.op("move", &"the counters"), &pipeline)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Counter::ALL
            .iter()
            .map(|counter| counter.as_str())
            .collect();
        assert_eq!(names.len(), Counter::ALL.len());
    }
}
