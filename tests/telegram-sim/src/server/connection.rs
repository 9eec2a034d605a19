//! The reading task of one connection: from bytes to packets for the core.
//!
//! Invariant: the socket is closed when this task ends, whatever the reason, and the core is told. A packet that breaks the
//! format ends the connection; one with an unknown key is answered -404 first.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::core::PacketContext;
use super::log::WireEvent;
use super::shared::Shared;
use super::writer::Writer;
use crate::crypto::{self, AuthKey};
use crate::hub::{CloseReason, Line, Outbox, Outgoing, Payload};
use crate::mtproto::incoming::Packet;
use crate::transport::{Decoder, MAX_PACKET, TransportCode};

/// A connection without any packet for so long is closed.
const IDLE: Duration = Duration::from_secs(600);

/// How often a dead line's ping deadline is looked at again.
const SILENT_RECHECK: Duration = Duration::from_secs(1);

const READ_CHUNK: usize = 64 * 1024;

struct Reader {
    shared: Arc<Shared>,
    id: u64,
    outbox: Outbox,
    decoder: Option<Decoder>,
    key: Option<Arc<AuthKey>>,
    /// Handed to the writing task once the transport and the key are known.
    writing: Option<(OwnedWriteHalf, mpsc::Receiver<Outgoing>)>,
    encoder: Option<crate::transport::Encoder>,
    deadline: Instant,
    ping_deadline: bool,
    closing: bool,
}

pub async fn run(shared: Arc<Shared>, stream: TcpStream, line: Line) {
    let _ = stream.set_nodelay(true);
    let id = shared.next_connection_id();
    let (outbox, queue) = Outbox::new(shared.shutdown().child_token());
    let accepted = shared.step(|core, now| {
        core.record(WireEvent::ConnectionOpened { connection: id }, now);
        core.hub.open(id, line, outbox.clone());
        core.faults.is_refused(None).is_none()
    });
    if !accepted {
        outbox.close(CloseReason::Reset);
    }
    let (read, write) = stream.into_split();
    let mut reader = Reader {
        shared: Arc::clone(&shared),
        id,
        outbox: outbox.clone(),
        decoder: None,
        key: None,
        writing: Some((write, queue)),
        encoder: None,
        deadline: Instant::now() + IDLE,
        ping_deadline: false,
        closing: false,
    };
    reader.read_all(read).await;
    // Without a reason it was the server's own stop that ended the connection.
    let reason = outbox.reason().cloned().unwrap_or(CloseReason::Shutdown);
    shared.step(|core, now| core.close(id, &reason, now));
}

impl Reader {
    async fn read_all(&mut self, mut socket: OwnedReadHalf) {
        let closed = self.outbox.closed().clone();
        let mut buffer = BytesMut::with_capacity(READ_CHUNK);
        while !closed.is_cancelled() {
            buffer.reserve(READ_CHUNK);
            tokio::select! {
                biased;
                () = closed.cancelled() => break,
                read = socket.read_buf(&mut buffer) => match read {
                    Ok(0) => self.outbox.close(CloseReason::ByClient),
                    Ok(_) => {
                        self.closing = read_on(&socket, &mut buffer);
                        self.outbox.wait_for_room().await;
                        if let Err(reason) = self.consume(&mut buffer) {
                            buffer.clear();
                            self.refuse(reason).await;
                        }
                    }
                    Err(error) => self.outbox.close(CloseReason::Io(error.to_string())),
                },
                () = sleep_until(self.deadline) => self.on_deadline(),
            }
        }
        if self.outbox.reason() == Some(&CloseReason::Reset) {
            // RST instead of FIN. When it fails the socket is gone already.
            let _ = socket.as_ref().set_zero_linger();
        }
    }

    fn consume(&mut self, buffer: &mut BytesMut) -> Result<(), CloseReason> {
        if self.decoder.is_none() {
            let Some((decoder, encoder)) = Decoder::detect(buffer) else {
                return Ok(());
            };
            self.decoder = Some(decoder);
            self.encoder = Some(encoder);
        }
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        let mut packets = Vec::new();
        let mut broken = None;
        loop {
            match decoder.decode(buffer) {
                Ok(Some(payload)) => packets.push(payload),
                Ok(None) => break,
                Err(error) => {
                    broken = Some(CloseReason::Malformed(error.to_string()));
                    break;
                }
            }
        }
        for payload in packets {
            self.packet(payload)?;
        }
        broken.map_or(Ok(()), Err)
    }

    fn packet(&mut self, mut payload: BytesMut) -> Result<(), CloseReason> {
        let claimed = crypto::claimed_key_id(&payload)
            .ok_or_else(|| CloseReason::Malformed("packet without a key".to_owned()))?;
        let key = self.key_for(claimed)?;
        let plain = crypto::open(&key, &mut payload)
            .map_err(|error| CloseReason::Malformed(error.to_string()))?;
        let packet =
            Packet::parse(plain).map_err(|error| CloseReason::Malformed(error.to_string()))?;
        self.start_writer();
        if !self.ping_deadline {
            self.deadline = Instant::now() + IDLE;
        }
        let context = PacketContext {
            connection: self.id,
            key_id: key.id(),
            salts: self.shared.salts(),
            closing: self.closing,
        };
        let reaction = self
            .shared
            .step(|core, now| core.packet(context, packet, now));
        if let Some(seconds) = reaction.disconnect_after_s {
            self.deadline = Instant::now() + Duration::from_secs(u64::from(seconds));
            self.ping_deadline = true;
        }
        Ok(())
    }

    /// The connection's key: the first packet's; another one later is refused like an unknown one.
    fn key_for(&mut self, claimed: i64) -> Result<Arc<AuthKey>, CloseReason> {
        if let Some(key) = self.key.as_ref().filter(|key| key.id() == claimed) {
            return Ok(Arc::clone(key));
        }
        let known = self
            .key
            .is_none()
            .then(|| self.shared.key(claimed))
            .flatten();
        let Some(key) = known else {
            let connection = self.id;
            self.shared.step(|core, now| {
                core.record(
                    WireEvent::KeyRefused {
                        connection,
                        auth_key_id: claimed,
                    },
                    now,
                );
            });
            return Err(CloseReason::Coded(TransportCode::NotFound));
        };
        self.key = Some(Arc::clone(&key));
        Ok(key)
    }

    fn start_writer(&mut self) {
        if let (Some((socket, queue)), Some(encoder)) = (self.writing.take(), self.encoder.take()) {
            let writer = Writer {
                shared: Arc::clone(&self.shared),
                connection: self.id,
                key: self.key.clone(),
                encoder,
                outbox: self.outbox.clone(),
                queue,
                socket,
            };
            self.shared.tasks().spawn(writer.run());
        }
    }

    /// Ends the connection, after a code if there is one to tell; a line that a fault keeps silent stays open and mute.
    async fn refuse(&mut self, reason: CloseReason) {
        if self
            .shared
            .look(|core, _| core.faults.is_silent(None, self.id).is_some())
        {
            return;
        }
        let CloseReason::Coded(code) = reason else {
            self.outbox.close(reason);
            return;
        };
        self.start_writer();
        self.outbox.send(Outgoing {
            due: None,
            payload: Payload::Code(code),
        });
        // The writing task closes the connection once the code is out; its write has a timeout.
        self.outbox.closed().cancelled().await;
    }

    fn on_deadline(&mut self) {
        let id = self.id;
        let silent = self.shared.look(|core, _| {
            core.hub
                .get(id)
                .is_some_and(|one| core.faults.is_silent(one.account, id).is_some())
        });
        if silent {
            // On a dead line the client's pings never came, and it would not see the close either.
            self.deadline = Instant::now() + SILENT_RECHECK;
        } else if self.ping_deadline {
            self.outbox.close(CloseReason::PingTimeout);
        } else {
            self.outbox.close(CloseReason::Idle);
        }
    }
}

/// Reads what has arrived already; true when the client has closed its side.
fn read_on(socket: &OwnedReadHalf, buffer: &mut BytesMut) -> bool {
    while buffer.len() < 2 * MAX_PACKET {
        buffer.reserve(READ_CHUNK);
        match socket.try_read_buf(buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}
