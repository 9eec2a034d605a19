//! One box: its counters, what came too early, what is held back, and where its difference stands.
//!
//! States of `Fetch`: `Idle` → `Wanted` (a gap, an order from outside) → `Asked` → `Idle`, or back to `Wanted` when a slice was not the
//! last, something was wanted meanwhile, or it failed. `Barred`: this bot may not read it; the next live update wants it again, or a look
//! after some seconds.

use std::time::Duration;

use tokio::time::Instant;

use super::position::{Event, Position};
use super::{BoxState, Counter, SliceEnd};

/// "It may be useful to wait up to 0.5 seconds": updates overtake each other.
const GAP: Duration = Duration::from_millis(500);
/// Telegram's advice for a box that is silent.
const SILENCE: Duration = Duration::from_secs(15 * 60);
/// A channel's difference says when to ask again; not more often than this.
const MIN_SILENCE: Duration = Duration::from_secs(10);
/// A channel that this bot may not read is asked for again after so long: somebody may have given it the right back.
const BARRED_AGAIN: Duration = Duration::from_secs(5);
/// Beyond this the difference is cheaper and certain.
const MAX_HELD: usize = 1_000;
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// Nobody else waits for a box that may not be asked for this long: Telegram puts single groups off for minutes.
const PUT_OFF: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetch {
    Idle,
    Wanted { not_before: Option<Instant> },
    Asked,
    Barred,
}

pub(super) struct Tracked {
    pub state: BoxState,
    pub generation: u64,
    pub fetch: Fetch,
    /// Wanted once more when what is underway has ended.
    again: bool,
    failures: u32,
    put_off: bool,
    early: Vec<(Position, Event)>,
    gap_until: Option<Instant>,
    held: Vec<Event>,
    seen_ahead: Option<(BoxState, Instant)>,
    silent_until: Instant,
    /// When something last said where the box is: a live update, a difference, or that this bot may not know.
    heard_at: Instant,
    /// The last difference brought something: updates were missed.
    pub missed: bool,
    /// The place was known once and was not accepted: what came in meanwhile is not worth more than Telegram's word.
    was_placed: bool,
}

impl Tracked {
    pub(super) fn new(state: BoxState, generation: u64, now: Instant) -> Self {
        Self {
            state,
            generation,
            fetch: Fetch::Wanted { not_before: None },
            again: false,
            failures: 0,
            put_off: false,
            early: Vec::new(),
            gap_until: None,
            held: Vec::new(),
            seen_ahead: None,
            silent_until: now + SILENCE,
            heard_at: now,
            missed: false,
            was_placed: state.pts > 0,
        }
    }

    pub(super) fn is_fetching(&self) -> bool {
        matches!(self.fetch, Fetch::Wanted { .. } | Fetch::Asked)
    }

    /// Its difference is wanted, and cannot be had for a while.
    pub(super) fn is_put_off(&self) -> bool {
        let waits = matches!(self.fetch, Fetch::Wanted { not_before } if not_before.is_some());
        waits && self.put_off
    }

    pub(super) fn want(&mut self) {
        // The difference brings what came too early, too.
        self.early.clear();
        self.gap_until = None;
        self.seen_ahead = None;
        match self.fetch {
            Fetch::Idle | Fetch::Barred => self.fetch = Fetch::Wanted { not_before: None },
            Fetch::Asked => self.again = true,
            Fetch::Wanted { .. } => {}
        }
    }

    /// Nothing was heard of it for so long, and nothing is underway.
    pub(super) fn is_quiet(&self, quiet: Duration, now: Instant) -> bool {
        let at_least = match self.fetch {
            Fetch::Idle => quiet,
            Fetch::Barred => quiet.max(BARRED_AGAIN),
            Fetch::Wanted { .. } | Fetch::Asked => return false,
        };
        now.saturating_duration_since(self.heard_at) >= at_least
    }

    pub(super) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    pub(super) fn may_ask(&self, now: Instant) -> bool {
        match self.fetch {
            Fetch::Wanted { not_before } => not_before.is_none_or(|at| at <= now),
            _ => false,
        }
    }

    /// When this box wants its difference by itself.
    pub(super) fn overdue_at(&self) -> Option<Instant> {
        if self.fetch != Fetch::Idle {
            return None;
        }
        let ahead = self.seen_ahead.map(|(_, since)| since + GAP);
        [self.gap_until, ahead, Some(self.silent_until)]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        match self.fetch {
            Fetch::Wanted { not_before } => not_before,
            _ => self.overdue_at(),
        }
    }

    pub(super) fn observe(&mut self, seen: BoxState, now: Instant) {
        // The first sighting counts: a box that keeps moving must not put off the question for ever.
        if self.fetch == Fetch::Idle && self.is_behind(seen) && self.seen_ahead.is_none() {
            self.seen_ahead = Some((seen, now));
        }
    }

    /// Applies, keeps or drops a live update. Returns whether a counter moved.
    pub(super) fn offer(
        &mut self,
        event: Event,
        position: Position,
        now: Instant,
        due: &mut Vec<Event>,
    ) -> bool {
        self.silent_until = self.silent_until.max(now + SILENCE);
        self.heard_at = now;
        if self.fetch == Fetch::Barred {
            self.want();
        }
        if self.is_fetching() {
            self.hold(event);
            return false;
        }
        let moved = self.apply_or_keep(event, position, now, due);
        if moved {
            self.apply_early(due);
        }
        if let Some((seen, _)) = self.seen_ahead
            && !self.is_behind(seen)
        {
            self.seen_ahead = None;
        }
        moved
    }

    pub(super) fn end_slice(&mut self, end: SliceEnd, now: Instant) {
        let stuck = !end.last && (end.state.pts, end.state.qts) == (self.state.pts, self.state.qts);
        if stuck {
            tracing::warn!(
                "a difference says that there is more and does not move; it is left there"
            );
        }
        self.missed = (end.state.pts, end.state.qts) != (self.state.pts, self.state.qts);
        self.heard_at = now;
        self.state = end.state;
        self.failures = 0;
        let silence = end.again_in.map_or(SILENCE, |again| again.max(MIN_SILENCE));
        self.silent_until = now + silence;
        let more = !(end.last || stuck) || std::mem::take(&mut self.again);
        self.fetch = match more {
            true => Fetch::Wanted { not_before: None },
            false => Fetch::Idle,
        };
    }

    pub(super) fn place(&mut self, mut state: BoxState, now: Instant) -> bool {
        let was_placed = std::mem::replace(&mut self.was_placed, true);
        if !was_placed {
            // Nothing was seen before this line: what it brought live is news, though `state` may already count it.
            for position in self.held.iter().filter_map(|event| event.position) {
                let before = position.after - position.count;
                match position.counter {
                    Counter::Pts => state.pts = state.pts.min(before),
                    Counter::Qts => state.qts = state.qts.min(before),
                }
            }
        }
        let end = SliceEnd {
            state,
            last: true,
            again_in: None,
        };
        self.end_slice(end, now);
        was_placed
    }

    pub(super) fn forget_place(&mut self) {
        self.state = BoxState {
            pts: 0,
            ..self.state
        };
        self.fetch = Fetch::Wanted { not_before: None };
    }

    pub(super) fn failed(&mut self, wait: Option<Duration>, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let doubled = FIRST_RETRY.saturating_mul(1 << self.failures.min(8).saturating_sub(1));
        let wait = wait.unwrap_or(doubled.min(LAST_RETRY));
        self.again = false;
        self.put_off = wait >= PUT_OFF;
        self.fetch = Fetch::Wanted {
            not_before: Some(now + wait),
        };
    }

    pub(super) fn bar(&mut self, now: Instant) {
        self.heard_at = now;
        self.held.clear();
        self.again = false;
        self.fetch = Fetch::Barred;
    }

    pub(super) fn take_held(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.held)
    }

    fn hold(&mut self, event: Event) {
        if self.held.len() >= MAX_HELD {
            self.held.clear();
            self.again = true;
        }
        self.held.push(event);
    }

    fn is_behind(&self, seen: BoxState) -> bool {
        self.state.pts < seen.pts || self.state.qts < seen.qts
    }

    fn counter(&mut self, counter: Counter) -> &mut i32 {
        match counter {
            Counter::Pts => &mut self.state.pts,
            Counter::Qts => &mut self.state.qts,
        }
    }

    fn apply_or_keep(
        &mut self,
        event: Event,
        position: Position,
        now: Instant,
        due: &mut Vec<Event>,
    ) -> bool {
        let at = self.counter(position.counter);
        let reaches = at.saturating_add(position.count);
        if reaches == position.after {
            let moved = *at != position.after;
            *at = position.after;
            due.push(event);
            return moved;
        }
        if reaches < position.after {
            self.gap_until.get_or_insert(now + GAP);
            self.early.push((position, event));
            if self.early.len() > MAX_HELD {
                self.want();
            }
        }
        false
    }

    /// What came too early may follow on by now.
    fn apply_early(&mut self, due: &mut Vec<Event>) {
        if self.early.is_empty() {
            return;
        }
        let mut early = std::mem::take(&mut self.early);
        early.sort_by_key(|(position, _)| position.after - position.count);
        for (position, event) in early {
            let at = self.counter(position.counter);
            let reaches = at.saturating_add(position.count);
            if reaches == position.after {
                *at = position.after;
                due.push(event);
            } else if reaches < position.after {
                self.early.push((position, event));
            }
        }
        if self.early.is_empty() {
            self.gap_until = None;
        }
    }
}
