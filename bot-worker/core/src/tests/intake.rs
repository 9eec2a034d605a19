//! One update on its way into a stored conversation: duplicates, bounds, tombstones, damage.

use shared_core::{
    BotId, BoxId, ConversationKey, Envelope, EventId, LARGEST_STORED, MemberId, MessageId, QueryId,
    Salvaged, Telling, Timer, UnixMs, UpdateId,
};

use super::talk::Talk;
use crate::{Dialogue, Event, Intake, Said, Taken, event_of, not_yet, read, start_over, take};

pub(super) const ME: BotId = BotId(7);
const MEMBERS_WORDS: &str = "words of a member";

pub(super) fn message(id: i32) -> UpdateId {
    UpdateId::Message {
        r#box: BoxId::Private(ME),
        message: MessageId(id),
    }
}

pub(super) fn said(id: i32, text: &str) -> Event {
    Event::Said(Said {
        r#box: BoxId::Private(ME),
        message: MessageId(id),
        text: text.into(),
        document: None,
        album: None,
        name: "Anna".into(),
    })
}

pub(super) fn told(number: u8) -> (UpdateId, Event) {
    let event = EventId([number; 16]);
    let from = ConversationKey::private(MemberId(99));
    let what = Telling::CourseSubmitted {
        title: "Bread".into(),
    };
    (UpdateId::Told { event }, Event::Told { from, what })
}

/// Takes it in; `None` when it is known.
pub(super) fn taken(
    talk: &Talk,
    envelope: &Envelope<Dialogue>,
    update: &UpdateId,
    event: &Event,
    settles: bool,
) -> Option<Taken> {
    let taken = talk.in_context(|ctx| take(envelope, update, event, ctx, ME, settles));
    match taken.unwrap() {
        Intake::Known => None,
        Intake::Taken(taken) => {
            assert_eq!(read(&taken.stored).unwrap(), taken.envelope);
            assert_eq!(taken.envelope.version, envelope.version + 1);
            Some(*taken)
        }
    }
}

fn texts(taken: &Taken) -> Vec<String> {
    let entries = serde_json::to_value(&taken.outbox.entries).unwrap();
    let entries = entries.as_array().unwrap().iter();
    entries
        .map(|entry| entry["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_known_update_leads_to_nothing_or_only_settles() {
    let talk = Talk::private();
    let first = taken(
        &talk,
        &Envelope::default(),
        &message(1),
        &said(1, "/upload"),
        false,
    )
    .unwrap();
    assert!(first.serves && !first.known);
    assert_eq!(first.open, Some(talk.now));
    let again = taken(
        &talk,
        &first.envelope,
        &message(1),
        &said(1, "/upload"),
        false,
    );
    assert_eq!(again, None);

    let (update, event) = told(1);
    let heard = taken(&talk, &first.envelope, &update, &event, true).unwrap();
    assert_eq!(
        texts(&heard),
        ["A course was handed in by member 99: Bread"]
    );
    let settled = taken(&talk, &heard.envelope, &update, &event, true).unwrap();
    assert!(settled.known && !settled.serves);
    assert_eq!(settled.outbox, crate::Outbox::default());
    assert_eq!(settled.envelope.state, heard.envelope.state);
    assert_eq!(settled.open, heard.open, "still open, and as long ago");
}

/// After a switch the prompt above it is the other bot's: it still has to be shown again.
#[test]
fn an_answer_without_a_prompt_leaves_him_with_the_one_that_he_had() {
    let talk = Talk::private();
    let mut envelope = Envelope::default();
    for (id, text, serves) in [
        (1, "/help", true),
        (2, "/upload", true),
        (3, "/help", false),
        (4, "/what", false),
        (5, "A title", true),
        (6, "/resume", true),
        (7, "/cancel", true),
    ] {
        let step = taken(&talk, &envelope, &message(id), &said(id, text), false).unwrap();
        assert_eq!(step.serves, serves, "{text}");
        envelope = step.envelope;
    }
}

#[test]
fn an_event_for_a_conversation_that_has_ended_finds_a_tombstone() {
    let mut talk = Talk::private();
    talk.catalog.remind_after = Some(std::time::Duration::from_secs(1));
    let open = taken(
        &talk,
        &Envelope::default(),
        &message(1),
        &said(1, "/upload"),
        false,
    )
    .unwrap();
    let ended = taken(
        &talk,
        &open.envelope,
        &message(2),
        &said(2, "/cancel"),
        false,
    )
    .unwrap();
    assert_eq!(ended.open, None);
    assert!(ended.stored.len() < 100, "{}", ended.stored);
    let due = UpdateId::Told {
        event: EventId([9; 16]),
    };
    let nothing = taken(
        &talk,
        &ended.envelope,
        &due,
        &Event::Due(Timer::Reminder),
        true,
    )
    .unwrap();
    assert_eq!((nothing.open, &nothing.outbox.entries[..]), (None, &[][..]));
    let stored = UpdateId::Internal {
        event: EventId([8; 16]),
    };
    let event = Event::FileStored {
        file: 1,
        at: MessageId(5),
    };
    let nothing = taken(&talk, &nothing.envelope, &stored, &event, true).unwrap();
    assert_eq!(nothing.outbox.entries, []);
    let replayed = taken(
        &talk,
        &nothing.envelope,
        &message(2),
        &said(2, "/cancel"),
        false,
    );
    assert_eq!(replayed, None, "messages are remembered");
}

/// A conversation that was forgotten altogether begins with numbers that no button of before has.
#[test]
fn a_button_of_a_forgotten_conversation_is_dead() {
    let mut talk = Talk::private();
    talk.now = UnixMs(1_700_000_000_000);
    talk.walk_to("Review");
    let submit = talk.data("Submit");
    talk.press("Cancel");
    talk.dialogue = Dialogue::default();
    talk.now = UnixMs(talk.now.0 + 30 * 24 * 3_600_000);
    talk.walk_to("Review");
    assert_eq!(talk.press_data(&submit), "");
    assert_eq!(
        talk.answer().as_deref(),
        Some("That button is from an earlier step. Please use the latest message.")
    );
    assert!(talk.press("Submit").starts_with("✓ Submitted"));
}

#[test]
fn a_press_on_a_message_of_an_ended_conversation_changes_nothing() {
    for end in ["Submit", "Cancel"] {
        let mut talk = Talk::at("Review");
        let buttons: Vec<String> = talk.labels().iter().map(|label| talk.data(label)).collect();
        talk.press(end);
        let after = talk.dialogue.clone();
        for data in buttons {
            assert_eq!(talk.press_data(&data), "", "{data}");
            assert!(talk.answer().is_some(), "{data}");
            assert_eq!(talk.dialogue, after, "{data}");
        }
    }
}

/// Taps on one keyboard that are all played back, as a difference may do: each is known, however many there were.
#[test]
fn presses_of_one_prompt_are_all_known_when_they_come_again() {
    let mut talk = Talk::at("Tags");
    let mut envelope = Envelope {
        state: talk.dialogue.clone(),
        ..Envelope::default()
    };
    let press = |talk: &Talk, query: i64, label: &str| {
        let event = Event::Pressed {
            query: QueryId(query),
            r#box: talk.r#box(),
            message: MessageId(400),
            data: talk.data(label),
        };
        (
            UpdateId::Press {
                query: QueryId(query),
            },
            event,
        )
    };
    let mut presses = Vec::new();
    for query in 0..40 {
        let label = match query % 2 {
            0 => "free",
            _ => "✓ free",
        };
        let (update, event) = press(&talk, 900 + query, label);
        envelope = taken(&talk, &envelope, &update, &event, false)
            .unwrap()
            .envelope;
        talk.event(&event);
        presses.push((update, event));
    }
    for (update, event) in &presses {
        assert_eq!(
            taken(&talk, &envelope, update, event, false),
            None,
            "{update}"
        );
    }
    // The next prompt makes their buttons dead, so that most may be forgotten; the last are known still.
    let (update, event) = press(&talk, 999, "Done");
    envelope = taken(&talk, &envelope, &update, &event, false)
        .unwrap()
        .envelope;
    assert_eq!(taken(&talk, &envelope, &update, &event, false), None);
    let (update, event) = &presses[0];
    let dead = taken(&talk, &envelope, update, event, false).unwrap();
    assert_eq!(dead.envelope.state, envelope.state);
    assert_eq!(dead.outbox.entries, []);
}

#[test]
fn what_would_grow_beyond_the_bound_is_not_taken_and_the_member_is_told() {
    let mut talk = Talk::private();
    talk.catalog.max_files = 50;
    talk.walk_to("Files");
    let mut envelope = Envelope {
        state: talk.dialogue.clone(),
        ..Envelope::default()
    };
    let mut refused = None;
    for id in 100..150 {
        let file = super::talk::document(&"\u{4e66}".repeat(255), 9);
        let what = talk.message("", Some(file));
        let incoming = talk.incoming(what);
        let event = event_of(&incoming, &talk.dialogue).unwrap();
        let next = taken(&talk, &envelope, &message(id), &event, false).unwrap();
        assert!(next.stored.len() <= LARGEST_STORED);
        if next.outbox.entries.len() == 1 && next.envelope.state == envelope.state {
            refused = Some((id, event, next));
            break;
        }
        talk.dialogue = next.envelope.state.clone();
        envelope = next.envelope;
    }
    let (id, event, refused) = refused.unwrap();
    assert!(texts(&refused)[0].starts_with("That would make this conversation longer"));
    assert!(refused.open.is_some(), "it is open still");
    let again = taken(&talk, &refused.envelope, &message(id), &event, false);
    assert_eq!(again, None, "it counts as answered");
    let cancelled = taken(
        &talk,
        &refused.envelope,
        &message(id + 1),
        &said(id + 1, "/cancel"),
        false,
    );
    assert!(cancelled.unwrap().stored.len() < 200, "there is a way on");
}

#[test]
fn who_has_too_much_already_may_make_it_less() {
    let mut talk = Talk::private();
    talk.catalog.max_files = 50;
    talk.walk_to("Files");
    for _ in 0..50 {
        talk.store(&"\u{4e66}".repeat(255));
    }
    let large = Envelope {
        state: talk.dialogue.clone(),
        ..Envelope::default()
    };
    assert!(large.encode().unwrap().len() > LARGEST_STORED);
    let event = Event::Pressed {
        query: QueryId(1),
        r#box: talk.r#box(),
        message: MessageId(400),
        data: talk.data("Remove last"),
    };
    let press = UpdateId::Press { query: QueryId(1) };
    let less = taken(&talk, &large, &press, &event, false).unwrap();
    assert!(less.stored.len() < large.encode().unwrap().len());
    assert_ne!(less.envelope.state, large.state);
}

#[test]
fn a_conversation_that_nobody_can_read_starts_over_with_what_marks_there_are() {
    let talk = Talk::at("Tags");
    let mut envelope = Envelope {
        version: 8,
        state: talk.dialogue.clone(),
        ..Envelope::default()
    };
    let (known, _) = told(3);
    assert_eq!(envelope.marks.admit(&known), shared_core::Admission::New);
    let format = format!("\"v\":{}", crate::dialogue::FORMAT);
    let damaged = envelope.encode().unwrap().replace(&format, "\"v\":\"x\"");
    assert!(!read(&damaged).unwrap_err().is_newer());

    let salvaged = Salvaged::from(damaged.as_bytes());
    let event = said(5, MEMBERS_WORDS);
    let fresh = |salvaged, taken: Option<&Event>, says| {
        talk.in_context(|ctx| start_over(salvaged, &message(5), taken, says, ctx, ME))
            .unwrap()
    };
    let one = fresh(salvaged.clone(), Some(&event), true);
    assert_eq!(one.envelope.version, 9);
    assert!(!one.envelope.state.is_open());
    assert_eq!(one.outbox.entries.len(), 1);
    assert_eq!(
        fresh(salvaged, Some(&event), true),
        one,
        "ids follow from what met it"
    );
    for update in [known, message(5), message(4)] {
        assert_eq!(
            taken(&talk, &one.envelope, &update, &event, false),
            None,
            "{update}"
        );
    }
    assert!(
        taken(
            &talk,
            &one.envelope,
            &message(6),
            &said(6, "/upload"),
            false
        )
        .is_some()
    );

    let nothing_known = fresh(Salvaged::default(), Some(&event), false);
    // The date in seconds, so that a copy of what it was is the older one.
    let seconds = u64::try_from(talk.now.0 / 1000).unwrap();
    assert_eq!(nothing_known.envelope.version, seconds);
    assert_eq!(nothing_known.outbox.entries, [], "nobody has to hear of it");
    assert_eq!(
        taken(&talk, &nothing_known.envelope, &message(4), &event, false),
        None
    );
    let from_elsewhere = fresh(Salvaged::default(), None, true);
    let own = taken(&talk, &from_elsewhere.envelope, &message(5), &event, false);
    assert!(own.is_some(), "what met it is still to be taken in");
}

#[test]
fn what_a_newer_program_wrote_is_told_apart_from_damage() {
    let newer_state = "1\n{\"f\":2,\"w\":{},\"s\":{\"v\":9,\"secret\":1}}";
    let newer_envelope = "1\n{\"f\":9,\"x\":{}}";
    for stored in [newer_state, newer_envelope] {
        let error = read(stored).unwrap_err();
        assert!(error.is_newer(), "{error}");
        assert!(error.to_string().contains("has format 9"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for damaged in ["", "1\n", "1\n{}", "1\n{\"f\":2,\"w\":{},\"s\":{\"v\":0}}"] {
        assert!(!read(damaged).unwrap_err().is_newer(), "{damaged:?}");
    }
    let talk = Talk::private();
    let event = said(5, MEMBERS_WORDS);
    let told = talk.in_context(|ctx| not_yet(&message(5), Some(&event), ctx, ME));
    assert_eq!(told.entries.len(), 1);
}
