//! `epoch_watch.rs`: the epoch record and the assignments as this worker sees them.
//!
//! Invariant: an epoch below one that was seen is not acted on.

use std::rc::Rc;

use shared_core::{Assignment, BotId, Epoch, EpochRecord};

use super::Worker;
use crate::bug::Bug;

const POLL: u64 = 250;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    pub epoch: Option<EpochRecord>,
    newest: Epoch,
    pub assignments: Vec<Assignment>,
    pub known: bool,
}

impl View {
    pub fn assignment(&self, bot: BotId) -> Option<&Assignment> {
        self.assignments.iter().find(|given| given.bot == bot)
    }

    /// The record, if it may be acted on.
    pub fn record(&self) -> Option<&EpochRecord> {
        let record = self.epoch.as_ref()?;
        (record.stamp.epoch >= self.newest).then_some(record)
    }
}

pub async fn follow(worker: &Rc<Worker>) {
    let bug = worker.ctx.sim.bug;
    loop {
        let looked = worker.ctx.redis(None, |redis, _| {
            let state = &redis.live;
            let given: Vec<Assignment> = state.assign.values().cloned().collect();
            (state.epoch.clone(), given)
        });
        if let Ok((epoch, assignments)) = looked.await {
            let mut view = worker.view.borrow_mut();
            let seen = epoch.as_ref().map_or(view.newest, |it| it.stamp.epoch);
            let newest = match bug {
                Some(Bug::OldEpochActedOn) => seen,
                _ => view.newest.max(seen),
            };
            let next = View {
                newest,
                epoch,
                assignments,
                known: true,
            };
            let differs = *view != next;
            *view = next;
            drop(view);
            if differs {
                worker.pool_bell.ring();
                worker.ring_bots();
            }
        }
        worker.ctx.rung_within(&worker.view_bell, POLL).await;
    }
}
