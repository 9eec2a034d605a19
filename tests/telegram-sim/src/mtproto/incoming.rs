//! From plaintext to client messages: the packet's header, containers, gzip, and what each message asks for.
//!
//! Invariant: every length is checked before it is used and unpacked data are bounded, whatever a client sends.

use std::io::Read;

use flate2::read::GzDecoder;
use grammers_tl_types::{self as tl, Deserializable, Identifiable};
use thiserror::Error;

use super::session::Parity;
use crate::crypto::{MAX_PADDING, MIN_PADDING};

const CONTAINER_ID: u32 = 0x73f1_f8dc;
const GZIP_PACKED_ID: u32 = 0x3072_cfa1;

/// Salt, session, message id, sequence number, length.
const PLAIN_HEADER: usize = 8 + 8 + 8 + 4 + 4;

/// Telegram refuses containers with more messages than this.
const MAX_CONTAINER: usize = 1020;
const MAX_UNPACKED: u64 = 16 * 1024 * 1024;

/// The packet breaks the format; Telegram answers nothing and drops the connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("malformed client packet: {0}")]
pub struct Malformed(pub &'static str);

/// What was inside the encryption.
#[derive(Debug, PartialEq)]
pub struct Packet {
    pub salt: i64,
    pub session_id: i64,
    pub outer: Message,
    /// The parts when `outer` is a container.
    pub parts: Option<Vec<Message>>,
}

#[derive(Debug, PartialEq)]
pub struct Message {
    pub msg_id: i64,
    pub seq_no: i32,
    pub request: Request,
}

/// What a message wants of the server.
#[derive(Debug, PartialEq)]
pub enum Request {
    Container,
    Ack,
    Ping {
        ping_id: i64,
    },
    PingDelayDisconnect {
        ping_id: i64,
        delay_s: i32,
    },
    FutureSalts {
        count: i32,
    },
    DropAnswer {
        msg_id: i64,
    },
    DestroySession {
        session_id: i64,
    },
    State {
        msg_ids: Vec<i64>,
    },
    Resend {
        msg_ids: Vec<i64>,
    },
    /// Needs no answer: state information, `http_wait`.
    Information,
    Call(Vec<u8>),
}

impl Packet {
    /// Reads a decrypted payload, padding included.
    pub fn parse(plain: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(plain);
        let salt = reader.long()?;
        let session_id = reader.long()?;
        let (msg_id, seq_no, body) = reader.message()?;
        let padding = plain.len() - PLAIN_HEADER - body.len();
        if !(MIN_PADDING..=MAX_PADDING).contains(&padding) {
            return Err(Malformed("padding of a wrong length"));
        }
        let unpacked = unpack(body)?;
        let body = unpacked.as_deref().unwrap_or(body);
        if constructor(body)? == CONTAINER_ID {
            let outer = Message {
                msg_id,
                seq_no,
                request: Request::Container,
            };
            let parts = container(body)?;
            return Ok(Self {
                salt,
                session_id,
                outer,
                parts: Some(parts),
            });
        }
        let outer = Message {
            msg_id,
            seq_no,
            request: request(body)?,
        };
        Ok(Self {
            salt,
            session_id,
            outer,
            parts: None,
        })
    }
}

impl Request {
    pub fn parity(&self) -> Parity {
        match self {
            Self::Call(_) => Parity::Odd,
            Self::Container | Self::Ack => Parity::Even,
            _ => Parity::Any,
        }
    }
}

fn container(body: &[u8]) -> Result<Vec<Message>, Malformed> {
    let mut reader = Reader(&body[4..]);
    let count = usize::try_from(reader.int()?)
        .ok()
        .filter(|count| (1..=MAX_CONTAINER).contains(count))
        .ok_or(Malformed("container of a wrong size"))?;
    (0..count)
        .map(|_| {
            let (msg_id, seq_no, body) = reader.message()?;
            let unpacked = unpack(body)?;
            let request = request(unpacked.as_deref().unwrap_or(body))?;
            Ok(Message {
                msg_id,
                seq_no,
                request,
            })
        })
        .collect()
}

/// Cuts a byte slice from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self
            .0
            .split_at_checked(len)
            .ok_or(Malformed("message cut short"))?;
        self.0 = tail;
        Ok(head)
    }

    fn int(&mut self) -> Result<i32, Malformed> {
        let mut raw = [0; 4];
        raw.copy_from_slice(self.take(4)?);
        Ok(i32::from_le_bytes(raw))
    }

    fn long(&mut self) -> Result<i64, Malformed> {
        let mut raw = [0; 8];
        raw.copy_from_slice(self.take(8)?);
        Ok(i64::from_le_bytes(raw))
    }

    /// `msg_id seq_no length body`
    fn message(&mut self) -> Result<(i64, i32, &'a [u8]), Malformed> {
        let msg_id = self.long()?;
        let seq_no = self.int()?;
        let len = usize::try_from(self.int()?)
            .ok()
            .filter(|len| len.is_multiple_of(4))
            .ok_or(Malformed("message of a wrong length"))?;
        Ok((msg_id, seq_no, self.take(len)?))
    }
}

fn unpack(body: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    if constructor(body)? != GZIP_PACKED_ID {
        return Ok(None);
    }
    let packed =
        Vec::<u8>::from_bytes(&body[4..]).map_err(|_| Malformed("gzip_packed cut short"))?;
    let mut out = Vec::new();
    GzDecoder::new(&packed[..])
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut out)
        .map_err(|_| Malformed("gzip_packed that does not unpack"))?;
    if out.len() as u64 > MAX_UNPACKED {
        return Err(Malformed("gzip_packed beyond the bound"));
    }
    Ok(Some(out))
}

fn request(body: &[u8]) -> Result<Request, Malformed> {
    use tl::functions as f;
    let id = constructor(body)?;
    let rest = &body[4..];
    let mut reader = Reader(rest);
    Ok(match id {
        tl::types::MsgsAck::CONSTRUCTOR_ID => Request::Ack,
        f::Ping::CONSTRUCTOR_ID => Request::Ping {
            ping_id: reader.long()?,
        },
        f::PingDelayDisconnect::CONSTRUCTOR_ID => Request::PingDelayDisconnect {
            ping_id: reader.long()?,
            delay_s: reader.int()?,
        },
        f::GetFutureSalts::CONSTRUCTOR_ID => Request::FutureSalts {
            count: reader.int()?,
        },
        f::RpcDropAnswer::CONSTRUCTOR_ID => Request::DropAnswer {
            msg_id: reader.long()?,
        },
        f::DestroySession::CONSTRUCTOR_ID => Request::DestroySession {
            session_id: reader.long()?,
        },
        tl::types::MsgsStateReq::CONSTRUCTOR_ID => Request::State {
            msg_ids: ids(rest)?,
        },
        tl::types::MsgResendReq::CONSTRUCTOR_ID => Request::Resend {
            msg_ids: ids(rest)?,
        },
        tl::types::MsgsStateInfo::CONSTRUCTOR_ID
        | tl::types::MsgsAllInfo::CONSTRUCTOR_ID
        | tl::types::HttpWait::CONSTRUCTOR_ID => Request::Information,
        CONTAINER_ID => return Err(Malformed("container inside a container")),
        _ => Request::Call(body.to_vec()),
    })
}

fn ids(rest: &[u8]) -> Result<Vec<i64>, Malformed> {
    Vec::<i64>::from_bytes(rest).map_err(|_| Malformed("list of message ids cut short"))
}

fn constructor(body: &[u8]) -> Result<u32, Malformed> {
    u32::from_bytes(body).map_err(|_| Malformed("message without a constructor"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use grammers_tl_types::Serializable;

    use super::*;

    fn packet(body: &[u8], padding: usize) -> Vec<u8> {
        let mut out = Vec::new();
        5_i64.serialize(&mut out);
        6_i64.serialize(&mut out);
        push_message(&mut out, 400, 1, body);
        out.extend(vec![0; padding]);
        out
    }

    fn push_message(out: &mut Vec<u8>, msg_id: i64, seq_no: i32, body: &[u8]) {
        msg_id.serialize(out);
        seq_no.serialize(out);
        (body.len() as i32).serialize(out);
        out.extend_from_slice(body);
    }

    #[test]
    fn a_container_comes_apart() {
        let mut body = Vec::new();
        CONTAINER_ID.serialize(&mut body);
        2_i32.serialize(&mut body);
        push_message(
            &mut body,
            404,
            1,
            &tl::functions::Ping { ping_id: 9 }.to_bytes(),
        );
        push_message(
            &mut body,
            408,
            3,
            &tl::functions::help::GetConfig {}.to_bytes(),
        );
        let packet = Packet::parse(&packet(&body, 12)).unwrap();
        assert_eq!((packet.salt, packet.session_id), (5, 6));
        assert_eq!(packet.outer.request, Request::Container);
        let parts = packet.parts.unwrap();
        assert_eq!(parts[0].request, Request::Ping { ping_id: 9 });
        assert_eq!(
            parts[1].request,
            Request::Call(tl::functions::help::GetConfig {}.to_bytes())
        );
        assert_eq!(parts[1].msg_id, 408);
    }

    #[test]
    fn what_is_malformed_is_said() {
        let config = tl::functions::help::GetConfig {}.to_bytes();
        let cases: [(Vec<u8>, &str); 4] = [
            (packet(&config, 8), "padding of a wrong length"),
            (packet(&config, 2000), "padding of a wrong length"),
            (packet(&config, 12)[..20].to_vec(), "message cut short"),
            (packet(&[1, 2], 12), "message of a wrong length"),
        ];
        for (bytes, why) in cases {
            assert_eq!(Packet::parse(&bytes), Err(Malformed(why)));
        }
    }
}
