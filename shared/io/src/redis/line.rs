//! One connection that all its callers share, made anew when it breaks.
//!
//! Invariants: one attempt to connect at a time, and whoever wants the connection meanwhile shares its outcome; an attempt is a task of its own and
//! goes on whether or not its callers are polled. (A caller that held the attempt itself and was not polled, because its task waited for another
//! call on the same connection, would hold up everybody for good.)

use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use ::redis::AsyncConnectionConfig;
use ::redis::aio::MultiplexedConnection;
use shared_core::BootMs;
use tokio::sync::watch;

use super::error::{Op, StateError};
use super::history::History;
use super::link::{Home, current, held, replace};
use crate::clock;

/// Commands that may wait for the socket; beyond it callers wait, bounded by the response time-out.
const QUEUE: usize = 4096;
/// A primary that refuses is looked for anew, but not by each of the callers that it refused.
const ASK_AGAIN: Duration = Duration::from_millis(250);

pub(super) struct Line(Arc<Shared>);

struct Shared {
    home: Arc<Home>,
    live: RwLock<Option<Live>>,
    attempts: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    made: u64,
    under_way: Option<Outcome>,
}

/// What an attempt came to, once it did.
type Outcome = watch::Receiver<Option<Result<Live, StateError>>>;

#[derive(Clone)]
pub(super) struct Live {
    pub connection: MultiplexedConnection,
    pub history: History,
    generation: u64,
    since: BootMs,
}

impl Line {
    pub fn to(home: Arc<Home>) -> Self {
        Self(Arc::new(Shared {
            home,
            live: RwLock::new(None),
            attempts: Mutex::default(),
        }))
    }

    pub async fn live(&self, op: Op<'_>) -> Result<Live, StateError> {
        let mut outcome = match self.live_or_attempt() {
            Ok(live) => return Ok(live),
            Err(outcome) => outcome,
        };
        let unknown = || StateError::Unreachable {
            doing: op.to_string(),
            why: "there is no connection".to_owned(),
        };
        let ended = outcome.wait_for(Option::is_some).await;
        let ended = ended.map_err(|_| unknown())?;
        match &*ended {
            Some(Ok(live)) => Ok(live.clone()),
            Some(Err(error)) => Err(error.clone().while_doing(op)),
            None => Err(unknown()),
        }
    }

    /// The connection, or the attempt to make one, begun here if there was none.
    fn live_or_attempt(&self) -> Result<Live, Outcome> {
        let mut attempts = held(&self.0.attempts);
        if let Some(live) = current(&self.0.live) {
            return Ok(live);
        }
        // One whose task is gone without a word comes to nothing.
        let under_way = attempts
            .under_way
            .as_ref()
            .filter(|it| it.has_changed().is_ok());
        if let Some(outcome) = under_way {
            return Err(outcome.clone());
        }
        let (tell, outcome) = watch::channel(None);
        attempts.made += 1;
        attempts.under_way = Some(outcome.clone());
        let (shared, generation) = (Arc::clone(&self.0), attempts.made);
        tokio::spawn(async move {
            let connected = shared.connect(generation).await;
            let mut attempts = held(&shared.attempts);
            if let Ok(live) = &connected {
                replace(&shared.live, Some(live.clone()));
            }
            attempts.under_way = None;
            drop(attempts);
            // Those who asked may have stopped waiting.
            let _ = tell.send(Some(connected));
        });
        Err(outcome)
    }

    /// The connection is of no use any more.
    pub fn forget(&self, live: &Live) {
        let _attempts = held(&self.0.attempts);
        if current(&self.0.live).is_some_and(|known| known.generation == live.generation) {
            replace(&self.0.live, None);
        }
    }

    /// Its server refuses what a primary would not: perhaps it is none any more.
    pub fn doubt(&self, live: &Live) {
        if clock::boot_now().since(live.since) >= ASK_AGAIN {
            self.forget(live);
        }
    }
}

impl Shared {
    async fn connect(&self, generation: u64) -> Result<Live, StateError> {
        let op = Op {
            doing: "connect to",
            subject: &"Redis",
            pool: None,
        };
        let failed = |error| StateError::of(op, &error);
        let client = self.home.client().await.map_err(failed)?;
        let timeouts = self.home.timeouts;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeouts.connect))
            .set_response_timeout(Some(timeouts.response))
            .set_pipeline_buffer_size(QUEUE);
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let mut connection = connection.map_err(failed)?;
        let history = self.home.history_of(op, &mut connection).await?;
        Ok(Live {
            connection,
            history,
            generation,
            since: clock::boot_now(),
        })
    }
}
