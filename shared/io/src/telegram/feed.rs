//! A line's updates as batches, with nothing missing between them.
//!
//! [`UpdateFeed::next`] waits for what the line receives and fetches what is missing: at the start, after gaps, reconnections, updates
//! that could not be read or did not fit, when the probe is ahead, and when asked to. A live container and each slice of a difference are
//! batches of their own.
//!
//! Invariants: the cursors in a batch may be stored once all of its items are committed, in the order of the batches; a slice moves them
//! only as a whole; items of one box come in the order of their message ids. Nothing here is lost when `next` is cancelled: requests
//! that are underway are kept.
//! Not done here: turning away what was seen before (the watermarks do), storing cursors, giving a line up.

mod difference;

use std::collections::{HashSet, VecDeque};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use grammers_client::session::updates::UpdatesLike;
use grammers_client::tl;
use shared_core::{BotId, ChannelId, Echo, Incoming, IncomingKind, Place, SendTarget};
use tokio::time::{Instant, sleep_until};

use super::boxes::{BoxState, Boxes, Event, Moved, Received, Request, unpack};
use super::calls::Calls;
use super::convert::{Addressees, Context, Ours};
use super::error::CallError;
use super::line::RawUpdates;
use crate::clock;
use difference::Answer;

/// Where a feed begins.
#[derive(Debug, Clone)]
pub struct FeedStart {
    /// The bot's cursor; `None` begins with what comes from here on.
    pub private: Option<BoxState>,
    /// The pool's cursors, for the active bot.
    pub channels: Vec<(ChannelId, i32)>,
    /// Whose messages matter. One without a cursor is followed from the first update that is seen.
    pub groups: HashSet<ChannelId>,
    /// Where only what this bot posted itself matters. Followed in the same way.
    pub posts: HashSet<ChannelId>,
    pub own_bots: HashSet<BotId>,
    pub me: BotId,
}

/// What was received at once, or one slice of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    pub items: Vec<Incoming>,
    /// Our own messages in chats that matter, each once a box.
    pub echoes: Vec<Echo>,
    /// The private box after this batch, when it moved.
    pub private_after: Option<BoxState>,
    /// The channels that moved.
    pub channels_after: Vec<(ChannelId, i32)>,
    /// Steps of a box that Telegram would not give out ("too long"); at most this many updates are unknown.
    pub unknown: u64,
    /// Channels in which somebody changed what this bot is or may do.
    pub standing: Vec<ChannelId>,
    pub from_difference: bool,
}

struct Fetched {
    request: Request,
    answer: Result<Answer, CallError>,
}

pub struct UpdateFeed {
    raw: RawUpdates,
    calls: Calls,
    boxes: Boxes,
    groups: HashSet<ChannelId>,
    posts: HashSet<ChannelId>,
    ours: Ours,
    addressees: Addressees,
    fetches: FuturesUnordered<BoxFuture<'static, Fetched>>,
    ready: VecDeque<Batch>,
    /// The channel from the connection was full: something may have been dropped.
    overflowed: bool,
}

impl UpdateFeed {
    pub fn new(raw: RawUpdates, calls: Calls, start: FeedStart) -> UpdateFeed {
        let now = Instant::now();
        let followed = start.groups.union(&start.posts).copied().collect();
        let mut feed = UpdateFeed {
            raw,
            calls,
            boxes: Boxes::new(start.private, &start.channels, followed, now),
            groups: start.groups,
            posts: start.posts,
            ours: Ours::new(start.me, start.own_bots),
            addressees: Addressees::default(),
            fetches: FuturesUnordered::new(),
            ready: VecDeque::new(),
            overflowed: false,
        };
        feed.learn_usernames();
        feed
    }

    /// Forgets how far it was and goes on from here, on the same line: what was received and not taken is dropped, a difference brings it again. Presses
    /// are in no difference; they stay, and come before everything else.
    pub fn begin_again(&mut self, start: FeedStart) {
        let followed = start.groups.union(&start.posts).copied().collect();
        self.boxes = Boxes::new(start.private, &start.channels, followed, Instant::now());
        self.groups = start.groups;
        self.posts = start.posts;
        self.fetches.clear();
        let is_press = |item: &Incoming| matches!(item.what, IncomingKind::Press { .. });
        let received = self.ready.drain(..).flat_map(|batch| batch.items);
        let items: Vec<Incoming> = received.filter(is_press).collect();
        if !items.is_empty() {
            self.ready.push_back(Batch {
                items,
                ..Batch::default()
            });
        }
    }

    /// The next batch. Cancel-safe. After an error it can be called again: what failed is asked again after a while; when the line is
    /// closed it fails at once, each time.
    pub async fn next(&mut self) -> Result<Batch, CallError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            let now = Instant::now();
            self.boxes.tick(now);
            while let Some(request) = self.boxes.next_request(now) {
                self.fetches.push(self.fetch(request));
            }
            let wake = self.boxes.wake_at();
            self.overflowed |= self.raw.0.len() >= self.raw.0.max_capacity();
            tokio::select! {
                Some(fetched) = self.fetches.next(), if !self.fetches.is_empty() => {
                    self.fetched(fetched)?;
                }
                received = self.raw.0.recv() => match received {
                    Some(received) => self.received(received),
                    None => return Err(CallError::line_closed("updates")),
                },
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    /// What comes in, without positions and without asking Telegram for anything: for a connection that may only listen. What is given
    /// here must not be committed, and the feed is of no use afterwards, since its boxes have not seen it.
    pub async fn overhear(&mut self) -> Result<Batch, CallError> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(batch);
        }
        let Some(received) = self.raw.0.recv().await else {
            return Err(CallError::line_closed("updates"));
        };
        let Received::Updates {
            events,
            users,
            chats,
            ..
        } = unpack(received)
        else {
            return Ok(Batch::default());
        };
        self.learn(&users, &chats);
        let updates = || events.iter().filter_map(|event| event.update.as_ref());
        let items = self.convert(|context| updates().filter_map(|it| context.update(it)).collect());
        Ok(Batch {
            items,
            ..Batch::default()
        })
    }

    /// The probe's answer. When it stays ahead of the feed for longer than updates take to overtake each other, a difference is
    /// fetched.
    pub fn observe(&mut self, state: &BoxState) {
        self.boxes.observe(*state, Instant::now());
    }

    /// To be called with each probe of a bot that answers: channels in which an update may have been lost, with nothing behind it, are asked.
    pub fn look_at_channels(&mut self) {
        self.boxes.look_at_channels(Instant::now());
    }

    /// Channels that this bot may not read; they are asked again by themselves.
    pub fn barred(&self) -> Vec<ChannelId> {
        self.boxes.barred()
    }

    /// Fetches every box's difference: afterwards ([`Self::caught_up`]) whatever Telegram had until now has come.
    pub fn look_everywhere(&mut self) {
        self.boxes.want_all();
    }

    /// (Re)starts channels from the pool's cursors, at activation. Their live updates are held back until the difference is in.
    /// What was received of them before and not taken yet is dropped: the difference from the cursor has it.
    pub fn set_channels(&mut self, channels: &[(ChannelId, i32)]) {
        let is_set = |channel: &ChannelId| channels.iter().any(|(set, _)| set == channel);
        for batch in &mut self.ready {
            batch.channels_after.retain(|(channel, _)| !is_set(channel));
            batch.items.retain(|item| match item.place {
                Place::Group(channel) => !is_set(&channel),
                Place::Private => true,
            });
            batch.echoes.retain(|echo| match echo.chat {
                SendTarget::Channel(channel) => !is_set(&channel),
                SendTarget::Member(_) => true,
            });
        }
        self.boxes.load_channels(channels, Instant::now());
    }

    /// No difference is outstanding, and every batch of the last one has been taken.
    pub fn caught_up(&self) -> bool {
        self.ready.is_empty() && self.boxes.caught_up()
    }

    /// Is a channel's difference put off, so that what it holds is not known for now?
    pub fn puts_off(&self) -> bool {
        self.boxes.puts_off()
    }

    /// Usernames of the pool's bots (with or without `@`), so that being mentioned by them counts as being addressed.
    pub fn known_usernames<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            self.addressees.add_username(name.trim_start_matches('@'));
        }
    }

    fn received(&mut self, received: UpdatesLike) {
        let now = Instant::now();
        match unpack(received) {
            Received::Updates {
                events,
                users,
                chats,
                date,
            } => {
                self.learn(&users, &chats);
                let due = self.boxes.live(events, date, now);
                self.push_live(&due);
            }
            Received::Gap => self.boxes.want_all(),
        }
        if self.overflowed && self.raw.0.len() < self.raw.0.max_capacity() / 2 {
            tracing::warn!("updates were dropped on their way; the boxes are fetched again");
            self.overflowed = false;
            self.boxes.want_all();
        }
    }

    /// What is due becomes a batch, when it says anything.
    fn push_live(&mut self, due: &[Event]) {
        let updates = || due.iter().filter_map(|event| event.update.as_ref());
        updates().for_each(|update| self.note(update));
        let items = self.convert(|context| updates().filter_map(|it| context.update(it)).collect());
        let echoes = self.convert(|context| updates().filter_map(|it| context.own(it)).collect());
        let standing =
            self.convert(|context| updates().filter_map(|it| context.standing(it)).collect());
        let moved = self.boxes.take_moved();
        let says = !items.is_empty() || !echoes.is_empty() || !standing.is_empty();
        if says || moved != Moved::default() {
            self.ready.push_back(Batch {
                items,
                echoes,
                private_after: moved.private,
                channels_after: moved.channels,
                unknown: 0,
                standing,
                from_difference: false,
            });
        }
    }

    fn learn(&mut self, users: &[tl::enums::User], chats: &[tl::enums::Chat]) {
        self.calls.peers().learn(users, chats);
        if users.iter().any(|user| self.ours.has(user.id())) {
            self.learn_usernames();
        }
    }

    fn learn_usernames(&mut self) {
        let peers = self.calls.peers();
        for bot in self.ours.all() {
            let names = peers.user(bot.0).map(|user| user.usernames.as_slice());
            for name in names.unwrap_or_default() {
                self.addressees.add_username(name);
            }
        }
    }

    fn note(&mut self, update: &tl::enums::Update) {
        if let tl::enums::Update::NewChannelMessage(it) = update {
            self.note_message(&it.message);
        }
    }

    fn note_message(&mut self, message: &tl::enums::Message) {
        self.addressees.note(message, &self.ours);
    }

    fn convert<T>(&self, convert: impl FnOnce(&Context<'_>) -> Vec<T>) -> Vec<T> {
        convert(&Context {
            ours: &self.ours,
            groups: &self.groups,
            posts: &self.posts,
            addressees: &self.addressees,
            peers: &self.calls.peers(),
            received: clock::unix_now(),
        })
    }
}

#[cfg(test)]
mod tests;
