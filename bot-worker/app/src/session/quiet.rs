//! A connection whose lease ran out without anybody saying that it is another's: kept, and quiet.
//!
//! ```text
//! Redis says                       what follows
//! nothing (it is away)             the connection is kept; what comes in is looked at for admins' commands and is otherwise dropped
//! the lease is ours again          the session ends; the next one fetches everything from the committed cursor, with the same key
//! another has it, not assigned     the session ends; its socket is closed
//! nothing for ten minutes          the session ends; its socket is closed
//! ```
//! Quiet means: no engine, no sender, no probe, no difference is fetched, nothing is committed; not a single call is made of its own
//! accord. So a worker that slept through its lease and wakes up beside its successor does no harm before it knows.

use shared_core::{BotRole, Connection, QUIET_AT_MOST};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Ended, Session, line_lost};
use crate::guard::Settled;

impl Session {
    pub(super) async fn keep_quiet(
        &mut self,
        stop: &CancellationToken,
        line_closed: impl Future<Output = ()>,
    ) -> Ended {
        let context = &self.context;
        warn!(bot = %context.lease.bot, "the login lease ran out; the connection is quiet");
        context.status.lease(false);
        context.status.role(BotRole::Standby);
        self.smoke_tests.abort_all();
        if let Some(active) = self.active.take() {
            // A call that is on its way is answered or not: nothing else leaves.
            let _ = active.close().await;
        }
        let mut settled = std::pin::pin!(self.context.cell.settled());
        let mut line_closed = std::pin::pin!(line_closed);
        let mut over = std::pin::pin!(tokio::time::sleep(QUIET_AT_MOST));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Stopped,
                settled = &mut settled => return match settled {
                    Settled::Held => Ended::Regained,
                    Settled::NotOurs => Ended::LeaseOver,
                },
                () = &mut over => return Ended::LeaseOver,
                () = &mut line_closed => return line_lost("the line's task ended"),
                heard = self.feed.overhear() => match heard {
                    // Until Redis is known to be away somebody else may hold this bot and answer; what is dropped comes again.
                    Ok(mut batch) => if context.cell.redis_is_away() {
                        context.desk.sort_out(&mut batch);
                        context.presses.hear(&mut batch);
                    },
                    Err(error) => {
                        context.status.error(error.class, &error.name);
                        context.status.connection(Connection::Shaky);
                        return Ended::LineLost { was_ready: true, error };
                    }
                },
            }
        }
    }
}
