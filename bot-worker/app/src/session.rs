//! One session: a connection from connect to close, with its probe, its updates and, while the pool's epoch names it, its active work.
//!
//! What comes in is handled one batch at a time: as a standby ([`crate::standby`]) until the epoch is open for this bot, by the engine
//! from then on, so no update is handled by both. A lease that ran out makes the session [`quiet`]. Invariants: nothing is handled or sent without the
//! lease, each call is held against it once more right before it leaves; a fatal error is reported before anything else
//! is tried; leaving this module closes the socket (the line is dropped).

mod probe;
mod quiet;
mod roles;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use shared_core::{BotId, BotRole, Connection, EpochStamp, Nonce};
use shared_io::redis::PrivateCursor;
use shared_io::telegram::{Batch, BoxState, CallError, Calls, FeedStart, Line, UpdateFeed};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::active::{Active, asked_to_hear};
use crate::context::BotContext;
use crate::epoch_watch::View;
use crate::guard::Tenancy;
use crate::login;
use crate::standby::{Standby, StandbyError, Standing};
use crate::task::AbortOnDrop;
use crate::{announce, channels, task};
use probe::probe;

/// Why a session is over.
#[derive(Debug)]
pub enum Ended {
    Stopped,
    LeaseOver,
    /// The lease ran out and is held again; the next session starts from the committed cursor.
    Regained,
    /// The epoch passed to another holder while something was on its way, or while the committed cursor could not be read; the next session starts
    /// from that.
    Demoted,
    LineLost {
        was_ready: bool,
        error: CallError,
    },
    Fatal(CallError),
}

/// How long a connection may take to close; another one with the same key must not meet it.
const CLOSE: Duration = Duration::from_millis(200);
/// How often the feed is asked whether it has caught up, after activation.
const CATCH_UP_POLL: Duration = Duration::from_millis(10);
/// Between tries of a standby to keep what it heard, while Redis does not answer.
const KEEP_AGAIN: Duration = Duration::from_millis(20);

pub struct Session {
    context: Arc<BotContext>,
    tenancy: Tenancy,
    view: watch::Receiver<View>,
    calls: Calls,
    feed: UpdateFeed,
    standby: Standby,
    active: Option<Active>,
    smoked: Option<EpochStamp>,
    smoke_asked: Option<Nonce>,
    smoke_tests: JoinSet<()>,
}

impl Session {
    /// Leads one session to its end.
    pub async fn lead(
        context: Arc<BotContext>,
        tenancy: Tenancy,
        view: watch::Receiver<View>,
        stop: CancellationToken,
    ) -> Ended {
        context.status.connection(Connection::Connecting);
        context.status.role(BotRole::Standby);
        let connected = tokio::select! {
            () = stop.cancelled() => return Ended::Stopped,
            () = context.cell.ended(tenancy) => return Ended::LeaseOver,
            connected = login::connect(&context, tenancy) => connected,
        };
        match connected {
            Ok(line) => match Self::begin(Arc::clone(&context), tenancy, view, line).await {
                Ok((session, line)) => session.run(line, stop).await,
                Err(error) => failed(&context, error, false),
            },
            Err(error) => failed(&context, error, false),
        }
    }

    async fn begin(
        context: Arc<BotContext>,
        tenancy: Tenancy,
        view: watch::Receiver<View>,
        mut line: Line,
    ) -> Result<(Self, Line), CallError> {
        let cell = Arc::clone(&context.cell);
        let calls = line.calls().gated(Arc::new(move || cell.holds(tenancy)));
        let cell = Arc::clone(&context.cell);
        // Admins are answered while Redis is away, too.
        let for_admins = move || cell.holds(tenancy) || cell.redis_is_away();
        context
            .desk
            .connected(&line.calls().gated(Arc::new(for_admins)));
        let raw = line
            .take_updates()
            .ok_or_else(|| CallError::not_made("updates", "NO_UPDATE_CHANNEL"))?;
        let (start, reach) =
            tokio::join!(feed_start(&context), context.state.reach(context.lease.bot));
        // Known to whoever held the bot before; only shown, so its absence stops nothing.
        if let Ok(reach) = reach {
            context.status.reach(reach);
        }
        let start = start.map_err(|error| {
            warn!(bot = %context.lease.bot, %error, "the cursor could not be read");
            CallError::not_made("updates", "CURSOR_NOT_READ")
        })?;
        let session = Self {
            feed: UpdateFeed::new(raw, calls.clone(), start),
            standby: Standby::new(Arc::clone(&context), tenancy, calls.clone()),
            context,
            tenancy,
            view,
            calls,
            active: None,
            smoked: None,
            smoke_asked: None,
            smoke_tests: JoinSet::new(),
        };
        Ok((session, line))
    }

    async fn run(mut self, line: Line, stop: CancellationToken) -> Ended {
        let context = Arc::clone(&self.context);
        context.status.connection(Connection::Ready);
        info!(bot = %context.lease.bot, slot = %context.lease.slot, username = context.status.username(), "connected");
        login::remember_name(&context);
        let (probes, mut probed) = mpsc::channel(4);
        let (pace, paced) = watch::channel(self.probe_every());
        let prober = task::spawn(probe(self.calls.clone(), paced, probes));
        let beside = self.beside();
        let mut line_closed = pin!(line.closed());
        let mut lease_ended = pin!(context.cell.ended(self.tenancy));
        self.take_role().await;
        self.tell_who_answers().await;
        let mut feed_rests = Instant::now();
        let ended = loop {
            let ear = self.active.as_ref().and_then(Active::ear);
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ended::Stopped,
                () = &mut lease_ended => {
                    drop((prober, beside));
                    break self.keep_quiet(&stop, line.closed()).await;
                }
                () = &mut line_closed => break line_lost("the line's task ended"),
                changed = self.view.changed() => {
                    if changed.is_err() { break Ended::Stopped }
                    if self.is_demoted() && !self.step_down().await { break Ended::Demoted }
                    self.take_role().await;
                    self.tell_who_answers().await;
                    let every = self.probe_every();
                    pace.send_if_modified(|known| std::mem::replace(known, every) != every);
                }
                ended = engine_ended(&mut self.active) => match ended {
                    Some(error) => break self.died(error).await,
                    None => {
                        if !self.step_down().await { break Ended::Demoted }
                        // Where nothing has changed (it broke off by itself) it begins again.
                        self.view.mark_changed();
                    }
                },
                Some(result) = probed.recv() => {
                    if let Err(error) = probe::judge(&context, &mut self.feed, self.active.is_some(), result) {
                        break self.died(error).await
                    }
                    self.tell_who_answers().await;
                }
                () = asked_to_hear(ear) => {
                    self.feed.look_everywhere();
                    if let Some(active) = &mut self.active { active.listens() }
                }
                // A difference that was empty brings no batch: whether it was the last one has to be asked.
                () = tokio::time::sleep(CATCH_UP_POLL), if self.catches_up() => self.tell_caught_up(),
                () = tokio::time::sleep_until(feed_rests), if feed_rests > Instant::now() => {}
                batch = self.feed.next(), if feed_rests <= Instant::now() => match batch {
                    Ok(batch) => if let Err(error) = self.handle(batch).await {
                        warn!(bot = %context.lease.bot, %error, "a standby could not keep what it heard");
                        break line_lost("what was heard could not be kept");
                    },
                    Err(error) if error.class.is_fatal() => break self.died(error).await,
                    Err(error) => feed_rests = Instant::now() + probe::feed_trouble(&context, &error),
                },
            }
        };
        // Sending stops before the socket goes, and the socket goes before anybody is told.
        if let Some(active) = self.active.take() {
            // Whatever is on its way goes with the socket.
            let _ = active.close().await;
        }
        let closed = line.closed();
        line.close();
        if tokio::time::timeout(CLOSE, closed).await.is_err() {
            warn!(bot = %context.lease.bot, "the connection took too long to close");
        }
        ended
    }

    /// What goes on beside a session and nobody waits for.
    fn beside(&self) -> [AbortOnDrop<()>; 3] {
        let context = || Arc::clone(&self.context);
        [
            task::spawn(login::upkeep::run(
                context(),
                self.tenancy,
                self.view.clone(),
            )),
            task::spawn(channels::watch(context(), self.calls.clone())),
            task::spawn(announce::tidy(
                context(),
                self.calls.clone(),
                self.view.clone(),
            )),
        ]
    }

    /// An error means that the batch was not taken in: the next session gets it again.
    async fn handle(&mut self, mut batch: Batch) -> Result<(), StandbyError> {
        self.context.desk.sort_out(&mut batch);
        if !batch.standing.is_empty() {
            self.context.look_at_rights();
        }
        let lease_ended = self.context.cell.ended(self.tenancy);
        self.context.presses.hear(&mut batch);
        match &mut self.active {
            Some(active) => {
                // A full engine (Redis away) must not be waited for beyond the lease; the next session gets the batch again.
                tokio::select! {
                    () = active.take(batch) => {}
                    () = lease_ended => return Ok(()),
                }
                self.tell_caught_up();
                Ok(())
            }
            None => {
                tokio::select! {
                    kept = keep(&mut self.standby, batch, &self.view, self.context.lease.bot) => kept?,
                    () = lease_ended => return Ok(()),
                }
                self.tell_who_answers().await;
                Ok(())
            }
        }
    }

    /// The session is over. What it received is committed before anybody is told, since the next bot cannot fetch it.
    async fn died(&mut self, error: CallError) -> Ended {
        if let Some(active) = &mut self.active {
            active.drain(&mut self.feed).await;
        }
        failed(&self.context, error, true)
    }
}

/// A standby keeps what it heard, however often Redis has to be asked, and however often it is another epoch by then.
async fn keep(
    standby: &mut Standby,
    batch: Batch,
    view: &watch::Receiver<View>,
    me: BotId,
) -> Result<(), StandbyError> {
    loop {
        let standing = Standing::of(view.borrow().epoch.as_ref(), me);
        match standby.take(batch.clone(), &standing).await {
            Err(StandbyError::State(error)) if error.is_connection() => {
                warn!(%error, "what a standby heard waits");
                tokio::time::sleep(KEEP_AGAIN).await;
            }
            Err(StandbyError::EpochChanged) => tokio::time::sleep(KEEP_AGAIN).await,
            settled => return settled,
        }
    }
}

/// Waits for the engine's end, if there is one; `Some` with the fatal error that its sender met.
async fn engine_ended(active: &mut Option<Active>) -> Option<CallError> {
    match active {
        Some(active) => active.ended().await,
        None => std::future::pending().await,
    }
}

fn line_lost(what: &'static str) -> Ended {
    tracing::debug!(what, "line lost");
    Ended::LineLost {
        was_ready: true,
        error: CallError::not_made("updates", "LINE_LOST"),
    }
}

fn failed(context: &BotContext, error: CallError, was_ready: bool) -> Ended {
    context.status.error(error.class, &error.name);
    if error.class.is_fatal() {
        context.status.connection(Connection::Failed);
        Ended::Fatal(error)
    } else {
        Ended::LineLost { was_ready, error }
    }
}

async fn feed_start(context: &BotContext) -> Result<FeedStart, shared_io::redis::StateError> {
    let bot = context.lease.bot;
    let cursor = context.state.private_cursor(bot).await?;
    Ok(FeedStart {
        private: cursor.map(|PrivateCursor { pts, qts, date }| BoxState { pts, qts, date }),
        channels: Vec::new(),
        groups: context.config.groups().collect(),
        posts: context.config.broadcast().into_iter().collect(),
        own_bots: context
            .config
            .bots
            .iter()
            .map(|bot| bot.token.bot())
            .collect(),
        me: bot,
    })
}
