//! One connection that all its callers share, made anew when it breaks.
//!
//! Invariant: one attempt to connect at a time; callers that find one under way share its outcome instead of queueing up attempts of their own.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::AsyncConnectionConfig;
use ::redis::aio::MultiplexedConnection;
use shared_core::BootMs;

use super::error::{Op, StateError};
use super::history::History;
use super::link::{Home, current, replace};
use crate::clock;

/// Commands that may wait for the socket; beyond it callers wait, bounded by the response time-out.
const QUEUE: usize = 4096;
/// A primary that refuses is looked for anew, but not by each of the callers that it refused.
const ASK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct Line {
    live: RwLock<Option<Live>>,
    /// Held while connecting; counts the attempts that ended.
    connecting: tokio::sync::Mutex<()>,
    attempts: AtomicU64,
}

#[derive(Clone)]
pub(super) struct Live {
    pub connection: MultiplexedConnection,
    pub history: History,
    generation: u64,
    since: BootMs,
}

impl Line {
    pub async fn live(&self, op: Op<'_>, home: &Home) -> Result<Live, StateError> {
        if let Some(live) = current(&self.live) {
            return Ok(live);
        }
        let came_at = self.attempts.load(Ordering::Acquire);
        let _connecting = self.connecting.lock().await;
        if let Some(live) = current(&self.live) {
            return Ok(live);
        }
        if self.attempts.load(Ordering::Acquire) != came_at {
            return Err(StateError::Unreachable {
                doing: op.to_string(),
                why: "there is no connection".to_owned(),
            });
        }
        let connected = self.connect(op, home).await;
        let generation = self.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        let (connection, history) = connected?;
        let live = Live {
            connection,
            history,
            generation,
            since: clock::boot_now(),
        };
        replace(&self.live, Some(live.clone()));
        Ok(live)
    }

    async fn connect(
        &self,
        op: Op<'_>,
        home: &Home,
    ) -> Result<(MultiplexedConnection, History), StateError> {
        let failed = |error| StateError::of(op, &error);
        let client = home.client().await.map_err(failed)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(home.timeouts.connect))
            .set_response_timeout(Some(home.timeouts.response))
            .set_pipeline_buffer_size(QUEUE);
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let mut connection = connection.map_err(failed)?;
        let history = home.history_of(op, &mut connection).await?;
        Ok((connection, history))
    }

    /// The connection is of no use any more.
    pub fn forget(&self, live: &Live) {
        if current(&self.live).is_some_and(|known| known.generation == live.generation) {
            replace(&self.live, None);
        }
    }

    /// Its server refuses what a primary would not: perhaps it is none any more.
    pub fn doubt(&self, live: &Live) {
        if clock::boot_now().since(live.since) >= ASK_AGAIN {
            self.forget(live);
        }
    }
}
