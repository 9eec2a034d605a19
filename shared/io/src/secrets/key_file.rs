//! The sealing key's file: one key a line, the first one seals and all of them open; mode 600 in a folder of mode 700, made once by
//! whichever process is first.
//!
//! Invariants: under its final name there is never a part of a key: it is written and synced under another name and then linked, which
//! fails if somebody else was first (link(2), EEXIST), or renamed over the file that it takes the place of. A file that is there
//! and is not understood is an error, never a reason to make another.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use zeroize::Zeroizing;

use super::SealError;

/// An age identity has 74 characters; comment lines may stand around it.
const FILE_LIMIT: usize = 16 * 1024;

/// A rotation needs two. Each more makes it slower to find out that none opens a value.
const KEYS_LIMIT: usize = 16;

const HEADING: &str = "# Understudy's sealing keys, one a line: the first seals, all open. Who has them reads every stored secret.\n";

/// The keys, at least one, or `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Identity>>, SealError> {
    match text(path)? {
        Some(text) => parse(path, &text).map(Some),
        None => Ok(None),
    }
}

fn text(path: &Path) -> Result<Option<Zeroizing<String>>, SealError> {
    let failed = |source| key_file(path, "reading it", source);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    let mode = metadata.permissions().mode() & 0o777;
    // systemd hands credentials out as 0400 or 0440 in a folder of the service's own.
    if mode & 0o007 != 0 {
        return Err(SealError::KeyExposed {
            path: path.to_owned(),
            mode,
        });
    }
    // The room for one byte too many is made at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LIMIT + 1));
    let limit = FILE_LIMIT as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > FILE_LIMIT {
        return Err(SealError::KeyFileTooLong {
            path: path.to_owned(),
        });
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(error) => Err(SealError::NotAKey {
            path: path.to_owned(),
            line: lines_in(&bytes[..error.valid_up_to()]),
        }),
    }
}

/// The number of the line that comes behind these bytes, from 1.
fn lines_in(before: &[u8]) -> usize {
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn parse(path: &Path, text: &str) -> Result<Vec<Identity>, SealError> {
    let path = || path.to_owned();
    let mut keys: Vec<Identity> = Vec::new();
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let not_a_key = |_| SealError::NotAKey {
            path: path(),
            line: at + 1,
        };
        keys.push(line.parse().map_err(not_a_key)?);
    }
    match keys.len() {
        0 => Err(SealError::KeyFileEmpty { path: path() }),
        1..=KEYS_LIMIT => Ok(keys),
        _ => Err(SealError::KeyFileTooLong { path: path() }),
    }
}

/// Puts a fresh key before those that are there; owner and mode stay as they are.
pub(super) fn add(path: &Path) -> Result<(), SealError> {
    let failed = |source| key_file(path, "changing it", source);
    let Some(before) = text(path)? else {
        return create(path).map(drop);
    };
    if parse(path, &before)?.len() == KEYS_LIMIT {
        return Err(SealError::KeyFileTooLong {
            path: path.to_owned(),
        });
    }
    // The file itself, where the path is a link to it.
    let path = &std::fs::canonicalize(path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let owner = std::fs::metadata(path).map_err(failed)?;
    let identity = Identity::generate();
    let draft = folder.join(format!(".sealing-key.{}", crate::clock::nonce()));
    let written = write_draft(&draft, &identity, &before)
        .and_then(|()| give_to(&draft, &owner))
        .and_then(|()| std::fs::rename(&draft, path))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // It may not even be there.
        let _ = std::fs::remove_file(&draft);
    }
    written.map_err(failed)
}

fn give_to(path: &Path, owner: &Metadata) -> io::Result<()> {
    let own = std::fs::metadata(path)?;
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) {
        chown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    std::fs::set_permissions(path, owner.permissions())
}

/// Makes a file with one key; returns what is there if another process was first.
pub(super) fn create(path: &Path) -> Result<Vec<Identity>, SealError> {
    let failed = |what| move |source| key_file(path, what, source);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("making its folder"))?;

    let identity = Identity::generate();
    let draft = folder.join(format!(".sealing-key.{}", crate::clock::nonce()));
    let written =
        write_draft(&draft, &identity, HEADING).and_then(|()| std::fs::hard_link(&draft, path));
    // Whatever became of it, the draft has served.
    let removed = std::fs::remove_file(&draft);
    match written {
        Ok(()) => {
            removed.map_err(failed("tidying up"))?;
            let sync = File::open(folder).and_then(|folder| folder.sync_all());
            sync.map_err(failed("syncing its folder"))?;
            Ok(vec![identity])
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read(path)? {
            Some(first) => Ok(first),
            None => Err(failed("it vanished")(error)),
        },
        Err(error) => Err(failed("making it")(error)),
    }
}

/// The key, and below it what stands in `rest`.
fn write_draft(path: &Path, identity: &Identity, rest: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(identity.to_string().expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(rest.as_bytes())?;
    file.sync_all()
}

fn key_file(path: &Path, what: &'static str, source: io::Error) -> SealError {
    SealError::KeyFile {
        path: path.to_owned(),
        what,
        source,
    }
}
