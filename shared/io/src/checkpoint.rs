//! The checkpoint: what Redis holds of a pool, copied to SQL all the time, so that a Redis that is lost loses at most what Telegram sends again.
//!
//! # A turn
//! ```text
//! 1  sources   cursors of channels and private boxes, who resumed last; then the queues whole: outbox (and the bots' last words), records, refused
//!              ones, the inbox, what standbys keep
//! 2  take      what was marked as changed since the last turn, in one piece (`dirty` is renamed `dirty:taken`); turn + 1 in Redis; copies have it
//! 3  portions  states of marked conversations, parked replies, reach; then what the outbox, the records and the inbox have got since 1; copies have it;
//!              one transaction: entries first, then states; then these marks are let go
//! 4  settle    one transaction: entries that were gone at 1 go, and the cursors and words of 1 with `turn` and `at`
//! ```
//!
//! # Why nothing is lost
//! - *An update before a cursor.* It was committed before the cursor moved past it, so before 1, so it was marked before 2: its state is
//!   written in 3, and the cursor only in 4. What is committed later is replayed from the cursor and turned away by watermarks, or done anew.
//! - *A reply.* A state is read before the outbox is read on (3), and both are written in one transaction: no state is in SQL whose reply is
//!   neither there nor settled. A reply whose state is not in SQL yet is made anew by the replay, under the same entry id, hence the same random id.
//! - *A queue whose entries a commit takes away* (a file that was stored, a letter to a conversation, a message that a standby kept): it is read before the states as well,
//!   and an entry goes from SQL only in 4, when it was gone at 1: the commit that took it was marked before 2, so its state is there.
//! - *Moved between outbox and parked replies.* Out of the outbox: it was there at 1 and stays in SQL until the next turn, which has its mark.
//!   Into the outbox: at its end, which is read after the list. So it may be there twice for a moment, never not at all.
//! - *Moved aside* (a record that SQL refuses, and back when it is tried again; a refused reply, which leaves a letter in the inbox). One script takes the
//!   one out and puts the other in, and no mark tells of it. So where an entry was gone at 1, the queues that it may have been moved into are read on
//!   after it, and what they got is written no later than the entry goes.
//! - *Sent while the copy was older.* Its entry comes back with the private cursor of that time. What then stands in the outbox is doubtful if the
//!   same bot goes on, so it waits until the bot has read in its box what it said since that cursor (`bot-worker-core`, `echo`), and what is found
//!   there is settled; the random id, which is the same, is a second guard. For that the words of acknowledged messages are copied as of the very
//!   moment at which the outbox is read: an entry that is gone from the copy has its word there, and one that stands has none. (In an outbox
//!   of more than a page, one that is settled while later pages are read may lack its word.) Another bot than the one that sent it cannot know:
//!   there it may be shown twice.
//! - *Killed anywhere.* `dirty:taken` stays. Whoever leads next first does 3 with it, without cursors (a state that is newer than its cursor
//!   does no harm), and begins a turn of his own.
//! - *Two leaders.* Each transaction asks whether `writer`, the first epoch number of the leader's block, is still the caller's own; a later leader
//!   has a higher one. A state never replaces a newer version of a conversation that is
//!   open; one that was over may begin anew with a lower one, because Redis forgets it after its time.
//! - *Redis emptied, replaced or put back in the middle.* Each reading is a transaction that asks for the history's mark and that Redis knows at
//!   least our turn; SQL never knows a turn that Redis does not, unless Redis lost its end. That is how a rolled-back Redis is recognised.
//! - *SQL away.* Marks stay, one a conversation, however often it goes on.
//!
//! # Behind Sentinels
//! A copy that becomes the primary may lack the last commits. It is not given the checkpoint: it goes on with what it has, and what it lacks is taken in
//! again from its cursors and counted, as without a checkpoint. That is safe, and the simplest, because *SQL never knows what the copies do not
//! have*: whatever was read is written only after `copies` copies have confirmed everything up to there (`WAIT`), the turn of a taking too. So a copy
//! that confirmed knows each turn and at least each version that SQL has; SQL has nothing to give back that it lacks, conversation by
//! conversation or whole, and SQL's rows are states that it goes on from. While too few copies answer, the checkpoint falls behind and says so. A
//! primary that knows fewer turns than SQL is therefore not one that lacks a short tail: it is older than the checkpoint (emptied, a dump put
//! back, or a copy that confirmed nothing while several servers died), and what it lacks nobody else has but SQL: it is rehydrated. Putting single
//! states back was weighed and left out: members go on in an epoch that the copy knows while the leader still looks, and a state that is newer by its
//! number may lack the message that came since.
//!
//! Invariant: the handle that is given is held to one history ([`PoolState::held_to`]), so that what was read from one server is never confirmed by another.
//!
//! The work of a turn is bounded by what changed: a portion is [`PORTION`] marks, a queue is read whole only when its length or its last entry is
//! another. Commits pay for it with one `SADD`. Deliberately absent: deciding when to restore (`supervisor-core`'s `history`).

mod place;
mod queues;
mod rehydrate;
mod rows;

pub use place::Place;
pub use rehydrate::{Restored, Terms, rehydrate};

use std::collections::{BTreeMap, BTreeSet};

use shared_core::{BotId, PoolId, UnixMs};

use crate::redis::{
    EntryPosition, Guarded, HistoryMark, LeadAnswer, LeaderId, Mark, Marks, PoolState, Queue,
    Scanned, Sources, StateError, Tail, Words,
};
use crate::sql::{CheckpointChange, CheckpointPlace, Store, StoreError};

/// Marks that are copied at once.
pub const PORTION: usize = 500;
/// Entries of a queue that are read at once.
const PAGE: usize = 500;
/// Positions that are read from SQL at once.
const POSITIONS: u32 = 5000;

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another supervisor leads this pool")]
    NotLeading,
    #[error("Redis does not have the history that is copied")]
    AnotherHistory,
    #[error("a later leader writes the checkpoint")]
    Superseded,
    #[error("the checkpoint in SQL is not whole: there is nothing to restore from")]
    NotWhole,
    #[error("the epochs that were reserved for restoring are used up")]
    NoEpoch,
}

impl CheckpointError {
    /// Is it over for this leader, whatever he tries?
    pub fn is_over(&self) -> bool {
        matches!(
            self,
            Self::NotLeading | Self::AnotherHistory | Self::Superseded
        )
    }
}

/// What a turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Marks that were copied.
    pub marks: u64,
    /// Everything up to this moment of Redis' clock is in SQL.
    pub at: UnixMs,
}

/// One pool's checkpoint under one leader.
pub struct Checkpointer {
    pool: PoolId,
    state: PoolState,
    store: Store,
    bots: Vec<BotId>,
    writer: u64,
    history: HistoryMark,
    /// What of each queue is in SQL.
    known: BTreeMap<Queue, BTreeSet<EntryPosition>>,
    /// How each queue was when it was last read whole; absent: never.
    tails: BTreeMap<Queue, Tail>,
    /// Up to where each queue has been read.
    read: BTreeMap<Queue, EntryPosition>,
    /// Entries that were read and are to be written with, or before, the next states.
    pending: Vec<(Queue, EntryPosition, String)>,
    /// The bots' last words, as of when the outbox was last read from its beginning.
    told: Words,
    place: Option<Place>,
}

impl Checkpointer {
    /// Claims the pool's checkpoint. One that is not of this history, or was never whole, begins anew: everything that is in Redis is marked.
    /// `writer` is the first number of the epochs that were reserved for this leader.
    pub async fn open(
        state: PoolState,
        store: Store,
        leader: LeaderId,
        lineage: String,
        bots: Vec<BotId>,
        writer: u64,
    ) -> Result<Self, CheckpointError> {
        let pool = state.id().clone();
        let head = store.checkpoints().head(&pool).await?;
        let turn = state.checkpoint_turn().await?.unwrap_or(0);
        let whole = head
            .as_ref()
            .is_some_and(|head| head.lineage == lineage && head.at.is_some());
        if !store
            .checkpoints()
            .claim(&pool, writer, &lineage, whole)
            .await?
        {
            return Err(CheckpointError::Superseded);
        }
        let mut this = Self {
            pool,
            state,
            store,
            bots,
            writer,
            history: HistoryMark {
                leader,
                lineage,
                turn: turn.max(head.map_or(0, |head| head.turn)),
            },
            known: BTreeMap::new(),
            tails: BTreeMap::new(),
            read: BTreeMap::new(),
            pending: Vec::new(),
            told: Vec::new(),
            place: None,
        };
        if whole {
            this.learn().await?;
        } else {
            this.begin_anew().await?;
        }
        Ok(this)
    }

    /// Copies what has changed. After an error, the next turn goes on with what this one left.
    pub async fn turn(&mut self) -> Result<Turn, CheckpointError> {
        let result = self.try_turn().await;
        if result.is_err() {
            // Whether the last transaction came through is not known: what SQL has is learned anew.
            self.tails.clear();
            self.place = None;
        }
        result
    }

    async fn try_turn(&mut self) -> Result<Turn, CheckpointError> {
        if self.tails.is_empty() && self.place.is_none() {
            self.learn().await?;
        }
        let mut sources = self.sources().await?;
        if sources.left > 0 {
            self.copy().await?;
            sources = self.sources().await?;
        }
        let place = Place::of(&sources);
        let changed: Vec<Queue> = sources
            .tails
            .iter()
            .filter(|(queue, tail)| self.tails.get(queue) != Some(tail))
            .map(|(queue, _)| *queue)
            .collect();
        let is_idle =
            sources.dirty == 0 && changed.is_empty() && self.place.as_ref() == Some(&place);
        if is_idle {
            return self.done(0, sources.at).await;
        }
        let mut gone = Vec::new();
        for queue in changed {
            gone.extend(self.read_whole(queue).await?);
        }
        if !gone.is_empty() {
            for queue in Queue::MOVED_INTO {
                self.read_on(queue, &[]).await?;
            }
        }
        let turn = self.history.turn + 1;
        match self.state.take_marks(&self.history.leader, turn).await? {
            Marks::Taken(_) => self.history.turn = turn,
            // Nobody else takes any while this leader leads.
            Marks::Left(_) | Marks::NotLeading => return Err(CheckpointError::NotLeading),
        }
        let marks = self.copy().await?;
        self.settle(&gone, turn, sources.at, place).await?;
        self.tails = sources.tails.into_iter().collect();
        self.done(marks, sources.at).await
    }

    /// Step 4.
    async fn settle(
        &mut self,
        gone: &[(Queue, EntryPosition)],
        turn: u64,
        at: UnixMs,
        place: Place,
    ) -> Result<(), CheckpointError> {
        let change = CheckpointChange {
            added: self.take_pending(),
            gone: gone
                .iter()
                .map(|(queue, position)| {
                    let (ms, seq) = position.parts();
                    (queue.name(), ms, seq)
                })
                .collect(),
            place: Some(CheckpointPlace {
                turn,
                at,
                place: place.with(&self.told).to_json(),
            }),
            ..CheckpointChange::default()
        };
        self.put(change).await?;
        for (queue, position) in gone {
            if let Some(known) = self.known.get_mut(queue) {
                known.remove(position);
            }
        }
        self.place = Some(place);
        Ok(())
    }

    async fn done(&self, marks: u64, at: UnixMs) -> Result<Turn, CheckpointError> {
        led(self
            .state
            .set_checkpoint_at(&self.history.leader, at)
            .await?)?;
        Ok(Turn { marks, at })
    }

    async fn sources(&self) -> Result<Sources, CheckpointError> {
        guarded(
            self.state
                .checkpoint_sources(&self.history, &self.bots)
                .await?,
        )
    }

    /// Step 3, until nothing that was taken is left.
    async fn copy(&mut self) -> Result<u64, CheckpointError> {
        let mut copied = 0;
        loop {
            let texts = self.state.taken_marks(PORTION).await?;
            if texts.is_empty() {
                return Ok(copied);
            }
            let marks: Vec<Mark> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            if marks.len() < texts.len() {
                let unknown = texts.len() - marks.len();
                tracing::warn!(pool = %self.pool, unknown, "marks of another version are not copied");
            }
            let portion = guarded(self.state.checkpoint_portion(&self.history, &marks).await?)?;
            for queue in Queue::OF_COMMITS {
                self.read_on(queue, &[]).await?;
            }
            let HistoryMark { leader, turn, .. } = &self.history;
            led(self.state.copies_have_it(leader, *turn).await?)?;
            let mut change = self.change(portion);
            change.added.extend(self.take_pending());
            self.put(change).await?;
            led(self.state.let_go(&self.history.leader, &texts).await?)?;
            copied += u64::try_from(texts.len()).unwrap_or(u64::MAX);
        }
    }

    async fn put(&self, change: CheckpointChange) -> Result<(), CheckpointError> {
        let checkpoints = self.store.checkpoints();
        match checkpoints.put(&self.pool, self.writer, change).await? {
            true => Ok(()),
            false => Err(CheckpointError::Superseded),
        }
    }

    /// What SQL has is of another history, or was never whole: it goes, and all that Redis has is marked.
    async fn begin_anew(&mut self) -> Result<(), CheckpointError> {
        tracing::info!(pool = %self.pool, "everything in Redis is copied to the database for a first time");
        let checkpoints = self.store.checkpoints();
        loop {
            match checkpoints.forget(&self.pool, self.writer).await? {
                Some(true) => break,
                Some(false) => {}
                None => return Err(CheckpointError::Superseded),
            }
        }
        let HistoryMark { leader, turn, .. } = &self.history;
        led(self.state.set_checkpoint_turn(leader, *turn).await?)?;
        for what in [Scanned::Conversations, Scanned::Parked] {
            let mut cursor = 0;
            loop {
                let (next, marks, _) = self.state.restore_page(cursor, what).await?;
                self.mark(&marks).await?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        for bot in &self.bots {
            let mut cursor = 0;
            loop {
                let (next, marks) = self.state.reach_page(*bot, cursor).await?;
                self.mark(&marks).await?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn mark(&self, marks: &[Mark]) -> Result<(), CheckpointError> {
        if marks.is_empty() {
            return Ok(());
        }
        led(self.state.mark(&self.history.leader, marks).await?)
    }
}

fn led(answer: LeadAnswer) -> Result<(), CheckpointError> {
    match answer {
        LeadAnswer::Done => Ok(()),
        LeadAnswer::NotLeading => Err(CheckpointError::NotLeading),
    }
}

fn guarded<T>(answer: Guarded<T>) -> Result<T, CheckpointError> {
    match answer {
        Guarded::Read(read) => Ok(read),
        Guarded::NotLeading => Err(CheckpointError::NotLeading),
        Guarded::AnotherHistory => Err(CheckpointError::AnotherHistory),
    }
}
