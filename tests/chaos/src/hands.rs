//! Carries a fault out, and takes it back when its time is over.
//!
//! A strike is noted when it has landed, dated by our own signal or by the simulator's log. Half of the faults wait for an event of the bot (a
//! delivery, a message that Telegram has taken); where none comes in time they strike all the same. What cannot be struck at a moment (no such
//! process) is no fault and is not counted.

mod service;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use sandbox::clock::unix_ms;
use sandbox::control::{Control, Event};
use sandbox::processes::Held;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::sleep;

use crate::cli;
use crate::fault::{Drawn, Kind, Moment};
use crate::keeper::Orders;
use crate::proxy::{Cut, Proxy};
use crate::stage::Stage;
use crate::stores::{Gone, Redis};
use crate::strike::{Strike, Strikes};

/// For an event of the bot; members talk all the time, but perhaps nobody serves them.
const EVENT_WITHIN: Duration = Duration::from_millis(1_200);
/// From a fault's setting to its entry in the log.
const FIRES_WITHIN_MS: i64 = 5_000;

/// Whom a fault is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aim {
    pub bot: i64,
    pub pid: Option<i32>,
    /// That process holds the active bot.
    pub pid_is_active: bool,
}

#[derive(Clone)]
pub struct Hands {
    pub stage: Arc<Stage>,
    pub orders: Orders,
    pub strikes: Strikes,
}

/// A line that can be cut for one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Redis,
    Telegram,
}

/// How a strike is taken back.
pub enum Release {
    Nothing,
    Wake(Held),
    /// Once another process leads than this one.
    WakeFollower(Held, i32),
    WakeRedis,
    LaunchRedis,
    Mend(Line, i32),
    Clear(u64),
    /// It clears itself.
    Expires,
    NewToken(i64),
    GiveBack(Gone),
    /// When the order is carried out or refused.
    Ordered(Child),
}

/// What landed.
pub struct Landed {
    at_ms: i64,
    /// That which it really met.
    moment: Moment,
    details: String,
    release: Release,
}

impl Landed {
    fn new(at_ms: i64, moment: Moment, details: impl Into<String>, release: Release) -> Self {
        Self {
            at_ms,
            moment,
            details: details.into(),
            release,
        }
    }
}

impl Hands {
    /// `worker`: whose process the aim's is. `None`: there was nothing to strike. Otherwise the strike's place, and what is still to be done about it.
    pub async fn strike(
        &self,
        number: u32,
        drawn: Drawn,
        aim: Aim,
        worker: Option<String>,
    ) -> Result<Option<(usize, Release)>> {
        let Some(landed) = self.deed(drawn, aim).await? else {
            return Ok(None);
        };
        let hits_worker = drawn.kind.hits_a_worker();
        let hits_bot = drawn.kind.takes_a_bot()
            || matches!(drawn.kind, Kind::Flood | Kind::DropUpdates)
            || (hits_worker && aim.pid_is_active);
        let open_only = drawn.kind == Kind::Silent && drawn.mild;
        let lives_on = landed.details == LIVES_ON;
        let place = self.strikes.landed(Strike {
            number,
            kind: drawn.kind,
            moment: landed.moment,
            at_ms: landed.at_ms,
            until_ms: matches!(landed.release, Release::Nothing).then_some(landed.at_ms),
            bot: hits_bot.then_some(aim.bot),
            pid: aim.pid.filter(|_| hits_worker),
            worker: worker.filter(|_| hits_worker),
            details: landed.details,
            cuts_bot: (drawn.kind.takes_a_bot() && !open_only && !lives_on)
                || (drawn.kind == Kind::CutWorker && aim.pid_is_active),
        });
        Ok(Some((place, landed.release)))
    }

    /// Waits until its time is over and takes it back.
    pub async fn release(&self, place: usize, lasts: Duration, release: Release) -> Result<()> {
        if matches!(release, Release::Nothing) {
            return Ok(());
        }
        sleep(lasts).await;
        match release {
            Release::Nothing | Release::Expires => {}
            // Somebody may have ended it.
            Release::Wake(process) => drop(process.signal(Signal::CONT)),
            Release::WakeFollower(process, pid) => {
                if self.another_leads(pid).await {
                    self.strikes.tell(place, "woken while another one led");
                }
                let _ = process.signal(Signal::CONT);
            }
            Release::WakeRedis => drop(self.stage.redis.signal(Signal::CONT).await?),
            Release::LaunchRedis => {
                if let Redis::Shared(shared) = &self.stage.redis {
                    shared.launch().await?;
                }
            }
            Release::Mend(line, pid) => {
                if let Some(line) = self.line(line) {
                    line.mend(pid);
                }
            }
            Release::Clear(fault) => self.stage.control.clear_fault(fault).await?,
            Release::NewToken(bot) => self.new_token(bot).await?,
            Release::GiveBack(gone) => gone.give_back().await,
            Release::Ordered(order) => self.strikes.tell(place, &cli::ended(order).await),
        }
        self.strikes.over(place);
        Ok(())
    }

    /// As an operator does it: the token into its file, the service restarted.
    async fn new_token(&self, bot: i64) -> Result<()> {
        let token = self.stage.control.token(bot).await?;
        self.stage.put_token(bot, &token)?;
        // What hangs by our doing could not stop in order.
        sandbox::processes::signal_all(&self.stage.folder.root, Signal::CONT);
        self.orders.restart().await
    }

    async fn deed(&self, drawn: Drawn, aim: Aim) -> Result<Option<Landed>> {
        match drawn.kind {
            kind if kind.hits_a_worker() => self.at_worker(drawn, aim).await,
            Kind::KillSupervisor | Kind::HangSupervisor => self.at_supervisor(drawn, aim).await,
            Kind::KillRedis | Kind::HangRedis => self.at_redis(drawn, aim).await,
            Kind::Rotate => self.order(drawn, aim).map(Some),
            Kind::DatabaseGone => {
                let met = self.moment(drawn, aim.bot).await;
                // A database that is busy at this moment is not struck.
                let gone = self.stage.database.take().await.ok();
                let landed =
                    gone.map(|gone| Landed::new(unix_ms(), met, "", Release::GiveBack(gone)));
                Ok(landed)
            }
            _ => self.at_telegram(drawn, aim).await.map(Some),
        }
    }

    async fn at_worker(&self, drawn: Drawn, aim: Aim) -> Result<Option<Landed>> {
        let root = &self.stage.folder.root;
        let Some((pid, process)) = aim.pid.and_then(|pid| Some((pid, Held::open(pid, root)?)))
        else {
            return Ok(None);
        };
        let met = self.moment(drawn, aim.bot).await;
        let at_ms = unix_ms();
        Ok(match drawn.kind {
            Kind::KillWorker => process
                .signal(Signal::KILL)
                .is_ok()
                .then(|| Landed::new(at_ms, met, "", Release::Nothing)),
            Kind::HangWorker => process
                .signal(Signal::STOP)
                .is_ok()
                .then(|| Landed::new(at_ms, met, "", Release::Wake(process))),
            kind => {
                let which = match kind {
                    Kind::CutWorker => Line::Telegram,
                    _ => Line::Redis,
                };
                let Some(line) = self.line(which) else {
                    return Ok(None);
                };
                let (how, words) = match drawn.mild {
                    true => (Cut::Refused, "refused"),
                    false => (Cut::Silent, "without an answer"),
                };
                line.cut(pid, how);
                Some(Landed::new(at_ms, met, words, Release::Mend(which, pid)))
            }
        })
    }

    /// A private Redis has none.
    fn line(&self, which: Line) -> Option<&Proxy> {
        match (which, &self.stage.redis) {
            (Line::Telegram, _) => Some(&self.stage.telegram),
            (Line::Redis, Redis::Shared(shared)) => Some(&shared.proxy),
            (Line::Redis, Redis::Private(_)) => None,
        }
    }

    async fn at_redis(&self, drawn: Drawn, aim: Aim) -> Result<Option<Landed>> {
        let met = self.moment(drawn, aim.bot).await;
        let at_ms = unix_ms();
        let (signal, release) = match (drawn.kind, &self.stage.redis) {
            (Kind::HangRedis, _) => (Signal::STOP, Release::WakeRedis),
            (_, Redis::Private(_)) => (Signal::KILL, Release::Nothing),
            (_, Redis::Shared(shared)) => {
                shared.kill().await?;
                return Ok(Some(Landed::new(at_ms, met, "", Release::LaunchRedis)));
            }
        };
        let struck = self.stage.redis.signal(signal).await?;
        Ok(struck.then(|| Landed::new(at_ms, met, "", release)))
    }

    /// A fault of the simulator's: armed where it can be, so that it strikes under its lock at the very event.
    async fn at_telegram(&self, drawn: Drawn, aim: Aim) -> Result<Landed> {
        let control = &self.stage.control;
        let (mut fault, mut details) = telegram_fault(&drawn, aim.bot);
        if drawn.kind == Kind::Revoke {
            details = match &self.stage.revoked_says {
                Some(error) => error.clone(),
                None => LIVES_ON.into(),
            };
        }
        let event = match drawn.moment {
            Moment::ReceiveCommit => Some("updates_delivered"),
            Moment::SendAck => Some("message_sent"),
            Moment::AnyTime | Moment::CommitSend => None,
        };
        let after = control.last_event().await?;
        let (mut id, mut met) = (None, Moment::AnyTime);
        if let Some(kind) = event {
            let mut armed = fault.clone();
            armed["after"] = json!({"event": {"kind": kind, "account": aim.bot}});
            let set = control.fault(armed).await?;
            match self.fired(set, after, 1_500).await? {
                Some(at_ms) => {
                    id = Some((set, at_ms));
                    met = drawn.moment;
                }
                None => control.clear_fault(set).await?,
            }
        } else {
            met = self.moment(drawn, aim.bot).await;
        }
        let (id, at_ms) = match id {
            Some(fired) => fired,
            None => {
                let set = control.fault(fault.take()).await?;
                let at_ms = self.fired(set, after, FIRES_WITHIN_MS).await?;
                (set, at_ms.context("a fault that was set did not fire")?)
            }
        };
        let release = match drawn.kind {
            Kind::Revoke => Release::NewToken(aim.bot),
            Kind::Delete => Release::Clear(id),
            _ => Release::Expires,
        };
        Ok(Landed::new(at_ms, met, details, release))
    }

    /// When the log says that it fired.
    async fn fired(&self, fault: u64, mut after: u64, within_ms: i64) -> Result<Option<i64>> {
        let deadline = unix_ms() + within_ms;
        while unix_ms() < deadline {
            let page = self.stage.control.events(after, 200, "fault_fired").await?;
            after = page.next;
            let is_it = |event: &&Event| event.number("fault") == i64::try_from(fault).ok();
            if let Some(event) = page.events.iter().find(is_it) {
                return Ok(Some(event.unix_ms));
            }
        }
        Ok(None)
    }

    /// Waits for the event that the moment is reckoned from, and the drawn time after it. Returns the moment that it is: where the bot
    /// has nothing to do, any.
    async fn moment(&self, drawn: Drawn, bot: i64) -> Moment {
        let kind = match drawn.moment {
            Moment::AnyTime => return Moment::AnyTime,
            Moment::ReceiveCommit | Moment::CommitSend => "updates_delivered",
            Moment::SendAck => "message_sent",
        };
        let control = &self.stage.control;
        let met = tokio::time::timeout(EVENT_WITHIN, event_of(control, kind, bot)).await;
        sleep(Duration::from_micros(drawn.delay_us)).await;
        match met {
            Ok(Ok(())) => drawn.moment,
            Ok(Err(_)) | Err(_) => Moment::AnyTime,
        }
    }
}

const LIVES_ON: &str = "its sessions live on";

/// The doubt decides what a revocation does to sessions; the caller names it.
fn telegram_fault(drawn: &Drawn, bot: i64) -> (Value, String) {
    let ms = drawn.lasts_ms;
    match drawn.kind {
        Kind::Silent => {
            let what = if drawn.mild {
                "the open connections"
            } else {
                "every connection"
            };
            let fault =
                json!({"kind": "silent", "bot": bot, "live_only": drawn.mild, "for_ms": ms});
            (fault, what.into())
        }
        Kind::CutTelegram => {
            let fault = json!({"kind": "reset", "bot": bot, "refuse": true, "for_ms": ms});
            (fault, "refused".into())
        }
        Kind::Delete => (json!({"kind": "delete", "bot": bot}), String::new()),
        Kind::Flood => {
            let seconds = drawn.figure;
            let fault =
                json!({"kind": "flood", "bot": bot, "seconds": seconds, "count": 12, "for_ms": ms});
            (fault, format!("{seconds} s"))
        }
        Kind::Loss => (
            json!({"kind": "loss", "percent": 5, "stall_ms": 300, "for_ms": ms}),
            "5 %".into(),
        ),
        Kind::Slow => {
            let delay = 60 * drawn.figure;
            let fault =
                json!({"kind": "slow", "delay_ms": delay, "jitter_ms": delay / 2, "for_ms": ms});
            (fault, format!("{delay} ms"))
        }
        Kind::DropUpdates => {
            let fault = json!({"kind": "drop_updates", "bot": bot, "percent": 33, "for_ms": ms});
            (fault, "33 %".into())
        }
        _ => (json!({"kind": "revoke", "bot": bot}), String::new()),
    }
}

async fn event_of(control: &Control, kind: &str, bot: i64) -> Result<()> {
    let mut after = control.last_event().await?;
    loop {
        let page = control.events(after, 1_000, kind).await?;
        after = page.next;
        let of_bot = |event: &Event| event.number("account") == Some(bot);
        if page.events.iter().any(of_bot) {
            return Ok(());
        }
    }
}
