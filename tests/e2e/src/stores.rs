//! A stage's Redis and SQLite, opened as an operator would.

use std::time::Duration;

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redis::sentinel::Sentinel;
use shared_io::config::Config;
use sqlx::SqlitePool;

use crate::Stage;

/// What all keys of the stage's pool begin with.
const KEYS: &str = "us:{main}:";

impl Stage {
    pub async fn redis(&self) -> Result<MultiplexedConnection> {
        let config = Config::load(self.folder.config()).context("the stage's configuration")?;
        let url = config.redis_url();
        let client = match url.expose().strip_prefix("redis+sentinel://") {
            Some(place) => primary_of(place).await?,
            None => redis::Client::open(url.expose())?,
        };
        client
            .get_multiplexed_async_connection()
            .await
            .context("the stage's Redis")
    }

    pub async fn sql(&self) -> Result<SqlitePool> {
        let file = self.folder.state().join("understudy.db");
        SqlitePool::connect(&format!("sqlite://{}", file.display()))
            .await
            .context("the stage's database")
    }

    /// Private messages that a standby keeps.
    pub async fn held(&self, bot: i64) -> Result<u64> {
        self.number("XLEN", &format!("held:b{bot}")).await
    }

    /// Waits until the bot keeps so many private messages for when it answers.
    pub async fn held_is(&self, bot: i64, messages: u64) -> Result<()> {
        let what = format!("bot {bot} keeps {messages} messages");
        self.until_stored(&what, async || {
            Ok((self.held(bot).await? == messages).then_some(()))
        })
        .await
    }

    /// Replies that wait for this member's Start.
    pub async fn parked(&self, member: i64) -> Result<u64> {
        self.number("LLEN", &format!("parked:m{member}")).await
    }

    /// Waits until so many of the member's replies are parked.
    pub async fn parked_are(&self, member: i64, replies: u64) -> Result<()> {
        let what = format!("{replies} replies of {member} are parked");
        self.until_stored(&what, async || {
            Ok((self.parked(member).await? == replies).then_some(()))
        })
        .await
    }

    /// How far the bot's private box is committed.
    pub async fn private_pts(&self, bot: i64) -> Result<i64> {
        let mut redis = self.redis().await?;
        let pts = redis::cmd("HGET")
            .arg(format!("{KEYS}box:b{bot}"))
            .arg("pts")
            .query_async(&mut redis)
            .await;
        pts.context("the private cursor")
    }

    /// Puts it back, as if its last moves had not come through.
    pub async fn set_private_pts(&self, bot: i64, pts: i64) -> Result<()> {
        let mut redis = self.redis().await?;
        let set = redis::cmd("HSET")
            .arg(format!("{KEYS}box:b{bot}"))
            .arg("pts")
            .arg(pts)
            .query_async(&mut redis)
            .await;
        set.context("the private cursor")
    }

    /// Committed replies that are not known to be sent, as the store has it at this moment.
    pub async fn outbox(&self) -> Result<u64> {
        self.number("XLEN", "outbox").await
    }

    /// These replies as they are stored, oldest first.
    pub async fn outbox_entries(&self) -> Result<Vec<String>> {
        let mut redis = self.redis().await?;
        let page: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
            .arg(format!("{KEYS}outbox"))
            .arg("-")
            .arg("+")
            .query_async(&mut redis)
            .await?;
        // One field each, and its value.
        let values = page
            .into_iter()
            .map(|(_, fields)| fields.into_iter().nth(1));
        values
            .map(|value| value.context("an entry without a value"))
            .collect()
    }

    /// Puts a reply there again, as if nobody had taken it out when it was sent.
    pub async fn put_in_outbox(&self, entry: &str) -> Result<()> {
        let mut redis = self.redis().await?;
        let added = redis::cmd("XADD")
            .arg(format!("{KEYS}outbox"))
            .arg("*")
            .arg("e")
            .arg(entry)
            .exec_async(&mut redis)
            .await;
        added.context("putting a reply into the outbox")
    }

    /// Sets back when a member was last active in private.
    pub async fn last_active_earlier(&self, member: i64, by: Duration) -> Result<()> {
        let mut redis = self.redis().await?;
        let by = i64::try_from(by.as_millis())?;
        let at = redis::cmd("ZINCRBY")
            .arg(format!("{KEYS}open"))
            .arg(-by)
            .arg(format!("m{member}"))
            .query_async::<f64>(&mut redis)
            .await
            .context("when a member was last active")?;
        // One that was not there has been made, with a time before 1970.
        anyhow::ensure!(at > 0.0, "{member} has nothing open");
        Ok(())
    }

    /// One of the pool's counters.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        let mut redis = self.redis().await?;
        let count: Option<u64> = redis::cmd("HGET")
            .arg(format!("{KEYS}counters"))
            .arg(name)
            .query_async(&mut redis)
            .await?;
        Ok(count.unwrap_or(0))
    }

    /// Waits until every committed reply is known to be sent, or parked; unlike the status, the store is never late.
    pub async fn delivered(&self) -> Result<()> {
        self.until_stored("the outbox is empty", async || {
            Ok((self.outbox().await? == 0).then_some(()))
        })
        .await
    }

    /// Waits until this bot has shown every open conversation where it stands.
    pub async fn resumed_by(&self, bot: i64) -> Result<()> {
        self.until_stored("the resumption is finished", async || {
            let mut redis = self.redis().await?;
            let (by, state): (Option<String>, Option<String>) = redis::cmd("HMGET")
                .arg(format!("{KEYS}resumed"))
                .arg("bot")
                .arg("state")
                .query_async(&mut redis)
                .await?;
            let done = by == Some(format!("b{bot}")) && state.as_deref() == Some("done");
            Ok(done.then_some(()))
        })
        .await
    }

    /// A member's private conversation as it is stored.
    pub async fn stored_conversation(&self, member: i64) -> Result<Option<String>> {
        let mut redis = self.redis().await?;
        let stored = redis::cmd("GET")
            .arg(format!("{KEYS}c:m{member}"))
            .query_async(&mut redis)
            .await;
        stored.context("the stored conversation")
    }

    /// Puts something else in its place.
    pub async fn overwrite_conversation(&self, member: i64, with: &str) -> Result<()> {
        let mut redis = self.redis().await?;
        let set = redis::cmd("SET")
            .arg(format!("{KEYS}c:m{member}"))
            .arg(with)
            .query_async(&mut redis)
            .await;
        set.context("overwriting the stored conversation")
    }

    /// Timers of conversations that are due and not settled.
    pub async fn timers(&self) -> Result<u64> {
        self.number("ZCARD", "timers").await
    }

    /// What has to be recorded and is not in the database yet.
    pub async fn records(&self) -> Result<u64> {
        self.number("XLEN", "records").await
    }

    /// What conversations have told one another and nobody has heard yet.
    pub async fn inbox(&self) -> Result<u64> {
        self.number("XLEN", "inbox").await
    }

    /// Makes what is in quarantine readable, as a later program might find it: the only entry again, with this value.
    pub async fn mend_quarantined(&self, value: &str) -> Result<()> {
        let mut redis = self.redis().await?;
        let key = format!("{KEYS}quarantine");
        let page: Vec<(String, Vec<(String, redis::Value)>)> = redis::cmd("XRANGE")
            .arg(&key)
            .arg("-")
            .arg("+")
            .query_async(&mut redis)
            .await?;
        let (_, fields) = page
            .into_iter()
            .next()
            .context("nothing is in quarantine")?;
        let mut add = redis::cmd("XADD");
        add.arg(&key).arg("*");
        for (name, old) in fields {
            let old: Vec<u8> = redis::from_redis_value(old)?;
            let new = match name.as_str() {
                "raw" => value.as_bytes().to_vec(),
                _ => old,
            };
            add.arg(name).arg(new);
        }
        redis::cmd("DEL").arg(&key).exec_async(&mut redis).await?;
        add.exec_async(&mut redis).await.context("mending it")
    }

    async fn number(&self, command: &str, key: &str) -> Result<u64> {
        let mut redis = self.redis().await?;
        let answer = redis::cmd(command)
            .arg(format!("{KEYS}{key}"))
            .query_async(&mut redis)
            .await;
        answer.with_context(|| format!("{command} {key}"))
    }
}

/// The server that the Sentinels of a `redis+sentinel://` address name.
async fn primary_of(place: &str) -> Result<redis::Client> {
    let (sentinels, master) = place.split_once('/').context("an address with a master")?;
    let each = sentinels.split(',').map(|at| format!("redis://{at}/"));
    let mut sentinel = Sentinel::build(each.collect::<Vec<_>>())?;
    let client = sentinel.async_master_for(master, None).await;
    client.context("the stage's primary")
}
