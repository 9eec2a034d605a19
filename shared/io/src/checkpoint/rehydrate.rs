//! Giving Redis back what the checkpoint has: the whole pool, under a new epoch, as a history of its own.
//!
//! ```text
//! fence above all reserved epochs, note `restoring` ─▶ remove what is there ─▶ conversations, queues, parked replies, reach ─▶ cursors
//!   ─▶ SQL: the new mark ─▶ Redis: the new mark, `restoring` goes ─▶ the pool is placed and activated as after any fence
//! ```
//! Invariants: what only Redis has goes as well. Where Redis was rolled back, whatever was committed on the old state is a branch:
//! its updates come again, because the cursors are the checkpoint's, which cover exactly the states that are written. Until the last step nobody may
//! serve; a kill anywhere before it has the next leader start over.
//!
//! A page is read from SQL while the one before it is written to Redis, in several scripts at once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use shared_core::{BotId, Epoch, EpochBlock, EpochStamp, MemberId, PoolId, UnixMs};

use super::{CheckpointError, Place};
use crate::clock;
use crate::redis::{
    EntryPosition, FenceAnswer, LeaderId, PoolState, Queue, RESTORE_PORTION, RestoreAnswer,
    Scanned, Stored, Write,
};
use crate::sql::{EntryRow, ReachRow, Store};

/// Rows that are read from SQL at once.
const PAGE: u32 = 5000;
/// Scripts on their way to Redis at once.
const AT_ONCE: usize = 4;

/// Who restores, from where, and why.
pub struct Terms {
    pub state: PoolState,
    pub store: Store,
    pub leader: LeaderId,
    pub bots: Vec<BotId>,
    /// Reserved for this.
    pub block: EpochBlock,
    /// Shown while it lasts.
    pub why: String,
    /// After how long a silence members are reminded of what is open (`pool.upload.remind_after`).
    pub remind_after: Option<Duration>,
}

/// What was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub lineage: String,
    pub epoch: Epoch,
    pub conversations: u64,
    pub entries: u64,
    pub reach: u64,
    pub took_ms: u64,
}

/// Restores the pool; `progress` hears of done and total.
pub async fn rehydrate(
    mut terms: Terms,
    progress: impl Fn(u64, u64),
) -> Result<Restored, CheckpointError> {
    let began = clock::boot_now();
    let pool = terms.state.id().clone();
    let checkpoints = terms.store.checkpoints();
    let head = checkpoints.head(&pool).await?;
    let head = head.filter(|head| head.at.is_some());
    let head = head.ok_or(CheckpointError::NotWhole)?;
    let place = Place::read(&head.place).ok_or(CheckpointError::NotWhole)?;
    let counts = checkpoints.counts(&pool).await?;
    let total = counts.conversations + counts.entries + counts.reach;
    let writer = terms.block.next.0;
    let stamp = begin(&mut terms, &place).await?;
    let mut work = Work {
        pool,
        state: terms.state,
        store: terms.store,
        leader: terms.leader,
        bots: terms.bots,
        stamp,
        done: 0,
        total,
        progress,
    };
    work.remove().await?;
    work.conversations().await?;
    work.entries().await?;
    work.reach().await?;
    let cursors = work
        .state
        .cursor_writes(place.channels(), &place.boxes(), place.resumed());
    work.write(cursors).await?;
    work.write(reminded(&work.state, terms.remind_after))
        .await?;
    work.write(work.state.told_writes(place.told())).await?;
    let lineage = work.finish(writer, head.turn).await?;
    let took = clock::boot_now().since(began).as_millis();
    Ok(Restored {
        lineage,
        epoch: stamp.epoch,
        conversations: counts.conversations,
        entries: counts.entries,
        reach: counts.reach,
        took_ms: u64::try_from(took).unwrap_or(u64::MAX),
    })
}

async fn begin(terms: &mut Terms, place: &Place) -> Result<EpochStamp, CheckpointError> {
    let mut seen = place.epoch();
    for _ in 0..3 {
        let epoch = terms
            .block
            .mint(seen)
            .map_err(|_| CheckpointError::NoEpoch)?;
        let stamp = EpochStamp {
            epoch,
            nonce: clock::nonce(),
        };
        let begun = terms.state.restore_begin(
            &terms.leader,
            stamp,
            clock::unix_now(),
            &terms.why,
            place.active(),
            &terms.bots,
        );
        match begun.await? {
            FenceAnswer::Fenced => return Ok(stamp),
            FenceAnswer::Behind { seen: higher } => seen = seen.max(higher),
            FenceAnswer::NotLeading => return Err(CheckpointError::NotLeading),
        }
    }
    Err(CheckpointError::NoEpoch)
}

/// Timers are not in the copy; when a member is to be reminded follows from when he was last active, which is. Who should have been by now has been,
/// or does without: nobody is reminded twice because Redis was lost.
fn reminded(state: &PoolState, remind_after: Option<Duration>) -> Vec<Write> {
    let mark = remind_after.map(|silence| {
        let silence = i64::try_from(silence.as_millis()).unwrap_or(i64::MAX);
        let up_to = clock::unix_now().0.saturating_sub(silence);
        state.reminded_write(UnixMs(up_to))
    });
    mark.into_iter().collect()
}

struct Work<P> {
    pool: PoolId,
    state: PoolState,
    store: Store,
    leader: LeaderId,
    bots: Vec<BotId>,
    stamp: EpochStamp,
    done: u64,
    total: u64,
    progress: P,
}

impl<P: Fn(u64, u64)> Work<P> {
    async fn remove(&self) -> Result<(), CheckpointError> {
        let mut removals = self.state.removals(&self.bots);
        removals.push(self.state.none_parked());
        self.write(removals).await?;
        for what in [Scanned::Conversations, Scanned::Parked] {
            let mut cursor = 0;
            loop {
                let (next, _, removals) = self.state.restore_page(cursor, what).await?;
                self.write(removals).await?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn conversations(&mut self) -> Result<(), CheckpointError> {
        let store = self.store.clone();
        let checkpoints = store.checkpoints();
        let mut page = checkpoints.conversations(&self.pool, "", PAGE).await?;
        while let Some(last) = page.last().map(|row| row.conversation.clone()) {
            let rows: Vec<Stored> = page
                .into_iter()
                .map(|row| Stored {
                    conversation: row.conversation,
                    stored: row.stored,
                    open: row.open,
                })
                .collect();
            let write = self.write(self.state.stored_writes(&rows));
            let read = async {
                let read = checkpoints.conversations(&self.pool, &last, PAGE).await;
                read.map_err(CheckpointError::from)
            };
            let ((), next) = tokio::try_join!(write, read)?;
            page = next;
            self.done += u64::try_from(rows.len()).unwrap_or(0);
            self.tell().await?;
        }
        Ok(())
    }

    /// Streams in their order, and parked replies a member at a time.
    async fn entries(&mut self) -> Result<(), CheckpointError> {
        let queues: BTreeMap<String, Queue> = Queue::of_pool(&self.bots)
            .map(|queue| (queue.name(), queue))
            .collect();
        let store = self.store.clone();
        let checkpoints = store.checkpoints();
        let mut parked: Option<(MemberId, Vec<String>)> = None;
        let mut last: Option<EntryRow> = None;
        loop {
            let page = checkpoints.entries(&self.pool, last.as_ref(), PAGE).await?;
            let Some(end) = page.last().cloned() else {
                break;
            };
            last = Some(end);
            self.done += u64::try_from(page.len()).unwrap_or(0);
            let mut streams: BTreeMap<Queue, Vec<(EntryPosition, String)>> = BTreeMap::new();
            for row in page {
                if let Some(queue) = queues.get(&row.queue) {
                    let position = EntryPosition::of(row.ms, row.seq);
                    streams
                        .entry(*queue)
                        .or_default()
                        .push((position, row.body));
                } else if let Some(member) = parked_by(&row.queue) {
                    match &mut parked {
                        Some((known, bodies)) if *known == member => bodies.push(row.body),
                        _ => {
                            self.park(parked.take()).await?;
                            parked = Some((member, vec![row.body]));
                        }
                    }
                }
                // What a bot kept that the configuration does not name any more stays in SQL.
            }
            for (queue, entries) in streams {
                // In order, so one script after the other.
                for portion in entries.chunks(RESTORE_PORTION) {
                    let writes = self.state.entry_writes(queue, portion);
                    self.write_one(&writes).await?;
                }
            }
            self.tell().await?;
        }
        self.park(parked).await
    }

    async fn park(&self, parked: Option<(MemberId, Vec<String>)>) -> Result<(), CheckpointError> {
        match parked {
            Some((member, bodies)) => {
                let writes = self.state.parked_writes(member, bodies);
                self.write_one(&writes).await
            }
            None => Ok(()),
        }
    }

    async fn reach(&mut self) -> Result<(), CheckpointError> {
        let store = self.store.clone();
        let checkpoints = store.checkpoints();
        let mut last: Option<ReachRow> = None;
        loop {
            let page = checkpoints.reach(&self.pool, last.as_ref(), PAGE).await?;
            let Some(end) = page.last().cloned() else {
                return Ok(());
            };
            last = Some(end);
            self.done += u64::try_from(page.len()).unwrap_or(0);
            let mut members: BTreeMap<BotId, Vec<i64>> = BTreeMap::new();
            for row in page {
                if let Ok(bot) = row.bot.parse() {
                    members.entry(bot).or_default().push(row.member);
                }
            }
            for (bot, members) in members {
                self.write(self.state.reach_writes(bot, &members)).await?;
            }
            self.tell().await?;
        }
    }

    /// The mark goes into SQL first: a Redis that has it is one that was finished.
    async fn finish(&self, writer: u64, turn: u64) -> Result<String, CheckpointError> {
        let mark = clock::nonce().to_string();
        let epochs = self.store.epochs();
        let known = epochs.lineage(&self.pool).await?;
        if !epochs
            .set_lineage(&self.pool, known.as_deref(), &mark)
            .await?
        {
            return Err(CheckpointError::Superseded);
        }
        epochs
            .remember_lineage(&self.pool, &mark, clock::unix_now())
            .await?;
        let checkpoints = self.store.checkpoints();
        if !checkpoints.claim(&self.pool, writer, &mark, true).await? {
            return Err(CheckpointError::Superseded);
        }
        let finished = self
            .state
            .restore_finish(&self.leader, self.stamp, &mark, turn);
        done(finished.await?)?;
        Ok(mark)
    }

    /// Several scripts at once; their order does not matter.
    async fn write(&self, writes: Vec<Write>) -> Result<(), CheckpointError> {
        let mut scripts = Vec::new();
        for portion in writes.chunks(RESTORE_PORTION) {
            scripts.push(self.write_one(portion));
        }
        let scripts = stream::iter(scripts).buffer_unordered(AT_ONCE);
        scripts.try_collect().await
    }

    async fn write_one(&self, writes: &[Write]) -> Result<(), CheckpointError> {
        let written = self.state.restore_write(&self.leader, self.stamp, writes);
        done(written.await?)
    }

    async fn tell(&self) -> Result<(), CheckpointError> {
        (self.progress)(self.done, self.total);
        let write = [self.state.progress_write(self.done, self.total)];
        self.write_one(&write).await
    }
}

fn parked_by(queue: &str) -> Option<MemberId> {
    queue.strip_prefix("parked:")?.parse().ok()
}

fn done(answer: RestoreAnswer) -> Result<(), CheckpointError> {
    match answer {
        RestoreAnswer::Done => Ok(()),
        RestoreAnswer::NotLeading => Err(CheckpointError::NotLeading),
        RestoreAnswer::Another => Err(CheckpointError::AnotherHistory),
    }
}
