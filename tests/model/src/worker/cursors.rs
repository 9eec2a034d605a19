//! `engine/cursors.rs`: how far the boxes are committed, and carrying that to Redis.
//!
//! Real: `LowWater`. One flush is under way at a time and takes all that has gathered. Invariant: a cursor is only written after everything before it
//! is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use shared_core::{ChannelId, LowWater, MemberId, Ticket};

use super::feed::Batch;
use super::tenure::Tenure;
use crate::bug::Bug;
use crate::redis::{Position, Private};
use crate::sim::Away;

const AGAIN: u64 = 100;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cursors {
    private: Option<i32>,
    channels: BTreeMap<ChannelId, i32>,
}

/// What a flush tries to write.
#[derive(Debug, Clone, Default)]
struct Pending {
    cursors: Option<Cursors>,
    started: Vec<MemberId>,
    held: Vec<Position>,
}

enum Outcome {
    Written,
    Waiting,
    Fenced,
}

pub struct Intake {
    water: LowWater<Cursors>,
    seen: Cursors,
    written: Cursors,
    pending: Pending,
    reached: BTreeSet<MemberId>,
    /// Unsettled batches and where they end, for the bug that skips them.
    skips: bool,
}

impl Intake {
    pub fn new(private: Option<i32>, channels: Vec<(ChannelId, i32)>) -> Self {
        let seen = Cursors {
            private,
            channels: channels.into_iter().collect(),
        };
        Self {
            water: LowWater::default(),
            written: seen.clone(),
            seen,
            pending: Pending::default(),
            reached: BTreeSet::new(),
            skips: false,
        }
    }

    pub fn open(&mut self, batch: Batch, bug: Option<Bug>) -> Ticket {
        self.skips = bug == Some(Bug::CursorOverGap);
        if batch.private_after.is_some() {
            self.seen.private = batch.private_after;
        }
        self.seen.channels.extend(batch.channels_after);
        let items = batch.items.len() + batch.echoes.len();
        let ticket = self.water.open(items, self.seen.clone());
        self.advance();
        ticket
    }

    pub fn settle(&mut self, ticket: Ticket) {
        self.water.settle(ticket);
        self.advance();
        if self.skips {
            // Whatever was seen last counts as reached.
            self.pending.cursors = Some(self.seen.clone());
        }
    }

    pub fn settle_echo(&mut self, ticket: Ticket) {
        self.water.settle(ticket);
        self.advance();
    }

    pub fn settle_held(&mut self, position: Position) {
        self.pending.held.push(position);
    }

    pub fn started(&mut self, member: MemberId) {
        if self.reached.insert(member) {
            self.pending.started.push(member);
        }
    }

    fn advance(&mut self) {
        if let Some(cursors) = self.water.advance() {
            self.pending.cursors = Some(cursors);
        }
    }

    fn take(&mut self) -> Option<Pending> {
        let pending = &self.pending;
        let nothing =
            pending.cursors.is_none() && pending.started.is_empty() && pending.held.is_empty();
        (!nothing).then(|| std::mem::take(&mut self.pending))
    }

    fn put_back(&mut self, tried: Pending) {
        if self.pending.cursors.is_none() {
            self.pending.cursors = tried.cursors;
        }
        self.pending.started.extend(tried.started);
        self.pending.held.extend(tried.held);
    }
}

/// Writes what gathers until the epoch is over.
pub async fn run(tenure: Rc<Tenure>) {
    let ctx = tenure.engine.clone();
    loop {
        let holds = tenure.bot.cell.holds(tenure.calls.tenancy, ctx.sim.boot());
        let tried = match holds {
            true => tenure.intake.borrow_mut().take(),
            false => None,
        };
        let Some(tried) = tried else {
            tenure.flush_bell.rung().await;
            continue;
        };
        let written = tenure.intake.borrow().written.clone();
        match write(&tenure, &written, &tried).await {
            Ok(Outcome::Written) => {
                if let Some(cursors) = tried.cursors {
                    tenure.intake.borrow_mut().written = cursors;
                }
            }
            Ok(Outcome::Fenced) => return tenure.end(None),
            Ok(Outcome::Waiting) | Err(_) => {
                tenure.intake.borrow_mut().put_back(tried);
                ctx.sleep(AGAIN).await;
            }
        }
    }
}

async fn write(tenure: &Tenure, written: &Cursors, tried: &Pending) -> Result<Outcome, Away> {
    let (ctx, stamp, held) = (&tenure.engine, tenure.stamp, tenure.history());
    let cursors = tried.cursors.as_ref();
    let moved: Vec<(ChannelId, i32)> = cursors
        .into_iter()
        .flat_map(|cursors| &cursors.channels)
        .filter(|(channel, pts)| written.channels.get(channel) != Some(pts))
        .map(|(channel, pts)| (*channel, *pts))
        .collect();
    if !moved.is_empty() {
        let moving = ctx.redis(held, move |redis, sim| {
            redis.move_channels(
                &mut sim.ghost.borrow_mut(),
                &sim.telegram.borrow(),
                stamp,
                &moved,
            )
        });
        if !moving.await? {
            return Ok(Outcome::Fenced);
        }
    }
    let change = Private {
        cursor: cursors
            .and_then(|it| it.private)
            .filter(|it| written.private != Some(*it)),
        started: tried.started.clone(),
        ..Private::default()
    };
    if change.cursor.is_some() || !change.started.is_empty() {
        let lease = tenure.bot.lease.clone();
        let committing = ctx.redis(held, move |redis, sim| {
            let (mut ghost, telegram) = (sim.ghost.borrow_mut(), sim.telegram.borrow());
            redis.commit_private(&mut ghost, &telegram, &lease, change, sim.now())
        });
        if !committing.await? {
            return Ok(Outcome::Waiting);
        }
    }
    if !tried.held.is_empty() {
        let (bot, positions) = (tenure.bot.id(), tried.held.clone());
        let settling = ctx.redis(held, move |redis, sim| {
            redis.settle_held(&mut sim.ghost.borrow_mut(), stamp, bot, &positions)
        });
        if !settling.await? {
            return Ok(Outcome::Fenced);
        }
    }
    Ok(Outcome::Written)
}
