//! A connection's way out: a bounded queue to the task that writes, and the switch that ends the connection.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::mtproto::outgoing::ServerMessage;
use crate::mtproto::session::Session;
use crate::transport::TransportCode;
use crate::world::{RpcError, UserId};

/// Messages in the queue before the client counts as one that does not read.
const MAX_QUEUED: usize = 16 * 1024;
/// Above these the connection is not read until the client has caught up.
const PAUSE_QUEUED: usize = MAX_QUEUED / 2;
const PAUSE_BYTES: usize = 16 * 1024 * 1024;

/// Why a connection ended; the text goes into the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    ByClient,
    Io(String),
    Malformed(String),
    /// The client was told this code.
    Coded(TransportCode),
    PingTimeout,
    Idle,
    DoesNotRead,
    Reset,
    Shutdown,
}

/// What the writing task takes from the queue.
#[derive(Debug)]
pub struct Outgoing {
    /// Not before this; later messages wait behind it.
    pub due: Option<Instant>,
    pub payload: Payload,
}

#[derive(Debug)]
pub enum Payload {
    Service {
        session: Arc<Session>,
        message: ServerMessage,
    },
    Result {
        session: Arc<Session>,
        req_msg_id: i64,
        result: Result<Vec<u8>, RpcError>,
    },
    Updates {
        session: Arc<Session>,
        account: UserId,
        updates: Vec<u8>,
    },
    /// Written bare; the connection ends after it.
    Code(TransportCode),
}

/// Both ends count what is queued.
#[derive(Debug, Default)]
pub struct QueueState {
    bytes: AtomicUsize,
    drained: Notify,
}

#[derive(Clone, Debug)]
pub struct Outbox {
    queue: mpsc::Sender<Outgoing>,
    state: Arc<QueueState>,
    closed: CancellationToken,
    reason: Arc<OnceLock<CloseReason>>,
}

impl Outbox {
    /// `closed` ends the connection; it also falls when the server stops.
    pub fn new(closed: CancellationToken) -> (Self, mpsc::Receiver<Outgoing>) {
        let (queue, receiver) = mpsc::channel(MAX_QUEUED);
        let outbox = Self {
            queue,
            state: Arc::default(),
            closed,
            reason: Arc::default(),
        };
        (outbox, receiver)
    }

    /// Never waits: a full queue ends the connection.
    pub fn send(&self, outgoing: Outgoing) {
        let size = outgoing.payload.size();
        self.state.bytes.fetch_add(size, Ordering::Relaxed);
        if self.queue.try_send(outgoing).is_err() {
            self.close(CloseReason::DoesNotRead);
        }
    }

    /// The first reason stands.
    pub fn close(&self, reason: CloseReason) {
        let _ = self.reason.set(reason);
        self.closed.cancel();
    }

    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    pub fn reason(&self) -> Option<&CloseReason> {
        self.reason.get()
    }

    pub fn state(&self) -> Arc<QueueState> {
        Arc::clone(&self.state)
    }

    /// Waits until the client has read enough of what it was sent.
    pub async fn wait_for_room(&self) {
        while self.is_congested() && !self.closed.is_cancelled() {
            tokio::select! {
                () = self.state.drained.notified() => {}
                () = self.closed.cancelled() => {}
            }
        }
    }

    fn is_congested(&self) -> bool {
        self.queue.capacity() < MAX_QUEUED - PAUSE_QUEUED
            || self.state.bytes.load(Ordering::Relaxed) > PAUSE_BYTES
    }
}

impl QueueState {
    /// The writing task reports what it took out.
    pub fn took(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.drained.notify_one();
    }
}

impl Payload {
    pub fn size(&self) -> usize {
        match self {
            Self::Service { message, .. } => message.body.len(),
            Self::Result { result, .. } => result.as_ref().map_or(64, Vec::len),
            Self::Updates { updates, .. } => updates.len(),
            Self::Code(_) => 4,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByClient => f.write_str("closed by the client"),
            Self::Io(error) => write!(f, "socket error: {error}"),
            Self::Malformed(what) => f.write_str(what),
            Self::Coded(code) => write!(f, "transport error {}", code.code()),
            Self::PingTimeout => f.write_str("no ping within the delay that the client asked for"),
            Self::Idle => f.write_str("idle"),
            Self::DoesNotRead => f.write_str("the client does not read"),
            Self::Reset => f.write_str("reset by a fault"),
            Self::Shutdown => f.write_str("the server stops"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Outgoing {
        Outgoing {
            due: None,
            payload: Payload::Code(TransportCode::Flood),
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_let_go() {
        let (outbox, mut queue) = Outbox::new(CancellationToken::new());
        for _ in 0..MAX_QUEUED {
            outbox.send(code());
        }
        assert_eq!(outbox.reason(), None);
        assert!(outbox.is_congested());
        // Half of it read: there is room again, and the waiting side is told.
        for _ in 0..PAUSE_QUEUED {
            let taken = queue.recv().await.map_or(0, |one| one.payload.size());
            outbox.state().took(taken);
        }
        outbox.wait_for_room().await;
        for _ in 0..=PAUSE_QUEUED {
            outbox.send(code());
        }
        assert_eq!(outbox.reason(), Some(&CloseReason::DoesNotRead));
        assert!(outbox.closed().is_cancelled());
    }
}
