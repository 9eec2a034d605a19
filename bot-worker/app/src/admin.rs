//! The admin desk: one per bot, beside its sessions, for what admins ask in private.
//!
//! [`Desk::sort_out`] takes admins' business out of a batch before anybody else sees it, in whatever role the bot is; the batch's cursor
//! moves over it as over anything else, so a command is handled at most once. What is to be answered waits in a bounded queue and is
//! handled beside the session, past the outbox, over whichever line the bot has at that moment; what finds no place there is refused.
//!
//! Invariants: members' work never waits for an admin's; a stranger is answered nothing; every use and every refusal is recorded in SQL, as
//! soon as SQL takes it; the desk moves nothing itself, it hands orders to the leader.
//! Not done here: group chats; deciding whether an order is carried out.

mod answer;
mod follow;
mod gate;
mod intake;
mod line;
mod look;
mod recorder;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bot_worker_core::admin::{Asked, asked};
use shared_core::{BotId, Incoming, OrderId, PoolId};
use shared_io::clock;
use shared_io::config::PoolConfig;
use shared_io::redis::PoolState;
use shared_io::sql::AdminAction;
use shared_io::telegram::{Batch, Calls};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::context::Shared;
use crate::epoch_watch::View;
use crate::status::lock;
use crate::task::AbortOnDrop;

use intake::Intake;
use line::Wire;
pub use recorder::Recorder;

/// What waits to be handled; more is refused, the admin asks again.
const WAITING: usize = 64;
/// What is handled at once.
const AT_ONCE: usize = 8;
/// Orders that are followed at once.
const FOLLOWED: usize = 16;
/// Nothing that is asked takes longer to be answered, or it is not.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked whether a stranger's minute is over.
const LOOK_AT_GATE: Duration = Duration::from_secs(5);

/// Something an admin asks for.
struct Item {
    incoming: Incoming,
    asked: Asked,
    /// How old it is, when that is too old.
    old_ms: Option<u64>,
}

/// What all of a desk's tasks share.
struct Office {
    shared: Arc<Shared>,
    pool: PoolId,
    bot: BotId,
    state: PoolState,
    view: watch::Receiver<View>,
    wire: Wire,
    /// Held from taking an offer until its order is given, so that whoever presses meanwhile is told the truth.
    confirming: tokio::sync::Mutex<()>,
    /// Orders that are being followed, so that none is twice.
    followed: Mutex<BTreeSet<OrderId>>,
}

impl Office {
    fn record(&self, rows: Vec<AdminAction>) {
        for row in rows {
            self.shared.admin_records.record(row);
        }
    }
}

pub struct Desk {
    office: Arc<Office>,
    intake: Arc<Intake>,
    _task: AbortOnDrop<()>,
}

impl Desk {
    /// Starts the desk's work; it ends when the desk is dropped.
    pub fn open(
        shared: &Arc<Shared>,
        config: &PoolConfig,
        state: &PoolState,
        bot: BotId,
        view: watch::Receiver<View>,
    ) -> Self {
        let office = Arc::new(Office {
            shared: Arc::clone(shared),
            pool: config.name.clone(),
            bot,
            state: state.clone(),
            view,
            wire: Wire::default(),
            confirming: tokio::sync::Mutex::new(()),
            followed: Mutex::new(BTreeSet::new()),
        });
        let (items, inbox) = mpsc::channel(WAITING);
        let admins = config.admins.clone();
        let intake = Arc::new(Intake::new(config.name.clone(), bot, admins, items));
        let task = tokio::spawn(work(Arc::clone(&office), Arc::clone(&intake), inbox));
        Self {
            office,
            intake,
            _task: AbortOnDrop(task),
        }
    }

    /// The bot has this line from here on.
    pub fn connected(&self, calls: &Calls) {
        self.office.wire.connected(calls);
    }

    /// Takes out of the batch what is admins' business. Never waits.
    pub fn sort_out(&self, batch: &mut Batch) {
        batch.items.retain(|incoming| match asked(incoming) {
            None => true,
            Some(asked) => {
                self.take(incoming, asked);
                false
            }
        });
    }

    fn take(&self, incoming: &Incoming, asked: Asked) {
        let (now, boot) = (clock::unix_now(), clock::boot_now());
        self.office
            .record(self.intake.take(incoming, asked, now, boot));
    }
}

/// Ends before its records are flushed, so that what was held back is among them.
impl Drop for Desk {
    fn drop(&mut self) {
        self.office.record(self.intake.close(clock::unix_now()));
    }
}

/// Handles what comes in, a few at a time, and follows orders to their end.
async fn work(office: Arc<Office>, intake: Arc<Intake>, mut inbox: mpsc::Receiver<Item>) {
    let mut gate = tokio::time::interval(LOOK_AT_GATE);
    gate.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut handled = JoinSet::new();
    let mut follows = JoinSet::new();
    // Orders that were given through this bot before it came to this worker.
    handled.spawn(follow::unfinished(Arc::clone(&office)));
    loop {
        tokio::select! {
            item = inbox.recv(), if handled.len() < AT_ONCE => {
                let Some(item) = item else { return };
                handled.spawn(answer::handle(Arc::clone(&office), item));
            }
            Some(done) = handled.join_next() => match done {
                Ok(orders) => for order in orders {
                    if follows.len() < FOLLOWED && lock(&office.followed).insert(order.id) {
                        follows.spawn(follow::follow(Arc::clone(&office), order));
                    }
                },
                Err(panic) => warn!(bot = %office.bot, %panic, "an admin's question was not answered"),
            },
            Some(_) = follows.join_next() => {}
            _ = gate.tick() => office.record(intake.held_back(clock::unix_now(), clock::boot_now())),
        }
    }
}
