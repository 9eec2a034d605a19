//! A simulator, its control API, and lines to it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared_core::{
    AuthKey, BotId, BotToken, ChannelId, Incoming, IncomingKind, MemberId, MessageId, Secret,
};
use shared_io::telegram::{
    Batch, CallError, DcAddress, FeedStart, Line, LineParams, LineTimeouts, UpdateFeed,
};
use telegram_sim::{RunningSim, Sim, SimConfig};
use tokio::time::timeout;

/// Far beyond what anything takes here; only a hang gets there.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Telegram {
    sim: RunningSim,
    http: reqwest::Client,
}

pub struct Bot {
    pub id: BotId,
    pub token: BotToken,
}

impl Telegram {
    pub async fn start() -> Self {
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        let telegram = Self {
            sim,
            http: reqwest::Client::new(),
        };
        telegram
            .call(Method::PUT, "/v1/limits", json!({"enabled": false}))
            .await;
        telegram
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.try_call(method, path, body).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The error's name is Telegram's, where it has one.
    pub async fn try_post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.try_call(Method::POST, path, body).await
    }

    async fn try_call(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.sim.control_url());
        let request = self.http.request(method, url).timeout(PATIENCE);
        let response = request.json(&body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        match status.is_success() {
            true => Ok(answer),
            false => Err(answer["error"].as_str().unwrap().to_owned()),
        }
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, body).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, json!({})).await
    }

    pub async fn bot(&self, name: &str) -> Bot {
        let body = json!({"name": name, "username": format!("{name}_bot")});
        let bot = self.post("/v1/bots", body).await;
        Bot {
            id: BotId(bot["id"].as_i64().unwrap()),
            token: BotToken::parse(bot["token"].as_str().unwrap()).unwrap(),
        }
    }

    pub async fn member(&self, name: &str) -> MemberId {
        let members = self.post("/v1/members", json!({"first_name": name})).await;
        MemberId(members[0]["id"].as_i64().unwrap())
    }

    /// A member who has opened the chat with this bot.
    pub async fn friend(&self, name: &str, bot: &Bot) -> MemberId {
        let member = self.member(name).await;
        let path = format!("/v1/members/{}/start", member.0);
        self.post(&path, json!({"bot": bot.id.0})).await;
        member
    }

    pub async fn supergroup(&self, members: &[MemberId], admins: &[&Bot]) -> ChannelId {
        let rights = ["post_messages", "edit_messages", "delete_messages"];
        let admins = admins
            .iter()
            .map(|bot| json!({"user": bot.id.0, "rights": rights}));
        let body = json!({
            "title": "Group",
            "kind": "supergroup",
            "members": members.iter().map(|member| member.0).collect::<Vec<_>>(),
            "admins": admins.collect::<Vec<_>>(),
        });
        let channel = self.post("/v1/channels", body).await;
        ChannelId(channel["id"].as_i64().unwrap())
    }

    pub async fn key(&self) -> AuthKey {
        let key = self.post("/v1/auth_keys", json!({})).await;
        AuthKey::from_hex(key["auth_key"].as_str().unwrap()).unwrap()
    }

    pub async fn say(&self, member: MemberId, to: Value, text: &str) -> MessageId {
        let path = format!("/v1/members/{}/send", member.0);
        let sent = self.post(&path, json!({"to": to, "text": text})).await;
        MessageId(i32::try_from(sent["message_ids"][0].as_i64().unwrap()).unwrap())
    }

    pub async fn say_to(&self, member: MemberId, bot: &Bot, text: &str) -> MessageId {
        self.say(member, json!({"user": bot.id.0}), text).await
    }

    pub async fn say_in(&self, member: MemberId, channel: ChannelId, text: &str) -> MessageId {
        self.say(member, json!({"channel": channel.0}), text).await
    }

    pub async fn edit(&self, member: MemberId, chat: Value, message: MessageId, text: &str) {
        let body = json!({"chat": chat, "message_id": message.0, "text": text});
        let path = format!("/v1/members/{}/edit", member.0);
        self.post(&path, body).await;
    }

    pub async fn block(&self, member: MemberId, bot: &Bot) {
        let path = format!("/v1/members/{}/block", member.0);
        self.post(&path, json!({"bot": bot.id.0})).await;
    }

    pub async fn fault(&self, fault: Value) {
        self.post("/v1/faults", fault).await;
    }

    /// What a member sees in the chat with a bot.
    pub async fn seen(&self, member: MemberId, bot: &Bot) -> Vec<Value> {
        let path = format!("/v1/members/{}/chat?user={}", member.0, bot.id.0);
        self.get(&path).await["messages"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Waits for the `nth` event of a kind since the start.
    pub async fn event(&self, kind: &str, nth: usize) -> Value {
        let (mut seen, mut after) = (0, 0);
        loop {
            let path = format!("/v1/events?after={after}&kind={kind}&wait_ms=10000");
            let page = self.get(&path).await;
            let events = page["events"].as_array().unwrap();
            assert!(!events.is_empty(), "no event {kind} number {nth} in 10 s");
            if let Some(event) = events.get(nth - seen - 1) {
                return event.clone();
            }
            seen += events.len();
            after = page["next"].as_u64().unwrap();
        }
    }

    pub fn params(&self, key: AuthKey) -> LineParams {
        let SocketAddr::V4(addr) = self.sim.mtproto_addr() else {
            panic!("IPv4 expected");
        };
        LineParams {
            dc: Some(DcAddress { id: 2, addr }),
            api_id: 17,
            api_hash: Secret::new("hash"),
            key: Some(key),
            timeouts: LineTimeouts {
                connect: Duration::from_secs(10),
                call: Duration::from_secs(5),
            },
            updates_capacity: 0,
        }
    }

    pub async fn connect(&self, key: AuthKey) -> Result<Line, CallError> {
        Line::connect(self.params(key)).await
    }

    /// A line that is logged in as the bot, on a key of its own.
    pub async fn line(&self, bot: &Bot) -> Line {
        let line = self.connect(self.key().await).await.unwrap();
        line.log_in(&bot.token).await.unwrap();
        line
    }
}

pub fn start(bot: &Bot) -> FeedStart {
    FeedStart {
        private: None,
        channels: vec![],
        groups: HashSet::new(),
        posts: HashSet::new(),
        own_bots: HashSet::from([bot.id]),
        me: bot.id,
    }
}

/// A feed that is seeded and caught up.
pub async fn caught_up(line: &mut Line, start: FeedStart) -> (UpdateFeed, Batch) {
    let mut feed = UpdateFeed::new(line.take_updates().unwrap(), line.calls(), start);
    let collected = until(&mut feed, |feed, _| feed.caught_up()).await;
    (feed, collected)
}

/// Takes batches until `done`, and returns them as one.
pub async fn until(feed: &mut UpdateFeed, done: impl Fn(&UpdateFeed, &Batch) -> bool) -> Batch {
    let collect = async {
        let mut all = Batch::default();
        while !done(feed, &all) {
            merge(&mut all, feed.next().await.unwrap());
        }
        all
    };
    timeout(PATIENCE, collect)
        .await
        .expect("within the patience")
}

/// Takes batches until there are so many items.
pub async fn items(feed: &mut UpdateFeed, count: usize) -> Vec<Incoming> {
    until(feed, |_, all| all.items.len() >= count).await.items
}

fn merge(all: &mut Batch, batch: Batch) {
    all.items.extend(batch.items);
    all.echoes.extend(batch.echoes);
    all.private_after = batch.private_after.or(all.private_after);
    for (channel, pts) in batch.channels_after {
        all.channels_after.retain(|(known, _)| *known != channel);
        all.channels_after.push((channel, pts));
    }
    all.unknown += batch.unknown;
    all.from_difference |= batch.from_difference;
}

/// One line an item: what a person needs to see in a failed test.
pub fn told(items: &[Incoming]) -> Vec<String> {
    items
        .iter()
        .map(|item| match &item.what {
            IncomingKind::Message { text, .. } => format!("{}: {text}", item.name),
            IncomingKind::Edit { text, .. } => format!("{} edits: {text}", item.name),
            IncomingKind::Press { data, .. } => format!("{} presses: {data}", item.name),
            IncomingKind::Stopped { stopped } => format!("{} stopped={stopped}", item.name),
        })
        .collect()
}

pub fn user(bot: &Bot) -> Value {
    json!({"user": bot.id.0})
}
