//! From server messages to packets: `rpc_result`, gzip for what is large, containers for what is ready at once.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use grammers_tl_types::{self as tl, Serializable};
use rand::Rng;

use super::BadMessage;
use super::message_ids::{MessageIds, Origin};
use super::salts::Salts;
use super::session::Session;
use crate::crypto::{self, AuthKey, HEADER_LEN};
use crate::world::RpcError;

const RPC_RESULT_ID: u32 = 0xf35c_6d01;
const CONTAINER_ID: u32 = 0x73f1_f8dc;
const GZIP_PACKED_ID: u32 = 0x3072_cfa1;

/// Bodies of this size and more are sent compressed when that makes them smaller.
const GZIP_FROM: usize = 2 * 1024;

/// One message to a client, before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerMessage {
    pub body: Vec<u8>,
    pub content_related: bool,
    pub origin: Origin,
}

impl ServerMessage {
    pub fn result(req_msg_id: i64, result: &Result<Vec<u8>, RpcError>) -> Self {
        let mut body = Vec::new();
        RPC_RESULT_ID.serialize(&mut body);
        req_msg_id.serialize(&mut body);
        match result {
            Ok(bytes) => body.extend_from_slice(&packed(bytes)),
            Err(error) => tl::enums::RpcError::Error(tl::types::RpcError {
                error_code: error.code,
                error_message: error.message.clone(),
            })
            .serialize(&mut body),
        }
        Self {
            body,
            content_related: true,
            origin: Origin::Answer,
        }
    }

    pub fn updates(updates: &[u8]) -> Self {
        Self {
            body: packed(updates).into_owned(),
            content_related: true,
            origin: Origin::Notice,
        }
    }

    /// An answer that counts as no content: pongs, salts, acknowledgements.
    pub fn answer(body: Vec<u8>) -> Self {
        Self {
            body,
            content_related: false,
            origin: Origin::Answer,
        }
    }

    pub fn new_session(first_msg_id: i64, unique_id: i64, server_salt: i64) -> Self {
        let created = tl::types::NewSessionCreated {
            first_msg_id,
            unique_id,
            server_salt,
        };
        let body = tl::enums::NewSession::Created(created).to_bytes();
        Self {
            body,
            content_related: true,
            origin: Origin::Notice,
        }
    }

    pub fn ack(msg_ids: Vec<i64>) -> Self {
        let body = tl::enums::MsgsAck::Ack(tl::types::MsgsAck { msg_ids }).to_bytes();
        Self {
            body,
            content_related: false,
            origin: Origin::Notice,
        }
    }

    pub fn bad_message(bad_msg_id: i64, bad_msg_seqno: i32, why: BadMessage) -> Self {
        Self::answer(
            tl::enums::BadMsgNotification::Notification(tl::types::BadMsgNotification {
                bad_msg_id,
                bad_msg_seqno,
                error_code: why.code(),
            })
            .to_bytes(),
        )
    }

    pub fn bad_salt(bad_msg_id: i64, bad_msg_seqno: i32, new_server_salt: i64) -> Self {
        Self::answer(
            tl::enums::BadMsgNotification::BadServerSalt(tl::types::BadServerSalt {
                bad_msg_id,
                bad_msg_seqno,
                error_code: BadMessage::WrongSalt.code(),
                new_server_salt,
            })
            .to_bytes(),
        )
    }
}

/// Builds packets of one connection.
#[derive(Debug)]
pub struct PacketBuilder<'a> {
    pub key: &'a AuthKey,
    pub salts: &'a Salts,
    pub ids: &'a MessageIds,
}

impl PacketBuilder<'_> {
    /// Encrypts messages of one session into one packet, in a container when there are several.
    pub fn build(
        &self,
        session: &Session,
        messages: &[ServerMessage],
        unix_ms: i64,
        rng: &mut impl Rng,
    ) -> Vec<u8> {
        let size: usize = messages.iter().map(|message| message.body.len() + 16).sum();
        let mut out = Vec::with_capacity(HEADER_LEN + 16 + 24 + size + 32);
        out.extend_from_slice(&[0; HEADER_LEN]);
        self.salts
            .current(self.key.id(), unix_ms.div_euclid(1000))
            .serialize(&mut out);
        session.id().serialize(&mut out);
        if let [single] = messages {
            self.push(session, single, unix_ms, &mut out);
        } else {
            let mut parts = Vec::with_capacity(size);
            for message in messages {
                self.push(session, message, unix_ms, &mut parts);
            }
            self.ids.next(unix_ms, Origin::Notice).serialize(&mut out);
            session.next_seq_no(false).serialize(&mut out);
            (parts.len() as i32 + 8).serialize(&mut out);
            CONTAINER_ID.serialize(&mut out);
            (messages.len() as i32).serialize(&mut out);
            out.extend_from_slice(&parts);
        }
        crypto::seal(self.key, &mut out, rng);
        out
    }

    fn push(&self, session: &Session, message: &ServerMessage, unix_ms: i64, out: &mut Vec<u8>) {
        self.ids.next(unix_ms, message.origin).serialize(out);
        session.next_seq_no(message.content_related).serialize(out);
        (message.body.len() as i32).serialize(out);
        out.extend_from_slice(&message.body);
    }
}

/// `gzip_packed` when it is worth it.
fn packed(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if bytes.len() < GZIP_FROM {
        return bytes.into();
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    let Ok(zipped) = encoder.write_all(bytes).and_then(|()| encoder.finish()) else {
        return bytes.into();
    };
    if zipped.len() + 8 >= bytes.len() {
        return bytes.into();
    }
    let mut out = Vec::with_capacity(zipped.len() + 12);
    GZIP_PACKED_ID.serialize(&mut out);
    zipped.serialize(&mut out);
    out.into()
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;

    #[test]
    fn only_what_gets_smaller_is_packed() {
        let mut noise = vec![0; 8 * 1024];
        rand::rng().fill_bytes(&mut noise);
        assert_eq!(packed(&noise)[..], noise[..]);
        assert_eq!(packed(&[0; 100])[..], [0; 100]);
        let zeros = packed(&[0; 8 * 1024]).into_owned();
        assert_eq!(zeros[..4], GZIP_PACKED_ID.to_le_bytes());
        assert!(zeros.len() < 200 && zeros.len().is_multiple_of(4));
    }
}
