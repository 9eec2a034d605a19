//! Empties the outbox: in order per chat, at Telegram's pace, answers first, each entry until it is known what became of it.
//!
//! ```text
//! what Telegram said            what follows
//! sent, or sent before          the entry is settled
//! wait                          the chat is held that long; others go on, unless they are told the same (`pacing`)
//! network, server               again, with a pause that grows
//! cannot be written to          private: parked until the member presses Start; group or channel: again until it has taken nothing for a minute,
//!                               then moved aside, and so is at once whatever waits behind it, until it takes something
//! file out of reach             the conversation hears that the file is lost
//! the session is over           the sender ends; entries stay for the next holder
//! anything else                 moved aside with the reason (`aside`): it would fail for ever and block its chat
//! ```
//! Invariants: an entry leaves Redis only when its outcome is known; before each send the lease must hold; `random_id` follows from
//! entry and bot, so that a send repeated after a lost answer is not shown twice; what another login of this bot may have sent waits until
//! the boxes tell (`doubt`).

mod aside;
mod deliver;
mod doubt;
mod load;
mod outcome;
mod park;
mod turn;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bot_worker_core::backlog::Backlog;
use bot_worker_core::in_doubt::InDoubt;
use bot_worker_core::pacing::{Pacer, Rates};
use bot_worker_core::refused::Shut;
use bot_worker_core::send_queue::{Next, SendQueue};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use shared_core::{BootMs, ConversationKey, EntryId, OutboxEntry, SendTarget};
use shared_io::clock;
use shared_io::redis::OutboxPosition;
use shared_io::telegram::CallError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::engine::Input;
use crate::status::lock;
use crate::tenure::{Left, Tenure};
use deliver::{Outcome, deliver};
use doubt::Doubt;
use load::NotRead;
use outcome::{After, is_unknown};

/// Sends in flight at once.
const IN_FLIGHT: usize = 32;
/// Looked at without a hint this often.
const POLL: Duration = Duration::from_secs(1);
/// What could not be read is asked for again soon: a private Redis that was killed answers again in some ten milliseconds.
const READ_AGAIN: Duration = Duration::from_millis(25);
const SETTLE_AGAIN: Duration = Duration::from_millis(50);
/// A chat that cannot be written to is tried again this far apart.
const REFUSED_AGAIN: Duration = Duration::from_secs(5);

pub struct Sender {
    tenure: Arc<Tenure>,
    engine: mpsc::Sender<Input>,
    queue: SendQueue<OutboxPosition>,
    pacer: Pacer,
    after: Option<OutboxPosition>,
    backlog: Backlog<OutboxPosition>,
    /// What is not to be sent any more, to be dropped: another bot's prompts, and what later entries make up for.
    foreign: Vec<OutboxPosition>,
    /// The latest prompt that what was found at the beginning will put before each, until that has been looked through.
    served: Option<HashMap<ConversationKey, u32>>,
    doubt: Doubt,
    /// A sender of another bot did not say that all it sent is known.
    unended: bool,
    /// Chats whose last send failed so that Telegram may have taken it: held until that round of listening, and until that moment.
    unheard: Vec<(SendTarget, u64, BootMs)>,
    /// What other bots may have said.
    in_doubt: Option<InDoubt<OutboxPosition>>,
    in_flight: FuturesUnordered<BoxFuture<'static, Sent>>,
    /// Where what is in flight stands.
    leaving: BTreeSet<OutboxPosition>,
    stop: CancellationToken,
    tries: HashMap<EntryId, Tries>,
    /// Groups and channels that refuse what is sent to them.
    shut: Shut,
    replied: AtomicBool,
    /// Refusals that SQL does not know of, and when it was last told.
    untold: u64,
    told_at: Option<BootMs>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    /// The last one failed so that nobody knows whether Telegram did it.
    unknown: bool,
    /// Copies made whose message id stayed unknown: each asks under another random id.
    copies: u32,
    /// Sends that failed: each shows the same random id.
    failures: u32,
}

struct Sent {
    position: OutboxPosition,
    entry: OutboxEntry,
    outcome: Outcome,
}

impl Sender {
    pub fn new(tenure: Arc<Tenure>, engine: mpsc::Sender<Input>, stop: CancellationToken) -> Self {
        let rates = &tenure.context.shared.config.rates;
        let pacer = Pacer::new(Rates {
            chat_per_second: rates.chat_per_second,
            chat_burst: rates.chat_burst,
            group_per_minute: rates.group_per_minute,
            group_burst: rates.group_burst,
            bulk_per_second: rates.bulk_per_second,
            bulk_burst: rates.bulk_burst,
        });
        Self {
            tenure,
            engine,
            queue: SendQueue::default(),
            pacer,
            after: None,
            backlog: Backlog::default(),
            foreign: Vec::new(),
            served: Some(HashMap::new()),
            doubt: Doubt::none(),
            unended: false,
            unheard: Vec::new(),
            in_doubt: None,
            in_flight: FuturesUnordered::new(),
            leaving: BTreeSet::new(),
            stop,
            tries: HashMap::new(),
            shut: Shut::default(),
            replied: AtomicBool::new(false),
            untold: 0,
            told_at: None,
        }
    }

    /// Runs until the session is over (`Some`, with Telegram's error), or the epoch is, or it is told to stop (`None`).
    pub async fn run(mut self) -> Option<CallError> {
        let taken = turn::take(&self.tenure, &self.stop).await?;
        self.begin(&taken);
        let over = self.send_all().await;
        self.wind_down(over.is_some()).await;
        over
    }

    async fn send_all(&mut self) -> Option<CallError> {
        let mut look = true;
        let mut unread = false;
        let mut settling: Option<BoxFuture<'static, ()>> = None;
        loop {
            if std::mem::take(&mut look) {
                match self.read().await {
                    Ok(()) => {
                        unread = false;
                        self.count_unended();
                        self.tell_served().await;
                    }
                    Err(NotRead::Fenced) => return None,
                    Err(NotRead::State(error)) => {
                        if !std::mem::replace(&mut unread, true) {
                            warn!(%error, "the outbox could not be read yet");
                        }
                    }
                }
            }
            if !unread {
                self.look_at_echoes().await;
            }
            if settling.is_none() && self.tenure.has_sent() {
                let tenure = Arc::clone(&self.tenure);
                settling = Some(Box::pin(async move { tenure.settle_sent().await }));
            }
            let mut pause = match self.doubt.is_read() {
                true => self.start_sends(),
                false => READ_AGAIN,
            };
            if unread {
                pause = pause.min(READ_AGAIN);
            }
            self.tenure
                .waiting
                .store(self.queue.chats() + self.in_flight.len(), Ordering::Relaxed);
            tokio::select! {
                () = self.stop.cancelled() => return None,
                Some(sent) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    match self.finish(sent).await {
                        After::GoOn => look = self.queue.is_empty(),
                        After::Over => return None,
                        After::Fatal(error) => return Some(error),
                    }
                }
                () = async { match settling.as_mut() { Some(s) => s.await, None => std::future::pending().await } } => {
                    settling = None;
                    if self.tenure.has_sent() {
                        // It did not come through: not again at once.
                        tokio::time::sleep(SETTLE_AGAIN).await;
                    }
                }
                () = self.tenure.outbox.notified() => look = true,
                () = self.tenure.echoes.to_explain.notified() => {}
                () = tokio::time::sleep(pause) => look = unread || pause == POLL,
            }
        }
    }

    /// Waits a moment for what is in flight: what Telegram acknowledges is not sent again by the next bot. The rest may be.
    async fn wind_down(&mut self, session_is_dead: bool) {
        let bound = match session_is_dead {
            true => turn::WIND_DOWN_DEAD,
            false => self.tenure.wind_down(),
        };
        let answers = async {
            while let Some(sent) = self.in_flight.next().await {
                let unknown = match sent.outcome {
                    Outcome::Sent(told) => {
                        self.tenure.is_sent(sent.position, told);
                        false
                    }
                    Outcome::NotNeeded => {
                        self.tenure.is_sent(sent.position, None);
                        false
                    }
                    Outcome::Failed(error) => is_unknown(error.class),
                    _ => false,
                };
                if !unknown {
                    self.leaving.remove(&sent.position);
                }
            }
        };
        let _late = tokio::time::timeout(bound, answers).await;
        self.tenure.settle_sent().await;
        let left = self.left();
        *lock(&self.tenure.left) = left;
    }

    /// What is in doubt now that nothing is waited for any more.
    fn left(&self) -> Left {
        if self.doubt.is_open() {
            // What the sender before this one left in doubt and the boxes have not told is in doubt for the next one as well.
            return Left::Something;
        }
        let tries = &self.tries;
        let unknown = |entry: &OutboxEntry| tries.get(&entry.id).is_some_and(|it| it.unknown);
        let waiting = self.queue.entries().filter(|(_, entry)| unknown(entry));
        let mut doubtful: Vec<_> = waiting.map(|(at, _)| *at).collect();
        doubtful.extend(&self.leaving);
        doubtful.extend(self.tenure.unsettled_positions());
        match doubtful.is_empty() {
            true => Left::Nothing,
            false => Left::These(doubtful),
        }
    }

    /// Starts what may leave; says how long there is nothing to do otherwise.
    fn start_sends(&mut self) -> Duration {
        let now = clock::boot_now();
        self.pacer.forget_idle(now);
        while self.in_flight.len() < IN_FLIGHT {
            if !self.tenure.may_send() {
                return Duration::from_millis(50);
            }
            match self.queue.next(&mut self.pacer, now) {
                Next::Send(position, entry) => {
                    *lock(&self.tenure.left) = Left::Something;
                    self.leaving.insert(position);
                    self.is_leaving(entry.target);
                    let attempt = self
                        .tries
                        .get(&entry.id)
                        .copied()
                        .unwrap_or_default()
                        .copies;
                    let tenure = Arc::clone(&self.tenure);
                    self.in_flight.push(Box::pin(async move {
                        let outcome = deliver(&tenure, &entry, attempt).await;
                        Sent {
                            position,
                            entry: *entry,
                            outcome,
                        }
                    }));
                }
                Next::WaitUntil(at) => return at.since(now).min(POLL),
                Next::Idle => return POLL,
            }
        }
        POLL
    }
}
