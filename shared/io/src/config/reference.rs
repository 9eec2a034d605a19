//! Where a secret is, and how it is fetched from there. A secret itself has no place in the file.
//!
//! Source for `credential:`: systemd.exec(5), LoadCredential. A file that every user of the machine can read is refused; its group
//! may read it, because that is how a service's own user is given one.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shared_core::Secret;
use zeroize::Zeroizing;

use super::Surroundings;
use super::error::{Fault, Problem};

/// An auth key in hex has 512 bytes, a URL or a token much less.
const SECRET_LIMIT: usize = 16 * 1024;

const LITERAL: &str = "a secret may not stand here; put it into a file of mode 600 and write \"file:PATH\", or write \"env:NAME\" or \"credential:NAME\"";

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum SecretRef {
    Env(String),
    File(PathBuf),
    Credential(String),
}

impl TryFrom<String> for SecretRef {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let text = Zeroizing::new(text);
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= 128
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        match text.split_once(':') {
            Some(("env", name)) if is_name(name) => Ok(Self::Env(name.to_owned())),
            Some(("credential", name)) if is_name(name) => Ok(Self::Credential(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env" | "credential" | "file", _)) => {
                Err("refers to nothing; write \"env:NAME\", \"credential:NAME\" or \"file:PATH\"")
            }
            _ => Err(LITERAL),
        }
    }
}

/// An address that is written plainly while there is no password in it, and referred to otherwise.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum UrlRef {
    Plain(String),
    Secret(SecretRef),
}

impl TryFrom<String> for UrlRef {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let has_scheme = text.contains("://") || text.starts_with("sqlite:");
        if !has_scheme {
            return SecretRef::try_from(text).map(Self::Secret);
        }
        let parameters = text.split_once('?').map_or("", |(_, rest)| rest);
        if text.contains('@') || parameters.to_ascii_lowercase().contains("pass") {
            return Err(LITERAL);
        }
        Ok(Self::Plain(text))
    }
}

/// Fetches what references point to.
pub(super) struct Resolver<'a> {
    /// The configuration file's folder, which relative paths start from.
    pub home: &'a Path,
    pub surroundings: &'a Surroundings,
}

impl Resolver<'_> {
    pub fn path(&self, path: &Path) -> PathBuf {
        self.home.join(path)
    }

    pub fn url(&self, key: &str, reference: &UrlRef) -> Result<Secret, Fault> {
        match reference {
            UrlRef::Plain(url) => Ok(Secret::new(url)),
            UrlRef::Secret(reference) => self.secret(key, reference),
        }
    }

    pub fn secret(&self, key: &str, reference: &SecretRef) -> Result<Secret, Fault> {
        let secret = self
            .fetch(reference)
            .map_err(|problem| Fault::at(key, problem))?;
        if secret.expose().is_empty() {
            let source_text = describe(reference);
            return Err(Fault::at(key, Problem::SecretEmpty { source_text }));
        }
        Ok(secret)
    }

    fn fetch(&self, reference: &SecretRef) -> Result<Secret, Problem> {
        match reference {
            SecretRef::Env(name) => match self.surroundings.get(name) {
                Some(value) => Ok(Secret::new(value.trim())),
                None => Err(Problem::VariableMissing { name: name.clone() }),
            },
            SecretRef::File(path) => {
                let path = self.path(path);
                refuse_exposed(&path)?;
                read(&path, reference)
            }
            SecretRef::Credential(name) => match self.surroundings.credentials() {
                // systemd keeps that folder to the service's user.
                Some(folder) => read(&folder.join(name), reference),
                None => Err(Problem::NoCredentials { name: name.clone() }),
            },
        }
    }
}

/// The permission bits of `path`, if nobody but owner and group has any.
pub(super) fn refuse_exposed(path: &Path) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| Problem::SecretUnreadable {
        path: path.to_owned(),
        error: error.kind(),
    };
    let mode = std::fs::metadata(path)
        .map_err(unreadable)?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o007 == 0 {
        Ok(())
    } else {
        Err(Problem::SecretExposed {
            path: path.to_owned(),
            mode,
        })
    }
}

fn read(path: &Path, reference: &SecretRef) -> Result<Secret, Problem> {
    let unreadable = |error: std::io::Error| Problem::SecretUnreadable {
        path: path.to_owned(),
        error: error.kind(),
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // The room for one byte too many is made at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(SECRET_LIMIT + 1));
    let limit = SECRET_LIMIT as u64 + 1;
    file.take(limit)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() > SECRET_LIMIT {
        return Err(Problem::SecretTooLong {
            source_text: describe(reference),
            limit: SECRET_LIMIT,
        });
    }
    Ok(Secret::new(text.trim()))
}

fn describe(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("env:{name}"),
        SecretRef::File(path) => format!("file:{}", path.display()),
        SecretRef::Credential(name) => format!("credential:{name}"),
    }
}
