//! The world behind the wire: accounts, boxes, chats, files, presses, limits. A pure, synchronous state machine: no
//! runtime, no clock (time comes in as [`Now`]), no randomness but its own seeded generator. The same seed and
//! the same calls give the same bytes.
//!
//! The wire side holds it in one mutex, calls it, and then drains pushes, finished calls and events in that order.
//! Here nothing is known of connections, encryption or HTTP.
//!
//! One file per concern below this one, each adding its own methods to [`World`]: `directory` (who exists), `membership`, `keys` (logins),
//! `sending`, `editing`, `press`, `member` (what members do), `view` (what the control API sees of them), `history` (chats as a list, newest first).

mod account;
mod api;
mod boxlog;
mod channel;
mod directory;
mod editing;
mod error;
mod event;
mod files;
mod hash;
mod history;
mod ids;
mod keys;
mod limits;
mod member;
mod membership;
mod message;
mod press;
mod random_ids;
mod rpc_faults;
mod sending;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
mod view;

use std::collections::{HashMap, VecDeque};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) use account::{Account, CommandKey, QtsChange, QtsEntry};
pub use api::{
    Button, ChannelKind, ChannelView, Counts, CreatedBot, CreatedMember, FetchedFile, NewAdmin,
    NewBot, NewChannel, NewContact, NewContent, NewDocument, NewMessage, Received, Right, Rights,
    RpcFault, RpcFaultEffect, SentMessages, ViewedButton, ViewedDocument, ViewedMessage,
};
pub(crate) use boxlog::{At, Change, Entry, cut_to_weight};
pub(crate) use channel::{Channel, Standing};
pub use error::RpcError;
pub use event::{BoxRef, Event};
pub(crate) use files::{Content, File, FileId};
pub(crate) use hash::Hashes;
pub(crate) use history::{ChatTop, Page, Wanted};
pub use ids::{ChannelId, ChatRef, MessageId, PendingId, UserId};
pub(crate) use keys::split_token;
pub(crate) use limits::Load;
pub(crate) use member::{CAPTION_MAX, TEXT_MAX, marked, start_text};
pub(crate) use message::{Body, ContentId, CopiedMessage, Draft, Home, Media, Revision};
pub(crate) use press::{PressAnswer, Pressed};
pub(crate) use sending::Posted;
pub use settings::{
    Bounds, DcAddress, Doubts, Limits, LiveSessions, LoginFlood, RandomIdScope, Settings, UpdatesTo,
};

use crate::dispatch::{self, Answer};

/// Time as the wire side reads it, once per call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub unix_ms: i64,
    /// Milliseconds since the simulator started; never goes back.
    pub mono_ms: u64,
}

impl Now {
    /// Telegram's dates are seconds in 32 bits.
    pub(crate) fn date(self) -> i32 {
        i32::try_from(self.unix_ms / 1_000).unwrap_or(i32::MAX)
    }
}

/// Who calls. The world checks the key itself and sets `account` to what it knows.
#[derive(Clone, Debug)]
pub struct Caller {
    pub connection: u64,
    pub auth_key_id: i64,
    pub session_id: i64,
    pub layer: i32,
    pub account: Option<UserId>,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Serialized result, or an error.
    Reply(Result<Vec<u8>, RpcError>),
    /// Will come out of [`World::drain_finished`].
    Later(PendingId),
}

/// Updates for one account's live connections. Pushes are produced for accounts that are logged in somewhere only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub account: UserId,
    pub except_connection: Option<u64>,
    /// A serialized `Updates`.
    pub updates: Vec<u8>,
}

/// What an auth key is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    Unknown,
    Fresh,
    Account(UserId),
    Dead(RpcError),
}

/// An answered or timed-out pending call; the bytes are a serialized `messages.BotCallbackAnswer`.
pub type Finished = (PendingId, Result<Vec<u8>, RpcError>);

#[derive(Debug)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) hashes: Hashes,
    pub(crate) files: files::Files,
    pub(crate) uploads: files::Uploads,
    accounts: HashMap<UserId, Account>,
    channels: HashMap<ChannelId, Channel>,
    /// Lower-case username -> who has it.
    usernames: HashMap<String, ChatRef>,
    copied: Vec<CopiedMessage>,
    keys: keys::Keys,
    presses: press::Presses,
    send_limits: limits::SendLimits,
    pub(crate) random_ids: random_ids::RandomIds,
    rpc_faults: rpc_faults::RpcFaults,
    last_user: i64,
    last_channel: i64,
    messages_sent: usize,
    /// The person whose call runs, and the connection that gets its answer: his other devices are told by updates.
    acting: Option<(UserId, u64)>,
    pushes: VecDeque<Push>,
    events: Vec<Event>,
}

impl World {
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let hashes = Hashes::new(rng.random());
        Self {
            settings,
            rng,
            hashes,
            files: files::Files::default(),
            uploads: files::Uploads::default(),
            accounts: HashMap::new(),
            channels: HashMap::new(),
            usernames: HashMap::new(),
            copied: Vec::new(),
            keys: keys::Keys::default(),
            presses: press::Presses::default(),
            send_limits: limits::SendLimits::default(),
            random_ids: random_ids::RandomIds::default(),
            rpc_faults: rpc_faults::RpcFaults::default(),
            last_user: 0,
            last_channel: 0,
            messages_sent: 0,
            acting: None,
            pushes: VecDeque::new(),
            events: Vec::new(),
        }
    }

    /// One call; `body` is the innermost function.
    pub fn call(&mut self, caller: &mut Caller, body: &[u8], now: Now) -> Outcome {
        let state = self.account_of_key(caller.auth_key_id);
        caller.account = match state {
            KeyState::Account(account) => Some(account),
            KeyState::Unknown | KeyState::Fresh | KeyState::Dead(_) => None,
        };
        let method = Self::method_name(body).unwrap_or("unknown");
        let account = self
            .owner_of_key(caller.auth_key_id)
            .or_else(|| dispatch::account_of_login(body));
        if let Some(hit) = self
            .rpc_faults
            .consult(account, method, now.mono_ms, &mut self.rng)
        {
            self.record(Event::FaultFired {
                fault: hit.fault,
                account,
                method: method.to_owned(),
                error: hit.error.clone(),
            });
            self.record_wait(account, method, &hit.error);
            return Outcome::Reply(Err(hit.error));
        }
        self.acting = caller
            .account
            .filter(|account| !self.is_bot(*account))
            .map(|account| (account, caller.connection));
        let result = dispatch::run(self, caller, body, now);
        self.acting = None;
        match result {
            Ok(Answer::Now(bytes)) => Outcome::Reply(Ok(bytes)),
            Ok(Answer::Later(id)) => Outcome::Later(id),
            Err(error) => {
                self.record_wait(account, method, &error);
                Outcome::Reply(Err(error))
            }
        }
    }

    /// The connection that an account's updates must spare, because its own call caused them.
    pub(crate) fn acting_connection(&self, account: UserId) -> Option<u64> {
        self.acting
            .filter(|(actor, _)| *actor == account)
            .map(|(_, connection)| connection)
    }

    /// TL name of the method in `body`, for logs; `None` when the constructor is not in the layer.
    pub fn method_name(body: &[u8]) -> Option<&'static str> {
        dispatch::method_name(body)
    }

    /// In the order in which they must reach the account.
    pub fn drain_pushes(&mut self) -> Vec<Push> {
        self.pushes.drain(..).collect()
    }

    pub fn drain_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The new limits start with full buckets.
    pub fn set_limits(&mut self, limits: Limits) {
        self.settings.limits = limits;
        self.send_limits.reset();
    }

    pub fn set_doubts(&mut self, doubts: Doubts) {
        self.settings.doubts = doubts;
    }

    /// `id` is chosen by the caller and comes back in `fault_fired`.
    pub fn add_rpc_fault(&mut self, id: u64, fault: RpcFault, now: Now) {
        self.rpc_faults.add(id, fault, now.mono_ms);
    }

    /// True when there was such a fault.
    pub fn clear_rpc_fault(&mut self, id: u64) -> bool {
        self.rpc_faults.clear(id)
    }

    pub(crate) fn record(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(crate) fn push_raw(&mut self, push: Push) {
        self.pushes.push_back(push);
    }

    /// Takes from a bot's send limits, or answers with the wait. People have none, whichever way they come.
    pub(crate) fn take_send(&mut self, load: Load, now: Now) -> Result<(), RpcError> {
        if !self.is_bot(load.bot) {
            return Ok(());
        }
        self.send_limits
            .send(&self.settings.limits, load, now.mono_ms)
            .map_err(RpcError::flood_wait)
    }

    /// Takes from the limit of edits and press answers.
    pub(crate) fn take_other(&mut self, bot: UserId, now: Now) -> Result<(), RpcError> {
        if !self.is_bot(bot) {
            return Ok(());
        }
        self.send_limits
            .other(&self.settings.limits, bot, now.mono_ms)
            .map_err(RpcError::flood_wait)
    }

    fn record_wait(&mut self, account: Option<UserId>, method: &str, error: &RpcError) {
        let seconds = error
            .message
            .strip_prefix("FLOOD_WAIT_")
            .and_then(|rest| rest.parse().ok());
        if let (Some(account), Some(seconds)) = (account, seconds) {
            self.record(Event::FloodWait {
                account,
                method: method.to_owned(),
                seconds,
            });
        }
    }
}
