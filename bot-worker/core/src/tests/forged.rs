//! Presses whose client says what it likes: a live button of the member's own, under a message that is not his.

use shared_core::{
    BotId, BoxId, Envelope, MessageId, OutboxEntry, OutboxKind, PlaceKey, QueryId, UpdateId,
};

use super::talk::Talk;
use crate::{Event, Intake, Taken, take};

const OWN: MessageId = MessageId(400);
const ANOTHERS: MessageId = MessageId(399);

/// Presses the button under this message; only [`OWN`] is a prompt of the member's.
fn pressed(talk: &Talk, label: &str, message: MessageId) -> Taken {
    let query = QueryId(77);
    let event = Event::Pressed {
        query,
        r#box: talk.r#box(),
        message,
        data: talk.data(label),
    };
    let envelope = Envelope {
        state: talk.dialogue.clone(),
        ..Envelope::default()
    };
    let update = UpdateId::Press { query };
    let me = BotId(7);
    let taken = talk.in_context(|ctx| take(&envelope, &update, &event, ctx, me, false));
    let Intake::Taken(mut taken) = taken.unwrap() else {
        panic!("nothing was taken in before");
    };
    taken.draw_only(|r#box, it| r#box == talk.r#box() && it == OWN);
    *taken
}

fn edited(taken: &Taken) -> Vec<(BoxId, MessageId)> {
    taken.edited().collect()
}

fn said(entry: &OutboxEntry) -> &str {
    match &entry.kind {
        OutboxKind::Say { text, .. } => text,
        other => panic!("{other:?}"),
    }
}

fn at(mut talk: Talk, step: &str) -> Talk {
    talk.walk_to(step);
    talk
}

#[test]
fn a_press_under_ones_own_prompt_draws_it_anew() {
    for talk in [Talk::group(), Talk::private()] {
        let talk = at(talk, "Tags");
        let taken = pressed(&talk, "video", OWN);
        assert_eq!(edited(&taken), [(talk.r#box(), OWN)]);
        assert_eq!(taken.outbox.entries.len(), 1);
    }
}

#[test]
fn a_press_under_anothers_message_says_the_prompt_and_draws_over_nothing() {
    for talk in [Talk::group(), Talk::private()] {
        let talk = at(talk, "Tags");
        let drawn = pressed(&talk, "video", OWN);
        let taken = pressed(&talk, "video", ANOTHERS);
        assert_eq!(edited(&taken), []);
        let [entry] = &taken.outbox.entries[..] else {
            panic!("{:?}", taken.outbox);
        };
        let OutboxKind::Say {
            text,
            keyboard,
            reply_to,
        } = &entry.kind
        else {
            panic!("{entry:?}");
        };
        let own = &drawn.outbox.entries[0];
        let OutboxKind::Edit {
            text: own_text,
            keyboard: own_keyboard,
            ..
        } = &own.kind
        else {
            panic!("{own:?}");
        };
        assert!(text.contains("Step 4/6: Tags"), "{text}");
        assert_eq!((text, keyboard), (own_text, own_keyboard));
        assert_eq!((entry.id, entry.target), (own.id, own.target));
        let quotes = matches!(talk.key.place, PlaceKey::Group(_));
        assert_eq!(reply_to.is_some(), quotes, "{reply_to:?}");
        // What he chose is chosen, and it is a live prompt of this bot's.
        assert_eq!(taken.envelope, drawn.envelope);
        assert!(taken.serves);
    }
}

#[test]
fn a_press_under_anothers_message_closes_nothing_there() {
    let talk = at(Talk::group(), "Category");
    let closed = pressed(&talk, "Art", OWN);
    assert_eq!(edited(&closed), [(talk.r#box(), OWN)]);
    let taken = pressed(&talk, "Art", ANOTHERS);
    let [entry] = &taken.outbox.entries[..] else {
        panic!("{:?}", taken.outbox);
    };
    assert!(said(entry).contains("Step 4/6: Tags"), "{}", said(entry));
    assert_eq!(taken.envelope, closed.envelope);
}
