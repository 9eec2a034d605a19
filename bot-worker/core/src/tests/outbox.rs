//! From effects to entries: ids, addresses, order.

use shared_core::{
    BotId, Button, Keyboard, OutboxKind, PoolId, Priority, QueryId, Record, SendTarget, UnixMs,
    UpdateId, entry_id,
};

use super::talk::{BROADCAST, GROUP, MEMBER, STORAGE, Talk};
use crate::{Outbox, outbox_of};

const PRESS: UpdateId = UpdateId::Press { query: QueryId(3) };

fn outbox(talk: &Talk) -> Outbox {
    let pool = PoolId::new("main").unwrap();
    outbox_of(
        talk.effects.clone(),
        &pool,
        &talk.key,
        &PRESS,
        BotId(2),
        UnixMs(77),
    )
}

#[test]
fn a_submission_becomes_a_record_a_post_a_reply_and_an_answer() {
    let mut talk = Talk::at("Review");
    talk.press("Submit");
    let outbox = outbox(&talk);
    let pool = PoolId::new("main").unwrap();
    let id = |index| entry_id(&pool, &talk.key, &PRESS, index);
    let Record::Course {
        id: record,
        member,
        conversation,
        submitted,
        ..
    } = &outbox.records[0]
    else {
        panic!("{:?}", outbox.records);
    };
    assert_eq!((*record, *member, *submitted), (id(0), MEMBER, UnixMs(77)));
    assert_eq!(*conversation, talk.key);
    let entries: Vec<_> = outbox
        .entries
        .iter()
        .map(|entry| (entry.id, entry.target, entry.priority))
        .collect();
    assert_eq!(
        entries,
        [
            (
                id(1),
                SendTarget::Channel(BROADCAST),
                Priority::Announcement
            ),
            (id(2), SendTarget::Member(MEMBER), Priority::Answer),
        ]
    );
    assert!(outbox.entries.iter().all(|entry| entry.since == UnixMs(77)));
    assert_eq!(outbox.answers.len(), 1);
    let again = self::outbox(&talk);
    assert_eq!(again, outbox, "the same update gives the same entries");
}

#[test]
fn in_a_group_everything_goes_to_the_group_and_files_to_the_storage_channel() {
    let mut talk = Talk::group();
    talk.walk_to("Tags");
    talk.press("free");
    let edit = outbox(&talk).entries.remove(0);
    assert_eq!(edit.target, SendTarget::Channel(GROUP));
    let OutboxKind::Edit {
        keyboard: Some(Keyboard(rows)),
        ..
    } = edit.kind
    else {
        panic!("{edit:?}");
    };
    assert!(matches!(&rows[0][0], Button::Press { text, .. } if text == "✓ free"));
    talk.press("Done");
    let said = outbox(&talk).entries.remove(0);
    assert!(matches!(
        said.kind,
        OutboxKind::Say {
            reply_to: Some(_),
            ..
        }
    ));
    talk.send_file("sky.pdf", 9);
    let stored = outbox(&talk).entries.remove(0);
    assert_eq!(stored.target, SendTarget::Channel(STORAGE));
    assert!(matches!(
        stored.kind,
        OutboxKind::StoreFile {
            to: STORAGE,
            file: 1,
            ..
        }
    ));
}

#[test]
fn what_speaks_of_the_bot_that_says_it_is_said_by_no_other() {
    let mut talk = Talk::private();
    talk.event(&crate::Event::Invited {
        bots: vec!["third_bot".into()],
    });
    let [invitation] = &outbox(&talk).entries[..] else {
        panic!("one message");
    };
    assert!(invitation.by.is_some());
    let mut talk = Talk::at("Review");
    talk.press("Submit");
    let entries = outbox(&talk).entries;
    assert!(
        entries.iter().all(|entry| entry.by.is_none()),
        "an answer and a post are anybody's: {entries:?}"
    );
}
