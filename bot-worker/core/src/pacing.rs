//! How fast a bot may send: the shape of Telegram's published limits, on the boot clock.
//!
//! About one message a second per chat, twenty a minute per group, about thirty a second in all (`docs/telegram.md`, Sending); the exact
//! limits are unpublished, so the figures are configuration and a wait that Telegram orders ([`Pacer::told_to_wait`]) always wins.
//!
//! ```text
//! told to wait                                          what is held
//! one chat                                              that chat, for as long as Telegram said; nobody else
//! another chat as well, and nothing was taken between   the bot too, a little: the limit may be the bot's own
//! once more after that, still nothing taken             the bot twice as long, and so on, at most as long as Telegram said
//! a message was taken                                   the bot is held no more
//! ```
//! Invariant: [`Pacer::earliest`] never names a moment at which a bucket is empty. It decides nothing about order or priority.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use shared_core::{BootMs, SendTarget};

const MINUTE: Duration = Duration::from_secs(60);

/// Messages per second (or minute) and how many may go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub chat_per_second: u32,
    pub chat_burst: u32,
    pub group_per_minute: u32,
    pub group_burst: u32,
    pub bulk_per_second: u32,
    pub bulk_burst: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            chat_per_second: 1,
            chat_burst: 3,
            group_per_minute: 18,
            group_burst: 5,
            bulk_per_second: 28,
            bulk_burst: 20,
        }
    }
}

/// A bucket that holds `burst` tokens and gets one back every `interval`.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    interval_us: u64,
    burst: u64,
    /// The moment (in microseconds) at which the bucket is, or will be, full again.
    full_at_us: u64,
}

impl Bucket {
    fn new(per: Duration, count: u32, burst: u32) -> Self {
        let per_us = u64::try_from(per.as_micros()).unwrap_or(u64::MAX);
        Self {
            interval_us: per_us / u64::from(count.max(1)),
            burst: u64::from(burst.max(1)),
            full_at_us: 0,
        }
    }

    fn earliest(&self) -> BootMs {
        let slack = self.interval_us * (self.burst - 1);
        BootMs(self.full_at_us.saturating_sub(slack).div_ceil(1000))
    }

    fn take(&mut self, now: BootMs) {
        self.full_at_us = self.full_at_us.max(now.0 * 1000) + self.interval_us;
    }

    fn is_full(&self, now: BootMs) -> bool {
        self.full_at_us <= now.0 * 1000
    }
}

/// At most so many in any minute: Telegram's limit for groups. A bucket would either allow more at times or slow down a short burst.
#[derive(Debug)]
struct Window {
    most: usize,
    sent: VecDeque<BootMs>,
}

impl Window {
    fn earliest(&self) -> BootMs {
        match self.sent.len().checked_sub(self.most) {
            Some(oldest_that_counts) => self
                .sent
                .get(oldest_that_counts)
                .map_or(BootMs(0), |at| at.plus(MINUTE)),
            None => BootMs(0),
        }
    }

    fn take(&mut self, now: BootMs) {
        while self.sent.front().is_some_and(|at| at.plus(MINUTE) <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    fn is_empty(&self, now: BootMs) -> bool {
        self.sent.back().is_none_or(|at| at.plus(MINUTE) <= now)
    }
}

#[derive(Debug)]
struct Chat {
    bucket: Bucket,
    /// Groups and channels only.
    window: Option<Window>,
    held_until: BootMs,
}

impl Chat {
    fn earliest(&self) -> BootMs {
        let window = self.window.as_ref().map_or(BootMs(0), Window::earliest);
        self.bucket.earliest().max(window).max(self.held_until)
    }

    fn take(&mut self, now: BootMs) {
        self.bucket.take(now);
        if let Some(window) = &mut self.window {
            window.take(now);
        }
    }

    fn is_idle(&self, now: BootMs) -> bool {
        self.bucket.is_full(now)
            && self.held_until <= now
            && self
                .window
                .as_ref()
                .is_none_or(|window| window.is_empty(now))
    }
}

/// How long a bot is held first when its chats, one after the other, are told to wait, and at most before it is tried again.
const FIRST_HOLD: Duration = Duration::from_millis(100);
const LAST_HOLD: Duration = Duration::from_secs(10);

/// The pace of one bot.
#[derive(Debug)]
pub struct Pacer {
    rates: Rates,
    bulk: Bucket,
    chats: HashMap<SendTarget, Chat>,
    held_until: BootMs,
    /// The chat that was told to wait last, with nothing taken since, and how often the bot was held for it.
    told: Option<(SendTarget, u32)>,
}

impl Pacer {
    pub fn new(rates: Rates) -> Self {
        Self {
            rates,
            bulk: Bucket::new(
                Duration::from_secs(1),
                rates.bulk_per_second,
                rates.bulk_burst,
            ),
            chats: HashMap::new(),
            held_until: BootMs(0),
            told: None,
        }
    }

    /// The first moment at which a message to this chat may leave.
    pub fn earliest(&self, target: SendTarget) -> BootMs {
        let chat = self.chats.get(&target);
        let own = chat.map_or(BootMs(0), Chat::earliest);
        own.max(self.bulk.earliest()).max(self.held_until)
    }

    /// A message to this chat leaves at `now`.
    pub fn sent(&mut self, target: SendTarget, now: BootMs) {
        self.bulk.take(now);
        self.chat(target).take(now);
    }

    /// Nothing for this chat before that moment.
    pub fn hold(&mut self, target: SendTarget, until: BootMs) {
        let chat = self.chat(target);
        chat.held_until = chat.held_until.max(until);
    }

    /// What it was held for is over: from that moment on, if it was held for longer.
    pub fn release(&mut self, target: SendTarget, from: BootMs) {
        let chat = self.chat(target);
        chat.held_until = chat.held_until.min(from);
    }

    /// Telegram told us to wait with this chat.
    pub fn told_to_wait(&mut self, target: SendTarget, wait: Duration, now: BootMs) {
        self.hold(target, now.plus(wait));
        let Some((before, rounds)) = self.told else {
            self.told = Some((target, 0));
            return;
        };
        // What was on its way when the bot was held says nothing new.
        if before == target || now < self.held_until {
            return;
        }
        let hold = FIRST_HOLD.saturating_mul(1 << rounds.min(16));
        self.held_until = now.plus(hold.min(LAST_HOLD).min(wait));
        self.told = Some((target, rounds + 1));
    }

    /// Telegram took a message: the bot itself is within its limits.
    pub fn taken(&mut self) {
        self.told = None;
        self.held_until = BootMs(0);
    }

    /// Forgets chats that have nothing left to remember, so that memory follows the traffic.
    pub fn forget_idle(&mut self, now: BootMs) {
        self.chats.retain(|_, chat| !chat.is_idle(now));
    }

    fn chat(&mut self, target: SendTarget) -> &mut Chat {
        let rates = self.rates;
        self.chats.entry(target).or_insert_with(|| {
            let second = Duration::from_secs(1);
            let (burst, window) = match target {
                SendTarget::Member(_) => (rates.chat_burst, None),
                SendTarget::Channel(_) => (rates.group_burst, Some(rates.group_per_minute)),
            };
            Chat {
                bucket: Bucket::new(second, rates.chat_per_second, burst),
                window: window.map(|most| Window {
                    most: usize::try_from(most.max(1)).unwrap_or(usize::MAX),
                    sent: VecDeque::new(),
                }),
                held_until: BootMs(0),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::{ChannelId, MemberId};

    fn member(id: i64) -> SendTarget {
        SendTarget::Member(MemberId(id))
    }

    /// Sends as early as allowed, `count` times; returns when the last one left.
    fn drain(pacer: &mut Pacer, target: SendTarget, count: u32, start: BootMs) -> BootMs {
        let mut now = start;
        for _ in 0..count {
            now = now.max(pacer.earliest(target));
            pacer.sent(target, now);
        }
        now
    }

    #[test]
    fn a_chat_gets_its_burst_and_then_one_a_second() {
        let mut pacer = Pacer::new(Rates::default());
        let start = BootMs(10_000);
        assert_eq!(drain(&mut pacer, member(1), 3, start), start);
        assert_eq!(drain(&mut pacer, member(1), 2, start), BootMs(12_000));
    }

    #[test]
    fn a_group_gets_its_burst_and_never_more_than_its_minute_allows() {
        let mut pacer = Pacer::new(Rates::default());
        let group = SendTarget::Channel(ChannelId(1));
        let mut times = Vec::new();
        let mut now = BootMs(0);
        for _ in 0..60 {
            now = now.max(pacer.earliest(group));
            pacer.sent(group, now);
            pacer.forget_idle(now);
            times.push(now.0);
        }
        assert_eq!(times[..5], [0; 5], "the burst");
        assert_eq!(times[17], 13_000, "one a second after it");
        for pair in times.windows(19) {
            assert!(
                pair[18] - pair[0] >= 60_000,
                "nineteen within a minute: {pair:?}"
            );
        }
    }

    #[test]
    fn the_bot_as_a_whole_is_bounded() {
        let mut pacer = Pacer::new(Rates::default());
        let mut now = BootMs(0);
        for id in 0..(20 + 28) {
            now = now.max(pacer.earliest(member(id)));
            pacer.sent(member(id), now);
        }
        assert!((950..=1050).contains(&now.0), "{now:?}");
    }

    #[test]
    fn a_wait_of_one_chat_does_not_block_another() {
        let mut pacer = Pacer::new(Rates::default());
        let wait = Duration::from_secs(9);
        pacer.told_to_wait(member(1), wait, BootMs(0));
        pacer.told_to_wait(member(1), wait, BootMs(0));
        assert_eq!(pacer.earliest(member(1)), BootMs(9_000));
        assert_eq!(pacer.earliest(member(2)), BootMs(0));
        pacer.forget_idle(BootMs(9_001));
        assert_eq!(pacer.chats.len(), 0);
    }

    #[test]
    fn chats_that_are_told_to_wait_one_after_the_other_hold_the_bot_ever_longer() {
        let mut pacer = Pacer::new(Rates::default());
        let wait = Duration::from_secs(600);
        let mut now = BootMs(1_000);
        let mut holds = Vec::new();
        for id in 1..=12 {
            pacer.told_to_wait(member(id), wait, now);
            // Others were on their way: they add nothing.
            pacer.told_to_wait(member(100 + id), wait, now);
            let free = pacer.earliest(member(999)).max(now);
            holds.push(free.since(now).as_millis());
            now = free;
        }
        assert_eq!(holds[..4], [100, 200, 400, 800]);
        assert_eq!(holds[8..], [10_000; 4]);
        pacer.taken();
        assert_eq!(pacer.earliest(member(999)), BootMs(0));
        assert_eq!(
            pacer.earliest(member(1)),
            BootMs(601_000),
            "a chat's own wait stands"
        );
    }

    #[test]
    fn a_short_wait_of_the_whole_bot_is_not_made_longer() {
        let mut pacer = Pacer::new(Rates::default());
        let now = BootMs(1_000);
        for id in 1..=30 {
            let at = pacer.earliest(member(500)).max(now);
            pacer.told_to_wait(member(id), Duration::from_secs(1), at);
            assert!(pacer.earliest(member(500)).since(at) <= Duration::from_secs(1));
        }
    }

    /// Each figure of `[rates]` is the bound of something.
    #[test]
    fn every_rate_counts() {
        let group = SendTarget::Channel(ChannelId(1));
        let base = Rates::default();
        let after = |rates: Rates, target, count| {
            let mut pacer = Pacer::new(rates);
            drain(&mut pacer, target, count, BootMs(0)).0
        };
        let with = |change: fn(&mut Rates)| {
            let mut rates = base;
            change(&mut rates);
            rates
        };
        let faster = with(|rates| rates.chat_per_second = 2);
        assert_eq!(
            (after(base, member(1), 5), after(faster, member(1), 5)),
            (2_000, 1_000)
        );
        let larger = with(|rates| rates.chat_burst = 5);
        assert_eq!(after(larger, member(1), 5), 0);
        let fewer = with(|rates| rates.group_per_minute = 4);
        assert_eq!((after(base, group, 5), after(fewer, group, 5)), (0, 60_000));
        let smaller = with(|rates| rates.group_burst = 1);
        assert_eq!(after(smaller, group, 5), 4_000);
        let slow = with(|rates| (rates.bulk_per_second, rates.bulk_burst) = (2, 1));
        let mut pacer = Pacer::new(slow);
        let last = (0..5).map(|id| drain(&mut pacer, member(id), 1, BootMs(0)).0);
        assert_eq!(last.max(), Some(2_000));
    }
}
