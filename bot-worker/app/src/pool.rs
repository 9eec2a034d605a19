//! One pool on this worker: follows its view and keeps one task per assigned bot.
//!
//! Invariant: a bot's task runs exactly while an assignment names this worker with the same grant; another grant is another task.
//! What was given to an earlier process of this name waits ([`crate::predecessors`]). An epoch record that already named this worker when the process began belonged to a predecessor of the same name, who may be hung and
//! wake up. It is acted on only when whoever started this process vouches that the predecessor is dead (`--nonce`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared_core::{Assignment, BotId, EpochStamp, PoolId};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::bot::BotTask;
use crate::context::Shared;
use crate::epoch_watch::{self, View};
use crate::predecessors::Predecessors;

pub struct PoolTask {
    shared: Arc<Shared>,
    pool: PoolId,
    predecessors: Predecessors,
}

/// How often it is asked whether an earlier process is dead, while something waits for that.
const ASK_AGAIN: Duration = Duration::from_millis(250);

struct Running {
    assignment: Assignment,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl PoolTask {
    pub fn new(shared: Arc<Shared>, pool: PoolId) -> Self {
        Self {
            predecessors: Predecessors::of(shared.nonce),
            shared,
            pool,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let state = self.shared.redis.pool(&self.pool);
        let (views, mut view) = watch::channel(View::default());
        let follow = tokio::spawn(epoch_watch::follow(
            self.pool.clone(),
            state,
            Arc::new(views),
            Arc::clone(&self.shared.status),
            stop.clone(),
        ));
        let mut running: BTreeMap<BotId, Running> = BTreeMap::new();
        let mut inherited: Option<Option<EpochStamp>> = None;
        let mut something_waits = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                changed = view.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(ASK_AGAIN), if something_waits => {}
            }
            let current = view.borrow_and_update().clone();
            let inherited = *inherited.get_or_insert_with(|| self.inherited(&current));
            something_waits = self
                .reconcile(&current, inherited, &view, &mut running)
                .await;
        }
        for (_, bot) in std::mem::take(&mut running) {
            end(bot).await;
        }
        let _ = follow.await;
        self.shared.status.remove_pool(&self.pool);
    }

    /// The stamp under which a predecessor of this name, who may be alive, held the pool.
    fn inherited(&self, view: &View) -> Option<EpochStamp> {
        if self.shared.vouched {
            return None;
        }
        let record = view.epoch.as_ref()?;
        let holder = record.holder.as_ref()?;
        (holder.worker == self.shared.worker).then_some(record.stamp)
    }

    /// Says whether something that is assigned was left alone.
    async fn reconcile(
        &mut self,
        current: &View,
        inherited: Option<EpochStamp>,
        view: &watch::Receiver<View>,
        running: &mut BTreeMap<BotId, Running>,
    ) -> bool {
        let mine: BTreeMap<BotId, &Assignment> = current
            .assignments
            .iter()
            .filter(|assignment| assignment.worker == self.shared.worker)
            .map(|assignment| (assignment.bot, assignment))
            .collect();
        let over: Vec<BotId> = running
            .iter()
            .filter(|(bot, run)| {
                let same = mine
                    .get(bot)
                    .is_some_and(|given| given.is_same_hold(&run.assignment));
                !same || run.task.is_finished()
            })
            .map(|(bot, _)| *bot)
            .collect();
        for bot in over {
            if let Some(run) = running.remove(&bot) {
                end(run).await;
            }
        }
        let mut something_waits = false;
        for (bot, assignment) in mine {
            if running.contains_key(&bot) {
                continue;
            }
            let (state, redis) = (self.shared.redis.pool(&self.pool), &self.shared.redis);
            if !self.predecessors.leave(assignment, &state, redis).await {
                something_waits = true;
                continue;
            }
            let Some(task) = BotTask::new(
                &self.shared,
                &self.pool,
                assignment,
                view.clone(),
                inherited,
            ) else {
                error!(pool = %self.pool, %bot, "assigned a bot that the configuration does not have");
                continue;
            };
            info!(pool = %self.pool, %bot, slot = %assignment.slot, "bot assigned");
            let stop = CancellationToken::new();
            let task = tokio::spawn(task.run(stop.clone()));
            running.insert(
                bot,
                Running {
                    assignment: assignment.clone(),
                    stop,
                    task,
                },
            );
        }
        something_waits
    }
}

async fn end(run: Running) {
    run.stop.cancel();
    if let Err(panic) = run.task.await {
        error!(bot = %run.assignment.bot, %panic, "a bot's task panicked");
    }
}
