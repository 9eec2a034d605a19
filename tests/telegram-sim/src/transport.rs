//! How packets lie in a TCP stream: Full, Abridged, Intermediate and padded Intermediate, told apart by the first bytes.
//!
//! Invariant: a decoder yields whole payloads in order or an error that ends the connection; it never guesses its way
//! back into a broken stream. Obfuscated transports are not spoken. Source: core.telegram.org/mtproto/mtproto-transports.

mod full;
mod short;

use bytes::BytesMut;
use thiserror::Error;

pub use full::{FullDecoder, FullEncoder};
pub use short::{decode_abridged, decode_intermediate, encode_abridged, encode_intermediate};

/// The largest packet either side may send; Telegram closes the connection at about this size.
pub const MAX_PACKET: usize = 1024 * 1024 + 8 * 1024;

/// A transport error code, sent without encryption as one negative number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportCode {
    /// The auth key is not known here.
    NotFound,
    /// Too many connections.
    Flood,
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    #[error("a packet of {0} bytes")]
    BadLength(i64),
    #[error("packet number {got}, expected {expected}")]
    BadSeq { expected: i32, got: i32 },
    #[error("checksum mismatch in packet {seq}")]
    BadCrc { seq: i32 },
}

/// Reads packets from a client.
#[derive(Debug)]
pub enum Decoder {
    Full(FullDecoder),
    Abridged,
    Intermediate { padded: bool },
}

/// Writes packets to a client, in the client's own transport.
#[derive(Debug)]
pub enum Encoder {
    Full(FullEncoder),
    Abridged,
    Intermediate { padded: bool },
}

impl TransportCode {
    pub fn from_code(code: i32) -> Option<Self> {
        [Self::NotFound, Self::Flood]
            .into_iter()
            .find(|known| known.code() == code)
    }

    pub fn code(self) -> i32 {
        match self {
            Self::NotFound => -404,
            Self::Flood => -429,
        }
    }
}

impl Decoder {
    /// Looks at the first bytes of a connection and eats the transport's tag; `None` until there are enough.
    pub fn detect(buffer: &mut BytesMut) -> Option<(Decoder, Encoder)> {
        let first = *buffer.first()?;
        if first == short::ABRIDGED_TAG {
            let _ = buffer.split_to(1);
            return Some((Decoder::Abridged, Encoder::Abridged));
        }
        let tag: [u8; 4] = buffer.get(..4)?.try_into().ok()?;
        let padded = match tag {
            short::INTERMEDIATE_TAG => false,
            short::PADDED_TAG => true,
            _ => {
                return Some((
                    Decoder::Full(FullDecoder::default()),
                    Encoder::Full(FullEncoder::default()),
                ));
            }
        };
        let _ = buffer.split_to(4);
        Some((
            Decoder::Intermediate { padded },
            Encoder::Intermediate { padded },
        ))
    }

    /// Takes one payload out of the buffer; `None` while it is incomplete.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        match self {
            Self::Full(full) => full.decode(buffer),
            Self::Abridged => decode_abridged(buffer),
            Self::Intermediate { padded } => decode_intermediate(buffer, *padded),
        }
    }
}

impl Encoder {
    pub fn encode(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Full(full) => full.encode(payload, out),
            Self::Abridged => encode_abridged(payload, out),
            Self::Intermediate { padded } => encode_intermediate(payload, *padded, out),
        }
    }

    /// In Full a code stands bare in the place of a length; the others frame it like a payload.
    pub fn encode_code(&mut self, code: TransportCode, out: &mut Vec<u8>) {
        let code = code.code().to_le_bytes();
        match self {
            Self::Full(_) => out.extend_from_slice(&code),
            Self::Abridged | Self::Intermediate { .. } => self.encode(&code, out),
        }
    }
}
