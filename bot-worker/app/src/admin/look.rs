//! What this worker knows at the moment when an admin asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bot_worker_core::admin::{Answered, Sight};
use shared_core::{BotHealth, PoolBoard, UnixMs};
use shared_io::clock;

use super::Office;

/// Redis is looked at four times a second; silent for longer, it does not answer.
const REDIS_SILENT: Duration = Duration::from_millis(1_500);
/// SQL is asked every two seconds, and bounds its own answers.
const SQL_SILENT: Duration = Duration::from_secs(8);

/// Owns what a [`Sight`] refers to.
pub struct Look<'a> {
    office: &'a Office,
    board: Option<(Arc<PoolBoard>, u64)>,
    bots: Vec<BotHealth>,
    redis: Answered,
    sql: Answered,
    now: UnixMs,
}

impl<'a> Look<'a> {
    pub fn take(office: &'a Office) -> Self {
        let now = clock::boot_now();
        let status = &office.shared.status;
        let board = office.view.borrow().board.clone();
        let (redis, sql) = (status.redis_silent_for(now), status.sql_silent_for(now));
        let bots = status.bots().into_iter();
        let unix_now = clock::unix_now();
        Self {
            office,
            board: board.map(|seen| {
                let age = millis(now.since(seen.changed));
                // One that was there before this process was is at least as old as its date says, clocks permitting.
                let age = match seen.is_alive {
                    true => age,
                    false => age.max(unix_now.since(seen.board.at)),
                };
                (seen.board, age)
            }),
            bots: bots.filter(|bot| bot.pool == office.pool).collect(),
            redis: Answered {
                ago_ms: redis.map(millis),
                failing: redis.is_none_or(|silent| silent > REDIS_SILENT),
                took_us: status.redis_us.load(Ordering::Relaxed),
            },
            sql: Answered {
                ago_ms: sql.map(millis),
                failing: status.sql_away.load(Ordering::Relaxed)
                    || sql.is_none_or(|silent| silent > SQL_SILENT),
                took_us: 0,
            },
            now: unix_now,
        }
    }

    /// A call to Redis has just failed, whatever was known of it before.
    pub fn without_redis(office: &'a Office) -> Self {
        let mut look = Self::take(office);
        look.redis.failing = true;
        look
    }

    pub fn sight(&self) -> Sight<'_> {
        Sight {
            pool: &self.office.pool,
            worker: &self.office.shared.worker,
            me: self.office.bot,
            board: self.board.as_ref().map(|(board, age)| (&**board, *age)),
            bots: &self.bots,
            redis: self.redis,
            sql: self.sql,
            now: self.now,
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
