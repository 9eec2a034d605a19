//! `sender/park.rs`, `sender/aside.rs`: entries that do not leave by being sent.
//!
//! Invariant: an entry is moved by a script of the epoch, or stays where it was.

use bot_worker_core::Event;
use shared_core::{EventId, MemberId, OutboxEntry, OutboxKind, PlaceKey, Priority, SendTarget};

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
        let unsaid = unsaid(&entry).filter(|_| refused == Ok(true));
        let key = entry.conversation;
        let after = self.moved_away(position, entry, refused);
        if let Some(item) = unsaid {
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

/// What the conversation hears, if its own chat was to get an answer.
fn unsaid(entry: &OutboxEntry) -> Option<Item> {
    let here = match (entry.conversation.place, entry.target) {
        (PlaceKey::Private, SendTarget::Member(member)) => member == entry.conversation.member,
        (PlaceKey::Group(group), SendTarget::Channel(channel)) => group == channel,
        _ => false,
    };
    let is_answer = entry.priority == Priority::Answer && entry.by.is_none();
    let is_said = !matches!(entry.kind, OutboxKind::StoreFile { .. });
    (here && is_answer && is_said).then(|| {
        let mut id = entry.id.0;
        id[15] ^= 2;
        Item::Internal {
            event: Event::Unsaid,
            id: EventId(id),
            settles: None,
        }
    })
}
