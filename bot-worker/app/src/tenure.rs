//! One epoch of one bot: what the engine, the sender and their helpers share for as long as it lasts.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bot_worker_core::kept::{Age, Kept};
use bot_worker_core::{Context, Dialogue};
use shared_core::{
    BootMs, ConversationKey, Envelope, Epoch, EpochStamp, EventId, MemberId, Milestone,
    MilestoneKind, Nonce, Spent, Told, UnixMs,
};
use shared_io::clock;
use shared_io::redis::{
    EpochAnswer, OutboxPosition, RedisState, Resumed, SendsInDoubt, StateError,
};
use shared_io::retry::{Backoff, RetryPolicy};
use shared_io::telegram::Calls;
use tokio::sync::{Notify, watch};
use tracing::{debug, warn};

use crate::context::BotContext;
use crate::echoes::Echoes;
use crate::engine::Prompts;
use crate::epoch_watch::View;
use crate::guard::Tenancy;
use crate::status::lock;
use crate::work::Work;

/// Soon, because another bot may begin; a Redis that is away for longer has the pool begin with what it has.
const SETTLES_LATE: RetryPolicy = RetryPolicy {
    initial: Duration::from_millis(20),
    max: Duration::from_millis(150),
    give_up_after: Some(Duration::from_secs(60)),
};

/// What a tenure is made of.
pub struct Terms {
    pub context: Arc<BotContext>,
    pub calls: Calls,
    pub stamp: EpochStamp,
    pub tenancy: Tenancy,
    pub view: watch::Receiver<View>,
    pub owed: Option<Resumed>,
    /// Another bot was named before this epoch.
    pub after_another: bool,
    /// When this bot followed another one, if it ever did: what it kept before that may be outdated. Not this tenure's beginning: a bot whose worker dies
    /// in its first moments begins again after itself.
    pub followed: Option<UnixMs>,
    /// The epoch in which it did: names the change of bots.
    pub change: Epoch,
    pub previous_username: Option<String>,
    pub usernames: Vec<String>,
    /// The last entry of the outbox when the tenure began.
    pub stood: Option<OutboxPosition>,
}

/// Of what this tenure has sent, or found to be in doubt, nobody knows whether Telegram took it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Left {
    #[default]
    Nothing,
    Something,
    /// These entries, and no others.
    These(Vec<OutboxPosition>),
}

/// What the tasks of one epoch share.
pub struct Tenure {
    pub context: Arc<BotContext>,
    pub calls: Calls,
    pub stamp: EpochStamp,
    /// Of this tenure alone; the process may have another one in the same epoch.
    pub nonce: Nonce,
    /// The lease's unbroken time under which all of this runs.
    pub tenancy: Tenancy,
    pub view: watch::Receiver<View>,
    /// What another bot finished last and this one therefore owes: showing the open conversations where they stand.
    pub owed: Option<Resumed>,
    after_another: bool,
    pub followed: Option<UnixMs>,
    change: Epoch,
    pub previous_username: Option<String>,
    /// Usernames of all bots of the pool that are known.
    pub usernames: Vec<String>,
    /// Whose replies were left out, or turn out to have been another bot's: they are shown where they stand; not handed over for that yet.
    pub left_out: Mutex<Vec<ConversationKey>>,
    /// Something may be in the outbox.
    pub outbox: Notify,
    /// Something may be waiting for SQL.
    pub records: Notify,
    /// A course was not taken because too many wait, and none has reached SQL since.
    pub records_full: AtomicBool,
    /// Something may be in the inbox.
    pub inbox: Notify,
    /// Members who were told that a newer program is waited for, and when.
    pub told_newer: Mutex<HashMap<ConversationKey, BootMs>>,
    /// Whoever sent before has ended, and what it left is known.
    pub has_turn: AtomicBool,
    /// What this bot may have said before is not all known yet.
    pub doubts_itself: AtomicBool,
    /// `us:{P}:sending` names this tenure. An earlier one of the same process and epoch may stand there in the same words.
    pub took_turn: AtomicBool,
    /// What would be in doubt if the tenure ended now.
    pub left: Mutex<Left>,
    /// How far the sender has read the outbox: it has sent nothing behind that.
    pub read_to: Mutex<Option<OutboxPosition>>,
    /// What other bots left in doubt, until it is known what that may have been.
    pub inherited_doubt: Mutex<Vec<SendsInDoubt>>,
    /// Chats that the sender has something for. Not entries: a chat that is held may have many of them, and nobody in another one is to wait for that.
    pub waiting: AtomicUsize,
    /// Entries that are known to be sent and still stand in Redis, each with the word of its message.
    sent: Mutex<Vec<(OutboxPosition, Option<Told>)>>,
    /// Words without an id whose messages have been heard, as long as Redis has them.
    spent: Mutex<Vec<Spent>>,
    /// What stood in the outbox when the tenure began may have been sent by whoever sent before.
    pub stood: Option<OutboxPosition>,
    pub echoes: Echoes,
    /// Which messages are whose prompts.
    pub prompts: Prompts,
    /// Members with parked replies, as far as they are known: there may be many, so the first answers do not wait for them.
    pub parked: Mutex<HashSet<MemberId>>,
    /// All of them are known.
    pub parked_known: AtomicBool,
    pub work: Work,
}

impl Tenure {
    pub fn new(terms: Terms) -> Self {
        Self {
            context: terms.context,
            calls: terms.calls,
            stamp: terms.stamp,
            nonce: clock::nonce(),
            tenancy: terms.tenancy,
            view: terms.view,
            owed: terms.owed,
            after_another: terms.after_another,
            followed: terms.followed,
            change: terms.change,
            previous_username: terms.previous_username,
            usernames: terms.usernames,
            left_out: Mutex::default(),
            outbox: Notify::new(),
            records: Notify::new(),
            records_full: AtomicBool::new(false),
            inbox: Notify::new(),
            told_newer: Mutex::default(),
            has_turn: AtomicBool::new(false),
            doubts_itself: AtomicBool::new(false),
            took_turn: AtomicBool::new(false),
            left: Mutex::default(),
            read_to: Mutex::new(terms.stood),
            inherited_doubt: Mutex::default(),
            waiting: AtomicUsize::new(0),
            sent: Mutex::default(),
            spent: Mutex::default(),
            stood: terms.stood,
            echoes: Echoes::default(),
            prompts: Prompts::default(),
            parked: Mutex::default(),
            parked_known: AtomicBool::new(false),
            work: Work::default(),
        }
    }

    pub fn redis(&self) -> &RedisState {
        &self.context.shared.redis
    }

    /// Does something pure with what a step in this conversation may look at.
    pub fn in_context<T>(&self, key: ConversationKey, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let username = self.context.status.username();
        f(&Context {
            pool: &self.context.pool,
            me_username: &username,
            previous_username: self.previous_username.as_deref(),
            pool_usernames: &self.usernames,
            texts: &self.context.shared.texts,
            catalog: &self.context.catalog,
            now: clock::unix_now(),
            invite_again_ms: self.context.invite_again_ms(),
            records_full: self.records_full.load(Ordering::Acquire),
            key,
        })
    }

    /// May something leave now? The lease has held without a break, and the epoch was this one when it was last looked at.
    pub fn may_send(&self) -> bool {
        let current = self.view.borrow().record().map(|record| record.stamp);
        current == Some(self.stamp) && self.context.cell.holds(self.tenancy)
    }

    /// Will nothing leave any more? The epoch is known to be another one, or the lease has been broken.
    pub fn is_over(&self) -> bool {
        let current = self.view.borrow().record().map(|record| record.stamp);
        let another = current.is_some_and(|current| current != self.stamp);
        another || !self.context.cell.holds(self.tenancy)
    }

    /// How a message that was kept while another bot answered stands to the last step in its private conversation. Where none has, nothing is outdated.
    pub fn age(&self, kept: Kept, envelope: &Envelope<Dialogue>) -> Age {
        let me = self.context.lease.bot;
        self.followed
            .map_or(Age::Latest, |followed| kept.age(envelope, me, followed))
    }

    /// One event per change of bots: asked for again after a crash, it is a duplicate. `kind` tells its uses apart.
    pub fn resumption(&self, kind: u8) -> EventId {
        let mut id = [kind; 16];
        id[..7].copy_from_slice(&self.change.0.to_be_bytes()[1..]);
        id[8..].copy_from_slice(&self.context.lease.bot.0.to_be_bytes());
        EventId(id)
    }

    /// Did this bot, and no other, answer last? Then what waits may have left through it.
    pub fn follows_itself(&self) -> bool {
        self.owed.is_none() || !self.after_another
    }

    /// Did another bot have an epoch since this one's last?
    pub fn after_another(&self) -> bool {
        self.after_another
    }

    /// Members' replies that waited until they could be written to go back into the outbox, in their order. `Fenced` when another epoch has
    /// begun. Who has none parked costs nothing once it is known who has.
    pub async fn unpark(&self, member: MemberId) -> Result<EpochAnswer<()>, StateError> {
        // Out of the set first: whoever parks something meanwhile puts him in again behind it.
        let has_some = lock(&self.parked).remove(&member);
        if !has_some && self.parked_known.load(Ordering::Acquire) {
            return Ok(EpochAnswer::Done(()));
        }
        let moved = self.context.state.unpark(self.stamp, member).await;
        match moved {
            Ok(EpochAnswer::Done(moved)) => {
                if !moved.is_empty() {
                    self.outbox.notify_one();
                }
                Ok(EpochAnswer::Done(()))
            }
            Ok(EpochAnswer::Fenced { current }) => Ok(EpochAnswer::Fenced { current }),
            Err(error) => {
                lock(&self.parked).insert(member);
                Err(error)
            }
        }
    }

    /// The same beside the work, for a member who turns out to be reachable without having written.
    pub fn unpark_soon(self: &Arc<Self>, member: MemberId) {
        let known = self.parked_known.load(Ordering::Acquire);
        if known && !lock(&self.parked).contains(&member) {
            return;
        }
        let tenure = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = tenure.unpark(member).await {
                warn!(%member, %error, "parked replies are not taken up yet");
            }
        });
    }

    /// Telegram has acknowledged the entry.
    pub fn is_sent(&self, position: OutboxPosition, told: Option<Told>) {
        self.prompts.answered(position, told);
        lock(&self.sent).push((position, told));
    }

    /// Is there something to be settled?
    pub fn has_sent(&self) -> bool {
        !lock(&self.sent).is_empty() || !lock(&self.spent).is_empty()
    }

    pub fn is_spent(&self, spent: Spent) {
        lock(&self.spent).push(spent);
    }

    pub fn is_unspent(&self, spent: Spent) -> bool {
        lock(&self.spent).contains(&spent)
    }

    /// Sent, and still in Redis.
    pub fn unsettled_positions(&self) -> Vec<OutboxPosition> {
        lock(&self.sent).iter().map(|(at, _)| *at).collect()
    }

    pub fn is_unsettled(&self, position: OutboxPosition) -> bool {
        lock(&self.sent).iter().any(|(known, _)| *known == position)
    }

    /// The entry that became this message, while it still stands in Redis.
    pub fn unsettled(&self, told: Told) -> Option<OutboxPosition> {
        let sent = lock(&self.sent);
        let found = sent.iter().find(|(_, known)| *known == Some(told));
        found.map(|(position, _)| *position)
    }

    /// Takes what is known to be sent out of Redis. Not fenced: that something was sent stays true in whatever epoch. Cancelled or failed, it
    /// forgets nothing.
    pub async fn settle_sent(&self) {
        let settling = lock(&self.sent).clone();
        let bot = self.context.lease.bot;
        match self.context.state.outbox_settle(bot, &settling).await {
            Ok(settled) => {
                self.work.sent.fetch_add(settled, Ordering::Relaxed);
                let is_settled = |position| settling.iter().any(|(known, _)| *known == position);
                lock(&self.sent).retain(|(position, _)| !is_settled(*position));
            }
            Err(error) => return warn!(%error, "sent entries wait to be settled"),
        }
        self.settle_spent().await;
    }

    /// Is there something that Telegram took and Redis does not know of yet?
    pub fn has_unsettled(&self) -> bool {
        !lock(&self.sent).is_empty()
    }

    /// What could not be settled when the tenure ended, because Redis did not answer: until it is, whoever sends next has to find out by listening that
    /// it was sent, and another bot cannot. Only in this epoch: an entry must not vanish under a sender of the next one that has read it.
    pub async fn settle_late(&self) {
        let mut backoff = Backoff::new(SETTLES_LATE);
        while self.has_unsettled() {
            let Some(pause) = backoff.next_delay() else {
                warn!("what was sent is not settled, and may be sent again");
                return;
            };
            tokio::time::sleep(pause).await;
            match self.context.state.epoch().await {
                Ok(Some(record)) if record.stamp == self.stamp => {
                    self.settle_sent().await;
                }
                // Whoever answers in it has read what stood there, and asks its boxes.
                Ok(_) => return warn!("what was sent is not settled, and may be sent again"),
                Err(_) => {}
            }
        }
        self.end_sending().await;
    }

    /// Behind the settling: it is with that that a word comes to Redis.
    async fn settle_spent(&self) {
        let mut spent = lock(&self.spent).clone();
        let sent = lock(&self.sent).clone();
        spent.retain(|it| sent.iter().all(|(_, told)| *told != Some(it.word)));
        let bot = self.context.lease.bot;
        match self.context.state.spend_words(bot, &spent).await {
            Ok(_) => lock(&self.spent).retain(|it| !spent.contains(it)),
            Err(error) => warn!(%error, "words of what was heard wait to be spent"),
        }
    }

    /// Publishes a point of the timeline; best effort.
    pub async fn milestone(&self, kind: MilestoneKind) {
        let milestone = Milestone {
            epoch: self.stamp.epoch,
            kind,
            worker: self.context.shared.worker.clone(),
            at: clock::unix_now(),
        };
        if let Err(error) = self.context.state.milestone(&milestone).await {
            debug!(?kind, %error, "milestone not published");
        }
        self.redis().ring_supervisor().await;
    }
}
