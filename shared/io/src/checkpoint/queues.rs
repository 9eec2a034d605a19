//! The queues of a checkpoint: what of each is in SQL, what is new in Redis, what is gone from there.
//!
//! Invariant: `known` is what SQL has or is about to be given; an entry that is gone is only named here, and removed with a turn's last transaction. When
//! queues are read, and why in that order, is the parent's.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::text;
use super::{CheckpointError, Checkpointer, PAGE, POSITIONS, guarded};
use crate::redis::{EntryPosition, Queue};
use crate::sql::EntryRow;
use shared_core::BotId;

impl Checkpointer {
    /// Reads a queue from its beginning: what is new waits to be written, what is gone is returned.
    pub(super) async fn read_whole(
        &mut self,
        queue: Queue,
    ) -> Result<Vec<(Queue, EntryPosition)>, CheckpointError> {
        self.read.remove(&queue);
        let before = self.known.get(&queue).cloned().unwrap_or_default();
        let told = match queue {
            Queue::Outbox => self.bots.clone(),
            Queue::Records | Queue::RefusedRecords | Queue::Inbox | Queue::Held(_) => Vec::new(),
        };
        let present = self.read_on(queue, &told).await?;
        let gone = before.difference(&present).copied();
        Ok(gone.map(|position| (queue, position)).collect())
    }

    /// Reads what a queue has got since it was last read; with its first page the last words of these bots.
    pub(super) async fn read_on(
        &mut self,
        queue: Queue,
        mut told: &[BotId],
    ) -> Result<BTreeSet<EntryPosition>, CheckpointError> {
        let mut present = BTreeSet::new();
        loop {
            let after = self.read.get(&queue).copied();
            let page = self
                .state
                .checkpoint_queue(&self.history, queue, after, PAGE, told);
            let (page, words) = guarded(page.await?)?;
            if !std::mem::take(&mut told).is_empty() {
                self.told = words;
            }
            let is_last = page.len() < PAGE;
            for (position, body) in page {
                self.read.insert(queue, position);
                present.insert(position);
                if !self.known.entry(queue).or_default().insert(position) {
                    continue;
                }
                match text(body) {
                    Some(body) => self.pending.push((queue, position, body)),
                    None => {
                        tracing::warn!(pool = %self.pool, queue = queue.name(), %position, "a damaged entry is not copied");
                    }
                }
            }
            if is_last {
                return Ok(present);
            }
        }
    }

    pub(super) fn take_pending(&mut self) -> Vec<EntryRow> {
        let pending = std::mem::take(&mut self.pending).into_iter();
        pending
            .map(|(queue, position, body)| {
                let (ms, seq) = position.parts();
                EntryRow {
                    queue: queue.name(),
                    ms,
                    seq,
                    body,
                }
            })
            .collect()
    }

    /// What of the queues is in SQL.
    pub(super) async fn learn(&mut self) -> Result<(), CheckpointError> {
        self.known.clear();
        self.tails.clear();
        self.read.clear();
        self.pending.clear();
        let queues: BTreeMap<String, Queue> = Queue::of_pool(&self.bots)
            .map(|queue| (queue.name(), queue))
            .collect();
        let checkpoints = self.store.checkpoints();
        let mut last = None;
        loop {
            let page = checkpoints
                .positions(&self.pool, last.as_ref(), POSITIONS)
                .await?;
            for (name, ms, seq) in &page {
                if let Some(queue) = queues.get(name) {
                    let known = self.known.entry(*queue).or_default();
                    known.insert(EntryPosition::of(*ms, *seq));
                }
            }
            match page.into_iter().last() {
                Some(end) => last = Some(end),
                None => return Ok(()),
            }
        }
    }
}
