//! The worker as a whole: opens Redis and SQL, starts one task per pool, the lease guard and the heartbeat, and ends in order.
//!
//! SQL may be away when it starts: then it serves with the logins that the last worker of its name kept, and looks at the schema later.
//!
//! The name comes first: a process whose name another live one has does nothing at all ([`crate::name`]).
//!
//! An orderly end closes every connection, gives the leases back and stops beating, in that order; what is not committed by then is
//! replayed by whoever comes next. A kill needs none of that.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bot_worker_core::Texts;
use bot_worker_core::admin::AdminTexts;
use shared_core::{Nonce, WorkerId};
use shared_io::config::Config;
use shared_io::redis::{RedisState, RedisTimeouts, StateError};
use shared_io::retry::{Failure, RetryPolicy, retry};
use shared_io::secrets;
use shared_io::sql::{SchemaSeen, Store, StoreError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::Recorder;
use crate::context::Shared;
use crate::guard::Guard;
use crate::heartbeat::{self, Beating};
use crate::login::{Kept, Vault};
use crate::name::{self, NameTaken};
use crate::pool::PoolTask;
use crate::predecessors::Seat;
use crate::status::Status;

/// How long a worker that begins waits for Redis; then whoever started it is told.
const REDIS_COMES: Duration = Duration::from_secs(10);
/// How often a worker that began without SQL looks for it.
const DATABASE_COMES: Duration = Duration::from_secs(1);
/// How long an orderly end may take. Sends are waited for for two seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT.
pub async fn run(
    config: Config,
    worker: WorkerId,
    nonce: Nonce,
    vouched: bool,
) -> anyhow::Result<()> {
    let database = Database::open(&config, &worker).await?;
    let schema_is_seen = database.schema_is_seen;
    let shared = Arc::new(open(config, database, worker, nonce, vouched).await?);
    let silent = shared.config.policy.worker_silent;
    let data = shared.config.data_dir();
    let mut seat = Seat::take(data, &shared.redis, &shared.worker).await;
    name::claim(&shared.redis, &shared.worker, nonce, silent).await?;
    if let Some(seat) = &mut seat {
        seat.sit(&shared.worker, nonce);
    }
    let stop = CancellationToken::new();
    let background = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let guard = Arc::clone(&shared);
    let guard_stop = background.clone();
    tasks.spawn(async move { guard.guard.run(guard_stop).await });
    let beating = Beating {
        worker: shared.worker.clone(),
        nonce,
        every: shared.config.timing.heartbeat,
        redis: shared.redis.clone(),
        status: Arc::clone(&shared.status),
    };
    let mut beating = tokio::spawn(beating.run(background.clone()));
    tasks.spawn(heartbeat::watch_sql(
        shared.store.clone(),
        Arc::clone(&shared.status),
        background.clone(),
    ));

    let (logins, logins_stop) = (Arc::clone(&shared), background.clone());
    tasks.spawn(async move { logins.logins.run(&logins.config.pools, logins_stop).await });

    let mut pools = JoinSet::new();
    for pool in &shared.config.pools {
        pools.spawn(PoolTask::new(Arc::clone(&shared), pool.name.clone()).run(stop.clone()));
    }
    info!(worker = %shared.worker, pid = std::process::id(), "worker started");
    let ended = tokio::select! {
        ended = wait_for_end(&mut pools, &mut beating, &shared.worker) => ended?,
        error = schema_is_not_ours(&shared.config, schema_is_seen) => End::NotOurs(error),
    };
    info!("worker stops");
    stop.cancel();
    let in_order = async {
        while pools.join_next().await.is_some() {}
        shared.admin_records.flush().await;
        background.cancel();
        while tasks.join_next().await.is_some() {}
        if !matches!(ended, End::NameTaken(_)) {
            let _beats_no_more = (&mut beating).await;
            name::release(&shared.redis, &shared.worker, nonce).await;
        }
    };
    if tokio::time::timeout(ENDS_WITHIN, in_order).await.is_err() {
        // A kill needs no order either: whoever comes next replays what was not committed.
        warn!("not everything ended in time: the rest is dropped");
    }
    match ended {
        End::Asked => Ok(()),
        End::NameTaken(taken) => Err(taken.into()),
        End::NotOurs(error) => Err(error).context("opening the database"),
    }
}

/// Why the worker ends in order.
enum End {
    Asked,
    NameTaken(NameTaken),
    /// The database that was away has another program's schema.
    NotOurs(StoreError),
}

async fn open(
    config: Config,
    database: Database,
    worker: WorkerId,
    nonce: Nonce,
    vouched: bool,
) -> anyhow::Result<Shared> {
    let Database { store, logins, .. } = database;
    let sealer = secrets::open_for(config.sealing_key(), &store).await?;
    let redis = reach_redis(&config).await;
    let redis = redis.map_err(|error| anyhow::anyhow!("{}", unreachable(&config, &error)))?;
    let pools = config.pools.iter().map(|pool| pool.name.clone()).collect();
    Ok(Shared {
        worker,
        nonce,
        vouched,
        admin_records: Recorder::open(&store, &redis, pools),
        redis,
        logins,
        store,
        sealer,
        status: Arc::new(Status::default()),
        guard: Guard::new(config.timing.lease()),
        texts: Texts::english().context("reading the texts")?,
        admin_texts: AdminTexts::english().context("reading the admins' texts")?,
        config,
    })
}

/// SQL and the logins that are in it.
struct Database {
    store: Store,
    logins: Vault,
    /// Not while it is away.
    schema_is_seen: bool,
}

impl Database {
    /// While it does not answer, with what the last worker of this name kept of it. Who has nothing kept is told.
    async fn open(config: &Config, worker: &WorkerId) -> anyhow::Result<Self> {
        let kept = Kept::new(config.data_dir(), worker);
        let error = match Store::open_configured(config).await {
            Ok(store) => {
                return Ok(Self {
                    logins: Vault::new(store.clone(), kept),
                    store,
                    schema_is_seen: true,
                });
            }
            Err(error) => error,
        };
        // An address that cannot be read is refused here as well.
        if !error.is_of_the_schema()
            && let Ok(store) = Store::unopened(config)
            && let Some(logins) = Vault::from_kept(store.clone(), kept)
        {
            warn!(%error, "the database is away: this worker starts with the logins that it kept");
            return Ok(Self {
                store,
                logins,
                schema_is_seen: false,
            });
        }
        Err(error).context("opening the database")
    }
}

/// Looks at the schema as soon as there is one, and changes nothing: to bring it up to date, or to restore it first, is for whoever starts with the database.
/// Ends only with what says that this program may not use it.
async fn schema_is_not_ours(config: &Config, is_seen: bool) -> StoreError {
    if is_seen {
        return std::future::pending().await;
    }
    loop {
        match Store::peek(&config.database_url()).await {
            Ok(seen) if seen.is_current() => return std::future::pending().await,
            Ok(SchemaSeen { found, known }) if found > known => {
                return StoreError::TooNew { found, known };
            }
            Ok(_) | Err(_) => tokio::time::sleep(DATABASE_COMES).await,
        }
    }
}

/// One line on a Redis that did not let us in, with what helps.
fn unreachable(config: &Config, error: &StateError) -> String {
    let (name, remedy) = match config.redis_is_private() {
        true => (
            format!("the private Redis at {}", config.redis_socket().display()),
            "`understudy run` starts it, and its workers with it".to_owned(),
        ),
        false => (
            "Redis at redis.url".to_owned(),
            format!(
                "start it, or mend [redis] url in {}; one that hangs wants a restart",
                config.file.display()
            ),
        ),
    };
    match error {
        StateError::Unreachable { why, .. } => {
            format!("{name} cannot be reached ({why}): {remedy}")
        }
        error => format!("{name}: {error}"),
    }
}

/// A worker may be started before the supervisor's Redis is: it waits a while.
async fn reach_redis(config: &Config) -> Result<RedisState, StateError> {
    let policy = RetryPolicy {
        initial: Duration::from_millis(50),
        max: Duration::from_millis(500),
        give_up_after: Some(REDIS_COMES),
    };
    retry(policy, || async {
        let (url, prefix) = (config.redis_url(), &config.redis.prefix);
        let timeouts = RedisTimeouts {
            response: config.timing.redis_timeout,
            ..RedisTimeouts::default()
        };
        let connected = RedisState::connect(&url, prefix, timeouts).await;
        connected.map_err(|error| match error.is_connection() {
            true => Failure::Transient(error),
            false => Failure::Permanent(error),
        })
    })
    .await
}

async fn wait_for_end(
    pools: &mut JoinSet<()>,
    beating: &mut JoinHandle<Option<Nonce>>,
    worker: &WorkerId,
) -> anyhow::Result<End> {
    let mut term = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        taken = beating => match taken {
            Ok(Some(by)) => {
                error!(%worker, %by, "another process has this worker's name: this one ends");
                return Ok(End::NameTaken(NameTaken { worker: worker.clone() }));
            }
            Ok(None) | Err(_) => anyhow::bail!("the heartbeat ended by itself"),
        },
        ended = pools.join_next() => {
            // A pool's task only ends when it is told to: this is a panic, and the supervisor starts a fresh process.
            error!(?ended, "a pool's task ended by itself");
            anyhow::bail!("a pool's task ended by itself");
        }
    }
    Ok(End::Asked)
}
