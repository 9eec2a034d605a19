//! Full: length, packet number, payload, CRC-32, both directions counted from zero. The strictest transport: a lost or
//! repeated packet ends the connection.

use bytes::BytesMut;

use super::{FrameError, MAX_PACKET};

const OVERHEAD: usize = 4 + 4 + 4;

#[derive(Debug, Default)]
pub struct FullDecoder {
    next: i32,
}

#[derive(Debug, Default)]
pub struct FullEncoder {
    next: i32,
}

impl FullDecoder {
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        let Some(len) = read_i32(buffer, 0) else {
            return Ok(None);
        };
        let size = match usize::try_from(len) {
            Ok(size)
                if (OVERHEAD..=MAX_PACKET + OVERHEAD).contains(&size) && size.is_multiple_of(4) =>
            {
                size
            }
            _ => return Err(FrameError::BadLength(i64::from(len))),
        };
        if buffer.len() < size {
            buffer.reserve(size - buffer.len());
            return Ok(None);
        }
        let mut packet = buffer.split_to(size);
        let expected = self.next;
        // Both reads are inside `size`, which is at least OVERHEAD.
        let got = read_i32(&packet, 4).unwrap_or_default();
        if got != expected {
            return Err(FrameError::BadSeq { expected, got });
        }
        let crc = read_i32(&packet, size - 4).unwrap_or_default();
        if crc32fast::hash(&packet[..size - 4]).cast_signed() != crc {
            return Err(FrameError::BadCrc { seq: got });
        }
        self.next += 1;
        packet.truncate(size - 4);
        Ok(Some(packet.split_off(8)))
    }
}

impl FullEncoder {
    pub fn encode(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let len = (payload.len() + OVERHEAD) as i32;
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&self.next.to_le_bytes());
        out.extend_from_slice(payload);
        let crc = crc32fast::hash(&out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
        self.next += 1;
    }
}

fn read_i32(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn stream(payloads: &[&[u8]]) -> BytesMut {
        let mut encoder = FullEncoder::default();
        let mut out = Vec::new();
        for payload in payloads {
            encoder.encode(payload, &mut out);
        }
        BytesMut::from(&out[..])
    }

    #[test]
    fn packets_come_out_whole_whatever_the_reads_were() {
        let all = stream(&[b"abcd", b"", b"12345678"]);
        let mut decoder = FullDecoder::default();
        let mut buffer = BytesMut::new();
        let mut got = Vec::new();
        for byte in all {
            buffer.extend_from_slice(&[byte]);
            while let Some(payload) = decoder.decode(&mut buffer).unwrap() {
                got.push(payload.to_vec());
            }
        }
        assert_eq!(got, [b"abcd".to_vec(), b"".to_vec(), b"12345678".to_vec()]);
    }

    #[test]
    fn a_repeated_packet_is_refused() {
        let mut buffer = stream(&[b"abcd"]);
        let copy = buffer.clone();
        buffer.unsplit(copy);
        let mut decoder = FullDecoder::default();
        decoder.decode(&mut buffer).unwrap();
        assert_eq!(
            decoder.decode(&mut buffer),
            Err(FrameError::BadSeq {
                expected: 1,
                got: 0
            })
        );
    }

    #[test]
    fn a_flipped_bit_and_a_wild_length_are_refused() {
        let mut buffer = stream(&[b"abcd"]);
        buffer[9] ^= 4;
        assert_eq!(
            FullDecoder::default().decode(&mut buffer),
            Err(FrameError::BadCrc { seq: 0 })
        );
        let mut wild = BytesMut::from(&[0xff, 0xff, 0xff, 0x7f][..]);
        assert_eq!(
            FullDecoder::default().decode(&mut wild),
            Err(FrameError::BadLength(0x7fff_ffff))
        );
    }
}
