//! How far each box is, what is missing, and when to ask for it. Pure: time comes in, requests and events come out.
//!
//! A box is the account's private one (counters `pts` and `qts`) or a channel's (`pts`). An update is applied when it follows on the
//! counter, dropped when it was applied before, and kept for 500 ms when something is missing before it; after that the difference is
//! fetched. While a difference is being fetched, the box's live updates are held back and applied after it.
//!
//! Invariant: a counter moves over an update only when that update (or the whole slice that holds it) has been given out, so the
//! state that [`Boxes::take_moved`] returns has nothing missing before it.
//!
//! Why not the `MessageBoxes` of grammers-session 0.11, whose rules these are: it moves the counter to the end of a difference before it
//! looks at the edits and stops in it, and so skips them as applied before (`apply_channel_difference` when final; `qts` updates when
//! only the common box is fetched); a gap in one box makes it forget the deadline of a gap in another, for 15 minutes; it swallows
//! "too long"; and it panics on updates that a server should not send.
//! Source of the rules: <https://core.telegram.org/api/updates>.
//!
//! A lost update that nothing follows shows in no counter that is sent by itself. The private box has `updates.getState`. A channel has no such call
//! (`channels.getChannels` tells no `pts`, `channels.getFullChannel` tells it with a page of other things), so [`Boxes::look_at_channels`] asks for
//! its difference, which is empty in one small packet where nothing was lost and is the remedy where something was. It costs at most
//! [`LOOKS`] calls a probe, and none for a channel that has been heard since the last one: with up to [`LOOKS`] quiet channels each is asked once a probe,
//! with n of them every n / [`LOOKS`] probes, those that missed something last first. Telegram's order to wait doubles the time between two looks.

mod position;
mod tracked;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared_core::ChannelId;
use tokio::time::Instant;

pub(super) use position::{Event, Received, unpack};
use tracked::{Fetch, Tracked};

/// A private box's cursor. Never `seq`: it belongs to a session, not to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BoxState {
    pub pts: i32,
    pub qts: i32,
    pub date: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Private,
    Channel(ChannelId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counter {
    Pts,
    Qts,
}

/// What has to be asked, and for which version of the box; an answer to an older version is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub key: Key,
    pub generation: u64,
    pub ask: Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Where the box is: there is no cursor that Telegram accepts.
    Where,
    PrivateDifference(BoxState),
    ChannelDifference(i32),
}

/// How a slice of a difference ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SliceEnd {
    pub state: BoxState,
    pub last: bool,
    /// When Telegram wants to be asked again.
    pub again_in: Option<Duration>,
}

/// The cursors that moved since they were last taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Moved {
    pub private: Option<BoxState>,
    pub channels: Vec<(ChannelId, i32)>,
}

/// Slices are asked for in parallel, a box at a time each; more would only queue at Telegram.
const MAX_FETCHES: usize = 8;

/// Quiet channels that are looked at with one probe.
pub(super) const LOOKS: usize = 4;
/// A little less than the probe's second, so that a channel's turn does not come only with every other probe.
const QUIET: Duration = Duration::from_millis(900);
const MOST_QUIET: Duration = Duration::from_secs(60);

pub(super) struct Boxes {
    boxes: BTreeMap<Key, Tracked>,
    /// How long a channel may be silent before it is looked at.
    quiet: Duration,
    /// Channels that are followed from their first update on, without a known cursor.
    followed: HashSet<ChannelId>,
    moved: BTreeSet<Key>,
    generations: u64,
}

impl Boxes {
    /// All differences are wanted at once; without a private cursor its place is asked for.
    pub(super) fn new(
        private: Option<BoxState>,
        channels: &[(ChannelId, i32)],
        followed: HashSet<ChannelId>,
        now: Instant,
    ) -> Self {
        let mut boxes = Self {
            boxes: BTreeMap::new(),
            quiet: QUIET,
            followed,
            moved: BTreeSet::new(),
            generations: 0,
        };
        let private = private.filter(|state| state.pts > 0);
        boxes.load(Key::Private, private.unwrap_or_default(), now);
        boxes.load_channels(channels, now);
        boxes
    }

    /// (Re)starts channels from these cursors; what was underway for them is void.
    pub(super) fn load_channels(&mut self, channels: &[(ChannelId, i32)], now: Instant) {
        for (channel, pts) in channels {
            let state = BoxState {
                pts: *pts,
                ..BoxState::default()
            };
            self.load(Key::Channel(*channel), state, now);
        }
    }

    /// Takes live updates in and returns those that are due. They keep their order, except where their counters say otherwise: what
    /// comes too early within a container is released by what it waits for.
    pub(super) fn live(&mut self, events: Vec<Event>, date: i32, now: Instant) -> Vec<Event> {
        let mut due = Vec::with_capacity(events.len());
        for event in events {
            self.offer(event, now, &mut due);
        }
        if let Some(private) = self.boxes.get_mut(&Key::Private)
            && !private.is_fetching()
        {
            private.state.date = private.state.date.max(date);
        }
        due
    }

    /// Each box's difference is wanted, for whatever reason.
    pub(super) fn want_all(&mut self) {
        self.boxes.values_mut().for_each(Tracked::want);
    }

    /// Telegram's own account of the private box. When it stays ahead of ours, something was missed.
    pub(super) fn observe(&mut self, seen: BoxState, now: Instant) {
        if let Some(private) = self.boxes.get_mut(&Key::Private) {
            private.observe(seen, now);
        }
    }

    /// Asks for some of the channels that have been silent, in case that something was lost there and nothing follows it.
    pub(super) fn look_at_channels(&mut self, now: Instant) {
        let quiet = self.quiet;
        let mut silent: Vec<&mut Tracked> = self
            .boxes
            .iter_mut()
            .filter(|(key, tracked)| **key != Key::Private && tracked.is_quiet(quiet, now))
            .map(|(_, tracked)| tracked)
            .collect();
        silent.sort_by_key(|tracked| (!tracked.missed, tracked.heard_at()));
        silent.into_iter().take(LOOKS).for_each(Tracked::want);
    }

    /// Channels that this bot may not read.
    pub(super) fn barred(&self) -> Vec<ChannelId> {
        let barred = self.boxes.iter().filter_map(|(key, tracked)| match key {
            Key::Channel(channel) if tracked.fetch == Fetch::Barred => Some(*channel),
            _ => None,
        });
        barred.collect()
    }

    /// Wants what is overdue at `now`: gaps that did not close, observations that did not come true, long silence.
    pub(super) fn tick(&mut self, now: Instant) {
        for tracked in self.boxes.values_mut() {
            if tracked.overdue_at().is_some_and(|due| due <= now) {
                tracked.want();
            }
        }
    }

    /// When [`Self::tick`] or [`Self::next_request`] has something to do again.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.boxes.values().filter_map(Tracked::wake_at).min()
    }

    /// The next request to make; its box then waits for the answer.
    pub(super) fn next_request(&mut self, now: Instant) -> Option<Request> {
        let asking = |tracked: &&Tracked| matches!(tracked.fetch, Fetch::Asked);
        if self.boxes.values().filter(asking).count() >= MAX_FETCHES {
            return None;
        }
        let mut wanted = self.boxes.iter_mut();
        let (key, tracked) = wanted.find(|(_, tracked)| tracked.may_ask(now))?;
        tracked.fetch = Fetch::Asked;
        let ask = match key {
            _ if tracked.state.pts <= 0 => Ask::Where,
            Key::Private => Ask::PrivateDifference(tracked.state),
            Key::Channel(_) => Ask::ChannelDifference(tracked.state.pts),
        };
        Some(Request {
            key: *key,
            generation: tracked.generation,
            ask,
        })
    }

    /// Is the answer to this request still of use?
    pub(super) fn is_current(&self, request: &Request) -> bool {
        self.boxes.get(&request.key).is_some_and(|tracked| {
            tracked.generation == request.generation && matches!(tracked.fetch, Fetch::Asked)
        })
    }

    /// The slice has been given out. Returns how many steps lie between the old and the new state.
    pub(super) fn slice(&mut self, key: Key, end: SliceEnd, now: Instant) -> u64 {
        let Some(tracked) = self.boxes.get_mut(&key) else {
            return 0;
        };
        let before = tracked.state;
        tracked.end_slice(end, now);
        if (before.pts, before.qts) != (tracked.state.pts, tracked.state.qts) {
            self.moved.insert(key);
        }
        u64::try_from(i64::from(tracked.state.pts) - i64::from(before.pts)).unwrap_or(0)
    }

    /// Telegram said where the box is. With no cursor before, what came in live meanwhile still counts as unseen. Returns whether there
    /// was one before, from which nobody knows the way.
    pub(super) fn placed(&mut self, key: Key, state: BoxState, now: Instant) -> bool {
        self.moved.insert(key);
        match self.boxes.get_mut(&key) {
            Some(tracked) => tracked.place(state, now),
            None => false,
        }
    }

    /// The live updates of this box that were held back, if it is done fetching: those that are due, in order.
    pub(super) fn release(&mut self, key: Key, now: Instant) -> Vec<Event> {
        let held = match self.boxes.get_mut(&key) {
            Some(tracked) if matches!(tracked.fetch, Fetch::Idle) => tracked.take_held(),
            _ => return Vec::new(),
        };
        self.live(held, 0, now)
    }

    /// The request failed; ask again after this time.
    pub(super) fn failed(&mut self, key: Key, wait: Option<Duration>, now: Instant) {
        if key != Key::Private && wait.is_some() {
            self.quiet = (self.quiet * 2).min(MOST_QUIET);
        }
        if let Some(tracked) = self.boxes.get_mut(&key) {
            tracked.failed(wait, now);
        }
    }

    /// Telegram does not accept the cursor (any more): ask where the box is and go on from there.
    pub(super) fn reset(&mut self, key: Key) {
        if let Some(tracked) = self.boxes.get_mut(&key) {
            tracked.forget_place();
        }
    }

    /// This bot may not read the channel. Its cursor is kept; a live update or a look would say that it may again.
    pub(super) fn bar(&mut self, key: Key, now: Instant) {
        if let Some(tracked) = self.boxes.get_mut(&key) {
            tracked.bar(now);
        }
    }

    /// No difference is wanted or underway, but for those of channels that Telegram puts off: what they bring is taken in when they come, and
    /// nobody in another chat is to wait for them.
    pub(super) fn caught_up(&self) -> bool {
        let mut boxes = self.boxes.iter();
        !boxes.any(|(key, tracked)| {
            tracked.is_fetching() && (*key == Key::Private || !tracked.is_put_off())
        })
    }

    /// Does Telegram put off a channel's difference? What it brings is not known then.
    pub(super) fn puts_off(&self) -> bool {
        let mut boxes = self.boxes.values();
        boxes.any(|tracked| tracked.is_fetching() && tracked.is_put_off())
    }

    pub(super) fn take_moved(&mut self) -> Moved {
        let mut moved = Moved::default();
        for key in std::mem::take(&mut self.moved) {
            match (key, self.boxes.get(&key)) {
                (Key::Private, Some(tracked)) => moved.private = Some(tracked.state),
                (Key::Channel(id), Some(tracked)) => moved.channels.push((id, tracked.state.pts)),
                (_, None) => {}
            }
        }
        moved
    }

    fn load(&mut self, key: Key, state: BoxState, now: Instant) {
        self.generations += 1;
        self.moved.remove(&key);
        self.boxes
            .insert(key, Tracked::new(state, self.generations, now));
    }

    fn offer(&mut self, event: Event, now: Instant, due: &mut Vec<Event>) {
        if let Some(grammers_client::tl::enums::Update::ChannelTooLong(it)) = &event.update {
            return self.channel_too_long(ChannelId(it.channel_id), it.pts, now);
        }
        let Some(position) = event.position else {
            due.push(event);
            return;
        };
        let follow = match position.key {
            Key::Private => false,
            Key::Channel(channel) => self.followed.contains(&channel),
        };
        if follow && !self.boxes.contains_key(&position.key) {
            self.follow(position.key, position.after - position.count, now);
        }
        let Some(tracked) = self.boxes.get_mut(&position.key) else {
            return;
        };
        if tracked.offer(event, position, now, due) {
            self.moved.insert(position.key);
        }
    }

    /// A channel that has no cursor begins with the first update that is seen of it.
    fn follow(&mut self, key: Key, pts: i32, now: Instant) {
        let state = BoxState {
            pts,
            ..BoxState::default()
        };
        self.load(key, state, now);
        if let Some(tracked) = self.boxes.get_mut(&key) {
            tracked.fetch = Fetch::Idle;
        }
    }

    /// The `pts` in here is where the channel is, not where we are: it is of use only when we know nothing.
    fn channel_too_long(&mut self, channel: ChannelId, pts: Option<i32>, now: Instant) {
        let key = Key::Channel(channel);
        match (self.boxes.get_mut(&key), pts) {
            (Some(tracked), _) => tracked.want(),
            (None, Some(pts)) if self.followed.contains(&channel) => self.follow(key, pts, now),
            (None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests;
