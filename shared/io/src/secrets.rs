//! Secrets at rest: sealed with a key that is a file of mode 600, each bound to what it is for.
//!
//! A sealed value is an age file (<https://c2sp.org/age>) to the sealing key's own X25519 recipient, in base64 after `sealed1:`, so it is
//! ASCII and goes into any text column. Its plaintext begins with its context (`token/main/b7`), so that a value moved to another row
//! does not open there. This module is the only one that names the age crate.
//!
//! Invariants: the key file is made once, complete or not at all; an opened value is wiped when dropped; no error holds a secret.
//! Deliberately absent: a sealed value has no sender. Who can write to the database *and* knows the key's public half can
//! forge one; the public half is nowhere but in the key file. Losing the key means sealing every secret anew from its source.

mod context;
mod key_file;
pub mod scan;

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::config::Config;

pub use context::SealContext;

const PREFIX: &str = "sealed1:";

/// A URL, a token, an auth key: nothing that is sealed comes near this. It bounds what a wrong row can make us read.
const PLAIN_LIMIT: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the sealing key `{}` cannot be read or made ({what}); look at the folder's owner and space", path.display())]
    KeyFile {
        path: PathBuf,
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the sealing key `{path}` is open to other users of this machine (mode {mode:o}); run: chmod 600 '{path}'", path = path.display())]
    KeyExposed { path: PathBuf, mode: u32 },
    #[error("`{}` is not a sealing key; put the right file back, it begins with AGE-SECRET-KEY-1", path.display())]
    NotAKey { path: PathBuf },
    #[error("{context} was sealed with another key than `{}`; put the key back that was there before, or seal the secret anew", key.display())]
    WrongKey { context: String, key: PathBuf },
    #[error("{context} is damaged or was not sealed by this program; seal the secret anew")]
    Damaged { context: String },
    #[error(
        "{context} holds a secret that was sealed for something else; a row was swapped or copied, seal the secret anew"
    )]
    WrongContext { context: String },
    #[error("{context} is longer than {PLAIN_LIMIT} bytes and is not sealed; that is not a secret")]
    TooLong { context: String },
}

/// Seals and opens with one key.
#[derive(Clone)]
pub struct Sealer {
    identity: age::x25519::Identity,
    path: PathBuf,
}

impl Sealer {
    /// Opens the configured key; makes it if there is none, with its folder. Of several processes that do so at once all get the
    /// same key.
    pub fn open_or_create(config: &Config) -> Result<Self, SealError> {
        Self::open_or_create_at(config.sealing_key())
    }

    pub fn open_or_create_at(path: &Path) -> Result<Self, SealError> {
        let identity = match key_file::read(path)? {
            Some(identity) => identity,
            None => key_file::create(path)?,
        };
        Ok(Self {
            identity,
            path: path.to_owned(),
        })
    }

    /// ASCII without quotes, backslashes and line ends.
    pub fn seal(&self, secret: &[u8], context: &SealContext) -> Result<String, SealError> {
        if secret.len() > PLAIN_LIMIT {
            return Err(SealError::TooLong {
                context: context.to_string(),
            });
        }
        let plain = framed(secret, context);
        // age fails on writing to a Vec only when the recipient does, and an X25519 recipient does not.
        let sealed =
            age::encrypt(&self.identity.to_public(), &plain).map_err(|_| damaged(context))?;
        Ok(format!("{PREFIX}{}", BASE64_STANDARD_NO_PAD.encode(sealed)))
    }

    /// The secret, if it was sealed with this key and for this context.
    pub fn open(
        &self,
        sealed: &str,
        context: &SealContext,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let damaged = || damaged(context);
        let text = sealed.strip_prefix(PREFIX).ok_or_else(damaged)?;
        if text.len() > PLAIN_LIMIT * 2 {
            return Err(damaged());
        }
        let file = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| damaged())?;
        let plain = match age::decrypt(&self.identity, &file) {
            Ok(plain) => Zeroizing::new(plain),
            Err(age::DecryptError::NoMatchingKeys) => {
                return Err(SealError::WrongKey {
                    context: context.to_string(),
                    key: self.path.clone(),
                });
            }
            Err(_) => return Err(damaged()),
        };
        let (found, secret) = unframed(&plain).ok_or_else(damaged)?;
        if found != context.as_str().as_bytes() {
            return Err(SealError::WrongContext {
                context: context.to_string(),
            });
        }
        Ok(Zeroizing::new(secret.to_vec()))
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("key", &self.path)
            .finish_non_exhaustive()
    }
}

fn damaged(context: &SealContext) -> SealError {
    SealError::Damaged {
        context: context.to_string(),
    }
}

/// One byte of length, the context, the secret. A context is at most 255 bytes long.
fn framed(secret: &[u8], context: &SealContext) -> Zeroizing<Vec<u8>> {
    let name = context.as_str().as_bytes();
    let mut plain = Zeroizing::new(Vec::with_capacity(1 + name.len() + secret.len()));
    plain.push(context.length());
    plain.extend_from_slice(name);
    plain.extend_from_slice(secret);
    plain
}

fn unframed(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = plain.split_first()?;
    rest.split_at_checked(usize::from(*length))
}
