//! The sealing key over a deployment's life: opening it beside its database, seeing what is sealed with which key, sealing everything with
//! the first one, and giving up what no key opens. `docs/sealing-key.md` tells an operator when to do what.
//!
//! Invariants: sealing anew may be stopped anywhere and repeated: each value is replaced by itself, while it is the one that was read;
//! what cannot be opened is never overwritten; a fresh key is made only for a database that holds nothing sealed.

use std::path::{Path, PathBuf};

use super::{SealContext, SealError, SealedWith, Sealer};
use crate::sql::{SealedLogin, SealedToken, Store, StoreError};

/// Why the secrets of a database cannot be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "there is no sealing key `{path}`, and {sealed} secrets in the database were sealed with one; copy it from another host, or from its copy (if it is lost: `understudy secrets give-up`)",
        path = path.display()
    )]
    KeyMissing { path: PathBuf, sealed: u64 },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many values are sealed with which key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// By the key's place in the file; the first is the one that seals.
    pub by_key: Vec<u64>,
    pub unknown_key: u64,
    pub damaged: u64,
}

impl Tally {
    pub fn total(&self) -> u64 {
        self.by_key.iter().sum::<u64>() + self.unreadable()
    }

    pub fn unreadable(&self) -> u64 {
        self.unknown_key + self.damaged
    }

    fn count(&mut self, with: SealedWith) {
        match with {
            SealedWith::Key(at) => {
                if self.by_key.len() <= at {
                    self.by_key.resize(at + 1, 0);
                }
                self.by_key[at] += 1;
            }
            SealedWith::UnknownKey => self.unknown_key += 1,
            SealedWith::Damaged => self.damaged += 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    pub tokens: Tally,
    pub logins: Tally,
}

impl Survey {
    /// Everything is sealed with the first key: the others may go.
    pub fn is_current(&self) -> bool {
        let current = |tally: &Tally| {
            tally.unreadable() == 0 && tally.by_key.iter().skip(1).all(|count| *count == 0)
        };
        current(&self.tokens) && current(&self.logins)
    }

    /// Values that the key with this place in the file opens.
    pub fn with_key(&self, at: usize) -> u64 {
        let count = |tally: &Tally| tally.by_key.get(at).copied().unwrap_or(0);
        count(&self.tokens) + count(&self.logins)
    }

    pub fn unreadable(&self) -> u64 {
        self.tokens.unreadable() + self.logins.unreadable()
    }
}

/// What sealing anew has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resealed {
    pub tokens: u64,
    pub logins: u64,
    /// Were sealed with the first key before.
    pub already: u64,
    /// Were changed by somebody else meanwhile: sealing anew once more finds out with which key.
    pub raced: u64,
    /// No key opens them; they are as they were.
    pub unreadable: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GivenUp {
    /// Are made anew, within Telegram's limits.
    pub logins: u64,
    /// Are sealed anew from the configuration at the supervisor's next start.
    pub tokens: u64,
}

/// The key at this path. Where there is none it is made, unless the database holds secrets: then it was lost, or has not been copied to this
/// host, and a fresh one would open nothing.
pub async fn open_for(path: &Path, store: &Store) -> Result<Sealer, OpenError> {
    match Sealer::open_existing_at(path) {
        Err(SealError::KeyMissing { .. }) => {}
        opened => return Ok(opened?),
    }
    let sealed = count(store).await?;
    if sealed == 0 {
        return Ok(Sealer::open_or_create(path)?);
    }
    // Another process may have made it and sealed with it since.
    match Sealer::open_existing_at(path) {
        Err(SealError::KeyMissing { path }) => Err(OpenError::KeyMissing { path, sealed }),
        opened => Ok(opened?),
    }
}

/// What is sealed with which key. Reads everything, changes nothing.
pub async fn survey(store: &Store, sealer: &Sealer) -> Result<Survey, StoreError> {
    let mut survey = Survey::default();
    let mut tokens = Tokens::of(store);
    while let Some(row) = tokens.next().await? {
        let with = sealer.sealed_with(&row.sealed, &token_context(&row));
        survey.tokens.count(with);
    }
    let mut logins = Logins::of(store);
    while let Some(row) = logins.next().await? {
        let with = sealer.sealed_with(&row.sealed, &login_context(&row));
        survey.logins.count(with);
    }
    Ok(survey)
}

/// Seals with the first key what is sealed with another one that is known.
pub async fn reseal(store: &Store, sealer: &Sealer) -> Result<Resealed, OpenError> {
    let mut done = Resealed::default();
    let mut tokens = Tokens::of(store);
    while let Some(row) = tokens.next().await? {
        let fresh = anew(sealer, &row.sealed, &token_context(&row))?;
        if let Some(fresh) = todo(fresh, &mut done) {
            let replaced = store.sealed().replace_token(&row, &fresh).await?;
            *(if replaced {
                &mut done.tokens
            } else {
                &mut done.raced
            }) += 1;
        }
    }
    let mut logins = Logins::of(store);
    while let Some(row) = logins.next().await? {
        let fresh = anew(sealer, &row.sealed, &login_context(&row))?;
        if let Some(fresh) = todo(fresh, &mut done) {
            let replaced = store.sealed().replace_login(&row, &fresh).await?;
            *(if replaced {
                &mut done.logins
            } else {
                &mut done.raced
            }) += 1;
        }
    }
    Ok(done)
}

/// After the key is lost for good: logins that no key opens are marked as lost, so that workers log in anew. Whoever only has the
/// wrong file must not do this.
pub async fn give_up(store: &Store, sealer: &Sealer) -> Result<GivenUp, StoreError> {
    let mut given = GivenUp::default();
    let is_lost = |with| !matches!(with, SealedWith::Key(_));
    let mut logins = Logins::of(store);
    while let Some(row) = logins.next().await? {
        if is_lost(sealer.sealed_with(&row.sealed, &login_context(&row)))
            && store.sealed().give_up_login(&row).await?
        {
            given.logins += 1;
        }
    }
    let mut tokens = Tokens::of(store);
    while let Some(row) = tokens.next().await? {
        if is_lost(sealer.sealed_with(&row.sealed, &token_context(&row))) {
            given.tokens += 1;
        }
    }
    Ok(given)
}

async fn count(store: &Store) -> Result<u64, StoreError> {
    let mut count = 0;
    let mut tokens = Tokens::of(store);
    while tokens.next().await?.is_some() {
        count += 1;
    }
    let mut logins = Logins::of(store);
    while logins.next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

enum Anew {
    Fresh(String),
    Already,
    Unreadable,
}

fn anew(sealer: &Sealer, sealed: &str, context: &SealContext) -> Result<Anew, SealError> {
    match sealer.open_saying(sealed, context) {
        Ok((_, 0)) => Ok(Anew::Already),
        Ok((secret, _)) => sealer.seal(&secret, context).map(Anew::Fresh),
        Err(_) => Ok(Anew::Unreadable),
    }
}

/// Counts what needs nothing done.
fn todo(anew: Anew, done: &mut Resealed) -> Option<String> {
    match anew {
        Anew::Fresh(sealed) => return Some(sealed),
        Anew::Already => done.already += 1,
        Anew::Unreadable => done.unreadable += 1,
    }
    None
}

fn token_context(row: &SealedToken) -> SealContext {
    SealContext::token(&row.pool, row.bot)
}

fn login_context(row: &SealedLogin) -> SealContext {
    SealContext::login(&row.pool, row.bot, row.slot)
}

/// All tokens, a portion at a time.
struct Tokens<'a> {
    store: &'a Store,
    portion: std::vec::IntoIter<SealedToken>,
    last: Option<SealedToken>,
}

impl<'a> Tokens<'a> {
    fn of(store: &'a Store) -> Self {
        Self {
            store,
            portion: Vec::new().into_iter(),
            last: None,
        }
    }

    async fn next(&mut self) -> Result<Option<SealedToken>, StoreError> {
        if self.portion.as_slice().is_empty() {
            let portion = self.store.sealed().tokens(self.last.as_ref()).await?;
            self.portion = portion.into_iter();
        }
        let next = self.portion.next();
        if next.is_some() {
            self.last.clone_from(&next);
        }
        Ok(next)
    }
}

/// All logins, a portion at a time.
struct Logins<'a> {
    store: &'a Store,
    portion: std::vec::IntoIter<SealedLogin>,
    last: Option<SealedLogin>,
}

impl<'a> Logins<'a> {
    fn of(store: &'a Store) -> Self {
        Self {
            store,
            portion: Vec::new().into_iter(),
            last: None,
        }
    }

    async fn next(&mut self) -> Result<Option<SealedLogin>, StoreError> {
        if self.portion.as_slice().is_empty() {
            let portion = self.store.sealed().logins(self.last.as_ref()).await?;
            self.portion = portion.into_iter();
        }
        let next = self.portion.next();
        if next.is_some() {
            self.last.clone_from(&next);
        }
        Ok(next)
    }
}
