//! The writing task of one connection: takes what is queued, builds packets, encrypts, writes.
//!
//! Invariant: order is the queue's order. What is ready at once and belongs to one session goes out as one container.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::log::WireEvent;
use super::shared::Shared;
use crate::crypto::AuthKey;
use crate::hub::{CloseReason, Outbox, Outgoing, Payload};
use crate::mtproto::outgoing::{PacketBuilder, ServerMessage};
use crate::mtproto::session::Session;
use crate::transport::Encoder;
use crate::world::UserId;

/// Messages and bytes in one container; the largest packet a client takes is about a megabyte.
const MAX_BATCH: usize = 100;
const MAX_BATCH_BYTES: usize = 512 * 1024;

/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

pub struct Writer {
    pub shared: Arc<Shared>,
    pub connection: u64,
    pub key: Option<Arc<AuthKey>>,
    pub encoder: Encoder,
    pub outbox: Outbox,
    pub queue: mpsc::Receiver<Outgoing>,
    pub socket: OwnedWriteHalf,
}

/// What goes out together.
#[derive(Default)]
struct Batch {
    session: Option<Arc<Session>>,
    messages: Vec<ServerMessage>,
    updates: Option<(UserId, usize)>,
    bytes: usize,
}

impl Writer {
    pub async fn run(mut self) {
        let closed = self.outbox.closed().clone();
        tokio::select! {
            () = closed.cancelled() => {}
            () = self.write_all() => {}
        }
    }

    async fn write_all(&mut self) {
        let mut next = self.queue.recv().await;
        while let Some(first) = next.take() {
            if let Some(due) = first.due {
                sleep_until(due).await;
            }
            if let Payload::Code(code) = first.payload {
                let mut out = Vec::new();
                self.encoder.encode_code(code, &mut out);
                self.write(&out).await;
                self.outbox.close(CloseReason::Coded(code));
                return;
            }
            let mut batch = Batch::default();
            batch.add(first.payload);
            next = self.fill(&mut batch);
            if !self.send(batch).await {
                return;
            }
            if next.is_none() {
                next = self.queue.recv().await;
            }
        }
    }

    /// Adds what is queued and may go now; returns the first that may not.
    fn fill(&mut self, batch: &mut Batch) -> Option<Outgoing> {
        while batch.messages.len() < MAX_BATCH && batch.bytes < MAX_BATCH_BYTES {
            let following = self.queue.try_recv().ok()?;
            let is_due = following.due.is_none_or(|due| due <= Instant::now());
            if !is_due || !batch.takes(&following.payload) {
                return Some(following);
            }
            batch.add(following.payload);
        }
        None
    }

    async fn send(&mut self, batch: Batch) -> bool {
        let (Some(session), Some(key)) = (&batch.session, &self.key) else {
            return false;
        };
        let builder = PacketBuilder {
            key,
            salts: self.shared.salts(),
            ids: self.shared.ids(),
        };
        let unix_ms = self.shared.clock().now().unix_ms;
        let packet = builder.build(session, &batch.messages, unix_ms, &mut rand::rng());
        let mut out = Vec::with_capacity(packet.len() + 16);
        self.encoder.encode(&packet, &mut out);
        let written = self.write(&out).await;
        self.outbox.state().took(batch.bytes);
        if let (true, Some((account, count))) = (written, batch.updates) {
            let connection = self.connection;
            self.shared.step(|core, now| {
                core.record(
                    WireEvent::UpdatesDelivered {
                        account,
                        connection,
                        count,
                    },
                    now,
                )
            });
        }
        written
    }

    async fn write(&mut self, bytes: &[u8]) -> bool {
        let error = match timeout(WRITE_TIMEOUT, self.socket.write_all(bytes)).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => CloseReason::Io(error.to_string()),
            Err(_) => CloseReason::DoesNotRead,
        };
        self.outbox.close(error);
        false
    }
}

impl Batch {
    /// One session per packet, and room for the message.
    fn takes(&self, payload: &Payload) -> bool {
        let session = match payload {
            Payload::Service { session, .. }
            | Payload::Result { session, .. }
            | Payload::Updates { session, .. } => session,
            Payload::Code(_) => return false,
        };
        let same = self
            .session
            .as_ref()
            .is_some_and(|own| own.id() == session.id());
        same && self.bytes + payload.size() <= MAX_BATCH_BYTES
    }

    fn add(&mut self, payload: Payload) {
        self.bytes += payload.size();
        let (session, message) = match payload {
            Payload::Service { session, message } => (session, message),
            Payload::Result {
                session,
                req_msg_id,
                result,
            } => (session, ServerMessage::result(req_msg_id, &result)),
            Payload::Updates {
                session,
                account,
                updates,
            } => {
                let (_, count) = self.updates.unwrap_or((account, 0));
                self.updates = Some((account, count + 1));
                (session, ServerMessage::updates(&updates))
            }
            // Written bare by the caller, which sees it first.
            Payload::Code(_) => return,
        };
        self.session = Some(session);
        self.messages.push(message);
    }
}
