//! `sender/turn.rs`: a new sender waits until nothing of the one before it can be on its way.

use std::collections::BTreeSet;
use std::rc::Rc;

use shared_core::BotId;

use super::tenure::Tenure;
use crate::bug::Bug;
use crate::redis::{Begun, Sending};
use crate::sim::Away;

const PATIENCE: u64 = 2_500;
const LOOK: u64 = 10;
const WIND_DOWN: u64 = 2_000;
const WIND_DOWN_DEAD: u64 = 100;
const WELL: u64 = 2_500;

enum Turn {
    /// The bots that left something in doubt.
    Ours(BTreeSet<BotId>),
    Over,
    NotYet,
}

impl Tenure {
    fn sending(&self) -> Sending {
        Sending {
            bot: self.bot.id(),
            worker: self.bot.worker.id.clone(),
            nonce: self.bot.worker.nonce,
            epoch: self.stamp,
        }
    }

    /// How long the end of this tenure may wait for Telegram's last answers.
    pub fn wind_down(&self) -> u64 {
        let now = self.calls.ctx.sim.now();
        let answered = self.bot.status.borrow().answered_at;
        match answered.is_some_and(|at| now - at <= WELL) {
            true => WIND_DOWN,
            false => WIND_DOWN_DEAD,
        }
    }

    pub fn wind_down_dead() -> u64 {
        WIND_DOWN_DEAD
    }

    /// Nothing of ours is on its way any more.
    pub async fn end_sending(&self) {
        let (mine, held) = (self.sending(), self.history());
        let _ = self
            .calls
            .ctx
            .redis(held, move |redis, _| redis.end_sending(&mine))
            .await;
    }
}

/// Waits for the turn; which bots left something in doubt. `None`: the epoch is over, or the sender is to stop.
pub async fn take(tenure: &Rc<Tenure>) -> Option<BTreeSet<BotId>> {
    let ctx = tenure.sends.clone();
    let since = ctx.sim.now();
    loop {
        match look(tenure, since).await {
            Ok(Turn::Ours(doubts)) => return Some(doubts),
            Ok(Turn::Over) => return None,
            Ok(Turn::NotYet) | Err(_) => {}
        }
        if tenure.stop_sending.get() {
            return None;
        }
        ctx.sleep(LOOK).await;
    }
}

async fn look(tenure: &Rc<Tenure>, since: u64) -> Result<Turn, Away> {
    let (ctx, held, stamp) = (&tenure.sends, tenure.history(), tenure.stamp);
    let before = ctx
        .redis(held, |redis, _| redis.live.sending.clone())
        .await?;
    if let Some(other) = &before
        && !ctx.sim.has(Bug::NoTurn)
        && !can_send_no_more(tenure, other).await?
        && ctx.sim.now() - since < PATIENCE
    {
        return Ok(Turn::NotYet);
    }
    let mine = tenure.sending();
    let begun = ctx.redis(held, move |redis, _| {
        redis.begin_sending(stamp, before.as_ref(), mine)
    });
    Ok(match begun.await? {
        Some(Begun::Ours(doubts)) => Turn::Ours(doubts),
        Some(Begun::Anothers) => Turn::NotYet,
        None => Turn::Over,
    })
}

/// A session of this very process and bot ended before this one began. Of anybody else the lease tells.
async fn can_send_no_more(tenure: &Rc<Tenure>, other: &Sending) -> Result<bool, Away> {
    let me = tenure.sending();
    if (other.bot, &other.worker, other.nonce) == (me.bot, &me.worker, me.nonce) {
        return Ok(true);
    }
    let bot = other.bot;
    let lease = tenure.sends.redis(tenure.history(), move |redis, sim| {
        redis.lease(bot, sim.now())
    });
    let lease = lease.await?;
    Ok(!lease.is_some_and(|lease| lease.worker == other.worker && lease.nonce == other.nonce))
}
