//! How many of this process' acknowledged commits a failover of Redis has lost.
//!
//! Who holds the epoch is the only one who commits, so the pool's count of commits, read as the tenure begins, and one more for each commit that
//! was acknowledged since, is what the primary had. What another history counts less than that is lost. It is a lower bound: a commit that came
//! through without an answer counts there and not here, and so do those of the next holder, should there be one before this is asked.
//! Nothing follows from the count: the next session starts from the cursors that the new history has, and takes in again what Telegram
//! sends again.

use std::sync::Mutex;

use shared_io::redis::{Counter, History};
use tracing::{debug, error};

use crate::context::BotContext;
use crate::status::lock;

#[derive(Debug, Default)]
pub struct Tail(Mutex<Option<Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    history: History,
    commits: i64,
}

impl Tail {
    /// A tenure begins, and so much had been committed before it.
    pub fn begin(&self, history: History, commits: i64) {
        *lock(&self.0) = Some(Known { history, commits });
    }

    /// One more was acknowledged.
    pub fn committed(&self) {
        if let Some(known) = lock(&self.0).as_mut() {
            known.commits += 1;
        }
    }

    fn is_of_another(&self, history: History) -> bool {
        lock(&self.0).is_some_and(|known| known.history != history)
    }

    /// What another history, which counts so many commits, does not have. Asked once: then nothing is known until a tenure begins.
    fn lost(&self, history: History, commits: i64) -> i64 {
        let mut known = lock(&self.0);
        let before = known.take_if(|known| known.history != history);
        before.map_or(0, |before| (before.commits - commits).max(0))
    }
}

/// Counts what is lost, if Redis has another history than the last tenure had. Best effort.
pub async fn count_lost(context: &BotContext, history: History) {
    if !context.tail.is_of_another(history) {
        return;
    }
    let counters = match context.state.counters().await {
        Ok(counters) => counters,
        Err(error) => return debug!(%error, "what a failover lost is not known yet"),
    };
    let lost = context.tail.lost(history, counters.get(Counter::Commits));
    if lost == 0 {
        return;
    }
    error!(pool = %context.pool, bot = %context.lease.bot, lost, "a failover of Redis has lost acknowledged commits; going on from the cursors that are left");
    if let Err(error) = context.state.count(&[(Counter::LostTail, lost)]).await {
        debug!(%error, "not counted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_history_lacks_is_counted_once() {
        let (tail, here) = (Tail::default(), History::default());
        assert_eq!(tail.lost(here, 0), 0, "nothing is known");
        tail.begin(here, 10);
        tail.committed();
        tail.committed();
        assert!(!tail.is_of_another(here));
        assert_eq!(tail.lost(here, 3), 0, "the same history loses nothing");
        let there = here.next();
        assert!(tail.is_of_another(there));
        assert_eq!(tail.lost(there, 11), 1);
        assert_eq!(tail.lost(there, 11), 0, "once");
        tail.begin(here, 10);
        assert_eq!(tail.lost(there, 12), 0, "more may be there than is known");
    }
}
