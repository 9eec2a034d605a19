//! The connection: one, shared by all callers, made anew when it breaks, and never waited for longer than the time-outs say.
//!
//! Commands of concurrent callers travel pipelined. A broken or silent connection is dropped by the first caller that notices, and the next
//! call connects; callers that find an attempt under way share its outcome instead of queueing up attempts of their own.
//! Invariant: a call ends after at most two connection time-outs and two response time-outs (a script may have to be loaded first).
//! A command that got no answer is not repeated here: only its caller knows whether it may be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation,
};
use shared_core::Secret;

use super::error::{Op, StateError};

/// Commands that may wait for the socket; beyond it callers wait, bounded by the response time-out.
const QUEUE: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisTimeouts {
    pub connect: Duration,
    pub response: Duration,
}

impl Default for RedisTimeouts {
    /// A lease lives for 1 s and is renewed every 250 ms: an answer that takes longer than a lease is worth nothing.
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(500),
            response: Duration::from_millis(1000),
        }
    }
}

#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    client: Client,
    timeouts: RedisTimeouts,
    live: RwLock<Option<Live>>,
    /// Held while connecting; counts the attempts that ended.
    connecting: tokio::sync::Mutex<()>,
    attempts: AtomicU64,
}

#[derive(Clone)]
struct Live {
    generation: u64,
    connection: MultiplexedConnection,
}

impl Link {
    pub async fn connect(url: &Secret, timeouts: RedisTimeouts) -> Result<Self, StateError> {
        // The library's own error may repeat a part of the URL.
        let client = Client::open(url.expose()).map_err(|_| StateError::Address {
            why: "expected redis://host:port/ or redis+unix:///path as redis.url",
        })?;
        let link = Self(Arc::new(Inner {
            client,
            timeouts,
            live: RwLock::new(None),
            connecting: tokio::sync::Mutex::new(()),
            attempts: AtomicU64::new(0),
        }));
        let op = Op {
            doing: "connect to",
            subject: &"Redis",
            pool: None,
        };
        // A server that wants a password lets a connection without one in and refuses its commands.
        link.query::<()>(op, &::redis::cmd("PING")).await?;
        Ok(link)
    }

    pub fn client(&self) -> &Client {
        &self.0.client
    }

    pub fn timeouts(&self) -> RedisTimeouts {
        self.0.timeouts
    }

    pub async fn query<T: FromRedisValue>(
        &self,
        op: Op<'_>,
        command: &Cmd,
    ) -> Result<T, StateError> {
        let mut live = self.live(op).await?;
        let answer = command.query_async(&mut live.connection).await;
        self.judge(op, &live, answer)
    }

    pub async fn pipeline<T: FromRedisValue>(
        &self,
        op: Op<'_>,
        pipeline: &Pipeline,
    ) -> Result<T, StateError> {
        let mut live = self.live(op).await?;
        let answer = pipeline.query_async(&mut live.connection).await;
        self.judge(op, &live, answer)
    }

    /// By its hash; a Redis that does not know it (restarted, flushed) is given the text first.
    pub async fn script<T: FromRedisValue>(
        &self,
        op: Op<'_>,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StateError> {
        let mut live = self.live(op).await?;
        let answer = script.invoke_async(&mut live.connection).await;
        self.judge(op, &live, answer)
    }

    fn judge<T>(
        &self,
        op: Op<'_>,
        live: &Live,
        answer: Result<T, RedisError>,
    ) -> Result<T, StateError> {
        answer.map_err(|error| {
            if error.is_timeout() || error.is_unrecoverable_error() {
                self.drop_connection(live.generation);
            }
            StateError::of(op, &error)
        })
    }

    /// A lock that another caller's panic poisoned still guards a whole value: it is only ever assigned.
    fn current(&self) -> Option<Live> {
        self.0
            .live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn drop_connection(&self, generation: u64) {
        let mut live = self.0.live.write().unwrap_or_else(PoisonError::into_inner);
        if live
            .as_ref()
            .is_some_and(|live| live.generation == generation)
        {
            *live = None;
        }
    }

    async fn live(&self, op: Op<'_>) -> Result<Live, StateError> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let came_at = self.0.attempts.load(Ordering::Acquire);
        let _connecting = self.0.connecting.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        if self.0.attempts.load(Ordering::Acquire) != came_at {
            return Err(StateError::Unreachable {
                doing: op.to_string(),
                why: "there is no connection".to_owned(),
            });
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.0.timeouts.connect))
            .set_response_timeout(Some(self.0.timeouts.response))
            .set_pipeline_buffer_size(QUEUE);
        let connected = self
            .0
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let generation = self.0.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        let connection = connected.map_err(|error| StateError::of(op, &error))?;
        let live = Live {
            generation,
            connection,
        };
        *self.0.live.write().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
        Ok(live)
    }
}
