//! `session.rs`, `session/*.rs`: one connection from connect to close.
//!
//! What comes in is handled one batch at a time: as a standby until the epoch is open for this bot, by the engine from then on. Invariants: nothing
//! is handled or sent without the lease; a fatal error is reported before anything else is tried; the line is closed when this is over.

use std::rc::Rc;

use shared_core::{BotRole, Connection, EpochRecord, EpochStamp, ErrorClass, OtherLogin, Phase};

use super::active;
use super::bot::Bot;
use super::calls::Calls;
use super::feed::{Batch, Feed};
use super::guard::Tenancy;
use super::tenure::Tenure;
use super::{is_connection, smoke, standby};
use crate::bug::Bug;
use crate::sim::Away;
use crate::sim::net::Server;
use crate::telegram::{NETWORK, Refused};

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Stopped,
    LeaseOver,
    Regained,
    Demoted,
    LineLost { was_ready: bool },
    Fatal(ErrorClass),
}

/// How often the active bot and standbys are probed.
const PROBE: u64 = 1_000;
const STANDBY_PROBE: u64 = 2_000;
const QUIET_AT_MOST: u64 = 600_000;

pub struct Session {
    bot: Rc<Bot>,
    calls: Calls,
    feed: Rc<Feed>,
    active: Option<Rc<Tenure>>,
    smoked: Option<EpochStamp>,
    probed: Rc<std::cell::RefCell<Vec<Result<i32, Refused>>>>,
}

impl Session {
    /// Leads one session to its end.
    pub async fn lead(bot: &Rc<Bot>, tenancy: Tenancy) -> Ended {
        let ctx = bot.ctx.child();
        bot.connection(Connection::Connecting);
        bot.status(|status| status.role = BotRole::Standby);
        let begun = Self::begin(bot, tenancy, &ctx).await;
        let ended = match begun {
            Ok(session) => session.run().await,
            Err(refused) => failed(bot, refused.0, false),
        };
        ctx.scope.end();
        let lines = ctx.sim.telegram.borrow_mut();
        let mut lines = lines;
        lines.close_of(ctx.host(), bot.id());
        if bot.worker.works.get().is_some_and(|(_, id)| id == bot.id()) {
            bot.worker.works.set(None);
        }
        ended
    }

    async fn begin(
        bot: &Rc<Bot>,
        tenancy: Tenancy,
        ctx: &crate::sim::Ctx,
    ) -> Result<Self, Refused> {
        let (id, slot) = (bot.id(), bot.lease.slot);
        let logins = ctx.call(Server::Sql, move |sim| {
            let sql = sim.sql.borrow();
            (sql.login(id, slot), sql.login(id, slot.other()))
        });
        // What SQL said once is in memory, so it is not waited for.
        let (mine, other) = match logins.await {
            Ok(known) => known,
            Err(_) => {
                let sql = ctx.sim.sql.borrow();
                (sql.login(id, slot), sql.login(id, slot.other()))
            }
        };
        bot.status(|status| {
            status.other = if other.lost {
                OtherLogin::Lost
            } else {
                OtherLogin::Resting
            };
        });
        // What this process has found dead stays so for it, whether SQL could be told or not.
        let is_lost = |login: &crate::sql::Login| {
            login.lost || bot.worker.lost_keys.borrow().contains(&login.key)
        };
        if is_lost(&other) {
            bot.status(|status| status.other = OtherLogin::Lost);
        }
        let key = match is_lost(&mine) {
            false => mine.key,
            true => make_login(ctx, bot).await?,
        };
        if !bot.cell.holds(tenancy, ctx.sim.boot()) {
            return Err(NETWORK);
        }
        let (host, bell) = (ctx.host(), Rc::clone(&bot.bell));
        let silent = ctx.sim.telegram.borrow().is_silent(id, ctx.sim.now());
        let connecting = ctx.call(Server::Telegram, move |sim| {
            sim.telegram
                .borrow_mut()
                .connect(id, key, host, sim.now(), bell)
        });
        let line = match silent {
            true => {
                ctx.sleep(1_000).await;
                return Err(NETWORK);
            }
            false => connecting.await.unwrap_or(Err(NETWORK))?,
        };
        let now = ctx.sim.now();
        ctx.sim.telegram.borrow_mut().adopt(line.id, now);
        bot.status(|status| status.is_answered(now));
        let calls = Calls {
            ctx: ctx.clone(),
            bot: Rc::clone(bot),
            line,
            tenancy,
        };
        let cursor = ctx.redis(Some(tenancy.history), move |redis, _| {
            let known = redis.live.boxes.get(&id).copied();
            (
                known,
                redis.live.reach.get(&id).map_or(0, |reach| reach.len()),
            )
        });
        let (cursor, reach) = cursor.await.map_err(|_: Away| NETWORK)?;
        bot.status(|status| status.reach = u64::try_from(reach).unwrap_or(0));
        // With no cursor the box begins at its beginning: every bot has had one for long in the product.
        let heard = bot.worker.heard.borrow().get(&id).copied();
        let from_memory = ctx.sim.has(Bug::CursorFromMemory);
        let cursor = cursor.max(heard.filter(|_| from_memory));
        let feed = Feed::new(calls.clone(), cursor.unwrap_or(1));
        Ok(Self {
            bot: Rc::clone(bot),
            calls,
            feed,
            active: None,
            smoked: None,
            probed: Rc::default(),
        })
    }

    async fn run(mut self) -> Ended {
        self.bot.connection(Connection::Ready);
        self.spawn_probe();
        self.take_role().await;
        let ended = loop {
            if let Some(ended) = self.turn().await {
                break ended;
            }
        };
        if let Some(tenure) = self.active.take() {
            active::close(&tenure).await;
        }
        ended
    }

    /// One look at everything that may have happened, in the product's order.
    async fn turn(&mut self) -> Option<Ended> {
        let ctx = self.calls.ctx.clone();
        if self.bot.stop.get() {
            return Some(Ended::Stopped);
        }
        if !self.bot.cell.holds(self.calls.tenancy, ctx.sim.boot()) {
            return Some(self.keep_quiet().await);
        }
        if let Some(class) = self.calls.line.fatal.get() {
            return Some(self.died(class).await);
        }
        if self.calls.line.lost.get() {
            return Some(Ended::LineLost { was_ready: true });
        }
        if self.is_demoted() {
            return Some(Ended::Demoted);
        }
        self.take_role().await;
        let over = self.active.as_ref().and_then(|tenure| tenure.over.get());
        match over {
            Some(Some(class)) => return Some(self.died(class).await),
            Some(None) => return Some(Ended::Demoted),
            None => {}
        }
        let probed = std::mem::take(&mut *self.probed.borrow_mut());
        for probed in probed {
            if let Err(class) = self.judge(probed) {
                return Some(self.died(class).await);
            }
        }
        self.tell_caught_up();
        if let Some(refused) = self.feed.take_error() {
            return Some(self.died(refused.0).await);
        }
        if let Some(batch) = self.feed.next() {
            if let Some(pts) = batch.private_after {
                self.bot
                    .worker
                    .heard
                    .borrow_mut()
                    .insert(self.bot.id(), pts);
            }
            return match self.handle(batch).await {
                Ok(()) => None,
                Err(()) => Some(Ended::LineLost { was_ready: true }),
            };
        }
        let left = self.bot.cell.left(ctx.sim.boot()).unwrap_or(0);
        ctx.rung_within(&self.bot.bell, left.clamp(1, 1_000)).await;
        None
    }

    fn record(&self) -> Option<EpochRecord> {
        let view = self.bot.worker.view.borrow();
        let record = view.record()?;
        let mine = record.is_held_by(self.bot.id(), &self.bot.worker.id);
        (mine && Some(record.stamp) != self.bot.inherited).then(|| record.clone())
    }

    fn somebody_else_answers(&self) -> bool {
        let view = self.bot.worker.view.borrow();
        view.epoch.as_ref().is_some_and(|record| {
            let other = record
                .holder
                .as_ref()
                .is_some_and(|it| it.bot != self.bot.id());
            record.phase == Phase::Open && other
        })
    }

    fn is_demoted(&self) -> bool {
        let stamp = self.record().map(|record| record.stamp);
        let active = self.active.as_ref();
        active.is_some_and(|tenure| Some(tenure.stamp) != stamp)
    }

    /// Does what the epoch record asks of this bot.
    async fn take_role(&mut self) {
        let Some(record) = self.record() else { return };
        match record.phase {
            Phase::Smoking if self.smoked != Some(record.stamp) => {
                self.smoked = Some(record.stamp);
                let (calls, stamp) = (self.calls.clone(), record.stamp);
                self.calls.ctx.spawn(smoke::run(calls, stamp));
            }
            Phase::Open if self.active.is_none() => self.become_active(record).await,
            Phase::Fenced | Phase::Smoking | Phase::Open => {}
        }
    }

    async fn become_active(&mut self, record: EpochRecord) {
        match active::start(&self.calls, &self.feed, &record).await {
            Ok(tenure) => {
                let sim = &self.calls.ctx.sim;
                sim.say(|| format!("{} is active in {}", self.bot.id(), record.stamp));
                self.bot.status(|status| status.role = BotRole::Active);
                self.bot
                    .worker
                    .works
                    .set(Some((record.stamp, self.bot.id())));
                self.bot.worker.beat_bell.ring();
                self.active = Some(tenure);
                self.tell_caught_up();
            }
            Err(_) => {
                self.calls.ctx.sleep(50).await;
                self.bot.bell.ring();
            }
        }
    }

    fn tell_caught_up(&mut self) {
        if let Some(tenure) = &self.active
            && self.feed.caught_up()
            && !tenure.told_caught_up.replace(true)
        {
            active::caught_up(tenure);
        }
    }

    /// A batch that could not be kept comes again with the next session.
    async fn handle(&mut self, batch: Batch) -> Result<(), ()> {
        if let Some(tenure) = &self.active {
            tenure.take_batch(batch);
            self.tell_caught_up();
            return Ok(());
        }
        loop {
            let stands_by = self.somebody_else_answers();
            let ctx = &self.calls.ctx;
            if !self.bot.cell.holds(self.calls.tenancy, ctx.sim.boot()) {
                return Ok(());
            }
            match standby::take(&self.calls, &batch, stands_by).await {
                Ok(()) => return Ok(()),
                Err(Some(_)) if ctx.sim.has(Bug::KeepGivesUp) => return Ok(()),
                Err(Some(away)) if is_connection(away) => ctx.sleep(20).await,
                Err(_) => return Err(()),
            }
        }
    }

    fn spawn_probe(&self) {
        let (calls, probed) = (self.calls.clone(), Rc::clone(&self.probed));
        let bot = Rc::clone(&self.bot);
        self.calls.ctx.spawn(async move {
            loop {
                let state = calls.state().await;
                probed.borrow_mut().push(state);
                bot.bell.ring();
                let works = bot.worker.works.get().is_some_and(|(_, id)| id == bot.id());
                let pause = if works { PROBE } else { STANDBY_PROBE };
                calls.ctx.sleep(pause).await;
            }
        });
    }

    fn judge(&self, probed: Result<i32, Refused>) -> Result<(), ErrorClass> {
        let now = self.calls.ctx.sim.now();
        match probed {
            Ok(pts) => {
                self.bot.status(|status| status.is_answered(now));
                self.bot.connection(Connection::Ready);
                self.feed.observe(pts);
                if self.active.is_some() {
                    self.feed.look_at_channels();
                }
                Ok(())
            }
            Err(refused) if refused.0.is_fatal() => Err(refused.0),
            Err(refused) => {
                self.bot.error(refused.0);
                self.bot
                    .status(|status| status.connection = Connection::Shaky);
                Ok(())
            }
        }
    }

    /// What it received is committed before anybody is told: the next bot cannot fetch it.
    async fn died(&mut self, class: ErrorClass) -> Ended {
        if let Some(tenure) = &self.active {
            while let Some(batch) = self.feed.next() {
                tenure.take_batch(batch);
            }
            active::drain(tenure).await;
        }
        failed(&self.bot, class, true)
    }

    /// The lease ran out and nobody says that it is another's: the connection is kept, and quiet.
    async fn keep_quiet(&mut self) -> Ended {
        let ctx = self.calls.ctx.clone();
        self.bot.status(|status| {
            status.lease_held = false;
            status.role = BotRole::Standby;
        });
        if let Some(tenure) = self.active.take() {
            active::close(&tenure).await;
        }
        // Nothing of this session speaks any more.
        ctx.scope.end();
        let until = ctx.sim.now() + QUIET_AT_MOST;
        let waiting = &self.bot.ctx;
        loop {
            if self.bot.stop.get() {
                return Ended::Stopped;
            }
            if self.bot.cell.is_held(ctx.sim.boot()) {
                return Ended::Regained;
            }
            if self.bot.cell.is_denied() || ctx.sim.now() >= until {
                return Ended::LeaseOver;
            }
            if self.calls.line.lost.get() || self.calls.line.fatal.get().is_some() {
                return Ended::LineLost { was_ready: true };
            }
            waiting.rung_within(&self.bot.bell, 1_000).await;
        }
    }
}

fn failed(bot: &Rc<Bot>, class: ErrorClass, was_ready: bool) -> Ended {
    bot.error(class);
    if class.is_fatal() {
        bot.status(|status| status.connection = Connection::Failed);
        Ended::Fatal(class)
    } else {
        Ended::LineLost { was_ready }
    }
}

/// `login/make.rs`: a login is kept before it is used, and asked for only with a token that lives.
async fn make_login(ctx: &crate::sim::Ctx, bot: &Rc<Bot>) -> Result<u64, Refused> {
    const TAKES: u64 = 500;
    let (id, slot) = (bot.id(), bot.lease.slot);
    let asked = ctx.call(Server::Telegram, move |sim| {
        sim.telegram.borrow_mut().log_in(id)
    });
    asked.await.unwrap_or(Err(NETWORK))?;
    ctx.sleep(TAKES).await;
    let kept = ctx.call(Server::Sql, move |sim| {
        let mut sql = sim.sql.borrow_mut();
        let key = sql.new_key();
        sql.keep(id, slot, key);
        key
    });
    kept.await.map_err(|_| NETWORK)
}
