//! The active bot's work, for as long as one open epoch names it: the engine, the outbox sender, the re-prompts, the post and the recorder.
//!
//! [`Active::close`] ends it in order; dropping it stops everything at once, and what was in flight is replayed or re-sent by the next
//! holder under the protections of watermarks and random ids. Invariant: nothing of this runs for another epoch than the one it was started with.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use shared_core::{BotId, EpochRecord, EpochStamp};
use shared_io::clock;
use shared_io::redis::{Counter, EpochAnswer, OutboxPosition, StateError};
use shared_io::telegram::{Batch, CallError, Calls, UpdateFeed};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::context::BotContext;
use crate::engine::{Engine, Input};
use crate::epoch_watch::View;
use crate::guard::Tenancy;
use crate::post;
use crate::recorder;
use crate::reprompt::Reprompts;
use crate::sender::Sender;
use crate::status::lock;
use crate::survey;
use crate::task::AbortOnDrop;
use crate::tenure::{Left, Tenure, Terms};

/// Batches that wait for the engine; the feed waits when it is full, its own channel holds what comes meanwhile.
const BATCHES: usize = 256;

/// How long a dead session's last messages may hold up its report: a commit takes about a millisecond.
const DRAIN: Duration = Duration::from_millis(150);
/// How long the bots' names are waited for.
const NAMES: Duration = Duration::from_millis(100);
/// Entries of the outbox that are looked at when it is taken over; re-prompting keeps it far shorter.
const PENDING: usize = 5_000;
/// Kept private messages that are read at activation; a standby keeps no more.
pub const HELD: usize = 10_000;

pub struct Active {
    tenure: Arc<Tenure>,
    input: mpsc::Sender<Input>,
    engine: Option<AbortOnDrop<()>>,
    sender: Option<AbortOnDrop<Option<CallError>>>,
    stop_sending: CancellationToken,
    _recorder: AbortOnDrop<()>,
    _survey: AbortOnDrop<()>,
    _reprompts: Option<AbortOnDrop<()>>,
    _post: Option<AbortOnDrop<()>>,
    told_caught_up: bool,
    /// The round of listening that is under way.
    hearing: Option<u64>,
    /// The last one that the engine has been told of.
    heard: u64,
}

impl Active {
    /// Loads the pool's cursors into the feed and starts everything.
    pub async fn start(
        context: &Arc<BotContext>,
        calls: &Calls,
        tenancy: Tenancy,
        view: &watch::Receiver<View>,
        record: &EpochRecord,
        feed: &mut UpdateFeed,
    ) -> Result<Self, String> {
        let text = |error: StateError| error.to_string();
        let (state, bot, stamp) = (&context.state, context.lease.bot, record.stamp);
        if let EpochAnswer::Fenced { .. } = state.confirm(stamp).await.map_err(text)? {
            return Err("the epoch is over".to_owned());
        }
        if state.may_be_replaced() {
            let counters = state.counters().await.map_err(text)?;
            let before = counters.get(Counter::Commits);
            context.tail.begin(tenancy.history, before);
        }
        seed_channels(context, calls, stamp).await?;
        let channels = state.channels().await.map_err(text)?;
        let private = state.private_cursor(bot).await.map_err(text)?;
        let held = state.held(bot, HELD).await.map_err(text)?;
        let stood = state.outbox_end().await.map_err(text)?;
        let now = clock::unix_now();
        let begun = state.begin_resumption(stamp, bot, now).await;
        let EpochAnswer::Done(resumed) = begun.map_err(text)? else {
            return Err("the epoch is over".to_owned());
        };
        // Once the debt is this bot's: dropped before, the other one's prompts would be owed by nobody should this end in between.
        drop_foreign(context, record).await.map_err(text)?;
        let usernames = usernames(context).await;
        // Another bot was named meanwhile, and may have been too short-lived to begin: who came to this one then is owed his prompt as well. Who has
        // had it is turned away by the event's id. Not in the epoch that it was shown in: who has begun something since has this bot's prompt.
        let after_named = record.previous_bot.is_some_and(|before| before != bot);
        let again = after_named && resumed.epoch < stamp.epoch;
        let owed = (!resumed.done || again).then_some(resumed);
        let before = owed.and_then(|owed| owed.before);
        let previous = before.and_then(|before| usernames.iter().find(|(bot, _)| *bot == before));
        let after_another = record.previous_bot != Some(bot);
        let tenure = Arc::new(Tenure::new(Terms {
            context: Arc::clone(context),
            calls: calls.clone(),
            stamp,
            tenancy,
            view: view.clone(),
            owed,
            after_another,
            change: resumed.epoch,
            followed: resumed.at.or(after_another.then_some(now)),
            previous_username: previous.map(|(_, name)| name.clone()),
            usernames: usernames.iter().map(|(_, name)| name.clone()).collect(),
            stood,
        }));
        if context.missed_some.load(Ordering::Acquire) {
            tenure.echoes.miss_some();
        }
        feed.known_usernames(tenure.usernames.iter().map(String::as_str));
        feed.set_channels(&channels);
        let (input, inputs) = mpsc::channel(BATCHES);
        let engine = Engine::new(Arc::clone(&tenure), private, channels);
        let stop = CancellationToken::new();
        let sender = Sender::new(Arc::clone(&tenure), input.clone(), stop.clone());
        Ok(Self {
            input,
            engine: Some(AbortOnDrop(tokio::spawn(engine.run(held, inputs)))),
            sender: Some(AbortOnDrop(tokio::spawn(sender.run()))),
            stop_sending: stop,
            _recorder: AbortOnDrop(spawn_recorder(&tenure)),
            _survey: AbortOnDrop(tokio::spawn(survey::run(Arc::clone(&tenure)))),
            _reprompts: None,
            _post: None,
            tenure,
            told_caught_up: false,
            hearing: None,
            heard: 0,
        })
    }

    pub fn stamp(&self) -> EpochStamp {
        self.tenure.stamp
    }

    /// Is nothing waited for that the feed is asked about?
    pub fn is_caught_up(&self) -> bool {
        self.told_caught_up && self.hearing.is_none()
    }

    /// For [`asked_to_hear`], while no round of listening is under way.
    pub fn ear(&self) -> Option<(Arc<Tenure>, u64)> {
        let ear = || (Arc::clone(&self.tenure), self.heard);
        self.hearing.is_none().then(ear)
    }

    /// A round begins: every box has been asked for its difference.
    pub fn listens(&mut self) {
        self.hearing = self.tenure.echoes.asked_after(self.heard);
    }

    pub async fn take(&mut self, batch: Batch) {
        // The engine's end is seen by `ended`; what it did not take is replayed.
        let _ = self.input.send(Input::Batch(batch)).await;
    }

    /// Every difference since the committed cursors has been handed over. `puts_off`: but for a channel's, for which nobody waits.
    pub fn caught_up(&mut self, puts_off: bool) {
        if puts_off {
            self.tenure.echoes.miss_some();
        }
        // An engine that is full (Redis away) is not waited for, which could outlast the lease: the next look says it.
        if let Some(round) = self.hearing
            && self.input.try_send(Input::Heard(round)).is_ok()
        {
            self.hearing = None;
            self.heard = round;
            // Somebody may have asked meanwhile.
            self.tenure.echoes.to_hear.notify_one();
        }
        if !self.told_caught_up && self.input.try_send(Input::CaughtUp).is_ok() {
            self.told_caught_up = true;
            let reprompts = Reprompts::new(Arc::clone(&self.tenure));
            self._reprompts = Some(AbortOnDrop(tokio::spawn(reprompts.run(self.input.clone()))));
            let post = post::run(Arc::clone(&self.tenure), self.input.clone());
            self._post = Some(AbortOnDrop(tokio::spawn(post)));
        }
    }

    /// Commits what this bot received before its session died: nobody else can fetch it. Bounded, and over at once when another epoch
    /// has begun; the replies leave through the next bot.
    pub async fn drain(&mut self, feed: &mut UpdateFeed) {
        let drained = async {
            while let Some(Ok(batch)) = feed.next().now_or_never() {
                self.take(batch).await;
            }
            let (done, drained) = oneshot::channel();
            if self.input.send(Input::Drain(done)).await.is_ok() {
                let _ = drained.await;
            }
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            warn!("what was received could not be committed in time");
        }
        self.stop_sends(DRAIN).await;
    }

    /// Stops sending, waits a moment for what is in flight, and takes what is known to be sent out of the outbox, so that the next
    /// bot does not send it again. False where something may still be on its way: then the line has to go.
    pub async fn close(mut self) -> bool {
        self.engine = None;
        let patience = self.tenure.wind_down() + DRAIN;
        self.stop_sends(patience).await
    }

    async fn stop_sends(&mut self, patience: Duration) -> bool {
        self.stop_sending.cancel();
        let sender_ended = match self.sender.take() {
            Some(sender) => tokio::time::timeout(patience, sender).await.is_ok(),
            None => true,
        };
        if !sender_ended {
            warn!("sends were in flight when the tenure ended");
        }
        if tokio::time::timeout(DRAIN, self.tenure.settle_sent())
            .await
            .is_err()
        {
            warn!("sent entries could not be settled; they may be sent again");
        }
        // Whatever was on its way is answered or given up: the next sender may begin.
        let ended = self.tenure.end_sending();
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            warn!("the next sender waits until this bot's lease is another's");
        }
        if self.tenure.has_unsettled() {
            let tenure = Arc::clone(&self.tenure);
            tokio::spawn(async move { tenure.settle_late().await });
        }
        sender_ended && *lock(&self.tenure.left) == Left::Nothing
    }

    /// Waits until the engine or the sender ends: `Some` with a fatal error of the connection, `None` when the epoch is over.
    pub async fn ended(&mut self) -> Option<CallError> {
        tokio::select! {
            result = finished(&mut self.engine) => {
                if let Err(panic) = result {
                    tracing::error!(%panic, "the engine panicked");
                }
                None
            }
            result = finished(&mut self.sender) => match result {
                Ok(error) => error,
                Err(panic) => {
                    tracing::error!(%panic, "the sender panicked");
                    None
                }
            },
        }
    }
}

/// Waits until the sender wants to hear what Telegram has taken.
pub async fn asked_to_hear(ear: Option<(Arc<Tenure>, u64)>) {
    let Some((tenure, heard)) = ear else {
        return std::future::pending().await;
    };
    while tenure.echoes.asked_after(heard).is_none() {
        tenure.echoes.to_hear.notified().await;
    }
}

/// Waits for a task once; never resolves after that.
async fn finished<T>(task: &mut Option<AbortOnDrop<T>>) -> Result<T, JoinError> {
    let Some(running) = task.as_mut() else {
        return std::future::pending().await;
    };
    let result = running.await;
    *task = None;
    result
}

/// Prompts and announcements that another bot composed name the wrong bot: they are dropped, and this one, which owes them as well, makes its
/// own. Its own ones stay, in whatever epoch and on whichever worker they were composed.
async fn drop_foreign(context: &BotContext, record: &EpochRecord) -> Result<(), StateError> {
    let me = context.lease.bot;
    let pending = context.state.outbox(None, PENDING).await?;
    let foreign = pending
        .into_iter()
        .filter(|(_, entry)| entry.by.is_some_and(|composer| composer != me));
    let foreign: Vec<OutboxPosition> = foreign.map(|(position, _)| position).collect();
    if !foreign.is_empty() {
        // Fenced: then nothing of this tenure will be written either.
        let _ = context.state.discard(record.stamp, &foreign).await?;
    }
    Ok(())
}

/// The pool's bots and their names, as far as they ever logged in.
async fn usernames(context: &BotContext) -> Vec<(BotId, String)> {
    // Names are for texts: a switch does not wait for SQL.
    let list = context.shared.store.bots();
    let rows = match tokio::time::timeout(NAMES, list.list(&context.pool)).await {
        Ok(Ok(rows)) => rows,
        Ok(Err(error)) => {
            warn!(%error, "the bots' names could not be read");
            Vec::new()
        }
        Err(_) => {
            warn!("the bots' names could not be read in time");
            Vec::new()
        }
    };
    rows.into_iter()
        .filter_map(|row| row.username.map(|name| (row.bot, name)))
        .collect()
}

/// A group that the pool has no cursor for starts from where it stands.
async fn seed_channels(
    context: &BotContext,
    calls: &Calls,
    stamp: EpochStamp,
) -> Result<(), String> {
    let known = context
        .state
        .channels()
        .await
        .map_err(|error| error.to_string())?;
    // The broadcast channel too: only its box tells what was posted there before a login changed.
    let followed = context.config.groups().chain(context.config.broadcast());
    for followed in followed {
        if known.iter().any(|(channel, _)| *channel == followed) {
            continue;
        }
        match calls.channel_pts(followed).await {
            Ok(pts) => context
                .state
                .seed_channel(stamp, followed, pts)
                .await
                .map(drop)
                .map_err(|error| error.to_string())?,
            Err(error) => {
                warn!(channel = %followed, %error, "the channel's cursor could not be seeded")
            }
        }
    }
    Ok(())
}

fn spawn_recorder(tenure: &Arc<Tenure>) -> JoinHandle<()> {
    tokio::spawn(recorder::run(Arc::clone(tenure)))
}
