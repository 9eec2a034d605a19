//! What counts as a member's own doing: it ends his silence, moves him among the open conversations, and outdates what he wrote before.

use shared_core::{Envelope, EventId, MessageId, QueryId, Timer, UnixMs, UpdateId};

use super::intake::{ME, message, said, taken, told};
use super::talk::Talk;
use crate::intake::finish;
use crate::{Dialogue, Event, Step};

/// An upload that was opened and asks for its title, an hour ago.
fn left_open(talk: &mut Talk) -> (Envelope<Dialogue>, UnixMs) {
    let upload = said(1, "/upload");
    let first = taken(talk, &Envelope::default(), &message(1), &upload, false).unwrap();
    assert!(first.active);
    let since = talk.now;
    talk.now = UnixMs(talk.now.0 + 3_600_000);
    (first.envelope, since)
}

fn internal(number: u8) -> UpdateId {
    UpdateId::Internal {
        event: EventId([number; 16]),
    }
}

/// Each of these shows or tells him something; his silence goes on, and so does his place among those that are open.
#[test]
fn nothing_but_what_the_member_does_is_activity_of_his() {
    let mut talk = Talk::private();
    talk.catalog.remind_after = Some(std::time::Duration::from_secs(1));
    let (envelope, since) = left_open(&mut talk);
    let invited = Event::Invited {
        bots: vec!["third_bot".into()],
    };
    let stored = Event::FileStored {
        file: 1,
        at: MessageId(7),
    };
    for (event, brings_a_prompt) in [
        (told(1).1, false),
        (Event::Due(Timer::Reminder), true),
        (Event::Resumed, true),
        (Event::Unsaid, true),
        (Event::NotTaken, true),
        (invited, false),
        // He may have written to another bot since he sent it.
        (stored, false),
        (Event::FileLost { file: 1 }, false),
    ] {
        let step = taken(&talk, &envelope, &internal(9), &event, true).unwrap();
        let at = (step.open, step.envelope.at, step.active);
        assert_eq!(at, (Some(since), since, false), "{event:?}");
        assert_eq!(step.serves, brings_a_prompt, "{event:?}");
    }
}

#[test]
fn whatever_the_member_does_is_activity_of_his() {
    let mut talk = Talk::private();
    let (envelope, since) = left_open(&mut talk);
    let r#box = talk.r#box();
    let pressed = |data: &str| Event::Pressed {
        query: QueryId(3),
        r#box,
        message: MessageId(2),
        data: data.into(),
    };
    let edited = Event::Edited {
        r#box,
        message: MessageId(1),
        text: "Oil paint".into(),
    };
    for event in [
        said(5, "Watercolours"),
        // Refused or answered beside it, but alive.
        said(5, "x"),
        said(5, "/help"),
        edited,
        pressed("of an old prompt"),
    ] {
        let step = taken(&talk, &envelope, &internal(9), &event, true).unwrap();
        let at = (step.open, step.envelope.at, step.active);
        assert_eq!(at, (Some(talk.now), talk.now, true), "{event:?}");
        assert!(step.envelope.at > since);
    }
}

/// What no conversation does yet, and one may: it is opened by what another one says.
#[test]
fn what_is_opened_for_the_member_begins_when_it_is_opened() {
    let talk = Talk::at("Tags");
    let (update, event) = told(1);
    let finish_from = |state: Dialogue| {
        let before = Envelope {
            state,
            ..Envelope::default()
        };
        let step = Step::unchanged(&talk.dialogue);
        let next = before.clone();
        let finished = talk.in_context(|ctx| finish(&before, next, step, &update, &event, ctx, ME));
        finished.unwrap()
    };
    let opened = finish_from(Dialogue::default());
    assert_eq!((opened.open, opened.active), (Some(talk.now), true));
    let was_open = finish_from(talk.dialogue.clone());
    assert_eq!((was_open.open, was_open.active), (Some(UnixMs(0)), false));
}
