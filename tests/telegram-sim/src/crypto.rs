//! The server's half of MTProto 2.0 encryption: opens what a client sealed (x = 0) and seals what the server sends (x = 8).
//!
//! Invariant: nothing leaves [`open`] whose `msg_key` does not match its plaintext. AES-IGE comes from `grammers-crypto`, which
//! itself only offers the client's direction. Source: core.telegram.org/mtproto/description, "Defining AES Key and
//! Initialization Vector". There is no key exchange here: keys are handed out by the control API.

use grammers_crypto::{DequeBuffer, aes};
use rand::Rng;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// `auth_key_id` and `msg_key`, before the ciphertext.
pub const HEADER_LEN: usize = 8 + 16;

/// The least padding that MTProto 2.0 allows; the most is 1024.
pub const MIN_PADDING: usize = 12;
pub const MAX_PADDING: usize = 1024;

/// A permanent authorization key and the id under which clients name it.
#[derive(Clone)]
pub struct AuthKey {
    data: [u8; 256],
    id: i64,
}

/// Why a payload could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    #[error("a payload of {0} bytes is no encrypted message")]
    BadLength(usize),
    #[error("msg_key does not match the plaintext")]
    BadMsgKey,
}

/// Who encrypted: the offset `x` into the key.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

impl AuthKey {
    pub fn from_bytes(data: [u8; 256]) -> Self {
        // `grammers_crypto::AuthKey` keeps the id (part of a SHA-1) to itself; it writes it in front of each sealed buffer.
        let mut buffer = DequeBuffer::with_capacity(64, HEADER_LEN);
        grammers_crypto::encrypt_data_v2(&mut buffer, &grammers_crypto::AuthKey::from_bytes(data));
        let id = read_i64(&buffer[..], 0);
        Self { data, id }
    }

    pub fn generate(rng: &mut impl Rng) -> Self {
        let mut data = [0; 256];
        rng.fill_bytes(&mut data);
        Self::from_bytes(data)
    }

    pub fn id(&self) -> i64 {
        self.id
    }

    /// For the control API, which hands keys to clients.
    pub fn to_hex(&self) -> String {
        hex::encode(self.data)
    }
}

impl std::fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The `auth_key_id` that a payload claims; zero means "not encrypted".
pub fn claimed_key_id(payload: &[u8]) -> Option<i64> {
    (payload.len() >= 8).then(|| read_i64(payload, 0))
}

/// Decrypts a client's payload (header included) in place and returns the plaintext with its padding.
pub fn open<'a>(key: &AuthKey, payload: &'a mut [u8]) -> Result<&'a [u8], OpenError> {
    let len = payload.len();
    if len < HEADER_LEN + 16 || !(len - HEADER_LEN).is_multiple_of(16) {
        return Err(OpenError::BadLength(len));
    }
    let (header, text) = payload.split_at_mut(HEADER_LEN);
    let mut msg_key = [0; 16];
    msg_key.copy_from_slice(&header[8..]);
    let (aes_key, iv) = derive(key, &msg_key, Side::Client);
    aes::ige_decrypt(text, &aes_key, &iv);
    if msg_key_of(key, text, Side::Client) != msg_key {
        return Err(OpenError::BadMsgKey);
    }
    Ok(text)
}

/// Pads and encrypts in place. The first [`HEADER_LEN`] bytes of `buffer` are room for the header.
pub fn seal(key: &AuthKey, buffer: &mut Vec<u8>, rng: &mut impl Rng) {
    let text_len = buffer.len() - HEADER_LEN;
    let padding = MIN_PADDING + (16 - (text_len + MIN_PADDING) % 16) % 16;
    let mut random = [0; MIN_PADDING + 16];
    rng.fill_bytes(&mut random);
    buffer.extend_from_slice(&random[..padding]);

    let msg_key = msg_key_of(key, &buffer[HEADER_LEN..], Side::Server);
    let (aes_key, iv) = derive(key, &msg_key, Side::Server);
    aes::ige_encrypt(&mut buffer[HEADER_LEN..], &aes_key, &iv);
    buffer[..8].copy_from_slice(&key.id.to_le_bytes());
    buffer[8..HEADER_LEN].copy_from_slice(&msg_key);
}

impl Side {
    fn x(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 8,
        }
    }
}

fn msg_key_of(key: &AuthKey, padded: &[u8], side: Side) -> [u8; 16] {
    let x = side.x();
    let large = Sha256::new()
        .chain_update(&key.data[88 + x..120 + x])
        .chain_update(padded)
        .finalize();
    let mut msg_key = [0; 16];
    msg_key.copy_from_slice(&large[8..24]);
    msg_key
}

fn derive(key: &AuthKey, msg_key: &[u8; 16], side: Side) -> ([u8; 32], [u8; 32]) {
    let x = side.x();
    let a = Sha256::new()
        .chain_update(msg_key)
        .chain_update(&key.data[x..x + 36])
        .finalize();
    let b = Sha256::new()
        .chain_update(&key.data[40 + x..76 + x])
        .chain_update(msg_key)
        .finalize();
    let mix = |outer: &[u8], inner: &[u8]| {
        let mut out = [0; 32];
        out[..8].copy_from_slice(&outer[..8]);
        out[8..24].copy_from_slice(&inner[8..24]);
        out[24..].copy_from_slice(&outer[24..32]);
        out
    };
    (mix(&a, &b), mix(&b, &a))
}

/// Reads a little-endian `long`; the caller has checked the length.
fn read_i64(bytes: &[u8], at: usize) -> i64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(raw)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn key() -> AuthKey {
        AuthKey::generate(&mut rand::rng())
    }

    #[test]
    fn opens_what_grammers_seals() {
        let key = key();
        let mut buffer = DequeBuffer::with_capacity(128, HEADER_LEN);
        buffer.extend(b"from the client, sixteen by n...");
        grammers_crypto::encrypt_data_v2(
            &mut buffer,
            &grammers_crypto::AuthKey::from_bytes(key.data),
        );
        let mut payload = buffer[..].to_vec();
        assert_eq!(claimed_key_id(&payload), Some(key.id()));
        let plain = open(&key, &mut payload).unwrap();
        assert!(plain.starts_with(b"from the client"));
    }

    #[test]
    fn grammers_opens_what_is_sealed_here() {
        let key = key();
        for len in 0..40 {
            let mut buffer = vec![0; HEADER_LEN];
            buffer.extend((0..len).map(|byte| byte as u8));
            seal(&key, &mut buffer, &mut rand::rng());
            let padding = buffer.len() - HEADER_LEN - len;
            assert!(
                (MIN_PADDING..MIN_PADDING + 16).contains(&padding),
                "padding {padding}"
            );
            let plain = grammers_crypto::decrypt_data_v2(
                &mut buffer,
                &grammers_crypto::AuthKey::from_bytes(key.data),
            )
            .unwrap();
            assert_eq!(
                plain[..len],
                (0..len).map(|byte| byte as u8).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn one_flipped_bit_is_refused() {
        let key = key();
        let mut buffer = DequeBuffer::with_capacity(128, HEADER_LEN);
        buffer.extend(b"sixteen bytes ok");
        grammers_crypto::encrypt_data_v2(
            &mut buffer,
            &grammers_crypto::AuthKey::from_bytes(key.data),
        );
        let mut payload = buffer[..].to_vec();
        payload[HEADER_LEN + 3] ^= 1;
        assert_eq!(open(&key, &mut payload).unwrap_err(), OpenError::BadMsgKey);
        assert_eq!(
            open(&key, &mut payload[..20]).unwrap_err(),
            OpenError::BadLength(20)
        );
    }
}
