//! The session's own probe: `getState` again and again, and what its answers and the feed's errors say of the line.

use std::time::Duration;

use shared_core::{Connection, ErrorClass};
use shared_io::telegram::{BoxState, CallError, Calls, UpdateFeed};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::context::BotContext;

/// The box's state and the microseconds that it took.
pub type Probe = Result<(BoxState, u64), CallError>;

/// Asks for the box's state again and again; the deadline of each call is the adapter's.
pub async fn probe(
    calls: Calls,
    mut every: watch::Receiver<Duration>,
    results: mpsc::Sender<Probe>,
) {
    loop {
        let sent = Instant::now();
        let result = calls.state().await;
        let took = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        if results
            .send(result.map(|state| (state, took)))
            .await
            .is_err()
        {
            return;
        }
        let pause = *every.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = every.changed() => if changed.is_err() { return },
        }
    }
}

/// Notes the answer. An error here is the session's end. Who `answers` looks after the groups as well.
pub fn judge(
    context: &BotContext,
    feed: &mut UpdateFeed,
    answers: bool,
    result: Probe,
) -> Result<(), CallError> {
    match result {
        Ok((state, micros)) => {
            context.status.answered(micros);
            context.status.connection(Connection::Ready);
            feed.observe(&state);
            if answers {
                feed.look_at_channels();
                context.barred(feed.barred());
            }
            Ok(())
        }
        Err(error) if error.class.is_fatal() => Err(error),
        Err(error) => {
            context.status.error(error.class, &error.name);
            if matches!(error.class, ErrorClass::Network | ErrorClass::Server) {
                context.status.connection(Connection::Shaky);
            }
            debug!(bot = %context.lease.bot, %error, "probe failed");
            Ok(())
        }
    }
}

/// How long to leave the feed alone.
pub fn feed_trouble(context: &BotContext, error: &CallError) -> Duration {
    context.status.error(error.class, &error.name);
    warn!(bot = %context.lease.bot, %error, "updates could not be fetched");
    let pause = error.wait_s.map_or(Duration::from_millis(100), |s| {
        Duration::from_secs(s.into())
    });
    pause.min(Duration::from_secs(5))
}
