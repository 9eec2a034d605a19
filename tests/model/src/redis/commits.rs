//! What is written under an epoch or a login lease: conversations, cursors, kept messages, and how far showing them again has come.

use std::rc::Rc;

use shared_core::{
    BotId, BoxId, ChannelId, ConversationKey, EpochStamp, Incoming, LoginLease, MemberId,
    OutboxEntry, UnixMs, UpdateId,
};

use super::{Position, Redis, Resumed, Stored};
use crate::bug::Bug;
use crate::ghost::{Ghost, Wrong};
use crate::telegram::Telegram;

/// What leaves its place with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    Outbox(Position),
    Held(BotId, Position),
}

pub struct Commit {
    pub stamp: EpochStamp,
    pub key: ConversationKey,
    pub expected: u64,
    pub version: u64,
    pub text: Rc<str>,
    pub open: Option<UnixMs>,
    pub entries: Vec<Rc<OutboxEntry>>,
    pub settles: Option<Settles>,
    /// What is taken in by it; `None` where it was known.
    pub update: Option<UpdateId>,
    pub bug: Option<Bug>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    Done,
    Fenced,
    Gone,
    Stale,
}

/// A bot's private cursor with all that the updates before it led to.
#[derive(Debug, Clone, Default)]
pub struct Private {
    pub cursor: Option<i32>,
    pub started: Vec<MemberId>,
    pub stopped: Vec<MemberId>,
    pub hold: Vec<Rc<Incoming>>,
}

impl Redis {
    /// `commit.lua`
    pub fn commit(&mut self, ghost: &mut Ghost, commit: Commit) -> Committed {
        let state = self.state();
        let is_open = state.is_open_for(commit.stamp);
        if !is_open && commit.bug != Some(Bug::NoEpochCheck) {
            return Committed::Fenced;
        }
        let stands = match commit.settles {
            None => true,
            Some(Settles::Outbox(position)) => state.outbox.contains_key(&position),
            Some(Settles::Held(bot, position)) => {
                let held = state.held.get(&bot);
                held.is_some_and(|held| held.contains_key(&position))
            }
        };
        if !stands {
            return Committed::Gone;
        }
        let stored = state.conversations.get(&commit.key);
        let version = stored.map_or(0, |stored| stored.version);
        if version != commit.expected && commit.bug != Some(Bug::NoVersionCheck) {
            return Committed::Stale;
        }
        if !is_open {
            ghost.fail(Wrong::StaleEpoch(commit.stamp));
        }
        let mut applied = stored.map(|it| Rc::clone(&it.applied)).unwrap_or_default();
        if let Some(update) = commit.update {
            ghost.takes(&commit.key, &applied, &update);
            Rc::make_mut(&mut applied).push(update);
        }
        let stored = Stored {
            version: commit.version,
            text: commit.text,
            applied,
        };
        state.conversations.insert(commit.key, stored);
        match commit.open {
            Some(at) => state.open.insert(commit.key, at),
            None => state.open.remove(&commit.key),
        };
        match commit.settles {
            None => {}
            Some(Settles::Outbox(position)) => {
                state.outbox.remove(&position);
            }
            Some(Settles::Held(bot, position)) => {
                state
                    .held
                    .get_mut(&bot)
                    .and_then(|held| held.remove(&position));
            }
        }
        for entry in commit.entries {
            ghost.commits(&entry, commit.update);
            let position = state.place();
            state.outbox.insert(position, entry);
        }
        Committed::Done
    }

    /// `commit_private.lua`; false: the lease is another's.
    pub fn commit_private(
        &mut self,
        ghost: &mut Ghost,
        telegram: &Telegram,
        lease: &LoginLease,
        change: Private,
        now: u64,
    ) -> bool {
        if self.lease(lease.bot, now).as_ref() != Some(lease) {
            return false;
        }
        let state = self.state();
        let bot = lease.bot;
        let reach = state.reach.entry(bot).or_default();
        reach.extend(change.started);
        for member in change.stopped {
            reach.remove(&member);
        }
        for incoming in change.hold {
            let position = state.place();
            state
                .held
                .entry(bot)
                .or_default()
                .insert(position, (incoming, now));
        }
        if let Some(pts) = change.cursor {
            let known = state.boxes.get(&bot).copied();
            if known.is_none_or(|known| pts > known) {
                state.boxes.insert(bot, pts);
                let from = known.unwrap_or(0);
                ghost.passes(state, telegram, BoxId::Private(bot), from, pts);
            }
        }
        true
    }

    /// `move_channels.lua`, forward; false: fenced.
    pub fn move_channels(
        &mut self,
        ghost: &mut Ghost,
        telegram: &Telegram,
        stamp: EpochStamp,
        moved: &[(ChannelId, i32)],
    ) -> bool {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return false;
        }
        for (channel, pts) in moved {
            match state.channels.get(channel).copied() {
                Some(known) if *pts > known => {
                    state.channels.insert(*channel, *pts);
                    ghost.passes(state, telegram, BoxId::Channel(*channel), known, *pts);
                }
                Some(_) => {}
                // It could not be seeded: what was said before belongs to nobody.
                None => {
                    state.channels.insert(*channel, *pts);
                    ghost.seeded(telegram, *pts);
                }
            }
        }
        true
    }

    /// `move_channels.lua`, seed: only where there is none.
    pub fn seed_channel(&mut self, stamp: EpochStamp, channel: ChannelId, pts: i32) -> bool {
        let state = self.state();
        let is_open = state.is_open_for(stamp);
        if is_open {
            state.channels.entry(channel).or_insert(pts);
        }
        is_open
    }

    /// `held_settle.lua`; false: fenced.
    pub fn settle_held(
        &mut self,
        ghost: &mut Ghost,
        stamp: EpochStamp,
        bot: BotId,
        positions: &[Position],
    ) -> bool {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return false;
        }
        for position in positions {
            let held = state.held.get_mut(&bot);
            if let Some((incoming, _)) = held.and_then(|held| held.remove(position)) {
                ghost.lets_go(state, &incoming);
            }
        }
        true
    }

    /// `confirm.lua`; false: fenced.
    pub fn confirm(&mut self, stamp: EpochStamp) -> bool {
        self.live.is_open_for(stamp)
    }

    /// `begin_resumption.lua`; `None`: fenced.
    pub fn begin_resumption(
        &mut self,
        stamp: EpochStamp,
        bot: BotId,
        now: UnixMs,
    ) -> Option<Resumed> {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return None;
        }
        if let Some(known) = state.resumed.as_ref().filter(|known| known.bot == bot) {
            return Some(known.clone());
        }
        let before = state.resumed.as_ref().map(|known| known.bot);
        let begun = Resumed {
            bot,
            epoch: stamp.epoch.0,
            done: before.is_none(),
            before,
            at: now,
        };
        state.resumed = Some(begun.clone());
        Some(begun)
    }

    /// `resumed.lua`; false: fenced.
    pub fn note_resumed(&mut self, stamp: EpochStamp, bot: BotId) -> bool {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return false;
        }
        let known = state.resumed.take();
        state.resumed = Some(Resumed {
            bot,
            epoch: known.as_ref().map_or(stamp.epoch.0, |known| known.epoch),
            done: true,
            before: known.as_ref().and_then(|known| known.before),
            at: known.map_or(UnixMs(0), |known| known.at),
        });
        true
    }
}
