//! A client of the simulator's HTTP control API: what members do and see, and the faults.
//!
//! The contract is telegram-sim's README. Every call is bounded; a refusal by Telegram keeps its name.

mod words;

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use words::{
    Answer, Chat, Content, Event, NewBot, NewMember, PRESS_TIMEOUT, Page, Received, Sent, Viewed,
    ViewedButton,
};

/// A press waits for the bot's answer, everything else is immediate.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Telegram said no, or the request made no sense.
    #[error("{operation}: {error}{}", detail.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        operation: String,
        error: String,
        detail: Option<String>,
    },
    #[error("{operation}: the simulator does not answer")]
    Unreachable {
        operation: String,
        #[source]
        source: reqwest::Error,
    },
}

impl ControlError {
    /// Telegram's name of a refusal.
    pub fn name(&self) -> &str {
        match self {
            Self::Refused { error, .. } => error,
            Self::Unreachable { .. } => "UNREACHABLE",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Control {
    http: reqwest::Client,
    base: String,
}

impl Control {
    pub fn new(url: &str) -> Result<Self, ControlError> {
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .no_proxy()
            .build();
        let http = http.map_err(|source| ControlError::Unreachable {
            operation: "an HTTP client".into(),
            source,
        })?;
        Ok(Self {
            http,
            base: format!("{url}/v1"),
        })
    }

    pub async fn auth_key(&self) -> Result<String, ControlError> {
        #[derive(Deserialize)]
        struct Key {
            auth_key: String,
        }
        let key: Key = self.post("an auth key", "/auth_keys", json!({})).await?;
        Ok(key.auth_key)
    }

    pub async fn bot(&self, name: &str, username: &str) -> Result<NewBot, ControlError> {
        self.post(
            &format!("bot {username}"),
            "/bots",
            json!({"name": name, "username": username}),
        )
        .await
    }

    pub async fn member(&self, first_name: &str) -> Result<NewMember, ControlError> {
        let operation = format!("member {first_name}");
        let made: Vec<NewMember> = self
            .post(&operation, "/members", json!({"first_name": first_name}))
            .await?;
        made.into_iter()
            .next()
            .ok_or_else(|| ControlError::Refused {
                operation,
                error: "NOBODY_MADE".into(),
                detail: None,
            })
    }

    /// `rights` are given to each of `admins`.
    pub async fn channel(
        &self,
        title: &str,
        kind: &str,
        members: &[i64],
        admins: &[i64],
        rights: &[&str],
    ) -> Result<i64, ControlError> {
        #[derive(Deserialize)]
        struct Made {
            id: i64,
        }
        let admins: Vec<Value> = admins
            .iter()
            .map(|user| json!({"user": user, "rights": rights}))
            .collect();
        let body = json!({"title": title, "kind": kind, "members": members, "admins": admins});
        let made: Made = self
            .post(&format!("channel {title}"), "/channels", body)
            .await?;
        Ok(made.id)
    }

    pub async fn set_doubts(&self, changes: Value) -> Result<(), ControlError> {
        let request = self
            .http
            .put(format!("{}/doubts", self.base))
            .json(&changes);
        let _: Value = self.run("setting doubts", request).await?;
        Ok(())
    }

    pub async fn start(
        &self,
        member: i64,
        bot: i64,
        payload: Option<&str>,
    ) -> Result<Sent, ControlError> {
        let mut body = json!({"bot": bot});
        if let Some(payload) = payload {
            body["payload"] = payload.into();
        }
        self.post(
            &format!("member {member} starts bot {bot}"),
            &format!("/members/{member}/start"),
            body,
        )
        .await
    }

    pub async fn send(
        &self,
        member: i64,
        to: Chat,
        content: &Content,
        reply_to: Option<i64>,
    ) -> Result<Sent, ControlError> {
        let mut body = json!({"to": to.json()});
        match content {
            Content::Text(text) => body["text"] = text.as_str().into(),
            Content::Document { name, bytes } => {
                body["document"] = json!({"name": name, "mime": "application/pdf", "size": bytes});
            }
        }
        if let Some(message) = reply_to {
            body["reply_to"] = message.into();
        }
        self.post(
            &format!("member {member} writes"),
            &format!("/members/{member}/send"),
            body,
        )
        .await
    }

    pub async fn press(
        &self,
        member: i64,
        chat: Chat,
        message: i64,
        data: &str,
    ) -> Result<Answer, ControlError> {
        let body = json!({"chat": chat.json(), "message_id": message, "data": data});
        self.post(
            &format!("member {member} presses"),
            &format!("/members/{member}/press"),
            body,
        )
        .await
    }

    /// What this member sees in the chat behind message `after`.
    pub async fn view(
        &self,
        member: i64,
        chat: Chat,
        after: i64,
    ) -> Result<Vec<Viewed>, ControlError> {
        let path = format!("/members/{member}/chat?{}&after={after}", chat.query());
        self.messages(&format!("member {member}'s view"), &path)
            .await
    }

    /// Everything in a channel.
    pub async fn posts(&self, channel: i64) -> Result<Vec<Viewed>, ControlError> {
        self.messages(
            &format!("channel {channel}"),
            &format!("/messages?channel={channel}"),
        )
        .await
    }

    pub async fn events(
        &self,
        after: u64,
        wait_ms: u64,
        kinds: &str,
    ) -> Result<Page, ControlError> {
        let path = format!("/events?after={after}&limit=2000&wait_ms={wait_ms}&kind={kinds}");
        self.get("the event log", &path).await
    }

    /// The number of the log's last entry.
    pub async fn last_event(&self) -> Result<u64, ControlError> {
        #[derive(Deserialize)]
        struct State {
            last_event: u64,
        }
        let state: State = self.get("the simulator's state", "/state").await?;
        Ok(state.last_event)
    }

    /// All that is in the log.
    pub async fn all_events(&self, kinds: &str) -> Result<Vec<Event>, ControlError> {
        let (mut all, mut after) = (Vec::new(), 0);
        let last = self.last_event().await?;
        while after < last {
            let page = self.events(after, 0, kinds).await?;
            after = page.next;
            all.extend(page.events);
        }
        Ok(all)
    }

    /// Sets a fault; returns its id.
    pub async fn fault(&self, fault: Value) -> Result<u64, ControlError> {
        #[derive(Deserialize)]
        struct Set {
            id: u64,
        }
        let set: Set = self.post("a fault", "/faults", fault).await?;
        Ok(set.id)
    }

    /// One that is over already is no error.
    pub async fn clear_fault(&self, id: u64) -> Result<(), ControlError> {
        let request = self.http.delete(format!("{}/faults/{id}", self.base));
        let cleared: Result<Value, ControlError> = self.run("clearing a fault", request).await;
        match cleared {
            Err(ControlError::Refused { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The bot's token as it stands, as its owner reads it at @BotFather.
    pub async fn token(&self, bot: i64) -> Result<String, ControlError> {
        #[derive(Deserialize)]
        struct Known {
            token: String,
        }
        let path = format!("/bots/{bot}/token");
        let known: Known = self.get(&format!("bot {bot}'s token"), &path).await?;
        Ok(known.token)
    }

    pub async fn set_limits(&self, changes: Value) -> Result<(), ControlError> {
        let request = self
            .http
            .put(format!("{}/limits", self.base))
            .json(&changes);
        let _: Value = self.run("setting limits", request).await?;
        Ok(())
    }

    async fn messages(&self, operation: &str, path: &str) -> Result<Vec<Viewed>, ControlError> {
        #[derive(Deserialize)]
        struct Messages {
            messages: Vec<Viewed>,
        }
        let seen: Messages = self.get(operation, path).await?;
        Ok(seen.messages)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
    ) -> Result<T, ControlError> {
        self.run(operation, self.http.get(format!("{}{path}", self.base)))
            .await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
        body: Value,
    ) -> Result<T, ControlError> {
        self.run(
            operation,
            self.http.post(format!("{}{path}", self.base)).json(&body),
        )
        .await
    }

    async fn run<T: DeserializeOwned>(
        &self,
        operation: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<T, ControlError> {
        #[derive(Deserialize)]
        struct Failure {
            error: String,
            #[serde(default)]
            detail: Option<String>,
        }
        let lost = |source| ControlError::Unreachable {
            operation: operation.to_owned(),
            source,
        };
        let answer = request.send().await.map_err(lost)?;
        if answer.status().is_success() {
            return answer.json().await.map_err(lost);
        }
        let failure: Failure = answer.json().await.map_err(lost)?;
        Err(ControlError::Refused {
            operation: operation.to_owned(),
            error: failure.error,
            detail: failure.detail,
        })
    }
}
