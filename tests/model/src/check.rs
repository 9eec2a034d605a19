//! What can only be asked once faults have stopped: has everything come to rest, and is everybody served?
//!
//! Rest: one open epoch whose holder is at work; nothing in the outbox; every box that a living bot has read to its end; nothing kept that is owed.
//! Then: who is in the middle of something has a live prompt of the bot that answers, or waits until he presses Start. Invariant: looks only.

use shared_core::{BotId, BoxId, ConversationKey, EntryId, Phase, PlaceKey};

use crate::fixed::{BOTS, GROUP, bot_index};
use crate::ghost::Wrong;
use crate::redis::Stored;
use crate::sim::Sim;

/// Who answers, if its worker is at that work.
pub fn holder(sim: &Sim) -> Option<BotId> {
    let redis = sim.redis.borrow();
    let record = redis.live.epoch.as_ref()?;
    let holder = record
        .holder
        .as_ref()
        .filter(|_| record.phase == Phase::Open)?;
    let workers = sim.workers.borrow();
    let works = workers.iter().flatten().any(|(proc, worker)| {
        !proc.dead.get() && worker.id == holder.worker && worker.works_for(record.stamp, holder.bot)
    });
    works.then_some(holder.bot)
}

/// What has not come to rest yet.
pub fn unrest(sim: &Sim) -> Option<&'static str> {
    let Some(active) = holder(sim) else {
        return Some("nobody answers");
    };
    let (redis, telegram) = (sim.redis.borrow(), sim.telegram.borrow());
    let state = &redis.live;
    if !telegram.is_connected(active) {
        return Some("the active bot's session is over");
    }
    if state.saga.as_ref().is_some_and(|saga| saga.is_running()) {
        return Some("a switch is under way");
    }
    if !state.outbox.is_empty() {
        return Some("replies wait");
    }
    let stamp = state.epoch.as_ref().map(|record| record.stamp);
    let workers = sim.workers.borrow();
    let showed = workers
        .iter()
        .flatten()
        .any(|(_, worker)| worker.showed.get() == stamp);
    if !showed
        || !state
            .resumed
            .as_ref()
            .is_some_and(|it| it.bot == active && it.done)
    {
        return Some("conversations are owed a prompt");
    }
    // Without a cursor nothing of the group is owed.
    let group = state.channels.get(&GROUP);
    if group.is_some_and(|read| *read != telegram.pts(BoxId::Channel(GROUP))) {
        return Some("the group is not read to its end");
    }
    // One that was kept twice, the second time late, stays until the bot is activated again: it is known by then.
    let (ghost, held) = (sim.ghost.borrow(), state.held.get(&active));
    if held.is_some_and(|held| {
        held.values()
            .any(|(kept, _)| !ghost.is_handled(state, kept))
    }) {
        return Some("the active bot has kept messages");
    }
    for bot in BOTS
        .into_iter()
        .filter(|bot| !telegram.revoked[bot_index(*bot)])
    {
        let read = state.boxes.get(&bot).copied().unwrap_or(1);
        if read != telegram.pts(BoxId::Private(bot)) {
            return Some(if bot == active {
                "the active bot's box is not read"
            } else {
                "a standby's box is not read"
            });
        }
    }
    let waits = state
        .parked
        .keys()
        .any(|member| telegram.has_started(active, *member));
    waits.then_some("replies are parked for somebody who is there")
}

/// Everything has come to rest: is it as it should be?
pub fn at_rest(sim: &Sim) -> Result<(), Wrong> {
    let active = holder(sim).ok_or(Wrong::NotSettled("nobody answers"))?;
    let (redis, telegram, ghost) = (
        sim.redis.borrow(),
        sim.telegram.borrow(),
        sim.ghost.borrow(),
    );
    for (key, _) in redis.live.open.iter() {
        let Some(stored) = redis.live.conversations.get(key) else {
            return Err(Wrong::Unserved(*key));
        };
        let can_be_told =
            key.place != PlaceKey::Private || telegram.has_started(active, key.member);
        let word = live_word(key, stored);
        // Redis was set back: an update that is taken in again answers under the same id, which Telegram shows once, and a prompt's number comes
        // again. Then whatever the bot has put before him counts.
        let was_shown = ghost.set_back && telegram.people.was_shown(key, active);
        if ghost.mistaken.contains(key) {
            continue;
        }
        if can_be_told && !was_shown && !telegram.people.is_served(key, active, &word) {
            return Err(Wrong::Unserved(*key));
        }
    }
    // Where Redis was set back, or a login was used in doubt, more may come twice than anybody could know.
    let explained = ghost.set_back || !ghost.in_doubt.is_empty();
    let parked: Vec<EntryId> = redis
        .live
        .parked
        .values()
        .flatten()
        .map(|entry| entry.id)
        .collect();
    let waits = |entry: EntryId| parked.contains(&entry) || redis.live.refused.contains(&entry);
    if !ghost.set_back
        && let Some(entry) = ghost.lost_reply(waits)
    {
        return Err(Wrong::ReplyLost(entry));
    }
    if !explained && ghost.repeats > ghost.said {
        let (shown, said) = (ghost.repeats, ghost.said);
        return Err(Wrong::ShownTwice { shown, said });
    }
    Ok(())
}

/// What the buttons of the conversation's latest prompt begin with: the flow, the prompt's number, the member.
fn live_word(key: &ConversationKey, stored: &Stored) -> String {
    let state = stored
        .text
        .split_once("\"s\":{")
        .map_or("", |(_, state)| state);
    let number = state.split_once("\"n\":").map_or("", |(_, number)| number);
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    let number: u32 = digits.parse().unwrap_or(0);
    format!("u:{number:x}:{}:", key.member.0)
}
