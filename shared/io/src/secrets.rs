//! Secrets at rest: sealed with a key that is a file of mode 600, each bound to what it is for.
//!
//! A sealed value is an age file (<https://c2sp.org/age>) to the sealing key's own X25519 recipient, in base64 after `sealed1:`, so it is
//! ASCII and goes into any text column. Its plaintext begins with its context (`token/main/b7`), so that a value moved to another row
//! does not open there. This module is the only one that names the age crate.
//!
//! Invariants: the key file is made once, complete or not at all; an opened value is wiped when dropped; no error holds a secret.
//! The file may hold several keys: the first seals, all open, so that a key can be replaced while everything runs (`rotation`).
//! Deliberately absent: a sealed value has no sender. Who can write to the database *and* knows the key's public half can
//! forge one; the public half is nowhere but in the key file. Losing the key means sealing every secret anew from its source.

mod context;
mod key_file;
mod rotation;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use age::x25519::Identity;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

pub use context::SealContext;
pub use rotation::{
    GivenUp, OpenError, Resealed, Survey, Tally, give_up, open_for, reseal, survey,
};

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
    #[error("there is no sealing key `{}`; copy it from another host of this deployment, or from its copy", path.display())]
    KeyMissing { path: PathBuf },
    #[error("line {line} of the sealing key `{}` is not a key; put the right file back, its keys begin with AGE-SECRET-KEY-1", path.display())]
    NotAKey { path: PathBuf, line: usize },
    #[error("there is no key in the sealing key `{}`; put the right file back, it is not replaced by a fresh one", path.display())]
    KeyFileEmpty { path: PathBuf },
    #[error("the sealing key `{}` has more keys or comments than a rotation needs; remove the lines that nothing is sealed with any more", path.display())]
    KeyFileTooLong { path: PathBuf },
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

/// Seals with the first key of its file, and opens with any of them.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<RwLock<Arc<[Identity]>>>,
    path: PathBuf,
}

/// What a sealed value says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedWith {
    /// With the key that has this place in the file, from 0.
    Key(usize),
    /// With one that is not there.
    UnknownKey,
    /// Nobody can say: it is damaged, or was sealed for something else.
    Damaged,
}

/// What was sealed, and the place of the key that opened it.
type Opened = (Zeroizing<Vec<u8>>, usize);

impl Sealer {
    /// Opens the key; makes it if there is none, with its folder. Of several processes that do so at once all get the
    /// same key.
    pub fn open_or_create(path: &Path) -> Result<Self, SealError> {
        let keys = match key_file::read(path)? {
            Some(keys) => keys,
            None => key_file::create(path)?,
        };
        Ok(Self::new(keys, path))
    }

    /// The same without making one: for whoever shares a key that others have.
    pub fn open_existing_at(path: &Path) -> Result<Self, SealError> {
        let keys = key_file::read(path)?.ok_or_else(|| SealError::KeyMissing {
            path: path.to_owned(),
        })?;
        Ok(Self::new(keys, path))
    }

    /// Puts a fresh key before those in the file, or makes the file: the first step of a rotation. Whoever has the file open goes on
    /// sealing with the key that he knows, and finds the fresh one when he meets a value that was sealed with it.
    pub fn add_key_at(path: &Path) -> Result<(), SealError> {
        key_file::add(path)
    }

    fn new(keys: Vec<Identity>, path: &Path) -> Self {
        Self {
            keys: Arc::new(RwLock::new(keys.into())),
            path: path.to_owned(),
        }
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.known().len()
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
            age::encrypt(&self.sealing_key().to_public(), &plain).map_err(|_| damaged(context))?;
        Ok(format!("{PREFIX}{}", BASE64_STANDARD_NO_PAD.encode(sealed)))
    }

    /// The secret, if it was sealed with one of the keys and for this context.
    pub fn open(
        &self,
        sealed: &str,
        context: &SealContext,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.open_saying(sealed, context).map(|(secret, _)| secret)
    }

    /// Which key it takes to open this.
    pub fn sealed_with(&self, sealed: &str, context: &SealContext) -> SealedWith {
        match self.open_saying(sealed, context) {
            Ok((_, key)) => SealedWith::Key(key),
            Err(SealError::WrongKey { .. }) => SealedWith::UnknownKey,
            Err(_) => SealedWith::Damaged,
        }
    }

    /// The secret, and the place of the key that opened it.
    fn open_saying(&self, sealed: &str, context: &SealContext) -> Result<Opened, SealError> {
        let damaged = || damaged(context);
        let text = sealed.strip_prefix(PREFIX).ok_or_else(damaged)?;
        if text.len() > PLAIN_LIMIT * 2 {
            return Err(damaged());
        }
        let file = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| damaged())?;
        let found = match unsealed(&self.known(), &file) {
            // The file may have got a key since it was read: a rotation reaches one host after another.
            Ok(None) if self.read_again() => unsealed(&self.known(), &file),
            found => found,
        };
        let Some((plain, key)) = found.map_err(|()| damaged())? else {
            return Err(SealError::WrongKey {
                context: context.to_string(),
                key: self.path.clone(),
            });
        };
        let (found, secret) = unframed(&plain).ok_or_else(damaged)?;
        if found != context.as_str().as_bytes() {
            return Err(SealError::WrongContext {
                context: context.to_string(),
            });
        }
        Ok((Zeroizing::new(secret.to_vec()), key))
    }

    fn known(&self) -> Arc<[Identity]> {
        // The keys are replaced whole, so they are sound whoever panicked.
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&keys)
    }

    fn sealing_key(&self) -> Identity {
        // A file without a key is refused when it is read.
        self.known()[0].clone()
    }

    /// `true` when the file has keys that were not known; what cannot be read changes nothing.
    fn read_again(&self) -> bool {
        let Ok(Some(found)) = key_file::read(&self.path) else {
            return false;
        };
        let known: Vec<String> = self.known().iter().map(public).collect();
        if found.iter().all(|key| known.contains(&public(key))) {
            return false;
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *keys = found.into();
        true
    }
}

fn public(key: &Identity) -> String {
    key.to_public().to_string()
}

/// The plaintext and the place of its key; `None` when no key fits, an error when one does and the rest is damaged.
fn unsealed(keys: &[Identity], file: &[u8]) -> Result<Option<Opened>, ()> {
    for (at, key) in keys.iter().enumerate() {
        match age::decrypt(key, file) {
            Ok(plain) => return Ok(Some((Zeroizing::new(plain), at))),
            Err(age::DecryptError::NoMatchingKeys) => {}
            Err(_) => return Err(()),
        }
    }
    Ok(None)
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
