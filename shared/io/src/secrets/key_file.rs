//! The sealing key's file: mode 600 in a folder of mode 700, made once by whichever process is first.
//!
//! Invariant: under its final name there is never a part of a key. It is written and synced under another name and then linked, which
//! fails if somebody else was first: link(2), EEXIST.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::SealError;

/// An age identity has 74 characters; comment lines may stand around it.
const FILE_LIMIT: usize = 4096;

/// The key, or `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<age::x25519::Identity>, SealError> {
    let failed = |source| key_file(path, "reading it", source);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    // systemd hands credentials out as 0400 or 0440 in a folder of the service's own.
    if mode & 0o007 != 0 {
        return Err(SealError::KeyExposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_LIMIT));
    file.take(FILE_LIMIT as u64)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let key = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .and_then(|line| line.parse().ok());
    match key {
        Some(identity) => Ok(Some(identity)),
        None => Err(SealError::NotAKey {
            path: path.to_owned(),
        }),
    }
}

/// Makes a key; returns the other one if another process was first.
pub(super) fn create(path: &Path) -> Result<age::x25519::Identity, SealError> {
    let failed = |what| move |source| key_file(path, what, source);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("making its folder"))?;

    let identity = age::x25519::Identity::generate();
    let draft = folder.join(format!(".sealing-key.{}", crate::clock::nonce()));
    let written = write_draft(&draft, &identity).and_then(|()| std::fs::hard_link(&draft, path));
    // Whatever became of it, the draft has served.
    let removed = std::fs::remove_file(&draft);
    match written {
        Ok(()) => {
            removed.map_err(failed("tidying up"))?;
            let sync = File::open(folder).and_then(|folder| folder.sync_all());
            sync.map_err(failed("syncing its folder"))?;
            Ok(identity)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read(path)? {
            Some(first) => Ok(first),
            None => Err(failed("it vanished")(error)),
        },
        Err(error) => Err(failed("making it")(error)),
    }
}

fn write_draft(path: &Path, identity: &age::x25519::Identity) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(b"# Understudy's sealing key. Who has it reads every stored secret; without it none can be read.\n")?;
    file.write_all(identity.to_string().expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn key_file(path: &Path, what: &'static str, source: io::Error) -> SealError {
    SealError::KeyFile {
        path: path.to_owned(),
        what,
        source,
    }
}
