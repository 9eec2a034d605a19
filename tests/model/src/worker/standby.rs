//! `standby.rs`: notes who can be reached, and keeps private messages for its own activation.
//!
//! Invariant: the private cursor moves in the same script that keeps the messages before it. Left out: hints.

use std::rc::Rc;

use bot_worker_core::echo::{Ledger, Meaning};
use shared_core::{EpochRecord, IncomingKind, OutboxEntry, Phase, Place, Told};

use super::calls::Calls;
use super::feed::Batch;
use crate::bug::Bug;
use crate::redis::{Position, Private};
use crate::sim::Away;

/// The batch is committed under the lease. `Err(None)`: the lease is not ours any more.
pub async fn take(calls: &Calls, batch: &Batch, stands_by: bool) -> Result<(), Option<Away>> {
    let (ctx, bot) = (&calls.ctx, &calls.bot);
    let held_to = Some(calls.tenancy.history);
    let mut change = Private {
        cursor: batch.private_after,
        ..Private::default()
    };
    let skips = ctx.sim.has(Bug::EchoesUnsettled);
    // Only of the bot that answered last: what another one said may have been said again and settled since.
    let record = bot.worker.view.borrow().epoch.clone();
    let open = record.as_ref().filter(|record| record.phase == Phase::Open);
    let answered = open.and_then(|record| record.holder.as_ref().map(|holder| holder.bot));
    let last = answered.or(record.as_ref().and_then(|record| record.previous_bot));
    let answered_last = last.is_none_or(|last| last == bot.id());
    if !stands_by && answered_last && !batch.echoes.is_empty() && !skips {
        settle_echoes(calls, batch, record).await.map_err(Some)?;
    }
    for incoming in batch
        .items
        .iter()
        .filter(|item| item.place == Place::Private)
    {
        match &incoming.what {
            IncomingKind::Press { .. } if stands_by => {}
            IncomingKind::Message { text, .. } => {
                change.started.push(incoming.member);
                if stands_by && text == "/start" {
                    ctx.sim.ghost.borrow_mut().waive(incoming.id());
                } else {
                    change.hold.push(Rc::clone(incoming));
                }
            }
            _ => change.hold.push(Rc::clone(incoming)),
        }
    }
    if ctx.sim.has(Bug::StandbyMovesChannels) {
        let moved = batch.channels_after.clone();
        let moving = ctx.redis(held_to, move |redis, sim| {
            let stamp = redis.live.epoch.as_ref().map(|record| record.stamp);
            if let Some(stamp) = stamp {
                redis.move_channels(
                    &mut sim.ghost.borrow_mut(),
                    &sim.telegram.borrow(),
                    stamp,
                    &moved,
                );
            }
        });
        let _ = moving.await;
    }
    if change.cursor.is_none() && change.started.is_empty() && change.hold.is_empty() {
        return Ok(());
    }
    if ctx.sim.has(Bug::KeptAfterCursor) {
        let first = Private {
            cursor: change.cursor.take(),
            ..Private::default()
        };
        if !commit(calls, held_to, first).await.map_err(Some)? {
            return Err(None);
        }
    }
    if ctx.sim.has(Bug::KeptNothing) {
        change.hold.clear();
    }
    match commit(calls, held_to, change).await {
        Ok(true) => {}
        Ok(false) => return Err(None),
        Err(away) => return Err(Some(away)),
    }
    let me = bot.id();
    let reach = ctx.redis(held_to, move |redis, _| {
        redis.live.reach.get(&me).map_or(0, |reach| reach.len())
    });
    let reach = reach.await.map_err(Some)?;
    bot.status(|status| status.reach = u64::try_from(reach).unwrap_or(0));
    Ok(())
}

async fn commit(calls: &Calls, held_to: Option<u64>, change: Private) -> Result<bool, Away> {
    let lease = calls.bot.lease.clone();
    let committed = calls.ctx.redis(held_to, move |redis, sim| {
        let (mut ghost, telegram) = (sim.ghost.borrow_mut(), sim.telegram.borrow());
        redis.commit_private(&mut ghost, &telegram, &lease, change, sim.now())
    });
    committed.await
}

/// `echoes.rs`, `settle`: what these messages show to have been sent leaves the outbox before the cursor passes them. In another epoch by now another
/// bot's replies might be among it: then it is tried again.
async fn settle_echoes(
    calls: &Calls,
    batch: &Batch,
    record: Option<EpochRecord>,
) -> Result<(), Away> {
    let (ctx, bot) = (&calls.ctx, calls.bot.id());
    let held_to = Some(calls.tenancy.history);
    // Both at once: a reply that is settled in between would be in neither. The product reads the outbox first and the words after it.
    let both = ctx.redis(held_to, move |redis, _| {
        let is_same = redis.live.epoch == record;
        is_same.then(|| (redis.live.told.get(&bot).cloned(), redis.outbox_after(None)))
    });
    let (words, waiting) = both.await?.ok_or(Away::Lost)?;
    let mut waiting: Vec<(Position, Rc<OutboxEntry>)> = waiting;
    let mut ledger = Ledger::new(words.iter().flat_map(|words| words.iter().copied()));
    let (mut found, mut spent) = (Vec::new(), Vec::new());
    for echo in &batch.echoes {
        let entries: Vec<_> = waiting.iter().map(|(_, entry)| &**entry).collect();
        match ledger.explain(bot, echo, &entries) {
            Meaning::Sent(at) => {
                let (position, _) = waiting.remove(at);
                found.push((position, Some(Told::Message(echo.chat, echo.message))));
            }
            Meaning::Spent(words) => spent.push(words),
            Meaning::Known(_) | Meaning::Stranger => {}
        }
    }
    if found.is_empty() && spent.is_empty() {
        return Ok(());
    }
    ctx.redis(held_to, move |redis, sim| {
        redis.spend_words(bot, &spent);
        redis.settle(&mut sim.ghost.borrow_mut(), bot, &found);
    })
    .await
}
