//! `sender/park.rs`, `sender/aside.rs`: entries that do not leave by being sent.
//!
//! Invariant: an entry is moved by a script of the epoch, or stays where it was.

use bot_worker_core::event_of_letter;
use bot_worker_core::refused::word_of;
use shared_core::{MemberId, OutboxEntry, UnixMs};

use super::sender::{After, Sender};
use super::tenure::{Item, Origin};
use crate::bug::Bug;
use crate::redis::Position;
use crate::sim::Away;

impl Sender {
    /// His replies wait until he presses Start.
    pub async fn park(
        &mut self,
        position: Position,
        entry: OutboxEntry,
        member: MemberId,
    ) -> After {
        let (ctx, held) = (self.tenure.sends.clone(), self.tenure.history());
        let bot = self.tenure.bot.id();
        let first = self.tries.entry(entry.id).or_default();
        first.failures += 1;
        let is_first = first.failures == 1;
        let reached = ctx.redis(held, move |redis, _| {
            redis
                .live
                .reach
                .get(&bot)
                .is_some_and(|reach| reach.contains(&member))
        });
        if is_first && reached.await == Ok(true) {
            self.hold(entry.target, 1_000);
            self.queue.put_back(position, entry);
            return After::GoOn;
        }
        let (stamp, loses) = (self.tenure.stamp, ctx.sim.has(Bug::ParkedNowhere));
        let parked = ctx
            .redis(held, move |redis, _| {
                redis.park(stamp, position, member, loses)
            })
            .await;
        // Also when it is not known whether it came through.
        self.tenure.parked.borrow_mut().insert(member);
        self.moved_away(position, entry, parked)
    }

    pub async fn refuse(&mut self, position: Position, entry: OutboxEntry) -> After {
        let (ctx, held, stamp) = (
            self.tenure.sends.clone(),
            self.tenure.history(),
            self.tenure.stamp,
        );
        let refused = ctx
            .redis(held, move |redis, _| redis.refuse(stamp, position))
            .await;
        let heard = heard(&entry).filter(|_| refused == Ok(true));
        let key = entry.conversation;
        let after = self.moved_away(position, entry, refused);
        if let Some(item) = heard {
            self.tenure.push(key, item, Origin::Own);
        }
        after
    }

    /// The entry was moved by a script of the epoch; where that did not come through, it is tried again.
    fn moved_away(
        &mut self,
        position: Position,
        entry: OutboxEntry,
        moved: Result<bool, Away>,
    ) -> After {
        match moved {
            Ok(true) => {
                self.queue.finish(entry.target);
                self.tries.remove(&entry.id);
                After::GoOn
            }
            Ok(false) => After::Over,
            Err(_) => {
                self.hold(entry.target, 500);
                self.queue.put_back(position, entry);
                After::GoOn
            }
        }
    }
}

/// What the conversation hears. The product's letter goes into the inbox with the step that moves the entry; here it is handed over in memory (`post`
/// has the inbox).
fn heard(entry: &OutboxEntry) -> Option<Item> {
    let letter = word_of(entry, UnixMs(0))?;
    Some(Item::Internal {
        event: event_of_letter(letter.from, letter.what),
        id: letter.id,
        settles: None,
    })
}
