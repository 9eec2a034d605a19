//! A private message that a bot kept while another one answered: is it still an answer to something when it is taken up?
//!
//! ```text
//! the conversation's last step │ then the message is
//! before it was written        │ his last word
//! a second later, or more      │ outdated
//! in between, after it was kept│ outdated
//! in between, as far as known  │ unknown: its member is told
//! ```
//! Invariant: what was written after the conversation's last step is never outdated, and what was written before another bot's is never taken for an answer
//! to it, as far as Telegram's clock and the workers' agree. Pure; three clocks meet here, so each is taken for what it is good for.

use shared_core::{BotId, BoxId, Envelope, EventId, UnixMs, UpdateId};

use crate::event::Event;

/// By how much the clocks of two hosts may differ.
const CLOCKS_MS: i64 = 200;
/// Telegram's dates are whole seconds, rounded down.
const SECOND_MS: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Telegram's date: whole seconds, rounded down.
    pub written: UnixMs,
    /// By Redis' clock; much later than it was written where the bot had to fetch it first.
    pub kept: UnixMs,
}

/// How a kept message stands to the conversation's last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It is his last word.
    Latest,
    /// Within the second that Telegram rounds away another bot took a step, and which of the two was first cannot be told.
    Unknown,
    /// He went on with another bot after he wrote this.
    Outdated,
}

impl Kept {
    /// `envelope`: the conversation, with when its last step was taken, by a worker's clock. `me`: who kept this. `followed`: when it followed the bot before it;
    /// what it has done itself since outdates nothing. Where the dates do not tell, a step with itself came before what it kept.
    pub fn age<S>(self, envelope: &Envelope<S>, me: BotId, followed: UnixMs) -> Age {
        match self.beside(envelope.at, followed) {
            Age::Unknown if envelope.marks.home() == Some(BoxId::Private(me)) => Age::Latest,
            age => age,
        }
    }

    fn beside(self, stepped: UnixMs, followed: UnixMs) -> Age {
        let is_later = stepped.0 >= self.written.0.saturating_add(SECOND_MS)
            || stepped.0 > self.kept.0.saturating_add(CLOCKS_MS);
        match (stepped < followed, is_later) {
            (false, _) => Age::Latest,
            (true, true) => Age::Outdated,
            (true, false) if stepped > self.written => Age::Unknown,
            (true, false) => Age::Latest,
        }
    }
}

/// What its member hears of a message that is not acted on, once for each `telling`: as something that he is told, since that is remembered also where
/// nothing is open.
pub fn unacted(telling: EventId) -> (UpdateId, Event) {
    (UpdateId::Told { event: telling }, Event::NotTaken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::{Admission, Watermarks};

    fn age(written: i64, kept: i64, stepped: i64) -> Age {
        let [written, kept, stepped, followed] = [written, kept, stepped, 9_500].map(UnixMs);
        Kept { written, kept }.beside(stepped, followed)
    }

    #[test]
    fn the_other_bots_step_outdates_what_was_written_before_it() {
        assert_eq!(age(3_000, 3_400, 5_200), Age::Outdated, "it went on");
        assert_eq!(age(7_000, 7_300, 5_200), Age::Latest, "his last word");
        assert_eq!(age(3_000, 3_400, 9_600), Age::Latest, "this bot's step");
    }

    #[test]
    fn within_the_second_that_telegram_rounds_away_it_counts_when_it_was_kept() {
        assert_eq!(age(5_000, 5_360, 5_950), Age::Outdated, "he turned away");
        assert_eq!(age(5_000, 8_000, 6_100), Age::Outdated, "fetched late");
    }

    #[test]
    fn where_even_that_does_not_tell_it_is_not_taken_for_an_answer() {
        assert_eq!(age(5_000, 5_850, 5_900), Age::Unknown, "clocks differ");
        assert_eq!(age(5_000, 5_990, 5_900), Age::Unknown, "he came back?");
        assert_eq!(age(5_000, 8_000, 5_900), Age::Unknown, "a slow line");
        assert_eq!(age(5_000, 5_200, 5_000), Age::Latest);
    }

    #[test]
    fn a_step_with_the_bot_itself_came_before_what_it_kept() {
        let [written, kept, followed] = [5_000, 8_000, 9_500].map(UnixMs);
        let aged = |bot, stepped| {
            let mut envelope = Envelope::<()> {
                at: UnixMs(stepped),
                ..Envelope::default()
            };
            envelope.marks.stepped_in(BoxId::Private(BotId(bot)));
            Kept { written, kept }.age(&envelope, BotId(1), followed)
        };
        assert_eq!(aged(2, 5_900), Age::Unknown);
        assert_eq!(aged(1, 5_900), Age::Latest);
        assert_eq!(aged(1, 6_100), Age::Outdated, "he has gone on since");
    }

    #[test]
    fn who_is_in_the_middle_of_nothing_is_told_once_too() {
        let mut marks = Watermarks::default();
        let (telling, _) = unacted(EventId([2; 16]));
        assert_eq!(marks.admit(&telling), Admission::New);
        marks.rest();
        assert!(marks.knows(&telling));
    }
}
