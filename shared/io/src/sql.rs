//! The durable record: SQLite in the data folder by default, PostgreSQL by URL through the same statements.
//!
//! [`Store::open`] brings the database to this program's schema and hands out a repository per table. Invariants: this module is the
//! only one that names sqlx; the statements are what SQLite and PostgreSQL both understand; nothing waits longer than
//! [`QUERY_TIMEOUT`]; what has been acknowledged is on disk (SQLite: WAL with `synchronous=FULL`; PostgreSQL: `synchronous_commit`);
//! secrets arrive here sealed.
//! Deliberately absent: anything on the path of a switch needs no SQL, so nothing here is made fast by caching.
//! Source: <https://www.sqlite.org/wal.html>, <https://www.sqlite.org/pragma.html>.

mod admin_actions;
mod bots;
mod channels;
mod checkpoints;
mod courses;
mod db;
mod decisions;
mod epochs;
mod error;
mod events;
mod login_attempts;
mod logins;
mod open;
mod overrides;
mod peek;
mod records;
mod sealed;
mod switches;

pub use admin_actions::{AdminAction, AdminActions, AdminVerdict, Via, Who};
pub use bots::{BotRow, Bots};
pub use channels::{ChannelRow, Channels};
pub use checkpoints::{
    CheckpointChange, CheckpointCounts, CheckpointHead, CheckpointPlace, Checkpoints,
    ConversationRow, EntryRow, ReachRow,
};
pub use courses::{Course, Courses};
pub use db::QUERY_TIMEOUT;
pub use decisions::{Decision, Decisions};
pub use epochs::Epochs;
pub use error::StoreError;
pub use events::{Event, EventKind, Events};
pub use login_attempts::{LoginAttempt, LoginAttempts, LoginOutcome};
pub use logins::{LoginRow, LoginState, Logins};
pub use overrides::{Overrides, OverridesRow};
pub use peek::SchemaSeen;
pub use sealed::{Sealed, SealedLogin, SealedToken};
pub use switches::{SwitchKind, SwitchOutcome, SwitchRow, Switches, Timeline};

use std::path::Path;
use std::time::Duration;

use shared_core::Secret;

use crate::config::Config;
use db::Db;

/// An open database at this program's schema. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    db: Db,
}

impl Store {
    /// Opens, makes or upgrades the database at `url`. Several processes may do so at once.
    pub async fn open(url: &Secret, data_dir: &Path) -> Result<Self, StoreError> {
        let db = open::open(url, data_dir).await?;
        Ok(Self { db })
    }

    pub async fn open_configured(config: &Config) -> Result<Self, StoreError> {
        Self::open(&config.database_url(), config.data_dir()).await
    }

    /// Connections to a database that is away: each query tries anew. Nothing has looked at the schema: whoever takes this does so later, with
    /// [`Self::peek`].
    pub fn unopened(config: &Config) -> Result<Self, StoreError> {
        let db = open::later(&config.database_url(), config.data_dir())?;
        Ok(Self { db })
    }

    /// A round trip.
    pub async fn ping(&self) -> Result<Duration, StoreError> {
        self.db.ping().await
    }

    pub fn bots(&self) -> Bots<'_> {
        Bots(&self.db)
    }

    pub fn logins(&self) -> Logins<'_> {
        Logins(&self.db)
    }

    pub fn channels(&self) -> Channels<'_> {
        Channels(&self.db)
    }

    pub fn epochs(&self) -> Epochs<'_> {
        Epochs(&self.db)
    }

    pub fn switches(&self) -> Switches<'_> {
        Switches(&self.db)
    }

    pub fn courses(&self) -> Courses<'_> {
        Courses(&self.db)
    }

    pub fn decisions(&self) -> Decisions<'_> {
        Decisions(&self.db)
    }

    pub fn events(&self) -> Events<'_> {
        Events(&self.db)
    }

    pub fn sealed(&self) -> Sealed<'_> {
        Sealed(&self.db)
    }

    pub fn login_attempts(&self) -> LoginAttempts<'_> {
        LoginAttempts(&self.db)
    }

    pub fn overrides(&self) -> Overrides<'_> {
        Overrides(&self.db)
    }

    pub fn admin_actions(&self) -> AdminActions<'_> {
        AdminActions(&self.db)
    }

    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints(&self.db)
    }

    /// Gives the connections back; SQLite's write-ahead log is folded into the file by the last one.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
