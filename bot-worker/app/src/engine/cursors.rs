//! How far the boxes are committed, and carrying that to Redis.
//!
//! The private cursor goes with the members who can be reached, under the login lease; channel cursors go under the epoch. One flush is in
//! flight at a time and takes all that has gathered. Invariant: a cursor is only written after everything before it is settled, and
//! what is to be remembered about members (reach) is written no later than the cursor that would skip them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use shared_core::{ChannelId, Echo, Incoming, LowWater, MemberId, Ticket};
use shared_io::redis::{
    EpochAnswer, HeldPosition, LeaseAnswer, PrivateChange, PrivateCursor, StateError,
};
use shared_io::telegram::Batch;
use tracing::{info, warn};

use crate::tenure::Tenure;

/// Members whose reach is known to be stored; beyond it the memory starts anew and a few are written twice.
const KNOWN: usize = 200_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cursors {
    private: Option<PrivateCursor>,
    channels: BTreeMap<ChannelId, i32>,
}

/// What a flush tries to write.
#[derive(Debug, Clone, Default)]
struct Pending {
    cursors: Option<Cursors>,
    started: Vec<MemberId>,
    /// Those of them who came by an invitation.
    invited: Vec<MemberId>,
    stopped: Vec<MemberId>,
    held: Vec<HeldPosition>,
}

pub struct Flushed {
    tried: Pending,
    result: Result<Outcome, StateError>,
}

enum Outcome {
    Written,
    /// The lease ran out: it may come back, nothing is lost by waiting.
    Waiting,
    Fenced,
}

pub struct Intake {
    water: LowWater<Cursors>,
    items: usize,
    seen: Cursors,
    written: Cursors,
    pending: Pending,
    reached: HashSet<MemberId>,
    retry_at: Option<tokio::time::Instant>,
}

impl Intake {
    pub fn new(private: Option<PrivateCursor>, channels: Vec<(ChannelId, i32)>) -> Self {
        let seen = Cursors {
            private,
            channels: channels.into_iter().collect(),
        };
        Self {
            water: LowWater::default(),
            items: 0,
            written: seen.clone(),
            seen,
            pending: Pending::default(),
            reached: HashSet::new(),
            retry_at: None,
        }
    }

    /// Items taken in and not settled.
    pub fn in_flight(&self) -> usize {
        self.items
    }

    /// Our own messages hold up the cursor like everything else, but not the intake: who explains them waits for nobody here.
    pub fn open(&mut self, batch: Batch) -> (Ticket, Vec<Incoming>, Vec<Echo>) {
        if let Some(after) = batch.private_after {
            self.seen.private = Some(PrivateCursor {
                pts: after.pts,
                qts: after.qts,
                date: after.date,
            });
        }
        self.seen.channels.extend(batch.channels_after);
        self.items += batch.items.len();
        let items = batch.items.len() + batch.echoes.len();
        let ticket = self.water.open(items, self.seen.clone());
        self.advance();
        (ticket, batch.items, batch.echoes)
    }

    pub fn settle_echoes(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            self.water.settle(ticket);
        }
        self.advance();
    }

    pub fn settle(&mut self, ticket: Ticket) {
        self.items -= 1;
        self.water.settle(ticket);
        self.advance();
    }

    pub fn settle_held(&mut self, position: HeldPosition) {
        self.pending.held.push(position);
    }

    /// The bot may not write to him any more.
    pub fn stopped(&mut self, member: MemberId) {
        self.reached.remove(&member);
        self.pending.started.retain(|known| *known != member);
        self.pending.invited.retain(|known| *known != member);
        self.pending.stopped.push(member);
    }

    /// The bot may write to him.
    pub fn started(&mut self, member: MemberId, invited: bool) {
        if self.reached.contains(&member) {
            return;
        }
        if self.reached.len() >= KNOWN {
            self.reached.clear();
        }
        self.reached.insert(member);
        self.pending.stopped.retain(|known| *known != member);
        self.pending.started.push(member);
        if invited {
            self.pending.invited.push(member);
        }
    }

    fn advance(&mut self) {
        if let Some(cursors) = self.water.advance() {
            self.pending.cursors = Some(cursors);
        }
    }

    /// Starts to write what has gathered, if there is anything and it is not too early to try again.
    pub fn flush(&mut self, tenure: &Arc<Tenure>) -> Option<BoxFuture<'static, Flushed>> {
        let nothing = self.pending.cursors.is_none()
            && self.pending.started.is_empty()
            && self.pending.stopped.is_empty()
            && self.pending.held.is_empty();
        if nothing || !tenure.context.cell.holds(tenure.tenancy) {
            return None;
        }
        if self
            .retry_at
            .is_some_and(|at| at > tokio::time::Instant::now())
        {
            return None;
        }
        let tried = std::mem::take(&mut self.pending);
        let written = self.written.clone();
        let tenure = Arc::clone(tenure);
        Some(Box::pin(async move {
            let result = write(&tenure, &written, &tried).await;
            Flushed { tried, result }
        }))
    }

    /// False when the epoch is over.
    pub fn flushed(&mut self, tenure: &Tenure, flushed: Flushed) -> bool {
        let Flushed { tried, result } = flushed;
        match result {
            Ok(Outcome::Written) => {
                if let Some(cursors) = tried.cursors {
                    self.written = cursors;
                }
                self.retry_at = None;
                true
            }
            Ok(Outcome::Fenced) => {
                info!(epoch = %tenure.stamp, "fenced: cursors belong to another epoch");
                false
            }
            Ok(Outcome::Waiting) => {
                self.put_back(tried);
                true
            }
            Err(error) => {
                warn!(%error, "cursors wait");
                self.put_back(tried);
                true
            }
        }
    }

    fn put_back(&mut self, tried: Pending) {
        if self.pending.cursors.is_none() {
            self.pending.cursors = tried.cursors;
        }
        // What has been said since then stands.
        let newer = |member: &MemberId, pending: &Pending| {
            pending.started.contains(member) || pending.stopped.contains(member)
        };
        let started = tried
            .started
            .into_iter()
            .filter(|m| !newer(m, &self.pending));
        let started: Vec<MemberId> = started.collect();
        let stopped = tried
            .stopped
            .into_iter()
            .filter(|m| !newer(m, &self.pending));
        let stopped: Vec<MemberId> = stopped.collect();
        let invited = tried.invited.into_iter().filter(|m| started.contains(m));
        self.pending
            .invited
            .extend(invited.collect::<Vec<MemberId>>());
        self.pending.started.extend(started);
        self.pending.stopped.extend(stopped);
        self.pending.held.extend(tried.held);
        self.retry_at = Some(tokio::time::Instant::now() + std::time::Duration::from_millis(100));
    }
}

async fn write(tenure: &Tenure, written: &Cursors, tried: &Pending) -> Result<Outcome, StateError> {
    let state = &tenure.context.state;
    let cursors = tried.cursors.as_ref();
    let moved: Vec<(ChannelId, i32)> = cursors
        .into_iter()
        .flat_map(|cursors| &cursors.channels)
        .filter(|(channel, pts)| written.channels.get(channel) != Some(pts))
        .map(|(channel, pts)| (*channel, *pts))
        .collect();
    if !moved.is_empty()
        && let EpochAnswer::Fenced { .. } = state.move_channels(tenure.stamp, &moved).await?
    {
        return Ok(Outcome::Fenced);
    }
    let change = PrivateChange {
        cursor: cursors
            .and_then(|c| c.private)
            .filter(|c| written.private.as_ref() != Some(c)),
        started: tried.started.clone(),
        invited: tried.invited.clone(),
        stopped: tried.stopped.clone(),
        hold: Vec::new(),
    };
    if change.cursor.is_some() || !change.started.is_empty() || !change.stopped.is_empty() {
        if state.commit_private(&tenure.context.lease, &change).await? != LeaseAnswer::Held {
            return Ok(Outcome::Waiting);
        }
        if !change.started.is_empty() || !change.stopped.is_empty() {
            let reach = state.reach(tenure.context.lease.bot).await?;
            tenure.context.status.reach(reach);
        }
    }
    if !tried.held.is_empty() {
        let bot = tenure.context.lease.bot;
        let settled = state.held_settle(tenure.stamp, bot, &tried.held).await?;
        if let EpochAnswer::Fenced { .. } = settled {
            return Ok(Outcome::Fenced);
        }
    }
    Ok(Outcome::Written)
}
