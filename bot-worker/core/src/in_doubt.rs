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
//! The same goes for another bot's message that was to be drawn anew and waited (a flood wait): this bot can only say it, as something new, and its
//! conversation may have gone on since ([`draws_anothers_anew`]). Whether or not it was on its way.
//!
//! Invariant: what is left out is shown unasked or when its member comes; older answers than that are said, whatever was said before.

use std::time::Duration;

use crate::button::Mark;
use shared_core::{BotId, BoxId, Button, OutboxEntry, OutboxKind, Priority, UnixMs};

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
        self.covers(position) && is_shown_anyhow(entry, self.now) && brings_a_live_prompt(entry)
    }
}

/// Is this an edit of another bot's message, whose conversation will be shown where it stands? A press reaches the bot whose message it is, so such an edit
/// was composed before this bot `followed` another one. In a group, which does not tell whose a message is, that shows it.
pub fn draws_anothers_anew(
    entry: &OutboxEntry,
    me: BotId,
    followed: Option<UnixMs>,
    now: UnixMs,
) -> bool {
    let is_anothers = match &entry.kind {
        OutboxKind::Edit {
            r#box: BoxId::Private(of),
            ..
        } => *of != me,
        OutboxKind::Edit {
            r#box: BoxId::Channel(_),
            ..
        } => followed.is_some_and(|followed| entry.since < followed),
        OutboxKind::Say { .. } | OutboxKind::StoreFile { .. } => false,
    };
    is_anothers && is_shown_anyhow(entry, now)
}

/// Is its member shown where he stands unasked, or when he comes?
fn is_shown_anyhow(entry: &OutboxEntry, now: UnixMs) -> bool {
    let age_ms = u128::from(now.since(entry.since));
    entry.priority == Priority::Answer && age_ms < SHOWN_FOR.as_millis()
}

/// Will this entry put buttons to press in front of the member?
fn brings_a_live_prompt(entry: &OutboxEntry) -> bool {
    pressed(entry).next().is_some()
}

/// The prompt that this entry will put in front of its member, by the nonce in its buttons. They work as long as that is the conversation's latest one.
pub fn prompt_of(entry: &OutboxEntry) -> Option<u32> {
    pressed(entry).find_map(Mark::parse).map(|mark| mark.nonce)
}

/// What is inside its buttons.
fn pressed(entry: &OutboxEntry) -> impl Iterator<Item = &str> {
    let keyboard = match &entry.kind {
        OutboxKind::Say { keyboard, .. } | OutboxKind::Edit { keyboard, .. } => keyboard.as_ref(),
        OutboxKind::StoreFile { .. } => None,
    };
    let buttons = keyboard
        .into_iter()
        .flat_map(|keyboard| &keyboard.0)
        .flatten();
    buttons.filter_map(|button| match button {
        Button::Press { data, .. } => Some(data.as_str()),
        Button::Link { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_core::{
        ChannelId, ConversationKey, EntryId, Keyboard, MemberId, MessageId, SendTarget,
    };

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
    fn a_prompt_is_known_by_the_nonce_in_its_buttons() {
        let press = |data: &str| {
            Some(Button::Press {
                text: "Back".into(),
                data: data.into(),
            })
        };
        let of = |button| prompt_of(&answer(Priority::Answer, 0, button));
        assert_eq!(of(press("upload:1f:77:back")), Some(0x1f));
        assert_eq!(of(press("of somebody else")), None);
        assert_eq!(of(None), None);
    }

    #[test]
    fn another_bots_message_is_not_drawn_anew_where_its_conversation_is_shown_anyhow() {
        let (me, other) = (BotId(1), BotId(2));
        let (private, group) = (BoxId::Private, BoxId::Channel(ChannelId(3)));
        let draws = |r#box, age_ms, followed_ago_ms: Option<i64>| {
            let entry = OutboxEntry {
                kind: OutboxKind::Edit {
                    r#box,
                    message: MessageId(5),
                    text: "Step 4/6".into(),
                    keyboard: None,
                },
                ..answer(Priority::Answer, age_ms, None)
            };
            let followed = followed_ago_ms.map(|ago| UnixMs(NOW.0 - ago));
            draws_anothers_anew(&entry, me, followed, NOW)
        };
        assert!(draws(private(other), 100, None));
        assert!(!draws(private(me), 100, Some(50)));
        assert!(draws(group, 100, Some(50)));
        assert!(!draws(group, 100, Some(200)), "its own, since it followed");
        assert!(!draws(group, 100, None), "nobody else was there");
        let long = 30 * 60 * 1_000;
        assert!(
            !draws(private(other), long, None),
            "he is not written to unasked"
        );
        let says = answer(Priority::Answer, 100, None);
        assert!(!draws_anothers_anew(&says, me, Some(NOW), NOW));
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
