//! A worker without Telegram, for tests of the supervisor: it keeps the protocol in Redis and nothing else.
//!
//! It takes the leases it is assigned, passes every smoke test and says that each epoch was caught up and replied to. A file `dead-<bot>` in the
//! data folder makes that bot's token dead, `unfit-<bot>` makes its smoke test fail, `deaf-<bot>` makes it never answer one. `resting-<bot>` gives
//! it a second login at rest, `session-a-<bot>` kills its session in slot a.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use shared_core::{
    BotHealth, BotId, BotRole, Connection, Epoch, EpochRecord, ErrorClass, ErrorSeen, Heartbeat,
    Holder, LatencySummary, LoginLease, Milestone, MilestoneKind, Nonce, OtherLogin, Phase,
    PoolWork, SessionFate, SmokeCheck, SmokeReport, SmokeResult, WorkerId,
};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{
    Beaten, LeaseAnswer, LeaseClaim, NameAnswer, PoolState, RedisState, RedisTimeouts,
};
use tokio::signal::unix::{SignalKind, signal};

struct Worker {
    name: WorkerId,
    nonce: Nonce,
    config: Config,
    redis: RedisState,
    said: BTreeSet<(Epoch, bool)>,
    held: BTreeMap<BotId, LoginLease>,
    work: Vec<PoolWork>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut value = |name: &str| -> anyhow::Result<String> {
        anyhow::ensure!(arguments.next().as_deref() == Some(name), "expected {name}");
        arguments.next().context("a value is missing")
    };
    let config = Config::load(PathBuf::from(value("--config")?))?;
    let name = WorkerId::new(value("--name")?)?;
    let nonce = value("--nonce")?.parse()?;
    let timeouts = RedisTimeouts::default();
    let redis = RedisState::connect(&config.redis_url(), &config.redis.prefix, timeouts).await?;
    let mut worker = Worker {
        name,
        nonce,
        config,
        redis,
        said: BTreeSet::new(),
        held: BTreeMap::new(),
        work: Vec::new(),
    };
    let mut stop = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = stop.recv() => Ok(()),
        result = worker.work() => result,
    }
}

impl Worker {
    async fn work(&mut self) -> anyhow::Result<()> {
        let started = clock::unix_now();
        let pool_id = self.config.pools[0].name.clone();
        let pool = self.redis.pool(&pool_id);
        let bell = pool.bell().await?;
        self.claim_name().await?;
        for seq in 0.. {
            // Redis may be away for a while; a worker goes on.
            if let Ok(bots) = self.turn(&pool).await {
                let heartbeat = Heartbeat {
                    worker: self.name.clone(),
                    nonce: self.nonce,
                    pid: std::process::id(),
                    seq,
                    sent: clock::unix_now(),
                    started,
                    version: "stand-in".to_owned(),
                    bots,
                    pools: self.work.clone(),
                    seen: std::collections::BTreeMap::new(),
                    redis_us: 1,
                    sql_ok: true,
                };
                if let Ok(Beaten::NameTaken { .. }) = self.redis.beat_and_ring(&heartbeat).await {
                    anyhow::bail!("another process has this name");
                }
            }
            bell.wait(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// A predecessor that nobody reports dead is waited for until its name has run out.
    async fn claim_name(&self) -> anyhow::Result<()> {
        for _ in 0..200 {
            let claimed = self.redis.claim_name(&self.name, self.nonce, None).await;
            if matches!(claimed, Ok(NameAnswer::Ours)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("another process has this name")
    }

    async fn turn(&mut self, pool: &PoolState) -> anyhow::Result<Vec<BotHealth>> {
        let view = pool.look().await?;
        let mine = view.assignments.iter().filter(|a| a.worker == self.name);
        let claims: Vec<LeaseClaim> = mine
            .map(|given| LeaseClaim {
                lease: LoginLease {
                    bot: given.bot,
                    slot: given.slot,
                    worker: self.name.clone(),
                    nonce: self.nonce,
                },
                grant: given.grant,
            })
            .collect();
        self.give_back(pool, &claims).await?;
        let ttl = self.config.timing.lease_ttl;
        let answers = pool.renew_leases(&claims, ttl).await?.answers;
        let active = view.epoch.as_ref().and_then(|record| record.holder.clone());
        let bots: Vec<BotHealth> = claims
            .iter()
            .zip(&answers)
            .map(|(claim, answer)| self.health(pool, &claim.lease, answer, active.as_ref()))
            .collect();
        self.work.clear();
        if let Some(record) = view.epoch
            && let Some(holder) = &record.holder
            && holder.worker == self.name
            && bots
                .iter()
                .any(|bot| bot.bot == holder.bot && bot.lease_held)
        {
            if record.phase == Phase::Open {
                self.work.push(at_work(pool, &record, holder.bot));
            }
            self.hold(pool, record.stamp.epoch, record.phase, holder.bot)
                .await?;
        }
        Ok(bots)
    }

    /// Another login of a bot needs the lease that this worker has for the one before.
    async fn give_back(&mut self, pool: &PoolState, claims: &[LeaseClaim]) -> anyhow::Result<()> {
        for claim in claims {
            let lease = claim.lease.clone();
            let before = self.held.insert(lease.bot, lease.clone());
            if let Some(before) = before.filter(|before| *before != lease) {
                pool.release_lease(&before).await?;
            }
        }
        Ok(())
    }

    fn told(&self, what: &str, bot: BotId) -> bool {
        self.config
            .data_dir()
            .join(format!("{what}-{bot}"))
            .exists()
    }

    fn health(
        &self,
        pool: &PoolState,
        lease: &LoginLease,
        answer: &LeaseAnswer,
        active: Option<&Holder>,
    ) -> BotHealth {
        let held = *answer == LeaseAnswer::Held;
        let token_dead = self.told("dead", lease.bot);
        let dead = token_dead || self.told(&format!("session-{}", lease.slot), lease.bot);
        BotHealth {
            pool: pool.id().clone(),
            bot: lease.bot,
            username: format!("{}_bot", lease.bot),
            slot: lease.slot,
            role: match active {
                Some(holder) if holder.bot == lease.bot => BotRole::Active,
                _ => BotRole::Standby,
            },
            connection: match (dead, held) {
                (true, _) => Connection::Failed,
                (false, true) => Connection::Ready,
                (false, false) => Connection::Absent,
            },
            last_ok_ago_ms: (held && !dead).then_some(10),
            answered_for_ms: None,
            probe: LatencySummary::default(),
            last_error: dead.then(|| ErrorSeen {
                class: match token_dead {
                    true => ErrorClass::TokenDead,
                    false => ErrorClass::SessionDead(SessionFate::Gone),
                },
                name: match token_dead {
                    true => "ACCESS_TOKEN_EXPIRED".to_owned(),
                    false => "SESSION_REVOKED".to_owned(),
                },
                ago_ms: 1,
            }),
            flood_wait_s: None,
            lease_held: held,
            settled_ms: None,
            reach: 3,
            other_login: match self.told("resting", lease.bot) {
                true => OtherLogin::Resting,
                false => OtherLogin::Missing,
            },
            channels: Vec::new(),
        }
    }

    async fn hold(
        &mut self,
        pool: &PoolState,
        epoch: Epoch,
        phase: Phase,
        bot: BotId,
    ) -> anyhow::Result<()> {
        let open = phase == Phase::Open;
        if phase == Phase::Fenced || self.told("deaf", bot) || !self.said.insert((epoch, open)) {
            return Ok(());
        }
        if open {
            for kind in [MilestoneKind::CaughtUp, MilestoneKind::FirstReply] {
                pool.milestone(&self.milestone(epoch, kind)).await?;
            }
            return Ok(());
        }
        pool.milestone(&self.milestone(epoch, MilestoneKind::Activated))
            .await?;
        let failed = self.told("unfit", bot).then(|| "told so".to_owned());
        let report = SmokeReport {
            epoch,
            bot,
            worker: self.name.clone(),
            results: vec![SmokeResult {
                check: SmokeCheck::Rpc,
                failed,
                took_ms: 1,
            }],
        };
        pool.put_smoke(&report).await?;
        Ok(())
    }

    fn milestone(&self, epoch: Epoch, kind: MilestoneKind) -> Milestone {
        Milestone {
            epoch,
            kind,
            worker: self.name.clone(),
            at: clock::unix_now(),
        }
    }
}

/// What a worker says of the epoch that it serves.
fn at_work(pool: &PoolState, record: &EpochRecord, bot: BotId) -> PoolWork {
    PoolWork {
        pool: pool.id().clone(),
        bot,
        epoch: record.stamp,
        phase: record.phase,
        conversations_open: 0,
        outbox: 0,
        commits: 0,
        commits_refused: 0,
        duplicates: 0,
        sent: 0,
        updates_unknown: 0,
        files_to_resend: 0,
        maybe_repeated: 0,
        parked: 0,
    }
}
