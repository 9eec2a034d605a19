//! One session: a connection from connect to close, with its probe, its updates and, while the pool's epoch names it, its active work.
//!
//! What comes in is handled one batch at a time: as a standby ([`crate::standby`]) until the epoch is open for this bot, by the engine
//! from then on, so no update is handled by both. Invariants: nothing is handled or sent without the lease; a fatal error is reported before anything else
//! is tried; leaving this module closes the socket (the line is dropped).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use shared_core::{BotRole, Connection, EpochRecord, ErrorClass, Phase};
use shared_io::redis::PrivateCursor;
use shared_io::telegram::{BoxState, CallError, Calls, FeedStart, Line, UpdateFeed};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::active::Active;
use crate::context::BotContext;
use crate::epoch_watch::View;
use crate::guard::Tenancy;
use crate::login;
use crate::smoke;
use crate::standby::Standby;
use crate::task::AbortOnDrop;

/// Why a session is over.
#[derive(Debug)]
pub enum Ended {
    Stopped,
    LeaseOver,
    /// The epoch passed to another holder; the next session starts from the committed cursor.
    Demoted,
    LineLost {
        was_ready: bool,
        error: String,
    },
    Fatal(CallError),
}

/// How long a connection may take to close; another one with the same key must not meet it.
const CLOSE: Duration = Duration::from_millis(200);
/// How often the feed is asked whether it has caught up, after activation.
const CATCH_UP_POLL: Duration = Duration::from_millis(10);

type Probe = Result<(BoxState, u64), CallError>;

pub struct Session {
    context: Arc<BotContext>,
    tenancy: Tenancy,
    view: watch::Receiver<View>,
    calls: Calls,
    feed: UpdateFeed,
    standby: Standby,
    active: Option<Active>,
    smoked: Option<shared_core::EpochStamp>,
    smoke_tests: tokio::task::JoinSet<()>,
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
            connected = login::connect(&context) => connected,
        };
        let mut line = match connected {
            Ok(line) => line,
            Err(error) => return failed(&context, error, false),
        };
        let calls = line.calls();
        let Some(raw) = line.take_updates() else {
            return Ended::LineLost {
                was_ready: false,
                error: "the line has no update channel".into(),
            };
        };
        let start = match feed_start(&context).await {
            Ok(start) => start,
            Err(error) => {
                return Ended::LineLost {
                    was_ready: false,
                    error,
                };
            }
        };
        let session = Self {
            feed: UpdateFeed::new(raw, calls.clone(), start),
            standby: Standby::new(Arc::clone(&context), tenancy, calls.clone()),
            context,
            tenancy,
            view,
            calls,
            active: None,
            smoked: None,
            smoke_tests: tokio::task::JoinSet::new(),
        };
        session.run(line, stop).await
    }

    async fn run(mut self, line: Line, stop: CancellationToken) -> Ended {
        let context = Arc::clone(&self.context);
        context.status.connection(Connection::Ready);
        info!(bot = %context.lease.bot, username = context.status.username(), "connected");
        let (probes, mut probed) = mpsc::channel(4);
        let (pace, paced) = watch::channel(self.probe_every());
        let _prober = AbortOnDrop(tokio::spawn(probe(self.calls.clone(), paced, probes)));
        let mut line_closed = pin!(line.closed());
        let mut lease_ended = pin!(context.cell.ended(self.tenancy));
        self.take_role().await;
        let mut feed_rests = Instant::now();
        let ended = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ended::Stopped,
                () = &mut lease_ended => break Ended::LeaseOver,
                () = &mut line_closed => {
                    break Ended::LineLost { was_ready: true, error: "the line's task ended".into() };
                }
                changed = self.view.changed() => {
                    if changed.is_err() { break Ended::Stopped }
                    if self.is_demoted() { break Ended::Demoted }
                    self.take_role().await;
                    let every = self.probe_every();
                    pace.send_if_modified(|known| std::mem::replace(known, every) != every);
                }
                ended = engine_ended(&mut self.active) => match ended {
                    Some(error) => break self.died(error).await,
                    None => break Ended::Demoted,
                },
                Some(result) = probed.recv() => {
                    if let Err(error) = self.judge_probe(result) { break self.died(error).await }
                }
                // A difference that was empty brings no batch: whether it was the last one has to be asked.
                () = tokio::time::sleep(CATCH_UP_POLL), if self.catches_up() => self.tell_caught_up().await,
                () = tokio::time::sleep_until(feed_rests), if feed_rests > Instant::now() => {}
                batch = self.feed.next(), if feed_rests <= Instant::now() => match batch {
                    Ok(batch) => if let Err(error) = self.handle(batch).await {
                        break Ended::LineLost { was_ready: true, error };
                    },
                    Err(error) if error.class.is_fatal() => break self.died(error).await,
                    Err(error) => feed_rests = Instant::now() + feed_trouble(&context, &error),
                },
            }
        };
        // Sending stops before the socket goes, and the socket goes before anybody is told.
        if let Some(active) = self.active.take() {
            active.close().await;
        }
        let closed = line.closed();
        line.close();
        if tokio::time::timeout(CLOSE, closed).await.is_err() {
            warn!(bot = %context.lease.bot, "the connection took too long to close");
        }
        ended
    }

    fn probe_every(&self) -> Duration {
        let timing = &self.context.shared.config.timing;
        if self.active.is_some() {
            timing.probe
        } else {
            timing.standby_probe
        }
    }

    fn record(&self) -> Option<EpochRecord> {
        let record = self.view.borrow().epoch.clone()?;
        let mine = record.is_held_by(self.context.lease.bot, &self.context.shared.worker);
        (mine && Some(record.stamp) != self.context.inherited).then_some(record)
    }

    fn somebody_else_answers(&self) -> bool {
        self.view.borrow().epoch.as_ref().is_some_and(|record| {
            record.phase == Phase::Open
                && record
                    .holder
                    .as_ref()
                    .is_some_and(|holder| holder.bot != self.context.lease.bot)
        })
    }

    fn is_demoted(&self) -> bool {
        let stamp = self.record().map(|record| record.stamp);
        self.active
            .as_ref()
            .is_some_and(|active| Some(active.stamp()) != stamp)
    }

    /// Does what the epoch record asks of this bot.
    async fn take_role(&mut self) {
        let Some(record) = self.record() else { return };
        match record.phase {
            Phase::Fenced => {}
            Phase::Smoking if self.smoked != Some(record.stamp) => {
                self.smoked = Some(record.stamp);
                let test = smoke::run(Arc::clone(&self.context), self.calls.clone(), record.stamp);
                self.smoke_tests.spawn(test);
            }
            Phase::Smoking => {}
            Phase::Open if self.active.is_none() => self.become_active(record).await,
            Phase::Open => {}
        }
    }

    async fn become_active(&mut self, record: EpochRecord) {
        let started = Active::start(
            &self.context,
            &self.calls,
            self.tenancy,
            &self.view,
            &record,
            &mut self.feed,
        );
        match started.await {
            Ok(active) => {
                info!(bot = %self.context.lease.bot, epoch = %record.stamp, "active");
                self.context.status.role(BotRole::Active);
                self.active = Some(active);
                self.tell_caught_up().await;
            }
            // The view is looked at again four times a second; the supervisor judges how long it waits.
            Err(error) => {
                warn!(bot = %self.context.lease.bot, error, "could not become active yet");
                self.view.mark_changed();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// An error here means that the batch was not taken in: the next session gets it again.
    async fn handle(&mut self, batch: shared_io::telegram::Batch) -> Result<(), String> {
        let stands_by = self.somebody_else_answers();
        match &mut self.active {
            Some(active) => {
                // A full engine (Redis away) must not keep the connection beyond its lease.
                tokio::select! {
                    () = active.take(batch) => {}
                    () = self.context.cell.ended(self.tenancy) => {
                        return Err("the login lease ended with updates in hand".to_owned());
                    }
                }
                self.tell_caught_up().await;
                Ok(())
            }
            None => self
                .standby
                .take(batch, stands_by)
                .await
                .map_err(|error| error.to_string()),
        }
    }

    /// The session is over. What it received is committed before anybody is told, since the next bot cannot fetch it.
    async fn died(&mut self, error: CallError) -> Ended {
        if let Some(active) = &mut self.active {
            active.drain(&mut self.feed).await;
        }
        failed(&self.context, error, true)
    }

    fn catches_up(&self) -> bool {
        self.active
            .as_ref()
            .is_some_and(|active| !active.is_caught_up())
    }

    async fn tell_caught_up(&mut self) {
        if self.feed.caught_up()
            && let Some(active) = &mut self.active
        {
            active.caught_up().await;
        }
    }

    fn judge_probe(&mut self, result: Probe) -> Result<(), CallError> {
        match result {
            Ok((state, micros)) => {
                self.context.status.answered(micros);
                self.context.status.connection(Connection::Ready);
                self.feed.observe(&state);
                Ok(())
            }
            Err(error) if error.class.is_fatal() => Err(error),
            Err(error) => {
                self.context.status.error(error.class, &error.name);
                if matches!(error.class, ErrorClass::Network | ErrorClass::Server) {
                    self.context.status.connection(Connection::Shaky);
                }
                debug!(bot = %self.context.lease.bot, %error, "probe failed");
                Ok(())
            }
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

/// How long to leave the feed alone.
fn feed_trouble(context: &BotContext, error: &CallError) -> Duration {
    context.status.error(error.class, &error.name);
    warn!(bot = %context.lease.bot, %error, "updates could not be fetched");
    let pause = error.wait_s.map_or(Duration::from_millis(100), |s| {
        Duration::from_secs(s.into())
    });
    pause.min(Duration::from_secs(5))
}

fn failed(context: &BotContext, error: CallError, was_ready: bool) -> Ended {
    context.status.error(error.class, &error.name);
    if error.class.is_fatal() {
        context.status.connection(Connection::Failed);
        Ended::Fatal(error)
    } else {
        Ended::LineLost {
            was_ready,
            error: error.to_string(),
        }
    }
}

async fn feed_start(context: &BotContext) -> Result<FeedStart, String> {
    let bot = context.lease.bot;
    let cursor = context
        .state
        .private_cursor(bot)
        .await
        .map_err(|error| error.to_string())?;
    Ok(FeedStart {
        private: cursor.map(|PrivateCursor { pts, qts, date }| BoxState { pts, qts, date }),
        channels: Vec::new(),
        groups: context.config.groups().collect(),
        own_bots: context
            .config
            .bots
            .iter()
            .map(|bot| bot.token.bot())
            .collect(),
        me: bot,
    })
}

/// Asks for the box's state again and again; the deadline of each call is the adapter's.
async fn probe(calls: Calls, mut every: watch::Receiver<Duration>, results: mpsc::Sender<Probe>) {
    loop {
        let sent = Instant::now();
        let result = calls.state().await;
        let took = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        if results
            .send(result.map(|state| (state, took)))
            .await
            .is_err()
        {
            return;
        }
        let pause = *every.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = every.changed() => if changed.is_err() { return },
        }
    }
}
