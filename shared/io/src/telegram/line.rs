//! One bot's connection: its own sender pool, driven by a task of its own.
//!
//! Invariants: dropping or closing a [`Line`] aborts that task, which closes the socket; from then on every call fails and nothing that
//! was queued leaves. A panic inside grammers ends this line and nothing else. With a given key no other key is ever made: a refused
//! key is a dead session. grammers itself has no time-outs, so every wait here has one of ours.
//! Not done here: reconnecting a line that was given up, and judging whether it should be (the worker's business). A broken socket is
//! reopened by the next call, with the same key.

use std::net::SocketAddrV4;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use grammers_client::sender::{ConnectionParams, NoRetries, SenderPool};
use grammers_client::session::updates::UpdatesLike;
use shared_core::{AuthKey, BotId, BotToken, ErrorClass, Secret};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::calls::Calls;
use super::error::CallError;
use super::session::LineSession;

/// Where a data centre is. Keep it with the auth key: a key is good in its own data centre only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DcAddress {
    pub id: i32,
    pub addr: SocketAddrV4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineTimeouts {
    /// From the socket to the first answer, the key exchange included.
    pub connect: Duration,
    /// Each call after that, a reconnection included.
    pub call: Duration,
}

impl Default for LineTimeouts {
    /// A cold login took 2.7 s at 0.5 s a round trip; a call that takes longer than 5 s is of no use to a member any more.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(5),
        }
    }
}

#[derive(Debug, Clone)]
pub struct LineParams {
    /// `None`: Telegram's own.
    pub dc: Option<DcAddress>,
    pub api_id: i32,
    pub api_hash: Secret,
    /// The login's key; without one the key exchange makes one.
    pub key: Option<AuthKey>,
    pub timeouts: LineTimeouts,
    /// Containers of updates that may wait for [`super::UpdateFeed::next`]; 0 means [`LineParams::UPDATES_CAPACITY`].
    pub updates_capacity: usize,
}

impl LineParams {
    /// grammers drops updates when its channel is full; this is minutes of a very busy community.
    pub const UPDATES_CAPACITY: usize = 10_000;
}

/// Who a bot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub bot: BotId,
    /// Without `@`; empty when it has none.
    pub username: String,
    pub name: String,
}

/// The updates of one line as they come in, to be given to an [`super::UpdateFeed`].
pub struct RawUpdates(pub(super) mpsc::Receiver<UpdatesLike>);

pub struct Line {
    calls: Calls,
    session: Arc<LineSession>,
    updates: Option<RawUpdates>,
    api_id: i32,
    api_hash: Secret,
    runner: AbortHandle,
    ended: watch::Receiver<bool>,
}

impl Line {
    /// Connects and waits for the first answer. It says nothing about the login: see [`Line::identity`].
    pub async fn connect(params: LineParams) -> Result<Line, CallError> {
        let session = Arc::new(LineSession::new(params.dc, params.key.as_ref()));
        let capacity = match params.updates_capacity {
            0 => LineParams::UPDATES_CAPACITY,
            given => given,
        };
        let pool = SenderPool::with_configuration(
            Arc::clone(&session),
            params.api_id,
            ConnectionParams {
                device_model: "server".into(),
                app_version: env!("CARGO_PKG_VERSION").into(),
                retry_policy: Box::new(NoRetries),
                updates_channel_capacity: NonZeroUsize::MIN.saturating_add(capacity - 1),
                ..ConnectionParams::default()
            },
        );
        let (runner, ended) = spawn(pool.runner.run());
        let line = Line {
            calls: Calls::new(
                pool.handle.thin.clone(),
                Arc::clone(&session),
                params.timeouts.call,
            ),
            session,
            updates: Some(RawUpdates(pool.updates)),
            api_id: params.api_id,
            api_hash: params.api_hash,
            runner,
            ended,
        };
        line.calls.ping_within(params.timeouts.connect).await?;
        Ok(line)
    }

    /// Logs the bot in on this line's key. Limited by Telegram: never on a hot path.
    pub async fn log_in(&self, token: &BotToken) -> Result<Identity, CallError> {
        self.import(token, true).await
    }

    /// The same for a login that is kept for later: the bot's updates go on to the connection that has them.
    pub async fn log_in_for_later(&self, token: &BotToken) -> Result<Identity, CallError> {
        self.import(token, false).await
    }

    async fn import(&self, token: &BotToken, with_updates: bool) -> Result<Identity, CallError> {
        let import = || {
            self.calls
                .import_bot(self.api_id, &self.api_hash, token, with_updates)
        };
        match import().await {
            Err(CallError {
                class: ErrorClass::Moved(dc),
                ..
            }) if dc > 0 => {
                let left = self.session.home();
                self.session.move_home(i32::try_from(dc).unwrap_or(left));
                self.calls.disconnect(left);
                import().await
            }
            settled => settled,
        }
    }

    /// Who this key is logged in as; an error of a fatal class when it is not.
    pub async fn identity(&self) -> Result<Identity, CallError> {
        self.calls.identity().await
    }

    /// The home key, once there is one. Store it together with [`Line::home`].
    pub fn auth_key(&self) -> Option<AuthKey> {
        self.session.home_key()
    }

    /// The data centre that the key belongs to; a login can have moved it.
    pub fn home(&self) -> Option<DcAddress> {
        self.session.home_address()
    }

    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// The receiving end; there is one.
    pub fn take_updates(&mut self) -> Option<RawUpdates> {
        self.updates.take()
    }

    /// The same as dropping it, for places where that should be seen.
    pub fn close(self) {}

    /// Resolves when the line is over: closed, dropped, or ended by a panic inside grammers.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut ended = self.ended.clone();
        async move {
            // A sender that is gone has ended too.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.calls.fence();
        self.runner.abort();
    }
}

/// Drives the pool in one task and tells of its end from another, whatever end it is.
fn spawn(
    runner: impl Future<Output = ()> + Send + 'static,
) -> (AbortHandle, watch::Receiver<bool>) {
    let (tell, ended) = watch::channel(false);
    let task = tokio::spawn(runner);
    let abort = task.abort_handle();
    tokio::spawn(async move {
        if let Err(error) = task.await
            && error.is_panic()
        {
            tracing::error!("the Telegram connection's task panicked; the line is given up");
        }
        let _ = tell.send(true);
    });
    (abort, ended)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_panic_in_the_runner_ends_the_line_and_nothing_else() {
        let (_, mut ended) = spawn(async { panic!("as grammers does on a strange answer") });
        ended.wait_for(|ended| *ended).await.unwrap();
    }

    #[tokio::test]
    async fn an_aborted_runner_has_ended() {
        let (abort, mut ended) = spawn(std::future::pending());
        abort.abort();
        ended.wait_for(|ended| *ended).await.unwrap();
    }
}
