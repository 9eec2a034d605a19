//! Throws the faults, one after the other, without waiting for the former one to be over; then sees to it that all of them are.
//!
//! What keeps the pool from running dry: two bots are well at any time, a bot is revoked once in a segment (its logins are then made anew, within
//! what Telegram allows in an hour), and one fault of a kind that stops everybody (Redis, the supervisor, the database) at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sandbox::clock::unix_ms;
use sandbox::daemon::StatusReader;
use sandbox::status::Status;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::fault::{Draw, Drawn, Kind};
use crate::hands::{Aim, Hands};
use crate::stage::Shape;
use crate::trail::Switches;

/// Status is a process of its own that asks Redis: it may hang with it.
const STATUS_WITHIN: Duration = Duration::from_millis(2_000);
/// So many bots stay well.
const WELL_BOTS: usize = 2;
/// A storm that finds nothing to strike for so long has lost its victim.
const IN_VAIN: Duration = Duration::from_secs(60);

pub struct Storm {
    hands: Hands,
    status: StatusReader,
    switches: Switches,
    draw: Draw,
    rng: ChaCha8Rng,
    bots: Vec<i64>,
    shape: Shape,
    /// Revoked in this segment.
    revoked: BTreeSet<i64>,
    last: Option<Seen>,
    releases: JoinSet<Result<()>>,
}

/// How things stand, as far as a fault is aimed by it.
#[derive(Debug, Clone)]
struct Seen {
    active: i64,
    pid: Option<i32>,
    workers: Vec<(i32, String)>,
}

impl Seen {
    fn of(status: &Status) -> Option<Self> {
        Some(Self {
            active: status.active()?.id()?,
            pid: status.active_pid(),
            workers: status
                .workers
                .iter()
                .filter_map(|worker| Some((worker.pid?, worker.name.clone())))
                .collect(),
        })
    }

    fn name_of(&self, pid: i32) -> Option<String> {
        let mut workers = self.workers.iter();
        workers
            .find(|(its, _)| *its == pid)
            .map(|(_, name)| name.clone())
    }
}

impl Storm {
    pub fn new(
        hands: Hands,
        status: StatusReader,
        switches: Switches,
        shape: Shape,
        seed: u64,
        only: &[Kind],
    ) -> Self {
        Self {
            bots: hands.stage.bots(),
            hands,
            status,
            switches,
            draw: Draw::new(seed, only),
            rng: ChaCha8Rng::seed_from_u64(seed.rotate_left(17)),
            shape,
            revoked: BTreeSet::new(),
            last: None,
            releases: JoinSet::new(),
        }
    }

    /// So many faults. Returns when the last one is over; each one that lands is told.
    pub async fn rage(mut self, faults: u32, told: &mpsc::UnboundedSender<u32>) -> Result<()> {
        let mut in_vain_since = unix_ms();
        let mut landed = 0;
        while landed < faults {
            sleep(Duration::from_millis(self.draw.gap_ms())).await;
            while let Some(released) = self.releases.try_join_next() {
                released.context("a fault could not be taken back")??;
            }
            if self.one(landed + 1).await? {
                landed += 1;
                in_vain_since = unix_ms();
                let _ = told.send(landed);
            } else if unix_ms() - in_vain_since > i64::try_from(IN_VAIN.as_millis())? {
                bail!("nothing was left to strike for {} s", IN_VAIN.as_secs());
            }
        }
        while let Some(released) = self.releases.join_next().await {
            released.context("a fault could not be taken back")??;
        }
        Ok(())
    }

    async fn one(&mut self, number: u32) -> Result<bool> {
        self.look().await;
        let Some(seen) = self.last.clone() else {
            return Ok(false);
        };
        let (can, target) = (self.possible(), self.rng.random::<u32>());
        let Some(drawn) = self.draw.next(|kind| can.contains(&kind)) else {
            return Ok(false);
        };
        let Some(aim) = self.aim(&drawn, &seen, target) else {
            return Ok(false);
        };
        let worker = aim.pid.and_then(|pid| seen.name_of(pid));
        let Some((place, release)) = self.hands.strike(number, drawn, aim, worker).await? else {
            return Ok(false);
        };
        if drawn.kind == Kind::Revoke {
            self.revoked.insert(aim.bot);
        }
        let (hands, lasts) = (self.hands.clone(), Duration::from_millis(drawn.lasts_ms));
        self.releases
            .spawn(async move { hands.release(place, lasts, release).await });
        Ok(true)
    }

    async fn look(&mut self) {
        let Ok(Ok(status)) = timeout(STATUS_WITHIN, self.status.read()).await else {
            return;
        };
        self.switches.take(&status);
        self.last = Seen::of(&status).or(self.last.take());
    }

    fn gone(&self) -> BTreeSet<i64> {
        let on = self.hands.strikes.on().into_iter();
        on.filter(|strike| strike.kind.takes_a_bot())
            .filter_map(|strike| strike.bot)
            .collect()
    }

    fn possible(&self) -> Vec<Kind> {
        use clap::ValueEnum;
        let on = self.hands.strikes.on();
        let is_on = |kind: Kind| on.iter().any(|strike| strike.kind == kind);
        let bots_left = self.bots.len() - self.gone().len() > WELL_BOTS;
        let possible = Kind::value_variants().iter().copied().filter(|kind| {
            match kind {
                Kind::KillRedis | Kind::HangRedis => {
                    !is_on(Kind::KillRedis) && !is_on(Kind::HangRedis)
                }
                // While the owner's restart is to come there is a supervisor to restart; of two the other one may go on.
                Kind::KillSupervisor | Kind::HangSupervisor if self.shape == Shape::Private => {
                    !is_on(Kind::KillSupervisor) && !is_on(Kind::HangSupervisor)
                }
                Kind::KillSupervisor | Kind::HangSupervisor | Kind::Rotate => !is_on(*kind),
                Kind::CutRedis => self.shape == Shape::Shared,
                // Of two workers one is left.
                Kind::CutWorker | Kind::DatabaseGone | Kind::Loss | Kind::Slow => !is_on(*kind),
                Kind::Revoke => {
                    bots_left && !is_on(Kind::Revoke) && self.revoked.len() < self.bots.len() - 1
                }
                kind if kind.takes_a_bot() => bots_left,
                _ => true,
            }
        });
        possible.collect()
    }

    fn aim(&self, drawn: &Drawn, seen: &Seen, target: u32) -> Option<Aim> {
        let at = usize::try_from(target).unwrap_or(0);
        let gone = self.gone();
        let others: Vec<i64> = self
            .bots
            .iter()
            .copied()
            .filter(|bot| *bot != seen.active && !gone.contains(bot))
            .collect();
        let bot = match drawn.kind.takes_a_bot() {
            true if drawn.bystander || gone.contains(&seen.active) => {
                *others.get(at % others.len().max(1))?
            }
            // Whither, where the order names a bot.
            _ if drawn.kind == Kind::Rotate => *others.get(at % others.len().max(1))?,
            _ => seen.active,
        };
        if drawn.kind == Kind::Revoke && self.revoked.contains(&bot) {
            return None;
        }
        let idle: Vec<i32> = seen
            .workers
            .iter()
            .map(|(pid, _)| *pid)
            .filter(|pid| Some(*pid) != seen.pid)
            .collect();
        let pid = match drawn.bystander {
            true => idle.get(at % idle.len().max(1)).copied().or(seen.pid),
            false => seen.pid.or(idle.first().copied()),
        };
        Some(Aim {
            bot,
            pid,
            pid_is_active: pid.is_some() && pid == seen.pid,
        })
    }
}
