//! A simulator, a control client and stock grammers clients.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use grammers_client::Client;
use grammers_client::tl;
use grammers_mtsender::{
    ConnectionParams, InvocationError, NoRetries, SenderPool, SenderPoolRunner,
    UpdatesConfiguration,
};
use grammers_session::SessionData;
use grammers_session::storages::MemorySession;
use grammers_session::types::DcOption;
use grammers_session::updates::UpdatesLike;
use serde_json::{Value, json};
use telegram_sim::{RunningSim, Sim, SimConfig};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub const API_ID: i32 = 17;
/// Far beyond what anything takes here; only a hang gets there.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub type Key = [u8; 256];

pub struct Telegram {
    pub sim: RunningSim,
    http: reqwest::Client,
}

pub struct Bot {
    pub id: i64,
    pub token: String,
}

/// A grammers client and the ends of its pool.
pub struct Login {
    pub client: Client,
    pub updates: mpsc::Receiver<UpdatesLike>,
    runner: JoinHandle<()>,
    pub session: Arc<MemorySession>,
}

impl Telegram {
    pub async fn start() -> Self {
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        Self {
            sim,
            http: reqwest::Client::new(),
        }
    }

    pub async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, String> {
        let url = format!("{}{path}", self.sim.control_url());
        let mut request = self.http.request(method, url).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let value: Value = response.json().await.unwrap();
        if status.is_success() {
            Ok(value)
        } else {
            Err(value["error"].as_str().unwrap().to_owned())
        }
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(reqwest::Method::POST, path, Some(body))
            .await
            .unwrap()
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        self.call(reqwest::Method::PUT, path, Some(body))
            .await
            .unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(reqwest::Method::GET, path, None).await.unwrap()
    }

    pub async fn bot(&self, name: &str) -> Bot {
        let bot = self
            .post(
                "/v1/bots",
                json!({"name": name, "username": format!("{name}_bot")}),
            )
            .await;
        Bot {
            id: bot["id"].as_i64().unwrap(),
            token: bot["token"].as_str().unwrap().to_owned(),
        }
    }

    pub async fn member(&self, name: &str) -> i64 {
        let members = self.post("/v1/members", json!({"first_name": name})).await;
        members[0]["id"].as_i64().unwrap()
    }

    pub async fn key(&self) -> Key {
        let key = self.post("/v1/auth_keys", json!({})).await;
        let hex = key["auth_key"].as_str().unwrap();
        let bytes: Vec<u8> = (0..256)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        bytes.try_into().unwrap()
    }

    /// A client over a key, not logged in.
    pub fn client(&self, key: Key) -> Login {
        let SocketAddr::V4(address) = self.sim.mtproto_addr() else {
            panic!("IPv4 expected")
        };
        Login::new(address, key)
    }

    /// A client that is logged in as the bot.
    pub async fn login(&self, bot: &Bot) -> Login {
        let login = self.client(self.key().await);
        login.client.bot_sign_in(&bot.token, "hash").await.unwrap();
        login
    }

    pub async fn say(&self, member: i64, to: Value, text: &str) -> Value {
        self.post(
            &format!("/v1/members/{member}/send"),
            json!({"to": to, "text": text}),
        )
        .await
    }

    pub async fn starts(&self, member: i64, bot: &Bot) -> Value {
        self.post(
            &format!("/v1/members/{member}/start"),
            json!({"bot": bot.id}),
        )
        .await
    }

    /// What a member sees in the chat with a bot.
    pub async fn seen(&self, member: i64, bot: &Bot) -> Vec<Value> {
        let chat = self
            .get(&format!("/v1/members/{member}/chat?user={}", bot.id))
            .await;
        chat["messages"].as_array().unwrap().clone()
    }

    /// Waits for an event of a kind, the `nth` since the start.
    pub async fn event(&self, kind: &str, nth: usize) -> Value {
        let mut found = Vec::new();
        let mut after = 0;
        loop {
            let page = self
                .get(&format!(
                    "/v1/events?after={after}&kind={kind}&wait_ms=10000"
                ))
                .await;
            let events = page["events"].as_array().unwrap();
            assert!(
                !events.is_empty(),
                "no event {kind} number {nth} within 10 s"
            );
            found.extend(events.iter().cloned());
            if let Some(event) = found.get(nth - 1) {
                return event.clone();
            }
            after = page["next"].as_u64().unwrap();
        }
    }

    pub async fn events(&self, kind: &str) -> Vec<Value> {
        let page = self.get(&format!("/v1/events?kind={kind}")).await;
        page["events"].as_array().unwrap().clone()
    }

    pub async fn fault(&self, fault: Value) -> u64 {
        self.post("/v1/faults", fault).await["id"].as_u64().unwrap()
    }

    pub async fn clear(&self, fault: u64) {
        self.call(
            reqwest::Method::DELETE,
            &format!("/v1/faults/{fault}"),
            None,
        )
        .await
        .unwrap();
    }

    pub async fn unlimited(&self) {
        self.put("/v1/limits", json!({"enabled": false})).await;
    }
}

impl Login {
    pub fn new(address: SocketAddrV4, key: Key) -> Self {
        let mut data = SessionData {
            home_dc: 2,
            ..SessionData::default()
        };
        let ipv6 = SocketAddrV6::new(address.ip().to_ipv6_mapped(), address.port(), 0, 0);
        data.dc_options.insert(
            2,
            DcOption {
                id: 2,
                ipv4: address,
                ipv6,
                auth_key: Some(key),
            },
        );
        Self::over(Arc::new(MemorySession::from(data)))
    }

    /// Another connection of the same session, as after a restart.
    pub fn over(session: Arc<MemorySession>) -> Self {
        let params = ConnectionParams {
            retry_policy: Box::new(NoRetries),
            updates_channel_capacity: std::num::NonZeroUsize::new(10_000).unwrap(),
            ..ConnectionParams::default()
        };
        let SenderPool {
            runner,
            handle,
            updates,
        } = SenderPool::with_configuration(Arc::clone(&session), API_ID, params);
        let runner = tokio::spawn(SenderPoolRunner::run(runner));
        Self {
            client: Client::new(handle),
            updates,
            runner,
            session,
        }
    }

    /// Ends the connection as a dying process does: the socket is closed, nothing is said.
    pub async fn die(self) -> Arc<MemorySession> {
        self.runner.abort();
        let _ = self.runner.await;
        self.session
    }

    pub async fn invoke<R: tl::RemoteCall>(
        &self,
        request: &R,
    ) -> Result<R::Return, InvocationError> {
        timeout(PATIENCE, self.client.invoke(request))
            .await
            .expect("an answer within the patience")
    }

    /// The next update that `wanted` makes something of; everything else is passed over.
    pub async fn update<T>(&mut self, wanted: impl Fn(&tl::enums::Update) -> Option<T>) -> T {
        let search = async {
            loop {
                let UpdatesLike::Updates(updates) = self.updates.recv().await.expect("a live pool")
                else {
                    continue;
                };
                let list = match updates {
                    tl::enums::Updates::Updates(updates) => updates.updates,
                    tl::enums::Updates::Combined(updates) => updates.updates,
                    tl::enums::Updates::UpdateShort(short) => vec![short.update],
                    other => panic!("the simulator sends no {other:?}"),
                };
                if let Some(found) = list.iter().find_map(&wanted) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, search)
            .await
            .expect("an update within the patience")
    }

    pub async fn message(&mut self) -> tl::types::Message {
        self.update(new_message).await
    }

    /// The stock update loop; consumes the raw channel.
    pub async fn stream(self, catch_up: bool) -> (grammers_client::client::UpdateStream, Client) {
        let configuration = UpdatesConfiguration { catch_up };
        let stream = self
            .client
            .stream_updates(self.updates, configuration)
            .await
            .unwrap();
        (stream, self.client)
    }
}

pub fn new_message(update: &tl::enums::Update) -> Option<tl::types::Message> {
    let message = match update {
        tl::enums::Update::NewMessage(new) => &new.message,
        tl::enums::Update::NewChannelMessage(new) => &new.message,
        _ => return None,
    };
    match message {
        tl::enums::Message::Message(message) => Some(message.clone()),
        _ => None,
    }
}

/// Hash 0: bots may use it for whom they have met.
pub fn user(id: i64) -> tl::enums::InputPeer {
    tl::types::InputPeerUser {
        user_id: id,
        access_hash: 0,
    }
    .into()
}

pub fn channel(id: i64) -> tl::enums::InputPeer {
    tl::types::InputPeerChannel {
        channel_id: id,
        access_hash: 0,
    }
    .into()
}

pub fn send_message(
    peer: tl::enums::InputPeer,
    text: &str,
    random_id: i64,
) -> tl::functions::messages::SendMessage {
    tl::functions::messages::SendMessage {
        no_webpage: false,
        silent: false,
        background: false,
        clear_draft: false,
        noforwards: false,
        update_stickersets_order: false,
        invert_media: false,
        allow_paid_floodskip: false,
        peer,
        reply_to: None,
        message: text.to_owned(),
        random_id,
        reply_markup: None,
        entities: None,
        schedule_date: None,
        schedule_repeat_period: None,
        send_as: None,
        quick_reply_shortcut: None,
        effect: None,
        allow_paid_stars: None,
        suggested_post: None,
        rich_message: None,
    }
}

/// One row of callback buttons.
pub fn keyboard(buttons: &[(&str, &str)]) -> tl::enums::ReplyMarkup {
    let buttons = buttons
        .iter()
        .map(|(text, data)| callback_button(text, data))
        .collect();
    let rows = vec![tl::types::KeyboardInlineButtonRow { buttons }.into()];
    tl::types::ReplyInlineMarkup {
        force_reply: false,
        rows,
    }
    .into()
}

fn callback_button(text: &str, data: &str) -> tl::enums::KeyboardInlineButton {
    let callback = tl::types::InlineButtonTypeCallback {
        requires_password: false,
        data: data.as_bytes().to_vec(),
    };
    tl::types::KeyboardInlineButton {
        style: None,
        text: text.to_owned(),
        r#type: callback.into(),
    }
    .into()
}

/// The name of the RPC error; anything else fails the test.
pub fn rpc_error<T: std::fmt::Debug>(result: Result<T, InvocationError>) -> (i32, String) {
    match result {
        Err(InvocationError::Rpc(error)) => (error.code, error.name),
        other => panic!("an RPC error was expected, not {other:?}"),
    }
}
