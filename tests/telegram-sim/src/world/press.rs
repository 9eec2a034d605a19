//! Button presses. A press waits until the bot that sent the button answers, or times out with `BOT_RESPONSE_TIMEOUT`. It goes to that bot
//! only, as an update without pts: a bot that is not there loses it, unless the doubt says that a difference replays it.

use std::collections::{BTreeMap, HashMap};

use grammers_tl_types as tl;
use rand::Rng;
use tl::{Serializable, enums, types};

use super::api::Button;
use super::error::RpcError;
use super::event::Event;
use super::ids::{ChatRef, MessageId, PendingId, UserId};
use super::message::Body;
use super::{Finished, Now, World};

/// A press as the bot must be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pressed {
    pub query_id: i64,
    pub member: UserId,
    pub bot: UserId,
    /// As the bot sees it.
    pub chat: ChatRef,
    pub message_id: MessageId,
    pub data: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    pressed: Pressed,
    deadline: u64,
    cache_key: CacheKey,
}

type CacheKey = (UserId, ChatRef, MessageId, Vec<u8>);

/// What the bot answered, as the member sees it.
#[derive(Clone, Debug)]
pub(crate) struct PressAnswer {
    pub alert: bool,
    pub message: Option<String>,
    pub url: Option<String>,
    pub cache_s: i32,
}

#[derive(Debug, Default)]
pub(crate) struct Presses {
    last: u64,
    waiting: BTreeMap<PendingId, Waiting>,
    by_query: HashMap<i64, PendingId>,
    by_deadline: BTreeMap<(u64, PendingId), ()>,
    finished: Vec<Finished>,
    cached: HashMap<CacheKey, (u64, PressAnswer)>,
}

impl Presses {
    pub fn pending(&self) -> usize {
        self.waiting.len()
    }

    /// Not answered yet, oldest first.
    pub fn waiting_for(&self, bot: UserId) -> impl Iterator<Item = &Pressed> {
        self.waiting
            .values()
            .map(|waiting| &waiting.pressed)
            .filter(move |pressed| pressed.bot == bot)
    }

    fn take(&mut self, id: PendingId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.by_query.remove(&waiting.pressed.query_id);
        self.by_deadline.remove(&(waiting.deadline, id));
        Some(waiting)
    }
}

impl World {
    /// `message_id` as the member sees it.
    pub fn member_press(
        &mut self,
        member: UserId,
        chat: ChatRef,
        message_id: MessageId,
        button: Button,
        now: Now,
    ) -> Result<PendingId, RpcError> {
        self.account(member)?;
        let (bot, bot_message, data) = self.pressed_button(member, chat, message_id, &button)?;
        self.presses.last += 1;
        let id = PendingId(self.presses.last);
        let cache_key = (member, chat, message_id, data.clone());
        let cached = self
            .presses
            .cached
            .get(&cache_key)
            .filter(|(until, _)| *until > now.mono_ms);
        if let Some((_, answer)) = cached {
            let answer = serialize(answer);
            self.presses.finished.push((id, Ok(answer)));
            return Ok(id);
        }
        let query_id: i64 = self.rng.random_range(1..i64::MAX);
        let seen_by_bot = if matches!(chat, ChatRef::User(_)) {
            ChatRef::User(member)
        } else {
            chat
        };
        let text = String::from_utf8_lossy(&data).into_owned();
        let pressed = Pressed {
            query_id,
            member,
            bot,
            chat: seen_by_bot,
            message_id: bot_message,
            data,
        };
        let deadline = now.mono_ms + self.settings.doubts.press_timeout_ms;
        self.presses.by_query.insert(query_id, id);
        self.presses.by_deadline.insert((deadline, id), ());
        self.presses.waiting.insert(
            id,
            Waiting {
                pressed: pressed.clone(),
                deadline,
                cache_key,
            },
        );
        self.record(Event::Press {
            member,
            chat,
            message_id,
            bot,
            data: text,
            query_id,
        });
        self.push_press(&pressed, now);
        Ok(id)
    }

    /// `messages.setBotCallbackAnswer`.
    pub(crate) fn answer_press(
        &mut self,
        bot: UserId,
        query_id: i64,
        answer: PressAnswer,
        now: Now,
    ) -> Result<(), RpcError> {
        let id = self.presses.by_query.get(&query_id).copied();
        let known = id.and_then(|id| Some((id, self.presses.waiting.get(&id)?)));
        let Some((id, _)) = known
            .filter(|(_, waiting)| waiting.pressed.bot == bot && waiting.deadline > now.mono_ms)
        else {
            return Err(RpcError::bad_request("QUERY_ID_INVALID"));
        };
        let Some(waiting) = self.presses.take(id) else {
            return Err(RpcError::bad_request("QUERY_ID_INVALID"));
        };
        self.record(Event::PressAnswered {
            query_id,
            member: waiting.pressed.member,
            bot,
            message: answer.message.clone(),
            alert: answer.alert,
        });
        self.presses.finished.push((id, Ok(serialize(&answer))));
        if answer.cache_s > 0 {
            let until = now.mono_ms + u64::from(answer.cache_s.unsigned_abs()) * 1_000;
            self.presses
                .cached
                .insert(waiting.cache_key, (until, answer));
        }
        Ok(())
    }

    /// Answers and time-outs of pending calls.
    pub fn drain_finished(&mut self, now: Now) -> Vec<Finished> {
        while let Some(((deadline, id), ())) = self.presses.by_deadline.first_key_value() {
            if *deadline > now.mono_ms {
                break;
            }
            let id = *id;
            let Some(Waiting { pressed, .. }) = self.presses.take(id) else {
                break;
            };
            self.presses
                .finished
                .push((id, Err(RpcError::bad_request("BOT_RESPONSE_TIMEOUT"))));
            let Pressed {
                query_id,
                member,
                bot,
                ..
            } = pressed;
            self.record(Event::PressTimedOut {
                query_id,
                member,
                bot,
            });
        }
        std::mem::take(&mut self.presses.finished)
    }

    /// `mono_ms` at which [`World::drain_finished`] has something to do; 0 when it has already.
    pub fn next_deadline(&self) -> Option<u64> {
        if !self.presses.finished.is_empty() {
            return Some(0);
        }
        self.presses
            .by_deadline
            .first_key_value()
            .map(|((deadline, _), ())| *deadline)
    }

    pub(crate) fn unanswered_presses(&self, bot: UserId) -> Vec<Pressed> {
        self.presses.waiting_for(bot).cloned().collect()
    }

    /// Bot, its number for the message, and the data of the button.
    fn pressed_button(
        &self,
        member: UserId,
        chat: ChatRef,
        message_id: MessageId,
        button: &Button,
    ) -> Result<(UserId, MessageId, Vec<u8>), RpcError> {
        let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
        let channel = match chat {
            ChatRef::Channel(id) => Some(self.channel(id)?),
            ChatRef::User(_) => None,
        };
        if channel.is_some_and(|channel| !channel.has(member)) {
            return Err(RpcError::bad_request("CHANNEL_PRIVATE"));
        }
        let (body, number) = match channel.filter(|channel| !channel.is_basic()) {
            Some(channel) => (
                &channel.message(message_id).ok_or_else(invalid)?.body,
                message_id,
            ),
            None => {
                let content = self.content_in(member, chat, message_id)?;
                let message = self.copied(content).ok_or_else(invalid)?;
                let number = message
                    .number_for(message.body.author)
                    .ok_or_else(invalid)?;
                (&message.body, number)
            }
        };
        if !self.is_bot(body.author) {
            return Err(invalid());
        }
        let data =
            callback_data(body, button).ok_or_else(|| RpcError::bad_request("DATA_INVALID"))?;
        Ok((body.author, number, data))
    }
}

fn callback_data(body: &Body, button: &Button) -> Option<Vec<u8>> {
    let rows = match &body.markup {
        Some(enums::ReplyMarkup::ReplyInlineMarkup(markup)) => markup.rows.as_slice(),
        _ => &[],
    };
    let data_of = |button: &enums::KeyboardInlineButton| {
        let enums::KeyboardInlineButton::Button(button) = button;
        match &button.r#type {
            enums::InlineButtonType::Callback(callback) => Some(callback.data.clone()),
            _ => None,
        }
    };
    let rows = || {
        rows.iter()
            .map(|enums::KeyboardInlineButtonRow::Row(row)| &row.buttons)
    };
    match button {
        Button::At { row, col } => data_of(rows().nth(*row)?.get(*col)?),
        Button::Data(wanted) => rows()
            .flatten()
            .filter_map(data_of)
            .find(|data| data == wanted),
        Button::Forged(data) => Some(data.clone()),
    }
}

fn serialize(answer: &PressAnswer) -> Vec<u8> {
    let answer = types::messages::BotCallbackAnswer {
        alert: answer.alert,
        has_url: answer.url.is_some(),
        native_ui: false,
        message: answer.message.clone(),
        url: answer.url.clone(),
        cache_time: answer.cache_s,
    };
    enums::messages::BotCallbackAnswer::Answer(answer).to_bytes()
}
