//! Answers that another bot may have said: it was killed, hung or cut off with sends on their way, and nobody can ask it.
//!
//! ```text
//! what stood in the outbox when this bot took over,     what becomes of it
//! and was on its way, or may have been
//! an answer that puts a prompt before its member        left out: the debt of a change of bots shows him where he stands, with all that he
//!                                                       has said so far, whether he has read the answer or not
//! anything else (help, last words, a file to keep)      said: it may come twice, and nothing else would bring it
//! ```
//! So what may have been said is not said again where its effect is shown anyhow. Only for who owes that showing: after a change of bots. The same
//! bot's other login can hear what was said (`echo`).
//!
//! Invariant: what is left out is shown unasked or when its member comes; older answers than that are said, whatever was said before.

use std::time::Duration;

use shared_core::{Button, OutboxEntry, OutboxKind, Priority, UnixMs};

/// Younger than who is shown his prompt unasked, by a margin: `bot-worker-app` shows those of the last half an hour.
const SHOWN_FOR: Duration = Duration::from_secs(25 * 60);

/// The answers of one change of bots. `P` is a position in the outbox.
#[derive(Debug, Clone)]
pub struct InDoubt<P> {
    /// What stood last when this bot took over.
    up_to: P,
    /// Which of that; empty where the one before could not say.
    among: Vec<P>,
    now: UnixMs,
}

impl<P: Ord> InDoubt<P> {
    pub fn new(up_to: P, among: Vec<P>, now: UnixMs) -> Self {
        Self { up_to, among, now }
    }

    /// May the bot before this one have said it?
    pub fn covers(&self, position: &P) -> bool {
        *position <= self.up_to && (self.among.is_empty() || self.among.contains(position))
    }

    /// Is this entry not to be said, because its conversation will be shown where it stands?
    pub fn leaves_out(&self, position: &P, entry: &OutboxEntry) -> bool {
        let age_ms = u128::from(self.now.since(entry.since));
        self.covers(position)
            && entry.priority == Priority::Answer
            && age_ms < SHOWN_FOR.as_millis()
            && brings_a_live_prompt(entry)
    }
}

/// Will this entry put buttons that work in front of the member?
pub fn brings_a_live_prompt(entry: &OutboxEntry) -> bool {
    match &entry.kind {
        OutboxKind::Say { keyboard, .. } | OutboxKind::Edit { keyboard, .. } => {
            let mut buttons = keyboard.iter().flat_map(|keyboard| &keyboard.0).flatten();
            buttons.any(|button| matches!(button, Button::Press { .. }))
        }
        OutboxKind::StoreFile { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::{ConversationKey, EntryId, Keyboard, MemberId, SendTarget};

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn answer(priority: Priority, age_ms: i64, button: Option<Button>) -> OutboxEntry {
        OutboxEntry {
            id: EntryId([1; 16]),
            conversation: ConversationKey::private(MemberId(1)),
            target: SendTarget::Member(MemberId(1)),
            priority,
            since: UnixMs(NOW.0 - age_ms),
            by: None,
            kind: OutboxKind::Say {
                text: "Step 2/6".into(),
                keyboard: button.map(|button| Keyboard(vec![vec![button]])),
                reply_to: None,
            },
        }
    }

    #[test]
    fn only_answers_are_left_out_that_stood_there_and_whose_effect_is_shown_anyhow() {
        let press = || {
            Some(Button::Press {
                text: "Back".into(),
                data: "x".into(),
            })
        };
        let link = Some(Button::Link {
            text: "Start".into(),
            url: "https://t.me/x".into(),
        });
        let in_doubt = InDoubt::new(7, Vec::new(), NOW);
        let leaves_out = |at: u32, entry: OutboxEntry| in_doubt.leaves_out(&at, &entry);
        assert!(leaves_out(7, answer(Priority::Answer, 100, press())));
        assert!(
            !leaves_out(8, answer(Priority::Answer, 100, press())),
            "its own"
        );
        assert!(!leaves_out(7, answer(Priority::Answer, 100, None)), "help");
        assert!(!leaves_out(7, answer(Priority::Answer, 100, link)));
        assert!(!leaves_out(7, answer(Priority::Reprompt, 100, press())));
        let known = InDoubt::new(7, vec![5], NOW);
        assert!(known.leaves_out(&5, &answer(Priority::Answer, 100, press())));
        assert!(
            !known.leaves_out(&7, &answer(Priority::Answer, 100, press())),
            "it had not left"
        );
        let long_ago = answer(Priority::Answer, 30 * 60 * 1_000, press());
        assert!(
            !leaves_out(7, long_ago),
            "he would not be written to unasked"
        );
    }
}
