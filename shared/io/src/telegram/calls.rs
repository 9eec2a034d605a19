//! What can be asked of Telegram over one line: every call with our own deadline, without retries, a bounded number at a time.
//!
//! Invariants: a call ends within its deadline, waiting for its turn included; it is made at most once; after the line's end it fails
//! without being sent. A `TIMEOUT` leaves open whether Telegram did it, which is why whoever sends says it with a `random_id`.
//! Not done here: retrying, shaping rates, deciding what an error means for the bot.

mod channels;
mod messages;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grammers_client::sender::SenderPoolHandle;
use grammers_client::tl::{self, Deserializable, RemoteCall};
use shared_core::{BotId, BotToken, ChannelId, ErrorClass, QueryId, Secret};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::boxes::BoxState;
use super::error::CallError;
use super::line::Identity;
use super::peers::Peers;
use super::session::LineSession;

pub use channels::{AdminRights, BasicGroup, ChannelKind, OwnRights};
pub use messages::{Fetched, Say, Source};

/// grammers queues without a bound; this is the bound. Far above what Telegram lets a bot send.
const MAX_IN_FLIGHT: usize = 256;
/// The most that one `updates.getChannelDifference` of a bot may ask for. A lower limit would turn a long gap into a lost one.
const CHANNEL_DIFFERENCE_LIMIT: i32 = 100_000;

/// May a call leave at this moment?
pub type Gate = Arc<dyn Fn() -> bool + Send + Sync>;

/// The calls of one line; clones share it.
#[derive(Clone)]
pub struct Calls(Arc<Shared>, Option<Gate>);

struct Shared {
    pool: SenderPoolHandle,
    session: Arc<LineSession>,
    peers: Mutex<Peers>,
    deadline: Duration,
    turns: Semaphore,
    fenced: AtomicBool,
}

impl Calls {
    pub(super) fn new(
        pool: SenderPoolHandle,
        session: Arc<LineSession>,
        deadline: Duration,
    ) -> Self {
        let shared = Shared {
            pool,
            session,
            peers: Mutex::new(Peers::default()),
            deadline,
            turns: Semaphore::new(MAX_IN_FLIGHT),
            fenced: AtomicBool::new(false),
        };
        Self(Arc::new(shared), None)
    }

    /// The same line's calls behind a gate, which is asked right before each call leaves: whoever was entitled to a call when he made
    /// it may have been asleep since. A closed gate is an error of the network and nothing is sent.
    pub fn gated(&self, gate: Gate) -> Self {
        Self(Arc::clone(&self.0), Some(gate))
    }

    /// The cheapest sign of life; needs no login.
    pub async fn ping(&self) -> Result<(), CallError> {
        self.ping_within(self.0.deadline).await
    }

    /// The account's state; the active bot's probe.
    pub async fn state(&self) -> Result<BoxState, CallError> {
        let tl::enums::updates::State::State(state) = self
            .call("updates.getState", &tl::functions::updates::GetState {})
            .await?;
        Ok(BoxState {
            pts: state.pts,
            qts: state.qts,
            date: state.date,
        })
    }

    /// Answers a button press, so that the member's client stops waiting. `alert` shows the text in a window.
    pub async fn answer_press(
        &self,
        query: QueryId,
        text: Option<&str>,
        alert: bool,
    ) -> Result<(), CallError> {
        let request = tl::functions::messages::SetBotCallbackAnswer {
            alert,
            query_id: query.0,
            message: text.map(Into::into),
            url: None,
            cache_time: 0,
        };
        self.call("messages.setBotCallbackAnswer", &request).await?;
        Ok(())
    }

    pub(super) async fn ping_within(&self, deadline: Duration) -> Result<(), CallError> {
        let request = tl::functions::Ping {
            ping_id: random_long("ping")?,
        };
        self.call_within(deadline, "ping", &request).await?;
        Ok(())
    }

    /// Who the key is logged in as.
    pub async fn identity(&self) -> Result<Identity, CallError> {
        const METHOD: &str = "users.getUsers";
        let request = tl::functions::users::GetUsers {
            id: vec![tl::enums::InputUser::UserSelf],
        };
        let users = self.call(METHOD, &request).await?;
        self.peers().learn(&users, &[]);
        users
            .first()
            .and_then(identity_of)
            .ok_or_else(|| CallError::malformed(METHOD))
    }

    pub(super) async fn import_bot(
        &self,
        api_id: i32,
        api_hash: &Secret,
        token: &BotToken,
        with_updates: bool,
    ) -> Result<Identity, CallError> {
        const METHOD: &str = "auth.importBotAuthorization";
        let request = tl::functions::auth::ImportBotAuthorization {
            flags: 0,
            api_id,
            api_hash: api_hash.expose().into(),
            bot_auth_token: token.expose().into(),
        };
        let answer = if with_updates {
            self.call(METHOD, &request).await?
        } else {
            let query = request;
            self.call(METHOD, &tl::functions::InvokeWithoutUpdates { query })
                .await?
        };
        match answer {
            tl::enums::auth::Authorization::Authorization(authorization) => {
                self.peers()
                    .learn(std::slice::from_ref(&authorization.user), &[]);
                identity_of(&authorization.user).ok_or_else(|| CallError::malformed(METHOD))
            }
            tl::enums::auth::Authorization::SignUpRequired(_) => {
                Err(CallError::new(METHOD, ErrorClass::Ours, "NOT_A_BOT", 0))
            }
        }
    }

    pub(super) async fn difference(
        &self,
        from: BoxState,
    ) -> Result<tl::enums::updates::Difference, CallError> {
        let request = tl::functions::updates::GetDifference {
            pts: from.pts,
            pts_limit: None,
            pts_total_limit: None,
            // Telegram refuses zero.
            date: from.date.max(1),
            qts: from.qts,
            qts_limit: None,
        };
        self.call("updates.getDifference", &request).await
    }

    pub(super) async fn channel_difference(
        &self,
        channel: ChannelId,
        pts: i32,
    ) -> Result<tl::enums::updates::ChannelDifference, CallError> {
        let request = tl::functions::updates::GetChannelDifference {
            force: false,
            channel: self.peers().input_channel(channel),
            filter: tl::enums::ChannelMessagesFilter::Empty,
            pts,
            limit: CHANNEL_DIFFERENCE_LIMIT,
        };
        self.call("updates.getChannelDifference", &request).await
    }

    /// Drops the connection to a data centre that is not home any more.
    pub(super) fn disconnect(&self, dc: i32) {
        self.0.pool.disconnect_from_dc(dc);
    }

    /// From here on nothing is sent.
    pub(super) fn fence(&self) {
        self.0.fenced.store(true, Ordering::SeqCst);
        self.0.turns.close();
    }

    /// Plain data that is sound even after a panic elsewhere. Never held over an await.
    pub(super) fn peers(&self) -> MutexGuard<'_, Peers> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call<R: RemoteCall>(
        &self,
        method: &'static str,
        request: &R,
    ) -> Result<R::Return, CallError> {
        self.call_within(self.0.deadline, method, request).await
    }

    async fn call_within<R: RemoteCall>(
        &self,
        deadline: Duration,
        method: &'static str,
        request: &R,
    ) -> Result<R::Return, CallError> {
        let (home, body) = (self.0.session.home(), request.to_bytes());
        let answer = timeout(deadline, async {
            let turn = self.0.turns.acquire().await;
            let _turn = turn.map_err(|_| CallError::line_closed(method))?;
            if self.0.fenced.load(Ordering::SeqCst) {
                return Err(CallError::line_closed(method));
            }
            if self.1.as_ref().is_some_and(|may_leave| !may_leave()) {
                return Err(CallError::gate_closed(method));
            }
            self.0
                .pool
                .raw_invoke_in_dc(home, body)
                .await
                .map_err(|error| CallError::from_invocation(method, error))
        });
        let bytes = answer
            .await
            .unwrap_or_else(|_| Err(CallError::timeout(method)))?;
        R::Return::from_bytes(&bytes).map_err(|_| CallError::malformed(method))
    }
}

fn identity_of(user: &tl::enums::User) -> Option<Identity> {
    match user {
        tl::enums::User::User(user) => Some(Identity {
            bot: BotId(user.id),
            username: user.username.clone().unwrap_or_default(),
            name: user.first_name.clone().unwrap_or_default(),
        }),
        tl::enums::User::Empty(_) => None,
    }
}

fn random_long(method: &'static str) -> Result<i64, CallError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|_| CallError::new(method, ErrorClass::Other, "NO_RANDOMNESS", 0))?;
    Ok(i64::from_ne_bytes(bytes))
}
