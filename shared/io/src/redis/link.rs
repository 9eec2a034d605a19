//! The connections: two, shared by all callers, made anew when they break, and never waited for longer than the time-outs say.
//!
//! Commands of concurrent callers travel pipelined. A broken or silent connection is dropped by the first caller that notices, and the next
//! call connects. Invariants: no command goes to a server that was met before another one; a call ends after at most three connection time-outs and three response time-outs (the primary may have to be
//! found, a script may have to be loaded). A command that got no answer is not repeated here: only its caller knows whether it may be.
//!
//! # What a copy has to have
//! Behind Sentinels a copy takes over that may lack what the primary acknowledged. The writes that decide who may act, and which history
//! it is, are [`Link::copied`]: they count only when `copies` copies have acknowledged them (`WAIT`).
//! ```text
//! write                              without the copies' word                     because
//! lease renewal                      it does not prolong the lease                a copy may give the lease to another
//! lead (deployment, pool)            this supervisor does not lead                a copy may have another leader
//! fence, activate, open              the step is not done, and is repeated        a copy may be in the epoch before
//! confirm (a worker takes an epoch)  the worker does not begin                    it read the epoch from a primary that may be cut off
//! mark of a history, restoring       the pool is not led                          a copy without it would be taken for another history
//! checkpoint's turn and portions     SQL does not get them                        SQL would have what a copy that takes over lacks
//! ```
//! Copies take writes in order, so what was written before one of these, assignments and sagas too, is on the copy as well. All other writes
//! are acknowledged by the primary alone; which of them a failover has lost is noticed ([`super::History`]) and counted.
//! `WAIT` holds up whatever is behind it on its connection, so these writes have a connection of their own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation};
use shared_core::Secret;

use super::address::Address;
use super::error::{Op, StateError};
use super::history::{Histories, History};
use super::line::{Line, Live};
use super::primary::Primary;

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
pub(super) struct Link {
    inner: Arc<Inner>,
    /// Commands are refused in any other history.
    held_to: Option<History>,
}

struct Inner {
    home: Arc<Home>,
    plain: Line,
    /// For what has to be on copies; not used with a single server.
    copied: Line,
}

/// Where connections lead.
pub(super) struct Home {
    primary: Primary,
    pub timeouts: RedisTimeouts,
    histories: Histories,
}

impl Link {
    pub async fn connect(url: &Secret, timeouts: RedisTimeouts) -> Result<Self, StateError> {
        let primary = Primary::of(Address::parse(url.expose())?)?;
        let home = Arc::new(Home {
            primary,
            timeouts,
            histories: Histories::default(),
        });
        let link = Self {
            inner: Arc::new(Inner {
                plain: Line::to(Arc::clone(&home)),
                copied: Line::to(Arc::clone(&home)),
                home,
            }),
            held_to: None,
        };
        let op = Op {
            doing: "connect to",
            subject: &"Redis",
            pool: None,
        };
        // A server that wants a password lets a connection without one in and refuses its commands.
        link.query::<()>(op, &::redis::cmd("PING")).await?;
        Ok(link)
    }

    /// A client of whichever server is the primary.
    pub async fn client(&self) -> Result<Client, RedisError> {
        self.inner.home.client().await
    }

    pub fn timeouts(&self) -> RedisTimeouts {
        self.inner.home.timeouts
    }

    pub fn histories(&self) -> &Histories {
        &self.inner.home.histories
    }

    pub fn held_to(&self, history: History) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            held_to: Some(history),
        }
    }

    /// The Sentinels that are configured, and what they call the primary; none with a single server.
    pub fn sentinels(&self) -> (&[::redis::ConnectionInfo], &str) {
        self.inner.home.primary.sentinels()
    }

    /// How many copies must have what decides who may act.
    pub fn copies(&self) -> u32 {
        self.inner.home.primary.copies()
    }

    pub async fn query<T: FromRedisValue>(
        &self,
        op: Op<'_>,
        command: &Cmd,
    ) -> Result<T, StateError> {
        let line = &self.inner.plain;
        let mut live = self.live(line, op).await?;
        let answer = command.query_async(&mut live.connection).await;
        self.judge(line, op, &live, answer)
    }

    pub async fn pipeline<T: FromRedisValue>(
        &self,
        op: Op<'_>,
        pipeline: &Pipeline,
    ) -> Result<T, StateError> {
        let line = &self.inner.plain;
        let mut live = self.live(line, op).await?;
        let answer = pipeline.query_async(&mut live.connection).await;
        self.judge(line, op, &live, answer)
    }

    /// By its hash; a Redis that does not know it (restarted, flushed) is given the text first.
    pub async fn script<T: FromRedisValue>(
        &self,
        op: Op<'_>,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StateError> {
        let line = &self.inner.plain;
        let mut live = self.live(line, op).await?;
        let answer = script.invoke_async(&mut live.connection).await;
        self.judge(line, op, &live, answer)
    }

    /// A script that counts only when copies have what it wrote; gives the history in which they have it. With a single server the
    /// same as [`Self::script`]. An error says nothing about whether it was done.
    pub async fn copied<T: FromRedisValue>(
        &self,
        op: Op<'_>,
        script: &ScriptInvocation<'_>,
    ) -> Result<(T, History), StateError> {
        let needed = self.copies();
        if needed == 0 {
            let answer = self.script(op, script).await?;
            return Ok((answer, self.histories().current()));
        }
        let line = &self.inner.copied;
        let mut live = self.live(line, op).await?;
        let answer = script.invoke_async(&mut live.connection).await;
        let answer = self.judge(line, op, &live, answer)?;
        let mut wait = ::redis::cmd("WAIT");
        wait.arg(needed).arg(self.wait_ms());
        let acknowledged = wait.query_async(&mut live.connection).await;
        let acknowledged: u32 = self.judge(line, op, &live, acknowledged)?;
        if acknowledged < needed {
            line.doubt(&live);
            return Err(StateError::Uncopied {
                doing: op.to_string(),
                acknowledged,
                needed,
            });
        }
        Ok((answer, live.history))
    }

    /// Less than the response's time-out, or no answer would come at all; half of it leaves a lease time for another try.
    fn wait_ms(&self) -> u64 {
        let half = self.timeouts().response / 2;
        u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    async fn live(&self, line: &Line, op: Op<'_>) -> Result<Live, StateError> {
        let live = line.live(op).await?;
        let current = self.histories().current();
        if live.history != current {
            // The other line has met another server since.
            line.forget(&live);
            return Err(StateError::Replaced {
                doing: op.to_string(),
            });
        }
        match self.held_to {
            Some(held_to) if held_to != current => Err(StateError::Replaced {
                doing: op.to_string(),
            }),
            _ => Ok(live),
        }
    }

    fn judge<T>(
        &self,
        line: &Line,
        op: Op<'_>,
        live: &Live,
        answer: Result<T, RedisError>,
    ) -> Result<T, StateError> {
        answer.map_err(|error| {
            if error.is_timeout() || error.is_unrecoverable_error() {
                line.forget(live);
            }
            let error = StateError::of(op, &error);
            if self.inner.home.primary.may_be_replaced() && error.is_no_primarys() {
                line.doubt(live);
            }
            error
        })
    }
}

impl Home {
    pub async fn client(&self) -> Result<Client, RedisError> {
        self.primary.client(self.timeouts).await
    }

    /// Behind Sentinels: what the server calls its history, if it is a primary.
    pub async fn history_of(
        &self,
        op: Op<'_>,
        connection: &mut MultiplexedConnection,
    ) -> Result<History, StateError> {
        if !self.primary.may_be_replaced() {
            return Ok(self.histories.current());
        }
        let mut info = ::redis::cmd("INFO");
        info.arg("replication");
        let said: String = info
            .query_async(connection)
            .await
            .map_err(|error| StateError::of(op, &error))?;
        let value = |name: &str| {
            let mut lines = said.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        if value("role").map(str::trim) != Some("master") {
            return Err(StateError::Unreachable {
                doing: op.to_string(),
                why: "the Sentinels named a server that is no primary any more".to_owned(),
            });
        }
        let Some(replid) = value("master_replid").map(str::trim) else {
            return Err(StateError::unreadable(
                op,
                "the server names no replication id",
            ));
        };
        let (history, is_another) = self.histories.meet(replid);
        if is_another {
            tracing::warn!("another server is the primary, or the same one was started again");
        }
        Ok(history)
    }
}

/// A lock that another caller's panic poisoned still guards a whole value: it is only ever assigned.
pub(super) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn current<T: Clone>(lock: &RwLock<Option<T>>) -> Option<T> {
    lock.read().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn replace<T>(lock: &RwLock<Option<T>>, with: Option<T>) {
    *lock.write().unwrap_or_else(PoisonError::into_inner) = with;
}
