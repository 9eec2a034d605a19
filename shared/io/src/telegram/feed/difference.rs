//! Fetching what is missing, and turning a slice of a difference into a batch.
//!
//! A slice is converted whole and by us, also the edits and stops in it, which have positions of their own that the slice's state
//! already counts. What concerns channels in a private difference goes the way of live updates.

use std::time::Duration;

use futures_util::future::BoxFuture;
use grammers_client::tl;
use shared_core::{Echo, ErrorClass, Incoming, IncomingKind, MessageId, UnixMs};
use tokio::time::Instant;

use super::{Batch, Fetched, UpdateFeed};
use crate::telegram::boxes::{Ask, BoxState, Event, Key, Request, SliceEnd};
use crate::telegram::calls::Calls;
use crate::telegram::error::CallError;

pub(super) enum Answer {
    Where(BoxState),
    Private(Box<tl::enums::updates::Difference>),
    Channel(Box<tl::enums::updates::ChannelDifference>),
}

/// The contents of a slice, without its state.
#[derive(Default)]
struct Slice {
    messages: Vec<tl::enums::Message>,
    others: Vec<tl::enums::Update>,
    users: Vec<tl::enums::User>,
    chats: Vec<tl::enums::Chat>,
}

impl UpdateFeed {
    pub(super) fn fetch(&self, request: Request) -> BoxFuture<'static, Fetched> {
        let calls = self.calls.clone();
        Box::pin(async move {
            let answer = ask(&calls, request).await;
            Fetched { request, answer }
        })
    }

    pub(super) fn fetched(&mut self, fetched: Fetched) -> Result<(), CallError> {
        let Fetched { request, answer } = fetched;
        if !self.boxes.is_current(&request) {
            return Ok(());
        }
        let now = Instant::now();
        match (answer, request.key) {
            (Ok(Answer::Where(state)), key) => {
                // How much lies between a cursor that was refused and this place, nobody knows: it is counted as one.
                let was_placed = self.boxes.placed(key, state, now);
                self.push_slice(Slice::default(), u64::from(was_placed));
            }
            (Ok(Answer::Private(difference)), _) => {
                self.private_difference(*difference, request, now);
            }
            (Ok(Answer::Channel(difference)), key) => {
                self.channel_difference(*difference, key, now);
            }
            (Err(error), key) => return self.fetch_failed(error, key, now),
        }
        let due = self.boxes.release(request.key, now);
        self.push_live(&due);
        Ok(())
    }

    fn private_difference(
        &mut self,
        difference: tl::enums::updates::Difference,
        request: Request,
        now: Instant,
    ) {
        let Ask::PrivateDifference(before) = request.ask else {
            return;
        };
        let (slice, state, last) = match difference {
            tl::enums::updates::Difference::Empty(it) => {
                let date = it.date;
                (Slice::default(), BoxState { date, ..before }, true)
            }
            tl::enums::updates::Difference::TooLong(it) => {
                let state = BoxState {
                    pts: it.pts,
                    ..before
                };
                let end = SliceEnd {
                    state,
                    // From there on it is not too long any more.
                    last: it.pts <= before.pts,
                    again_in: None,
                };
                let skipped = self.boxes.slice(Key::Private, end, now);
                return self.push_slice(Slice::default(), skipped.max(1));
            }
            tl::enums::updates::Difference::Difference(it) => {
                let slice = Slice {
                    messages: it.new_messages,
                    others: it.other_updates,
                    users: it.users,
                    chats: it.chats,
                };
                (slice, box_state(&it.state), true)
            }
            tl::enums::updates::Difference::Slice(it) => {
                let slice = Slice {
                    messages: it.new_messages,
                    others: it.other_updates,
                    users: it.users,
                    chats: it.chats,
                };
                (slice, box_state(&it.intermediate_state), false)
            }
        };
        let end = SliceEnd {
            state,
            last,
            again_in: None,
        };
        let (slice, channels) = self.split_off_channels(slice);
        self.boxes.slice(Key::Private, end, now);
        self.push_slice(slice, 0);
        let due = self.boxes.live(channels, 0, now);
        self.push_live(&due);
    }

    fn channel_difference(
        &mut self,
        difference: tl::enums::updates::ChannelDifference,
        key: Key,
        now: Instant,
    ) {
        let (slice, pts, last, timeout, too_long) = match difference {
            tl::enums::updates::ChannelDifference::Empty(it) => {
                (Slice::default(), it.pts, it.r#final, it.timeout, false)
            }
            tl::enums::updates::ChannelDifference::TooLong(it) => {
                let tl::enums::Dialog::Dialog(tl::types::Dialog { pts: Some(pts), .. }) = it.dialog
                else {
                    // It does not say where the channel is.
                    return self.boxes.reset(key);
                };
                let slice = Slice {
                    users: it.users,
                    chats: it.chats,
                    ..Slice::default()
                };
                (slice, pts, it.r#final, it.timeout, true)
            }
            tl::enums::updates::ChannelDifference::Difference(it) => {
                let slice = Slice {
                    messages: it.new_messages,
                    others: it.other_updates,
                    users: it.users,
                    chats: it.chats,
                };
                (slice, it.pts, it.r#final, it.timeout, false)
            }
        };
        let again_in = timeout.and_then(|seconds| u64::try_from(seconds).ok());
        let end = SliceEnd {
            state: BoxState {
                pts,
                ..BoxState::default()
            },
            last,
            again_in: again_in.map(Duration::from_secs),
        };
        let skipped = self.boxes.slice(key, end, now);
        self.push_slice(slice, if too_long { skipped.max(1) } else { 0 });
    }

    /// What failed is asked again; what the caller has to know is returned.
    fn fetch_failed(&mut self, error: CallError, key: Key, now: Instant) -> Result<(), CallError> {
        if error.name.starts_with("PERSISTENT_TIMESTAMP_") && error.code == 400 {
            tracing::warn!(?key, %error, "the cursor was refused; going on from where Telegram is");
            self.boxes.reset(key);
            return Ok(());
        }
        match (error.class, key) {
            (ErrorClass::Recipient, Key::Channel(channel)) => {
                // Who looks after rights warns, with the remedy.
                tracing::info!(%channel, %error, "this bot cannot read the channel");
                self.boxes.bar(key, now);
                self.push_slice(Slice::default(), 0);
                Ok(())
            }
            (ErrorClass::Wait(seconds), _) => {
                tracing::warn!(?key, %error, wait_s = seconds, "told to wait with a difference");
                let wait = Duration::from_secs(u64::from(seconds));
                self.boxes.failed(key, Some(wait), now);
                Ok(())
            }
            (ErrorClass::Server, _) => {
                tracing::warn!(?key, %error, "a difference failed and is fetched again");
                self.boxes.failed(key, None, now);
                Ok(())
            }
            _ => {
                self.boxes.failed(key, None, now);
                Err(error)
            }
        }
    }

    /// Says each slice, also an empty one: whoever waits to be caught up looks after each batch.
    fn push_slice(&mut self, slice: Slice, unknown: u64) {
        self.learn(&slice.users, &slice.chats);
        slice.messages.iter().for_each(|it| self.note_message(it));
        let items = self.convert(|context| {
            let messages = slice.messages.iter().filter_map(|it| context.message(it));
            let others = slice.others.iter().filter_map(|it| context.update(it));
            in_order(messages.collect(), others.collect())
        });
        let echoes = self.convert(|context| {
            let messages = slice.messages.iter().filter_map(|it| context.echo(it));
            let others = slice.others.iter().filter_map(|it| context.own(it));
            let mut echoes: Vec<Echo> = messages.chain(others).collect();
            echoes.sort_by_key(|echo| echo.message);
            echoes
        });
        let standing = self.convert(|context| {
            let others = slice.others.iter();
            others.filter_map(|it| context.standing(it)).collect()
        });
        let moved = self.boxes.take_moved();
        self.ready.push_back(Batch {
            items,
            echoes,
            private_after: moved.private,
            channels_after: moved.channels,
            unknown,
            standing,
            from_difference: true,
        });
    }

    /// A private difference also brings news of channels, which have counters of their own.
    fn split_off_channels(&mut self, mut slice: Slice) -> (Slice, Vec<Event>) {
        let mut channels = Vec::new();
        let others = std::mem::take(&mut slice.others);
        for event in others.into_iter().map(Event::from) {
            let of_channel = matches!(event.update, Some(tl::enums::Update::ChannelTooLong(_)))
                || event
                    .position
                    .is_some_and(|position| position.key != Key::Private);
            match (of_channel, event.update) {
                (false, Some(update)) => slice.others.push(update),
                (_, update) => channels.push(Event { update, ..event }),
            }
        }
        (slice, channels)
    }
}

async fn ask(calls: &Calls, request: Request) -> Result<Answer, CallError> {
    match (request.ask, request.key) {
        (Ask::Where, Key::Private) => calls.state().await.map(Answer::Where),
        (Ask::Where, Key::Channel(channel)) => {
            let pts = calls.channel_pts(channel).await?;
            Ok(Answer::Where(BoxState {
                pts,
                ..BoxState::default()
            }))
        }
        (Ask::PrivateDifference(from), _) => {
            let difference = calls.difference(from).await?;
            Ok(Answer::Private(Box::new(difference)))
        }
        (Ask::ChannelDifference(pts), Key::Channel(channel)) => {
            let difference = calls.channel_difference(channel, pts).await?;
            Ok(Answer::Channel(Box::new(difference)))
        }
        (Ask::ChannelDifference(_), Key::Private) => {
            Err(CallError::malformed("updates.getChannelDifference"))
        }
    }
}

fn box_state(state: &tl::enums::updates::State) -> BoxState {
    let tl::enums::updates::State::State(state) = state;
    BoxState {
        pts: state.pts,
        qts: state.qts,
        date: state.date,
    }
}

/// Messages by their ids; edits, presses and stops among them by their dates, since they have no other order in a difference.
fn in_order(mut messages: Vec<Incoming>, mut others: Vec<Incoming>) -> Vec<Incoming> {
    messages.sort_by_key(message_id);
    others.sort_by_key(|other| other.date);
    let mut items = Vec::with_capacity(messages.len() + others.len());
    let mut others = others.into_iter().peekable();
    let mut latest = UnixMs(i64::MIN);
    for message in messages {
        // Dates may be out of step with ids; the ids decide.
        latest = latest.max(message.date);
        while let Some(other) = others.next_if(|other| other.date < latest) {
            items.push(other);
        }
        items.push(message);
    }
    items.extend(others);
    items
}

fn message_id(item: &Incoming) -> Option<MessageId> {
    match &item.what {
        IncomingKind::Message { message, .. }
        | IncomingKind::Edit { message, .. }
        | IncomingKind::Press { message, .. } => Some(*message),
        IncomingKind::Stopped { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use shared_core::{BotId, BoxId, MemberId, Place};

    use super::*;

    fn item(date: i64, what: IncomingKind) -> Incoming {
        Incoming {
            r#box: BoxId::Private(BotId(1)),
            place: Place::Private,
            member: MemberId(2),
            name: String::new(),
            date: UnixMs(date),
            what,
        }
    }

    fn message(id: i32, date: i64) -> Incoming {
        let what = IncomingKind::Message {
            message: MessageId(id),
            text: String::new(),
            document: None,
            album: None,
            reply_to: None,
            addressed: true,
        };
        item(date, what)
    }

    #[test]
    fn messages_go_by_id_and_the_rest_by_date() {
        let stopped = |stopped, date| item(date, IncomingKind::Stopped { stopped });
        let edit = item(
            3000,
            IncomingKind::Edit {
                message: MessageId(1),
                text: String::new(),
                edit_date: 3,
            },
        );
        let items = in_order(
            vec![message(7, 2000), message(5, 1000), message(9, 4000)],
            vec![stopped(false, 4000), edit, stopped(true, 1500)],
        );
        let said: Vec<_> = items
            .iter()
            .map(|item| match &item.what {
                IncomingKind::Message { message, .. } => format!("say{message}"),
                IncomingKind::Edit { .. } => "edit".into(),
                IncomingKind::Stopped { stopped } => format!("stopped={stopped}"),
                IncomingKind::Press { .. } => "press".into(),
            })
            .collect();
        assert_eq!(
            said,
            [
                "say#5",
                "stopped=true",
                "say#7",
                "edit",
                "say#9",
                "stopped=false"
            ]
        );
    }
}
