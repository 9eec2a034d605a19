//! Orders by hand: `switch`, `rotate`, `pause`, `resume`, `pin`, `unpin`, `unschedule`.
//!
//! An order is handed to the leader through Redis and followed until it is over. Invariants: nothing is submitted while nobody leads, so
//! that nothing happens out of the blue later; an order that was submitted and not seen through is named, with how to find out what
//! became of it; `--dry-run` submits nothing.

mod follow;

use anyhow::Context;
use serde::Serialize;
use shared_core::{Order, Preview, Progress, Request, Requester};
use shared_io::clock;
use shared_io::config::{Config, PoolConfig};

use super::{Ended, Source, open, out, pools, when};
use crate::status;

#[derive(Debug, clap::Args)]
pub struct Common {
    #[command(flatten)]
    source: Source,
    /// The pool; needed when there are several.
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// How long to wait until it is done.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Print how it ended, as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Lay {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub struct Pin {
    /// The bot: its name in the configuration, its @username, or its id (b7000001).
    bot: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub struct Move {
    #[command(flatten)]
    common: Common,
    /// Show what would be done and why, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Not now but then: 2026-12-01T03:00Z, with Z or an offset, or +90m. At most 30 days ahead; undo it with `unschedule`.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Switch {
    /// The bot: its name in the configuration, its @username, or its id (b7000001).
    #[arg(long, value_name = "BOT")]
    to: String,
    #[command(flatten)]
    how: Move,
}

impl Switch {
    pub async fn run(&self) -> anyhow::Result<Ended> {
        let config = self.how.common.source.load()?;
        let pool = self.how.common.pool(&config)?;
        let to = named_bot(&config, pool, &self.to).await?;
        let order = self.how.or_later(Order::Switch { to })?;
        self.how.order(&config, pool, order).await
    }
}

impl Move {
    pub async fn run(&self) -> anyhow::Result<Ended> {
        let config = self.common.source.load()?;
        let pool = self.common.pool(&config)?;
        let order = self.or_later(Order::Rotate)?;
        self.order(&config, pool, order).await
    }

    /// The order itself, or that it be given at its time.
    fn or_later(&self, order: Order) -> anyhow::Result<Order> {
        let Some(at) = &self.at else {
            return Ok(order);
        };
        let due =
            when::moment(at, clock::unix_now()).map_err(|why| anyhow::anyhow!("--at: {why}"))?;
        let to = match order {
            Order::Switch { to } => Some(to),
            _ => None,
        };
        let fires = clock::nonce();
        Ok(Order::Schedule { to, due, fires })
    }

    async fn order(
        &self,
        config: &Config,
        pool: &PoolConfig,
        order: Order,
    ) -> anyhow::Result<Ended> {
        if self.dry_run {
            let preview = status::preview(config, pool, &order).await?;
            return show(pool, &order, preview, self.common.json);
        }
        self.common.order(config, pool, order).await
    }
}

impl Lay {
    pub async fn pause(&self) -> anyhow::Result<Ended> {
        self.common.only(Order::Pause).await
    }

    pub async fn resume(&self) -> anyhow::Result<Ended> {
        self.common.only(Order::Resume).await
    }

    pub async fn unpin(&self) -> anyhow::Result<Ended> {
        self.common.only(Order::Unpin).await
    }

    pub async fn unschedule(&self) -> anyhow::Result<Ended> {
        self.common.only(Order::Unschedule).await
    }
}

impl Pin {
    pub async fn run(&self) -> anyhow::Result<Ended> {
        let config = self.common.source.load()?;
        let pool = self.common.pool(&config)?;
        let bot = named_bot(&config, pool, &self.bot).await?;
        self.common.order(&config, pool, Order::Pin { bot }).await
    }
}

impl Common {
    pub fn config(&self) -> anyhow::Result<Config> {
        self.source.load()
    }

    pub fn pool<'a>(&self, config: &'a Config) -> anyhow::Result<&'a PoolConfig> {
        pools::the_pool(config, self.pool.as_deref())
    }

    async fn only(&self, order: Order) -> anyhow::Result<Ended> {
        let config = self.source.load()?;
        let pool = self.pool(&config)?;
        self.order(&config, pool, order).await
    }

    /// Submits it and follows it to its end.
    pub async fn order(
        &self,
        config: &Config,
        pool: &PoolConfig,
        order: Order,
    ) -> anyhow::Result<Ended> {
        let redis = open::redis(config).await?;
        if redis.leader().await?.is_none() {
            out::refuse(
                "no supervisor leads this deployment: start `understudy run`; nothing was changed",
            );
            return Ok(Ended::NotWell);
        }
        let request = Request {
            id: clock::nonce(),
            order,
            by: Requester::Cli { user: user() },
            plan: None,
            at: clock::unix_now(),
            progress: Progress::Waiting,
        };
        let state = redis.pool(&pool.name);
        let patience = std::time::Duration::from_secs(self.timeout);
        let end = follow::follow(&state, request, patience, self.json).await?;
        if self.json {
            out::json(&end)?;
        }
        Ok(self.tell(pool, &end))
    }

    /// How it stands: what was done on stdout, what was not as one line on stderr.
    fn tell(&self, pool: &PoolConfig, end: &Request) -> Ended {
        let (name, order, waited) = (&pool.name, &end.order, self.timeout);
        let not_done = match &end.progress {
            Progress::Done {
                outcome,
                took_ms,
                smoke,
            } => {
                if !self.json {
                    let _read = out::say(&format!("{name}: {outcome} ({took_ms} ms)"));
                    for check in smoke {
                        let _read = out::say(&format!("  {check}"));
                    }
                }
                return Ended::Well;
            }
            Progress::Refused { why } => format!("{order} of pool {name} was refused: {why}"),
            Progress::Failed { why } => format!("{order} of pool {name} failed: {why}"),
            Progress::Waiting => format!(
                "nobody has taken the order `{order}` of pool {name} within {waited} s; look at `understudy status`, and at `understudy events` for what became of order {}; untaken orders are refused after 30 s",
                end.id
            ),
            Progress::Running { step, .. } => format!(
                "the order `{order}` of pool {name} is under way ({step}) and not done within {waited} s; the supervisor goes on with it, follow it with `understudy status`"
            ),
        };
        out::refuse(&not_done);
        Ended::NotWell
    }
}

async fn named_bot(
    config: &Config,
    pool: &PoolConfig,
    text: &str,
) -> anyhow::Result<shared_core::BotId> {
    let store = match open::database(config).await {
        Ok(open::Database::Open(store)) => Some(store),
        // Names of the configuration do without.
        Ok(_) | Err(_) => None,
    };
    pools::the_bot(pool, store.as_ref(), text)
        .await
        .context("choosing the bot")
}

#[derive(Serialize)]
struct DryRun<'a> {
    pool: &'a shared_core::PoolId,
    order: &'a Order,
    would_act: bool,
    #[serde(flatten)]
    preview: Preview,
}

fn show(pool: &PoolConfig, order: &Order, preview: Preview, json: bool) -> anyhow::Result<Ended> {
    let would_act = preview.plan.is_some();
    if json {
        let dry = DryRun {
            pool: &pool.name,
            order,
            would_act,
            preview,
        };
        out::json(&dry)?;
    } else {
        let word = if would_act {
            "would"
        } else {
            "would do nothing"
        };
        let _read = out::say(&format!(
            "{}: {} {word}: {}",
            pool.name,
            order.word(),
            preview.text
        ));
        for reason in &preview.reasons {
            let _read = out::say(&format!("  {reason}"));
        }
    }
    Ok(Ended::of(would_act))
}

/// Who sits at the terminal: whoever called sudo, else the user, else his number.
pub(super) fn user() -> String {
    let named = ["SUDO_USER", "USER"].into_iter().find_map(|name| {
        let value = std::env::var(name).ok()?;
        // It is shown to others, in lines of their own.
        let is_name =
            (1..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
        is_name.then_some(value)
    });
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
