//! `understudy restore conversations`: lets one of the two stores' state of a pool count, under a new epoch.
//!
//! While a supervisor leads it is an order like any other; while none does, this command takes the lead for as long as it works, by the same
//! code. Invariants: nothing is replaced before a person has said yes to what it would replace, or `--yes`; `--dry-run` changes nothing;
//! two that restore at once are one, because only who leads writes.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use shared_core::{EpochBlock, Order, Take};
use shared_io::checkpoint::{Restored, Terms, rehydrate};
use shared_io::clock;
use shared_io::config::{Config, PoolConfig};
use shared_io::redis::{LeaderId, PoolState, RedisState, StateError};
use shared_io::sql::{CheckpointCounts, Store};

use super::{Ended, open, orders, out};

/// Renewed well within it.
const TTL: Duration = Duration::from_secs(2);
const RENEW: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a pool the conversations, replies and cursors that the database has, or let those in Redis count.
    ///
    /// Members are not served while it lasts; what they write meanwhile is answered afterwards. A Redis that has lost its data is given it back
    /// without this command.
    #[command(
        after_help = super::after("understudy restore conversations --dry-run\n  understudy restore conversations --take database --yes")
    )]
    Conversations(Args),
}

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: orders::Common,
    /// Whose state counts: `database` replaces what Redis has by the last checkpoint, `redis` keeps what it has and copies it anew.
    #[arg(long, value_enum, value_name = "STORE", default_value = "database")]
    take: Side,
    /// Show what each store has, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Side {
    Database,
    Redis,
}

/// What would be replaced by what.
#[derive(Debug, Serialize)]
struct Sides {
    pool: String,
    take: Take,
    redis: InRedis,
    database: InDatabase,
    /// Why the pool is held, if it is.
    undecided: Option<String>,
}

#[derive(Debug, Serialize)]
struct InRedis {
    lineage: Option<String>,
    has_state: bool,
    conversations_open: u64,
    outbox: u64,
    parked: u64,
}

#[derive(Debug, Serialize)]
struct InDatabase {
    /// The history that the database knows to be the pool's.
    lineage: Option<String>,
    /// Is everything of some moment there?
    whole: bool,
    conversations: u64,
    conversations_open: u64,
    entries: u64,
    reach: u64,
}

impl Command {
    pub async fn run(&self) -> anyhow::Result<Ended> {
        let Self::Conversations(args) = self;
        args.run().await
    }
}

impl Args {
    async fn run(&self) -> anyhow::Result<Ended> {
        let config = self.common.config()?;
        let pool = self.common.pool(&config)?;
        let take = match self.take {
            Side::Database => Take::Database,
            Side::Redis => Take::Redis,
        };
        let redis = open::redis(&config).await?;
        let store = open::store(&config).await?;
        let state = redis.pool(&pool.name);
        let sides = sides(&state, &store, take).await?;
        if self.dry_run {
            match self.common.json {
                true => out::json(&sides)?,
                false => show(&sides),
            }
            return Ok(Ended::Well);
        }
        if let Some(why) = nothing_there(&sides) {
            out::refuse(&format!("{}: {why}; nothing was changed", pool.name));
            return Ok(Ended::NotWell);
        }
        if !self.yes && !self.agreed(&sides)? {
            out::refuse("nothing was changed");
            return Ok(Ended::NotWell);
        }
        if redis.leader().await?.is_some() {
            let watch = watch(state.clone(), self.common.json);
            let order = self.common.order(&config, pool, Order::Restore { take });
            return tokio::select! {
                ended = order => ended,
                () = watch => unreachable!("a watch never ends"),
            };
        }
        ensure!(
            take == Take::Database,
            "no supervisor leads: start `understudy run`, then order it; only it can begin a new history over what Redis has"
        );
        let restored = directly(&config, pool, &redis, &store, self.common.json).await?;
        if self.common.json {
            out::json(&Report::of(pool, &restored))?;
        } else {
            let Restored {
                conversations,
                took_ms,
                ..
            } = restored;
            let name = &pool.name;
            let _read = out::say(&format!(
                "{name}: {conversations} conversations restored from the database ({took_ms} ms); `understudy run` goes on with them"
            ));
        }
        Ok(Ended::Well)
    }

    /// Asks whoever sits there.
    fn agreed(&self, sides: &Sides) -> anyhow::Result<bool> {
        if !std::io::stdin().is_terminal() {
            bail!("this replaces a pool's state: look with --dry-run, then say --yes");
        }
        show(sides);
        let mut err = std::io::stderr().lock();
        write!(err, "type yes to go on: ")?;
        err.flush()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim() == "yes")
    }
}

async fn sides(state: &PoolState, store: &Store, take: Take) -> anyhow::Result<Sides> {
    let pool = state.id();
    let (open, outbox, parked, lineage, has_state, undecided) = tokio::try_join!(
        state.open_count(),
        state.outbox_len(),
        state.parked_count(),
        state.lineage(),
        state.has_state(),
        state.undecided()
    )?;
    let head = store.checkpoints().head(pool).await?;
    let CheckpointCounts {
        conversations,
        open: conversations_open,
        entries,
        reach,
    } = store.checkpoints().counts(pool).await?;
    Ok(Sides {
        pool: pool.to_string(),
        take,
        redis: InRedis {
            lineage,
            has_state,
            conversations_open: open,
            outbox,
            parked,
        },
        database: InDatabase {
            lineage: store.epochs().lineage(pool).await?,
            whole: head.is_some_and(|head| head.at.is_some()),
            conversations,
            conversations_open,
            entries,
            reach,
        },
        undecided,
    })
}

/// Why there is nothing to go on with on the side that is to count.
fn nothing_there(sides: &Sides) -> Option<&'static str> {
    match sides.take {
        Take::Database if !sides.database.whole => {
            Some("the database has no whole checkpoint of it")
        }
        // A pool that both have lost is held, and this is how it begins anew.
        Take::Redis if !sides.redis.has_state && sides.undecided.is_none() => {
            Some("Redis has nothing of it")
        }
        Take::Database | Take::Redis => None,
    }
}

fn show(sides: &Sides) {
    let (redis, database) = (&sides.redis, &sides.database);
    let none = "none";
    let mut lines = vec![
        format!(
            "{}: Redis has {} open conversations, {} replies on their way, {} parked (history {})",
            sides.pool,
            redis.conversations_open,
            redis.outbox,
            redis.parked,
            redis.lineage.as_deref().unwrap_or(none)
        ),
        format!(
            "{}: the database has {} conversations, {} of them open, {} replies and records, {} members reached{} (history {})",
            sides.pool,
            database.conversations,
            database.conversations_open,
            database.entries,
            database.reach,
            if database.whole {
                ""
            } else {
                ", and not everything"
            },
            database.lineage.as_deref().unwrap_or(none)
        ),
    ];
    lines.push(match sides.take {
        Take::Database => "what Redis has of the pool would be removed, and written as the database has it; what members wrote since is fetched from Telegram again".to_owned(),
        Take::Redis if !sides.redis.has_state => {
            "Redis has nothing of the pool: its members would begin anew".to_owned()
        }
        Take::Redis => "what Redis has would stay, and what the database has would be replaced by it".to_owned(),
    });
    lines.extend(sides.undecided.iter().map(|why| format!("held: {why}")));
    for line in lines {
        let _read = out::say(&line);
    }
}

/// Restores under a lead of its own.
async fn directly(
    config: &Config,
    pool: &PoolConfig,
    redis: &RedisState,
    store: &Store,
    quiet: bool,
) -> anyhow::Result<Restored> {
    let leader = LeaderId::new("restore", clock::nonce());
    let state = redis.pool(&pool.name);
    if !take_lead(redis, &state, &leader).await? {
        bail!("a supervisor has taken the lead just now: order it again");
    }
    let renew = async {
        loop {
            tokio::time::sleep(RENEW).await;
            // Should it fail, the next write says so.
            let _renewed = take_lead(redis, &state, &leader).await;
        }
    };
    let seen = state.epoch().await?.map(|record| record.stamp.epoch);
    let block = store
        .epochs()
        .reserve_above(&pool.name, EpochBlock::SIZE, seen.unwrap_or_default())
        .await?;
    let terms = Terms {
        state: state.clone(),
        store: store.clone(),
        leader: leader.clone(),
        bots: pool.bots.iter().map(|bot| bot.bot()).collect(),
        block,
        why: "it was ordered while no supervisor led".to_owned(),
        remind_after: pool.upload.remind_after(),
    };
    let bar = bar(quiet);
    let work = rehydrate(terms, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    let restored = tokio::select! {
        restored = work => restored,
        () = renew => unreachable!("a renewal never ends"),
    };
    bar.finish_and_clear();
    // Should it fail, the lead runs out by itself.
    let _runs_out = state.release_lead_of_pool(&leader).await;
    let _runs_out = redis.release_lead(&leader).await;
    restored.with_context(|| {
        format!(
            "restoring pool {} of {}; the next supervisor begins it again",
            pool.name,
            open::database_name(config)
        )
    })
}

async fn take_lead(
    redis: &RedisState,
    state: &PoolState,
    leader: &LeaderId,
) -> Result<bool, StateError> {
    Ok(redis.take_lead(leader, TTL).await?.is_ours()
        && state.take_lead_of_pool(leader, TTL).await?.is_ours())
}

/// Shows how far the supervisor is; never ends.
async fn watch(state: PoolState, quiet: bool) {
    let bar = bar(quiet);
    loop {
        match state.restoring().await {
            Ok(Some(restoring)) if restoring.total > 0 => {
                bar.set_length(restoring.total);
                bar.set_position(restoring.done);
            }
            _ => bar.reset(),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// On stderr, when a person watches.
fn bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("  {bar:40} {human_pos} of {human_len}, {per_sec}")
    {
        bar.set_style(style);
    }
    bar
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    pool: &'a str,
    epoch: u64,
    lineage: &'a str,
    conversations: u64,
    entries: u64,
    reach: u64,
    took_ms: u64,
}

impl<'a> Report<'a> {
    fn of(pool: &'a PoolConfig, restored: &'a Restored) -> Self {
        Self {
            pool: pool.name.as_str(),
            epoch: restored.epoch.0,
            lineage: &restored.lineage,
            conversations: restored.conversations,
            entries: restored.entries,
            reach: restored.reach,
            took_ms: restored.took_ms,
        }
    }
}
