//! What members do in chats and what they see there.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grammers_tl_types::{self as tl, Deserializable};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::error::{body, query};
use super::{Api, ApiError};
use crate::server::Shared;
use crate::world::{
    Button, ChannelId, ChatRef, MessageId, NewContact, NewContent, NewDocument, NewMessage, Now,
    SentMessages, UserId,
};

/// The world times a press out by itself; this only bounds what must not happen.
const PRESS_SLACK: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    to: ChatRef,
    #[serde(default)]
    text: String,
    #[serde(default)]
    document: Option<Document>,
    #[serde(default)]
    album: Vec<Document>,
    #[serde(default)]
    contact: Option<Contact>,
    #[serde(default)]
    reply_to: Option<MessageId>,
    /// Dated so many seconds back, as what was sent during an outage is when it is delivered.
    #[serde(default)]
    age_s: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contact {
    phone: String,
    first_name: String,
    #[serde(default)]
    user: Option<UserId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    mime: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    base64: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    chat: ChatRef,
    message_id: MessageId,
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    chat: ChatRef,
    message_ids: Vec<MessageId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    bot: UserId,
    #[serde(default)]
    payload: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bot {
    bot: UserId,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    chat: ChatRef,
    message_id: MessageId,
    #[serde(default)]
    data: Option<String>,
    /// The message need not have a button with this data.
    #[serde(default)]
    forged: bool,
    #[serde(default)]
    row: Option<usize>,
    #[serde(default)]
    col: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chat {
    #[serde(default)]
    user: Option<UserId>,
    #[serde(default)]
    channel: Option<ChannelId>,
    #[serde(default)]
    after: Option<MessageId>,
    #[serde(default)]
    message_id: Option<MessageId>,
}

pub async fn send(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let send: Send = body(&bytes)?;
    let documents = send
        .document
        .into_iter()
        .chain(send.album)
        .map(Document::decode)
        .collect::<Api<_>>()?;
    let contact = send.contact.map(
        |Contact {
             phone,
             first_name,
             user,
         }| NewContact {
            phone,
            first_name,
            user,
        },
    );
    let message = NewMessage {
        text: send.text,
        documents,
        contact,
        reply_to: send.reply_to,
    };
    let (sent, now) = shared.step(|core, mut now| {
        now.unix_ms -= i64::from(send.age_s) * 1_000;
        (
            core.world.member_send(UserId(id), send.to, message, now),
            now,
        )
    });
    Ok(sent_json(sent?, now))
}

pub async fn edit(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let Edit {
        chat,
        message_id,
        text,
    } = body(&bytes)?;
    shared.step(|core, now| {
        core.world
            .member_edit(UserId(id), chat, message_id, &text, now)
    })?;
    Ok(Json(json!({})))
}

pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let Delete { chat, message_ids } = body(&bytes)?;
    shared.step(|core, now| {
        core.world
            .member_delete(UserId(id), chat, &message_ids, now)
    })?;
    Ok(Json(json!({})))
}

pub async fn start(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let Start { bot, payload } = body(&bytes)?;
    let (sent, now) = shared.step(|core, now| {
        (
            core.world
                .member_start(UserId(id), bot, payload.as_deref(), now),
            now,
        )
    });
    Ok(sent_json(sent?, now))
}

pub async fn block(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    set_blocked(&shared, id, &bytes, true)
}

pub async fn unblock(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    set_blocked(&shared, id, &bytes, false)
}

/// Waits for the bot's answer, as a member's client does.
pub async fn press(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Api<Json<Value>> {
    let Press {
        chat,
        message_id,
        data,
        forged,
        row,
        col,
    } = body(&bytes)?;
    let button = match (data, row, col) {
        (Some(data), None, None) if forged => Button::Forged(data.into_bytes()),
        (Some(data), None, None) => Button::Data(data.into_bytes()),
        (None, Some(row), Some(col)) => Button::At { row, col },
        _ => {
            return Err(ApiError::bad_request(
                "a press needs either \"data\" or \"row\" and \"col\"",
            ));
        }
    };
    let (answer, patience) = shared.step(|core, now| {
        let pending = core
            .world
            .member_press(UserId(id), chat, message_id, button, now)?;
        let patience =
            Duration::from_millis(core.world.settings().doubts.press_timeout_ms) + PRESS_SLACK;
        Ok::<_, ApiError>((core.await_press(pending), patience))
    })?;
    let answer = tokio::select! {
        answer = timeout(patience, answer) => answer,
        () = shared.shutdown().cancelled() => return Err(ApiError::unavailable("the simulator stops")),
    };
    let Ok(Ok(answer)) = answer else {
        return Err(ApiError::unavailable("the press was lost"));
    };
    let tl::enums::messages::BotCallbackAnswer::Answer(answer) =
        tl::enums::messages::BotCallbackAnswer::from_bytes(&answer?)
            .map_err(|error| ApiError::bad_request(format!("answer to a press: {error}")))?;
    let at_ms = shared.clock().now().mono_ms;
    Ok(Json(json!({
        "answered": true, "message": answer.message, "alert": answer.alert, "url": answer.url, "at_ms": at_ms,
    })))
}

pub async fn view(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    uri: Uri,
) -> Api<Json<Value>> {
    let chat: Chat = query(&uri)?;
    let messages = shared.look(|core, _| {
        core.world
            .member_view(UserId(id), chat.chat()?, chat.after)
            .map_err(ApiError::from)
    })?;
    Ok(Json(json!({"messages": messages})))
}

/// The document of a message, as the member downloads it.
pub async fn file(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    uri: Uri,
) -> Api<impl IntoResponse> {
    let chat: Chat = query(&uri)?;
    let message_id = chat
        .message_id
        .ok_or_else(|| ApiError::bad_request("\"message_id\" is missing"))?;
    let file = shared.look(|core, _| {
        core.world
            .fetch_file(UserId(id), chat.chat()?, message_id)
            .map_err(ApiError::from)
    })?;
    Ok(([(CONTENT_TYPE, file.mime)], file.content))
}

/// Everything in a channel, whoever may see it.
pub async fn channel_messages(State(shared): State<Arc<Shared>>, uri: Uri) -> Api<Json<Value>> {
    let chat: Chat = query(&uri)?;
    let channel = chat
        .channel
        .ok_or_else(|| ApiError::bad_request("\"channel\" is missing"))?;
    let messages = shared.look(|core, _| core.world.channel_messages(channel))?;
    Ok(Json(json!({"messages": messages})))
}

impl Document {
    fn decode(self) -> Api<NewDocument> {
        let content = match (self.size, self.base64) {
            (Some(size), None) => NewContent::Generated { size },
            (None, Some(text)) => NewContent::Bytes(
                STANDARD
                    .decode(text)
                    .map_err(|error| ApiError::bad_request(format!("base64: {error}")))?,
            ),
            _ => {
                return Err(ApiError::bad_request(
                    "a document needs either \"size\" or \"base64\"",
                ));
            }
        };
        Ok(NewDocument {
            name: self.name,
            mime: self.mime,
            content,
        })
    }
}

impl Chat {
    fn chat(&self) -> Api<ChatRef> {
        match (self.user, self.channel) {
            (Some(user), None) => Ok(ChatRef::User(user)),
            (None, Some(channel)) => Ok(ChatRef::Channel(channel)),
            _ => Err(ApiError::bad_request(
                "name the chat by either \"user\" or \"channel\"",
            )),
        }
    }
}

fn set_blocked(shared: &Shared, member: i64, bytes: &[u8], blocked: bool) -> Api<Json<Value>> {
    let Bot { bot } = body(bytes)?;
    shared.step(|core, now| core.world.member_block(UserId(member), bot, blocked, now))?;
    Ok(Json(json!({})))
}

fn sent_json(sent: SentMessages, now: Now) -> Json<Value> {
    Json(json!({
        "message_ids": sent.message_ids, "received": sent.received, "at_ms": now.mono_ms, "unix_ms": now.unix_ms,
    }))
}
