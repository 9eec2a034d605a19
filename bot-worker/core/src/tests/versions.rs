//! First lines of stored conversations: whatever stands there, it is read as it is written or it is damage, and both lead on.

use proptest::prelude::*;
use shared_core::{BotId, BoxId, Envelope, LARGEST_VERSION, MessageId, Salvaged, UnixMs, UpdateId};

use super::talk::Talk;
use crate::{Dialogue, Event, Intake, Said, read, start_over, take};

const ME: BotId = BotId(7);

fn update() -> UpdateId {
    UpdateId::Message {
        r#box: BoxId::Private(ME),
        message: MessageId(5),
    }
}

fn event() -> Event {
    Event::Said(Said {
        r#box: BoxId::Private(ME),
        message: MessageId(5),
        text: "/upload".into(),
        document: None,
        album: None,
        name: "Anna".into(),
    })
}

/// What is to be committed after this conversation.
fn next(talk: &Talk, envelope: &Envelope<Dialogue>) -> Envelope<Dialogue> {
    let taken = talk.in_context(|ctx| take(envelope, &update(), &event(), ctx, ME, false));
    match taken.unwrap() {
        Intake::Taken(taken) => taken.envelope,
        Intake::Known => panic!("nothing was taken in before"),
    }
}

/// The commit script's own reading: the line's text is compared, so only what is written counts.
fn as_written(line: &str) -> Option<u64> {
    let digits = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let leading = line.len() > 1 && line.starts_with('0');
    let version = line.parse().ok().filter(|_| digits && !leading)?;
    (version <= LARGEST_VERSION).then_some(version)
}

fn first_line() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,24}",
        "[ +-]?0{0,3}[0-9]{0,21}[ \r]?",
        any::<u64>().prop_map(|version| version.to_string()),
        (LARGEST_VERSION - 3..LARGEST_VERSION + 3).prop_map(|version| version.to_string()),
        (u64::MAX - 3..=u64::MAX).prop_map(|version| version.to_string()),
        (0..100_u64).prop_map(|version| version.to_string()),
    ]
}

proptest! {
    #[test]
    fn a_first_line_is_what_a_commit_writes_or_the_conversation_starts_over(line in first_line()) {
        let talk = Talk::private();
        let whole = Envelope { version: 1, state: talk.dialogue.clone(), ..Envelope::default() };
        let whole = whole.encode().unwrap();
        let stored = format!("{line}{}", &whole[1..]);
        let found = read(&stored).map(|envelope| envelope.version).ok();
        prop_assert_eq!(found, as_written(&line));
        let salvaged = Salvaged::from(stored.as_bytes());
        prop_assert_eq!(salvaged.version, found.unwrap_or(0));
        if let Ok(envelope) = read(&stored) {
            let after = next(&talk, &envelope);
            prop_assert_eq!(after.version, envelope.version + 1);
            prop_assert!(after.version > LARGEST_VERSION || read(&after.encode().unwrap()) == Ok(after));
        }
        // Whatever is wrong with it: what takes its place is read, and goes on.
        let fresh = talk.in_context(|ctx| start_over(salvaged, &update(), None, false, ctx, ME));
        let fresh = fresh.unwrap();
        prop_assert_eq!(read(&fresh.stored), Ok(fresh.envelope.clone()));
        prop_assert!(fresh.envelope.version > found.filter(|v| *v < LARGEST_VERSION).unwrap_or(0));
        let after = next(&talk, &fresh.envelope);
        prop_assert!(after.version > LARGEST_VERSION || read(&after.encode().unwrap()) == Ok(after));
    }
}

/// A count that cannot go on breaks nothing off: the commit refuses it, and the conversation is moved aside.
#[test]
fn the_largest_number_is_taken_without_a_panic_and_never_read() {
    let talk = Talk::private();
    let last = Envelope {
        version: u64::MAX,
        ..Envelope::default()
    };
    let after = next(&talk, &last);
    assert!(read(&after.encode().unwrap()).is_err());
}

#[test]
fn a_clock_that_is_far_off_gives_a_version_that_is_read() {
    let mut talk = Talk::private();
    for now in [i64::MIN, -1, 0, 999, i64::MAX] {
        talk.now = UnixMs(now);
        let fresh =
            talk.in_context(|ctx| start_over(Salvaged::default(), &update(), None, false, ctx, ME));
        let fresh = fresh.unwrap();
        assert_eq!(read(&fresh.stored), Ok(fresh.envelope), "{now}");
    }
}
