//! Abridged and Intermediate: a length and the payload, nothing else. Quick-ack requests (the length's high bit) are
//! accepted and not answered: they are optional, and no client under test asks for them.

use bytes::BytesMut;
use rand::Rng;

use super::{FrameError, MAX_PACKET};

pub const ABRIDGED_TAG: u8 = 0xef;
pub const INTERMEDIATE_TAG: [u8; 4] = [0xee; 4];
pub const PADDED_TAG: [u8; 4] = [0xdd; 4];

/// Padded packets carry up to this many extra bytes.
const MAX_PAD: usize = 15;

pub fn decode_abridged(buffer: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
    let Some(&first) = buffer.first() else {
        return Ok(None);
    };
    let (header, words) = match first & 0x7f {
        0x7f => match buffer.get(1..4) {
            Some(long) => (
                4,
                usize::from(long[0]) | usize::from(long[1]) << 8 | usize::from(long[2]) << 16,
            ),
            None => return Ok(None),
        },
        short => (1, usize::from(short)),
    };
    take(buffer, header, words * 4)
}

pub fn encode_abridged(payload: &[u8], out: &mut Vec<u8>) {
    let words = payload.len() / 4;
    if words < 0x7f {
        out.push(words as u8);
    } else {
        out.push(0x7f);
        out.extend_from_slice(&(words as u32).to_le_bytes()[..3]);
    }
    out.extend_from_slice(payload);
}

pub fn decode_intermediate(
    buffer: &mut BytesMut,
    padded: bool,
) -> Result<Option<BytesMut>, FrameError> {
    let Some(raw) = buffer.get(..4).and_then(|raw| raw.try_into().ok()) else {
        return Ok(None);
    };
    let len = (u32::from_le_bytes(raw) & 0x7fff_ffff) as usize;
    let packet = take(buffer, 4, len)?;
    Ok(packet.map(|mut payload| {
        if padded && payload.len() > 24 {
            // Ciphertext comes in blocks of 16 after a header of 24 bytes: what is beyond is padding of the transport.
            payload.truncate(24 + (payload.len() - 24) / 16 * 16);
        }
        payload
    }))
}

pub fn encode_intermediate(payload: &[u8], padded: bool, out: &mut Vec<u8>) {
    let mut pad = [0; MAX_PAD];
    let extra = if padded {
        let mut rng = rand::rng();
        rng.fill(&mut pad);
        rng.random_range(0..=MAX_PAD)
    } else {
        0
    };
    out.extend_from_slice(&((payload.len() + extra) as u32).to_le_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&pad[..extra]);
}

fn take(buffer: &mut BytesMut, header: usize, len: usize) -> Result<Option<BytesMut>, FrameError> {
    if len == 0 || len > MAX_PACKET + MAX_PAD {
        return Err(FrameError::BadLength(len as i64));
    }
    if buffer.len() < header + len {
        buffer.reserve(header + len - buffer.len());
        return Ok(None);
    }
    let mut packet = buffer.split_to(header + len);
    Ok(Some(packet.split_off(header)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::transport::Decoder;

    #[test]
    fn each_transport_is_told_by_its_tag_and_reads_its_own_packets() {
        for size in [24 + 16, 24 + 16 * 60, 24 + 16 * 5000] {
            let payload: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
            for tag in [
                vec![ABRIDGED_TAG],
                INTERMEDIATE_TAG.to_vec(),
                PADDED_TAG.to_vec(),
            ] {
                let mut buffer = BytesMut::from(&tag[..]);
                let (mut decoder, mut encoder) = Decoder::detect(&mut buffer).unwrap();
                let mut out = Vec::new();
                encoder.encode(&payload, &mut out);
                buffer.extend_from_slice(&out[..out.len() / 2]);
                assert_eq!(decoder.decode(&mut buffer).unwrap(), None);
                buffer.extend_from_slice(&out[out.len() / 2..]);
                assert_eq!(
                    decoder.decode(&mut buffer).unwrap().unwrap(),
                    payload,
                    "{tag:x?}"
                );
                assert!(buffer.is_empty());
            }
        }
    }
}
