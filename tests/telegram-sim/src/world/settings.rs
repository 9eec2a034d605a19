//! What can be turned: the data centre's address, send limits, bounds of differences, and *doubts*.
//! A doubt is a behaviour that public sources do not settle; a client has to be right under either value.

use serde::{Deserialize, Serialize};

use super::error::RpcError;

/// Everything that is fixed when a world is made; limits and doubts can be changed later.
#[derive(Clone, Debug)]
pub struct Settings {
    pub dc: DcAddress,
    pub limits: Limits,
    pub doubts: Doubts,
    pub login_flood: LoginFlood,
    pub bounds: Bounds,
}

impl Settings {
    pub fn new(dc: DcAddress) -> Self {
        Self {
            dc,
            limits: Limits::default(),
            doubts: Doubts::default(),
            login_flood: LoginFlood::default(),
            bounds: Bounds::default(),
        }
    }
}

/// Where this data centre listens; told to clients by `help.getConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DcAddress {
    pub id: i32,
    pub ip: String,
    pub port: u16,
    /// Where it takes further connections of a login, for files only.
    pub media_port: Option<u16>,
}

/// Send limits of one bot. Telegram publishes the orders of magnitude and tolerates short bursts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub enabled: bool,
    pub per_chat_per_second: f64,
    pub per_chat_burst: u32,
    pub per_group_per_minute: f64,
    pub per_group_burst: u32,
    pub bulk_per_second: f64,
    pub bulk_burst: u32,
    /// Edits and press answers: not counted with the sends, generous, but not without end.
    pub other_per_second: f64,
    pub other_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            enabled: true,
            per_chat_per_second: 1.0,
            per_chat_burst: 5,
            per_group_per_minute: 20.0,
            per_group_burst: 20,
            bulk_per_second: 30.0,
            bulk_burst: 30,
            other_per_second: 100.0,
            other_burst: 200,
        }
    }
}

/// Who gets an account's updates when it is logged in more than once. Enforced by the wire side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdatesTo {
    NewestLogin,
    AllLogins,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RandomIdScope {
    Account,
    Login,
}

/// What a live session meets when its token is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveSessions {
    /// Every call is answered with this error (401 `SESSION_REVOKED` unless said otherwise).
    Killed(RpcError),
    LiveOn,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Doubts {
    pub updates_to: UpdatesTo,
    pub random_id_scope: RandomIdScope,
    pub random_id_memory_s: u64,
    pub difference_replays_presses: bool,
    pub revoke_live_sessions: LiveSessions,
    pub press_timeout_ms: u64,
    /// Containers without any pts are numbered by `seq`, so that a lost one is noticed.
    pub seq_on_presses: bool,
    /// Bots see the messages of other bots in groups.
    pub bots_see_bots: bool,
    /// A bot may promote an account that is not in the channel.
    pub promote_absent: bool,
    /// Most ids that `channels.getChannels` takes.
    pub get_channels_max: u32,
}

impl Default for Doubts {
    fn default() -> Self {
        Self {
            updates_to: UpdatesTo::NewestLogin,
            random_id_scope: RandomIdScope::Account,
            random_id_memory_s: 24 * 3_600,
            difference_replays_presses: false,
            revoke_live_sessions: LiveSessions::Killed(RpcError::unauthorized("SESSION_REVOKED")),
            press_timeout_ms: 15_000,
            seq_on_presses: false,
            bots_see_bots: false,
            promote_absent: false,
            get_channels_max: 200,
        }
    }
}

/// `auth.importBotAuthorization` from keys that are not logged in yet: so many per account and window, then waits
/// like those that were seen in the wild (1,057 to 3,135 s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginFlood {
    pub logins: u32,
    pub window_ms: u64,
    pub wait_min_s: u64,
    pub wait_max_s: u64,
}

impl Default for LoginFlood {
    fn default() -> Self {
        Self {
            logins: 20,
            window_ms: 3_600_000,
            wait_min_s: 1_057,
            wait_max_s: 3_135,
        }
    }
}

/// Sizes of differences and how long updates are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Updates in one `differenceSlice`.
    pub difference_slice: usize,
    /// About so many bytes in one difference of either kind: clients drop packets above 1,032 KiB.
    pub slice_bytes: usize,
    /// Beyond so many missed updates: `differenceTooLong`.
    pub difference_too_long: i32,
    /// Updates in one `channelDifference`, whatever `limit` says (bots may ask for 100,000).
    pub channel_slice: usize,
    /// Beyond so many missed pts: `channelDifferenceTooLong`.
    pub channel_too_long: i32,
    pub updates_kept_ms: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            difference_slice: 300,
            slice_bytes: 512 * 1_024,
            difference_too_long: 1_000_000,
            channel_slice: 300,
            channel_too_long: 100_000,
            updates_kept_ms: 24 * 3_600 * 1_000,
        }
    }
}
