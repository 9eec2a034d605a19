//! Replies on their way: taken out when they are known to be sent, parked, taken up again, moved aside; and whose turn it is to send.

use std::collections::BTreeSet;
use std::rc::Rc;

use shared_core::{BotId, EpochStamp, MemberId, OutboxEntry, Spent, TOLD_KEPT, Told};

use super::{Position, Redis, Sending};
use crate::ghost::{Ghost, Leaves};

/// Whose turn it is now, and which bots left something in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    Ours(BTreeSet<BotId>),
    Anothers,
}

impl Redis {
    /// `settle.lua`: not fenced, since that it was sent stays true.
    pub fn settle(&mut self, ghost: &mut Ghost, bot: BotId, sent: &[(Position, Option<Told>)]) {
        let state = self.state();
        let mut words = state.told.get(&bot).map(Rc::clone).unwrap_or_default();
        for (position, told) in sent {
            if let Some(entry) = state.outbox.remove(position) {
                ghost.leaves(&entry, Leaves::Sent);
            }
            if let Some(told) = told {
                Rc::make_mut(&mut words).push(*told);
            }
        }
        if words.len() > TOLD_KEPT {
            Rc::make_mut(&mut words).remove(0);
        }
        state.told.insert(bot, words);
    }

    /// `spend_words.lua`
    pub fn spend_words(&mut self, bot: BotId, spent: &[Spent]) {
        let state = self.state();
        let mut words = state.told.get(&bot).map(Rc::clone).unwrap_or_default();
        for Spent { word, message } in spent {
            let known = words.contains(message);
            if !known && let Some(at) = words.iter().position(|told| told == word) {
                let words = Rc::make_mut(&mut words);
                words.remove(at);
                words.push(*message);
            }
        }
        state.told.insert(bot, words);
    }

    /// `park.lua`; false: fenced.
    pub fn park(
        &mut self,
        stamp: EpochStamp,
        position: Position,
        member: MemberId,
        loses: bool,
    ) -> bool {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return false;
        }
        if let Some(entry) = state.outbox.remove(&position)
            && !loses
        {
            state.parked.entry(member).or_default().push(entry);
        }
        true
    }

    /// `unpark.lua`; `None`: fenced.
    pub fn unpark(&mut self, stamp: EpochStamp, member: MemberId) -> Option<bool> {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return None;
        }
        let entries = state.parked.remove(&member).unwrap_or_default();
        let some = !entries.is_empty();
        for entry in entries {
            let position = state.place();
            state.outbox.insert(position, entry);
        }
        Some(some)
    }

    /// `discard.lua`; false: fenced.
    pub fn discard(
        &mut self,
        ghost: &mut Ghost,
        stamp: EpochStamp,
        positions: &[Position],
    ) -> bool {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return false;
        }
        for position in positions {
            if let Some(entry) = state.outbox.remove(position) {
                ghost.leaves(&entry, Leaves::Foreign);
            }
        }
        true
    }

    /// `refuse.lua`; false: fenced.
    pub fn refuse(&mut self, stamp: EpochStamp, position: Position) -> bool {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return false;
        }
        if let Some(entry) = state.outbox.remove(&position) {
            state.refused.insert(entry.id);
        }
        true
    }

    /// `enqueue.lua`; false: fenced.
    pub fn enqueue(&mut self, stamp: EpochStamp, entries: Vec<Rc<OutboxEntry>>) -> bool {
        let state = self.state();
        let is_open = state.is_open_for(stamp);
        for entry in entries.into_iter().filter(|_| is_open) {
            let position = state.place();
            state.outbox.insert(position, entry);
        }
        is_open
    }

    /// `begin_sending.lua`; `None`: fenced.
    pub fn begin_sending(
        &mut self,
        stamp: EpochStamp,
        before: Option<&Sending>,
        mine: Sending,
    ) -> Option<Begun> {
        let state = self.state();
        if !state.is_open_for(stamp) {
            return None;
        }
        let now = state.sending.as_ref();
        if now != before && now != Some(&mine) {
            return Some(Begun::Anothers);
        }
        let unended = now.filter(|now| **now != mine).map(|now| now.bot);
        state.sending = Some(mine);
        state.doubts.extend(unended);
        Some(Begun::Ours(state.doubts.clone()))
    }

    /// `end_sending.lua`. What is in doubt at the end is said at once here, so nothing of it is left.
    pub fn end_sending(&mut self, mine: &Sending) {
        let state = self.state();
        if state.sending.as_ref() == Some(mine) {
            state.sending = None;
            state.doubts.clear();
        }
    }

    pub fn outbox_after(&self, after: Option<Position>) -> Vec<(Position, Rc<OutboxEntry>)> {
        let from = after.map_or(0, |after| after + 1);
        let entries = self.live.outbox.range(from..);
        entries.map(|(at, entry)| (*at, Rc::clone(entry))).collect()
    }
}
