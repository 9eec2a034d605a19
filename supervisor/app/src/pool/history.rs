//! Before a pool is acted on: whose state counts, and giving it back where Redis has lost it. What is done when is `supervisor_core::history`'s.
//!
//! Restoring runs beside the supervisor's looks, because it may take half a minute and the lead has to be renewed meanwhile. Invariants: nothing of
//! the pool is decided, placed or activated before it is over, and before the workers have let go of its bots; an order that asks for it is
//! written as running before it begins.

use std::time::Duration;

use shared_core::{
    BootMs, Connection, Epoch, EpochBlock, Heartbeat, Nonce, ORDER_LIVES_MS, Order, PoolId,
    Progress, Request, SwitchId, Take,
};
use shared_io::checkpoint::{CheckpointError, Restored, Terms, rehydrate};
use shared_io::clock;
use shared_io::redis::{LeadAnswer, RedisState};
use shared_io::sql::EventKind;
use supervisor_core::{Beginning, Checkpoint, Course, Histories, Undecided};

use super::{Pool, Stopped};
use crate::task::AbortOnDrop;
use crate::world::World;

/// Far beyond a thousand epochs a second for a thousand years.
const BELIEVED: u64 = 1 << 53;
/// Said again with each renewal of the lead.
const UNDECIDED_FOR_MS: u64 = 5_000;
/// A worker that is heard lets go of a bot within its next renewal; one that is not heard, when its lease has run out.
const LET_GO: Duration = Duration::from_secs(3);

/// A restoring under way.
pub(super) struct Restore {
    task: AbortOnDrop<Result<Restored, CheckpointError>>,
}

/// What became of the pool's history, between leads.
#[derive(Default)]
pub(super) struct Settling {
    restore: Option<Restore>,
    /// The order that asked for it.
    pub asked: Option<(Request, Take)>,
    /// What was said of it last.
    undecided: Option<Undecided>,
    /// Bots may still be held by workers that have not heard that they are not theirs any more.
    released: Option<BootMs>,
}

impl Pool {
    /// One step towards leading: nothing to settle, a restoring that begins or goes on, or a hold.
    pub(super) async fn settle_history(
        &mut self,
        tenure: Nonce,
        redis: &RedisState,
    ) -> Result<(), Stopped> {
        if let Some(restore) = &self.settling.restore {
            if !restore.task.is_finished() {
                return Ok(());
            }
            self.restored().await?;
        }
        let histories = self.histories(redis).await?;
        self.hear_restore_orders().await?;
        let asked = self.settling.asked.as_ref().map(|(_, take)| *take);
        let course = match asked {
            None => histories.course(),
            Some(take) => match histories.ordered(take) {
                Some(course) => course,
                None => {
                    let why = format!("{take} has no whole state of this pool to go on with");
                    self.answer(Progress::Failed { why }).await?;
                    histories.course()
                }
            },
        };
        if let Course::Hold(why) = course {
            return self.hold(why).await;
        }
        let block = self.reserve_and_sign(histories.remembered).await?;
        let mark = match course {
            Course::Hold(_) => return Ok(()),
            Course::Restore(lost) => return self.restore(lost.to_string(), block),
            Course::GoOn => histories.redis.unwrap_or_default(),
            Course::Adopt => self.adopt_mark(histories.redis.unwrap_or_default()).await?,
            Course::Begin(beginning) => self.begin_mark(beginning, histories.sql).await?,
        };
        self.settling.undecided = None;
        let held = self.take_over(mark, block, tenure).await?;
        self.arrived(held.seen).await;
        self.held = Some(held);
        let outcome = "what Redis has stays, and is copied to the database anew".to_owned();
        self.answer(done(outcome, 0)).await
    }

    async fn histories(&self, workers: &RedisState) -> Result<Histories, Stopped> {
        let (state, store) = (&self.state, &self.shared.store);
        let (redis, restoring, turn, has_state) = tokio::try_join!(
            state.lineage(),
            state.restoring(),
            state.checkpoint_turn(),
            state.has_state()
        )?;
        let sql = store.epochs().lineage(&self.name).await?;
        let head = store.checkpoints().head(&self.name).await?;
        let was_ours = match &redis {
            Some(mark) => store.epochs().had_lineage(&self.name, mark).await?,
            None => false,
        };
        let beats = workers.heartbeats().await?;
        let beats = beats.iter().map(|seen| &seen.heartbeat);
        let remembered = remembered(beats, &self.name).max(self.newest);
        Ok(Histories {
            remembered,
            redis,
            sql,
            restoring: restoring.is_some(),
            redis_has_state: has_state,
            was_ours,
            redis_turn: turn,
            checkpoint: match head {
                None => Checkpoint::None,
                Some(head) if head.at.is_none() => Checkpoint::Partial,
                Some(head) => Checkpoint::Whole { turn: head.turn },
            },
        })
    }

    /// The database is new; it takes over the mark that Redis has.
    async fn adopt_mark(&self, mark: String) -> Result<String, Stopped> {
        tracing::warn!(pool = %self.name, "the database does not know this pool's history: it goes on with what Redis has");
        let epochs = self.shared.store.epochs();
        if !epochs.set_lineage(&self.name, None, &mark).await? {
            return Err(Stopped::NotLeading);
        }
        self.remember(&mark).await?;
        Ok(mark)
    }

    /// A new mark: in SQL first, so that Redis never has one that SQL does not know.
    async fn begin_mark(
        &self,
        beginning: Beginning,
        known: Option<String>,
    ) -> Result<String, Stopped> {
        let mark = clock::nonce().to_string();
        if beginning != Beginning::First {
            let what = match beginning {
                Beginning::Ordered => "an admin lets what Redis has count",
                _ => "Redis has lost its data and there is no checkpoint: members begin anew",
            };
            tracing::error!(pool = %self.name, "{what}; going on above all reserved epochs");
            self.event(
                EventKind::LineageChanged,
                serde_json::json!({ "what": what }),
            );
        }
        let epochs = self.shared.store.epochs();
        if !epochs
            .set_lineage(&self.name, known.as_deref(), &mark)
            .await?
        {
            return Err(Stopped::NotLeading);
        }
        self.remember(&mark).await?;
        match self.state.set_lineage(&self.shared.leader, &mark).await? {
            LeadAnswer::Done => Ok(mark),
            LeadAnswer::NotLeading => Err(Stopped::NotLeading),
        }
    }

    async fn remember(&self, mark: &str) -> Result<(), Stopped> {
        let epochs = self.shared.store.epochs();
        let now = clock::unix_now();
        Ok(epochs.remember_lineage(&self.name, mark, now).await?)
    }

    fn restore(&mut self, why: String, block: EpochBlock) -> Result<(), Stopped> {
        tracing::error!(pool = %self.name, why, "the pool is given the state of the database's checkpoint");
        if self.settling.asked.is_none() {
            self.event(
                EventKind::LineageChanged,
                serde_json::json!({ "what": why, "then": "restored" }),
            );
        }
        let terms = Terms {
            state: self.state.clone(),
            store: self.shared.store.clone(),
            leader: self.shared.leader.clone(),
            bots: self.bots.iter().map(|bot| bot.bot).collect(),
            block,
            why,
            remind_after: self.remind_after,
        };
        let task = tokio::spawn(rehydrate(terms, |_, _| {}));
        self.settling.restore = Some(Restore {
            task: AbortOnDrop::new(task),
        });
        self.settling.released = Some(clock::boot_now());
        Ok(())
    }

    /// The restoring has ended; what is not restored is begun again at the next renewal.
    async fn restored(&mut self) -> Result<(), Stopped> {
        let Some(restore) = self.settling.restore.take() else {
            return Ok(());
        };
        let restored = match restore.task.join().await {
            Some(Ok(restored)) => restored,
            Some(Err(error)) => return Err(Stopped::Restore(error)),
            None => return Err(Stopped::NotLeading),
        };
        let Restored {
            conversations,
            entries,
            reach,
            took_ms,
            epoch,
            ..
        } = restored;
        tracing::warn!(pool = %self.name, conversations, entries, reach, took_ms, %epoch, "the pool has its state again");
        self.event(
            EventKind::ConversationsRestored,
            serde_json::json!({
                "conversations": conversations, "entries": entries, "reach": reach,
                "took_ms": took_ms, "epoch": epoch.0,
            }),
        );
        self.answer(done(
            format!("{conversations} conversations restored from the database"),
            took_ms,
        ))
        .await
    }

    async fn hold(&mut self, why: Undecided) -> Result<(), Stopped> {
        let leader = &self.shared.leader;
        let text = why.to_string();
        let said = self.state.set_undecided(leader, &text, UNDECIDED_FOR_MS);
        if said.await? == LeadAnswer::NotLeading {
            return Err(Stopped::NotLeading);
        }
        if self.settling.undecided != Some(why) {
            self.settling.undecided = Some(why);
            tracing::error!(pool = %self.name, "the pool is held: {text}");
            self.event(
                EventKind::HistoryUndecided,
                serde_json::json!({ "why": text }),
            );
        }
        Ok(())
    }

    /// Orders are heard while the pool is held, too: one of them ends it.
    async fn hear_restore_orders(&mut self) -> Result<(), Stopped> {
        if self.settling.asked.is_some() {
            return Ok(());
        }
        for seen in self.state.open_orders().await? {
            let Order::Restore { take } = seen.request.order else {
                continue;
            };
            if seen.request.progress == Progress::Waiting && seen.age_ms <= ORDER_LIVES_MS {
                return self.take_restore(&seen.request, take).await;
            }
        }
        Ok(())
    }

    /// Written as running first: whoever leads next does not begin it a second time.
    pub(super) async fn take_restore(
        &mut self,
        request: &Request,
        take: Take,
    ) -> Result<(), Stopped> {
        let running = Progress::Running {
            switch: SwitchId(request.id.0),
            step: format!("the {take}'s state is taken"),
        };
        self.advance(request, running).await?;
        self.settling.asked = Some((request.clone(), take));
        Ok(())
    }

    /// Tells whoever ordered it how it ended.
    async fn answer(&mut self, progress: Progress) -> Result<(), Stopped> {
        match self.settling.asked.take() {
            Some((request, _)) => self.advance(&request, progress).await,
            None => Ok(()),
        }
    }

    /// Have the workers let go of what they held before the pool was restored? A login that two connections use is dead.
    pub(super) fn is_let_go(&mut self, world: &World) -> bool {
        let Some(since) = self.settling.released else {
            return true;
        };
        let mut beats = world.workers.iter().filter_map(|view| view.beat.as_ref());
        let held = beats.any(|(beat, _)| {
            self.bots.iter().any(|bot| {
                beat.bot(&self.name, bot.bot)
                    .is_some_and(|said| said.connection != Connection::Absent)
            })
        });
        let is_over = !held || clock::boot_now().since(since) > LET_GO;
        if is_over {
            self.settling.released = None;
        }
        is_over
    }

    fn event(&self, kind: EventKind, details: serde_json::Value) {
        let chronicle = &self.shared.chronicle;
        chronicle.event(Some(&self.name), kind, self.name.as_str(), details);
    }
}

/// The latest epoch that a worker has seen of this pool. What no count of epochs can have reached is not believed: SQL could reserve nothing above it.
pub(super) fn remembered<'a>(beats: impl Iterator<Item = &'a Heartbeat>, pool: &PoolId) -> Epoch {
    let seen = beats.filter_map(|beat| beat.seen.get(pool));
    let believed = seen.copied().filter(|epoch| epoch.0 < BELIEVED);
    believed.fold(Epoch::default(), Epoch::max)
}

fn done(outcome: String, took_ms: u64) -> Progress {
    Progress::Done {
        outcome,
        took_ms,
        smoke: Vec::new(),
    }
}
