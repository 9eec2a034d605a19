//! `active.rs`: the active bot's work, for as long as one open epoch names it; how it begins and how it ends in order.

use std::rc::Rc;

use bot_worker_core::kept::Kept;
use shared_core::{BotId, EpochRecord};

use super::calls::Calls;
use super::cursors::{self, Intake};
use super::feed::Feed;
use super::sender::Sender;
use super::tenure::{Item, Origin, Tenure, Terms};
use super::{parked, resume};
use crate::bug::Bug;
use crate::fixed::GROUP;
use crate::redis::{Position, Resumed};
use crate::sim::Away;

/// How long a dead session's last messages, or the end of a tenure, may hold up what comes next.
const DRAIN: u64 = 150;

/// The epoch is over, or Redis does not answer: it is tried again while the epoch names this bot.
pub struct NotYet;

impl From<Away> for NotYet {
    fn from(_: Away) -> Self {
        Self
    }
}

/// Loads the pool's cursors into the feed and starts everything.
pub async fn start(
    calls: &Calls,
    feed: &Rc<Feed>,
    record: &EpochRecord,
) -> Result<Rc<Tenure>, NotYet> {
    let (ctx, bot, stamp) = (&calls.ctx, calls.bot.id(), record.stamp);
    let held_to = Some(calls.tenancy.history);
    let (confirmed, _) = ctx
        .copied(held_to, move |redis, _| redis.confirm(stamp))
        .await?;
    if !confirmed {
        return Err(NotYet);
    }
    seed_channels(calls, stamp).await?;
    let channels = ctx
        .redis(held_to, |redis, _| redis.live.channels.clone())
        .await?;
    let channels: Vec<_> = channels.into_iter().collect();
    let private = ctx
        .redis(held_to, move |redis, _| redis.live.boxes.get(&bot).copied())
        .await?;
    let held = ctx
        .redis(held_to, move |redis, _| redis.live.held.get(&bot).cloned())
        .await?;
    let stood = ctx
        .redis(held_to, |redis, _| {
            redis.live.outbox.keys().next_back().copied()
        })
        .await?;
    let resumption = ctx
        .redis(held_to, move |redis, sim| {
            redis.begin_resumption(stamp, bot, sim.unix())
        })
        .await?;
    let resumed: Resumed = resumption.ok_or(NotYet)?;
    // After the debt has changed hands: whoever composed them owes them anew.
    if !ctx.sim.has(Bug::ForeignPromptsSent) {
        drop_foreign(calls, record).await?;
    }
    let tenure = Rc::new(Tenure::new(Terms {
        calls: calls.clone(),
        stamp,
        resumed,
        after_another: record.previous_bot != Some(bot),
        stood,
        intake: Intake::new(private, channels.clone()),
    }));
    feed.set_channels(&channels);
    // The product's sender asks for a round of listening, also where an earlier login of this bot left something in doubt.
    if tenure.follows_itself() && stood.is_some() {
        feed.look_everywhere();
    }
    take_old_cache(&tenure);
    for (position, (incoming, at)) in held.into_iter().flatten() {
        let kept = Kept {
            written: incoming.date,
            kept: ctx.sim.unix_at(at),
        };
        tenure.push(
            incoming.conversation(),
            Item::Held(incoming, kept, position),
            Origin::Held(position),
        );
    }
    tenure.engine.spawn(cursors::run(Rc::clone(&tenure)));
    tenure.engine.spawn(parked::take_up(Rc::clone(&tenure)));
    let sender = Sender::new(Rc::clone(&tenure));
    tenure.sends.spawn(sender.run());
    Ok(tenure)
}

/// The bug: conversations are kept in memory beyond the epoch.
fn take_old_cache(tenure: &Rc<Tenure>) {
    let sim = &tenure.engine.sim;
    if sim.has(Bug::CacheOutlivesEpoch)
        && let Some(cache) = tenure.bot.worker.old_cache.borrow().as_ref()
    {
        tenure.load_cache(cache.clone());
    }
}

/// A group that the pool has no cursor for starts from where it stands.
async fn seed_channels(calls: &Calls, stamp: shared_core::EpochStamp) -> Result<(), NotYet> {
    let held_to = Some(calls.tenancy.history);
    let known = calls
        .ctx
        .redis(held_to, |redis, _| redis.live.channels.contains_key(&GROUP))
        .await?;
    if known {
        return Ok(());
    }
    let r#box = shared_core::BoxId::Channel(GROUP);
    let Ok(pts) = calls
        .call(move |telegram, _, _, _| Ok(telegram.pts(r#box)))
        .await
    else {
        return Ok(());
    };
    calls
        .ctx
        .redis(held_to, move |redis, sim| {
            if redis.seed_channel(stamp, GROUP, pts) {
                sim.ghost.borrow_mut().seeded(&sim.telegram.borrow(), pts);
            }
        })
        .await?;
    Ok(())
}

/// What another bot composed in its own name is dropped.
async fn drop_foreign(calls: &Calls, record: &EpochRecord) -> Result<(), NotYet> {
    let (me, stamp): (BotId, _) = (calls.bot.id(), record.stamp);
    let held_to = Some(calls.tenancy.history);
    let pending = calls
        .ctx
        .redis(held_to, |redis, _| redis.outbox_after(None))
        .await?;
    let foreign = pending
        .iter()
        .filter(|(_, entry)| entry.by.is_some_and(|by| by != me));
    let foreign: Vec<Position> = foreign.map(|(position, _)| *position).collect();
    if !foreign.is_empty() {
        calls
            .ctx
            .redis(held_to, move |redis, sim| {
                redis.discard(&mut sim.ghost.borrow_mut(), stamp, &foreign)
            })
            .await?;
    }
    Ok(())
}

/// Every difference since the committed cursors has been handed over.
pub fn caught_up(tenure: &Rc<Tenure>) {
    tenure.caught_up.set(true);
    tenure.sender_bell.ring();
    tenure.engine.spawn(resume::run(Rc::clone(tenure)));
}

/// Waits until what was taken in is committed; nobody else can fetch it.
pub async fn drain(tenure: &Rc<Tenure>) {
    let ctx = &tenure.calls.ctx;
    let idle = async {
        while !tenure.is_idle() {
            tenure.idle_bell.rung().await;
        }
    };
    ctx.within(DRAIN, idle).await;
    stop_sends(tenure, DRAIN).await;
}

/// Stops sending, waits a moment for what is in flight, and takes what is known to be sent out of the outbox.
pub async fn close(tenure: &Rc<Tenure>) {
    let sim = &tenure.engine.sim;
    if sim.has(Bug::CacheOutlivesEpoch) {
        *tenure.bot.worker.old_cache.borrow_mut() = Some(tenure.cached());
    }
    tenure.engine.scope.end();
    tenure.bot.worker.works.set(None);
    let patience = tenure.wind_down() + DRAIN;
    stop_sends(tenure, patience).await;
}

async fn stop_sends(tenure: &Rc<Tenure>, patience: u64) {
    let ctx = &tenure.bot.ctx;
    tenure.stop_sending.set(true);
    tenure.sender_bell.ring();
    let ended = async {
        while !tenure.sender_ended.get() {
            tenure.ended_bell.rung().await;
        }
    };
    if ctx.within(patience, ended).await.is_none() {
        tenure.may_be_repeated();
    }
    tenure.sender_ended.set(true);
    tenure.sends.scope.end();
    ctx.within(DRAIN, tenure.settle_sent()).await;
    let unsettled = tenure.sent.borrow().len();
    tenure.on_their_way.set(unsettled);
    tenure.may_be_repeated();
    // Whatever was on its way is answered or given up: the next sender may begin. One that never had its turn must not end a predecessor's.
    if tenure.took_turn.get() {
        ctx.within(DRAIN, tenure.end_sending()).await;
    }
}
