//! `smoke.rs`: the test of a bot that is about to become active. Members see nothing of it.

use std::rc::Rc;

use shared_core::{EpochStamp, SmokeCheck, SmokeReport, SmokeResult};

use super::calls::{Calls, is_retryable};
use crate::sim::net::Server;

/// Until somebody judges the silence.
const DEADLINE: u64 = 8_000;
const REPORT_WITHIN: u64 = 5_000;

pub async fn run(calls: Calls, stamp: EpochStamp) {
    let ctx = calls.ctx.clone();
    let rpc = ctx.within(DEADLINE, rpc(&calls)).await.unwrap_or(false);
    let redis = redis(&calls).await;
    let result = |check, passed: bool| SmokeResult {
        check,
        failed: (!passed).then(String::new),
        took_ms: 0,
    };
    let bot = Rc::clone(&calls.bot);
    let report = SmokeReport {
        epoch: stamp.epoch,
        bot: bot.id(),
        worker: bot.worker.id.clone(),
        results: vec![
            result(SmokeCheck::Rpc, rpc),
            result(SmokeCheck::Redis, redis),
        ],
    };
    let until = ctx.sim.now() + REPORT_WITHIN;
    loop {
        let (held, report) = (calls.tenancy.history, report.clone());
        let put = ctx.call(Server::Redis, move |sim| {
            let mut redis = sim.redis.borrow_mut();
            if redis.history == held {
                sim.ghost.borrow_mut().reports(&report);
                redis.state().smoke.insert(report.bot, report);
                drop(redis);
                sim.ring_supervisors();
            }
        });
        if put.await.is_ok() || ctx.sim.now() >= until {
            return;
        }
        ctx.sleep(50).await;
    }
}

async fn rpc(calls: &Calls) -> bool {
    loop {
        match calls.state().await {
            Ok(_) => return true,
            Err(refused) if is_retryable(refused) => calls.ctx.sleep(50).await,
            Err(_) => return false,
        }
    }
}

/// A write under the bot's lease (`probe_write.lua`).
async fn redis(calls: &Calls) -> bool {
    for _ in 0..4 {
        let lease = calls.bot.lease.clone();
        let held = Some(calls.tenancy.history);
        let written = calls.ctx.redis(held, move |redis, sim| {
            redis.lease(lease.bot, sim.now()).as_ref() == Some(&lease)
        });
        match written.await {
            Ok(held) => return held,
            Err(_) => calls.ctx.sleep(100).await,
        }
    }
    false
}
