//! The sealed logins in the worker's data folder: with them a worker that starts while SQL is away serves all the same.
//!
//! A copy of what SQL said last, written when it changes, and read only when SQL does not answer at the start. What is sealed stays sealed. A
//! login that was made anew elsewhere meanwhile is not in it; then Telegram refuses the old one, as it does any that is lost.
//! Deliberately absent: an `fsync`. A file that is torn or of another version counts as none, and then the worker waits for SQL.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared_core::{BotId, LoginSlot, PoolId, UnixMs, WorkerId};
use shared_io::sql::LoginRow;

/// Of the file; another one is not read.
const VERSION: u32 = 1;

pub(super) type Owner = (PoolId, BotId);
pub(super) type Rows = BTreeMap<Owner, Vec<LoginRow>>;

#[derive(Debug, Serialize, Deserialize)]
struct File {
    version: u32,
    logins: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    pool: PoolId,
    bot: BotId,
    slot: LoginSlot,
    sealed_key: String,
    dc_id: i32,
    dc_addr: Option<std::net::SocketAddrV4>,
    made: UnixMs,
    state: String,
}

#[derive(Debug, Clone)]
pub struct Kept {
    file: PathBuf,
}

impl Kept {
    pub fn new(data: &Path, worker: &WorkerId) -> Self {
        let file = data.join("run").join(format!("{worker}.logins"));
        Self { file }
    }

    /// `None` when there is none, or none that this program reads.
    pub(super) fn read(&self) -> Option<Rows> {
        let text = std::fs::read(&self.file).ok()?;
        let file: File = serde_json::from_slice(&text).ok()?;
        if file.version != VERSION {
            return None;
        }
        let mut rows = Rows::new();
        for line in file.logins {
            let row = line.row()?;
            let owner = (row.pool.clone(), row.bot);
            rows.entry(owner).or_default().push(row);
        }
        (!rows.is_empty()).then_some(rows)
    }

    /// Whole or not at all: it is written beside and renamed.
    pub(super) fn write(&self, rows: &Rows) -> io::Result<()> {
        let logins = rows.values().flatten().map(Line::of).collect();
        let text = serde_json::to_vec(&File {
            version: VERSION,
            logins,
        })?;
        if let Some(folder) = self.file.parent() {
            let mut make = DirBuilder::new();
            make.recursive(true).mode(0o700).create(folder)?;
        }
        let draft = self.file.with_extension("logins.draft");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&draft)?.write_all(&text)?;
        std::fs::rename(&draft, &self.file)
    }
}

impl Line {
    fn of(row: &LoginRow) -> Self {
        Self {
            pool: row.pool.clone(),
            bot: row.bot,
            slot: row.slot,
            sealed_key: row.sealed_key.clone(),
            dc_id: row.dc_id,
            dc_addr: row.dc_addr,
            made: row.made,
            state: row.state.as_str().to_owned(),
        }
    }

    fn row(self) -> Option<LoginRow> {
        Some(LoginRow {
            pool: self.pool,
            bot: self.bot,
            slot: self.slot,
            sealed_key: self.sealed_key,
            dc_id: self.dc_id,
            dc_addr: self.dc_addr,
            made: self.made,
            state: self.state.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use shared_io::sql::LoginState;

    use super::*;

    fn rows() -> Rows {
        let pool = PoolId::new("main").unwrap();
        let login = |slot, dc_addr, state| LoginRow {
            pool: pool.clone(),
            bot: BotId(7),
            slot,
            sealed_key: "sealed1:AAAA".into(),
            dc_id: 2,
            dc_addr,
            made: UnixMs(5),
            state,
        };
        let at = Some("127.0.0.1:443".parse().unwrap());
        let both = vec![
            login(LoginSlot::A, None, LoginState::Live),
            login(LoginSlot::B, at, LoginState::Lost),
        ];
        Rows::from([((pool.clone(), BotId(7)), both)])
    }

    #[test]
    fn what_is_kept_is_read_again_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path(), &WorkerId::new("w1").unwrap());
        assert!(kept.read().is_none());
        kept.write(&rows()).unwrap();
        assert_eq!(kept.read().unwrap(), rows());
        let mode = std::fs::metadata(&kept.file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Nothing to start with.
        kept.write(&Rows::new()).unwrap();
        assert!(kept.read().is_none());
    }

    #[test]
    fn what_is_torn_or_of_another_version_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path(), &WorkerId::new("w1").unwrap());
        kept.write(&rows()).unwrap();
        let whole = std::fs::read_to_string(&kept.file).unwrap();
        let others = [
            whole[..whole.len() / 2].to_owned(),
            whole.replace("\"version\":1", "\"version\":2"),
            whole.replace("lost", "elsewhere"),
            String::new(),
        ];
        for text in others {
            std::fs::write(&kept.file, &text).unwrap();
            assert!(kept.read().is_none(), "{text}");
        }
    }
}
