//! What the tasks of this process share, and what those of one bot do. Data only.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bot_worker_core::admin::AdminTexts;
use bot_worker_core::{Catalog, Texts};
use shared_core::{BotToken, ChannelId, EpochStamp, LoginLease, Nonce, PoolId, WorkerId};
use shared_io::config::{BotConfig, Config, PoolConfig};
use shared_io::redis::{History, PoolState, RedisState};
use shared_io::secrets::Sealer;
use shared_io::sql::Store;
use tokio::sync::watch;

use crate::admin::{Desk, Recorder};
use crate::guard::{Guard, LeaseCell};
use crate::login::Vault;
use crate::presses::Presses;
use crate::status::{BotStatus, Status};
use crate::tail::Tail;

/// What every task of this process shares.
pub struct Shared {
    pub config: Config,
    pub worker: WorkerId,
    pub nonce: Nonce,
    /// No earlier process of this name is alive: who started this one knows.
    pub vouched: bool,
    pub redis: RedisState,
    pub store: Store,
    pub sealer: Sealer,
    pub logins: Vault,
    pub status: Arc<Status>,
    pub guard: Guard,
    pub texts: Texts,
    pub admin_texts: AdminTexts,
    /// What admins did, on its way to SQL.
    pub admin_records: Recorder,
}

/// Everything that one bot's tasks need.
#[derive(Clone)]
pub struct BotContext {
    pub shared: Arc<Shared>,
    pub pool: PoolId,
    pub state: PoolState,
    pub config: PoolConfig,
    pub bot: BotConfig,
    pub catalog: Catalog,
    pub lease: LoginLease,
    pub cell: Arc<LeaseCell>,
    pub status: Arc<BotStatus>,
    /// Takes what is admins' business out of what this bot hears; outlives its sessions.
    pub desk: Arc<Desk>,
    /// Channels that Telegram does not let this bot read.
    pub barred: watch::Sender<Vec<ChannelId>>,
    /// The epoch of a predecessor of this worker's name; never acted on.
    pub inherited: Option<EpochStamp>,
    pub tail: Arc<Tail>,
    /// Telegram would not give this bot some updates: of what it sent before, not all can be heard. Until nothing is in doubt.
    pub missed_some: Arc<AtomicBool>,
    /// Members whose clients wait for this bot; outlives its sessions.
    pub presses: Arc<Presses>,
}

impl BotContext {
    /// 0: nobody is invited.
    pub fn invite_again_ms(&self) -> u64 {
        let again = self.shared.config.reach.invite_again;
        u64::try_from(again.as_millis()).unwrap_or(u64::MAX)
    }

    pub fn token(&self) -> &BotToken {
        &self.bot.token
    }

    /// Whoever looks after the rights looks at once when this changes.
    pub fn barred(&self, channels: Vec<ChannelId>) {
        self.barred.send_if_modified(|known| {
            let is_other = *known != channels;
            *known = channels;
            is_other
        });
    }

    /// The same where somebody is said to have changed them.
    pub fn look_at_rights(&self) {
        self.barred.send_modify(|_| {});
    }

    /// The same for one session, whose every word to Redis belongs to this history.
    pub fn held_to(&self, history: History) -> Self {
        Self {
            state: self.state.held_to(history),
            ..self.clone()
        }
    }
}

/// `None` without a storage channel, which the configuration's checks do not let through.
pub fn catalog_of(config: &PoolConfig) -> Option<Catalog> {
    Some(Catalog {
        categories: config.upload.categories.clone(),
        tags: config.upload.tags.clone(),
        max_files: config.upload.max_files,
        max_file_bytes: config.upload.max_file_bytes(),
        storage: config.storage()?,
        broadcast: config.broadcast(),
        remind_after: config.upload.remind_after(),
        told_of_courses: match config.upload.tell_admins {
            true => config.admins.iter().copied().collect(),
            false => Vec::new(),
        },
    })
}
