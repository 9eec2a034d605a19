//! What reaches a conversation without its member: words of others, and the reminder.

use std::time::Duration;

use shared_core::{
    BotId, ConversationKey, MemberId, Priority, QueryId, Telling, Timer, UnixMs, UpdateId,
};

use super::talk::{MEMBER, Talk};
use crate::{Effect, Event, outbox_of};

const ADMINS: [MemberId; 2] = [MemberId(70), MemberId(71)];
const SILENCE: Duration = Duration::from_secs(6 * 3600);

fn told() -> Event {
    Event::Told {
        from: ConversationKey::private(MemberId(99)),
        what: Telling::CourseSubmitted {
            title: "Bread".into(),
        },
    }
}

fn reminding(step: &str) -> Talk {
    let mut talk = Talk::private();
    talk.catalog.remind_after = Some(SILENCE);
    talk.walk_to(step);
    talk
}

#[test]
fn it_shows_where_the_member_stands_once_with_live_buttons() {
    let mut talk = reminding("Tags");
    let old = talk.data("Done");
    let said = talk.event(&Event::Due(Timer::Reminder));
    let expected = "This is still open. You can go on below; /cancel drops it.\nSo far:\n\
        Title: Watercolours\nDescription: How to paint a sky\nCategory: Art\n\nStep 4/6: Tags\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(matches!(
        talk.effects[..],
        [Effect::Say {
            priority: Priority::Announcement,
            ..
        }]
    ));
    assert_eq!(talk.press_data(&old), "", "buttons die with their prompt");
    assert!(talk.press("Done").contains("Step 5/6"));
}

#[test]
fn in_a_group_the_member_is_named_and_quoted() {
    let mut talk = Talk::group();
    talk.catalog.remind_after = Some(SILENCE);
    talk.walk_to("Tags");
    let said = talk.event(&Event::Due(Timer::Reminder));
    assert!(said.contains("\n\nStep 4/6: Tags\nFor Anna\n"), "{said}");
    assert!(matches!(
        talk.effects[..],
        [Effect::Say { quote: Some(_), .. }]
    ));
}

#[test]
fn nobody_is_reminded_of_nothing_or_when_it_is_switched_off() {
    let mut talk = Talk::private();
    talk.catalog.remind_after = Some(SILENCE);
    assert_eq!(talk.event(&Event::Due(Timer::Reminder)), "");
    assert_eq!(talk.effects, []);

    let mut talk = reminding("Tags");
    talk.catalog.remind_after = None;
    let before = talk.dialogue.clone();
    assert_eq!(talk.event(&Event::Due(Timer::Reminder)), "");
    assert_eq!(talk.dialogue, before);
    assert_eq!(talk.effects, []);
}

#[test]
fn a_submission_tells_the_admins_but_not_the_one_who_submits() {
    for (admins, expected) in [
        (vec![], vec![]),
        (vec![MEMBER], vec![]),
        (ADMINS.to_vec(), ADMINS.to_vec()),
        (vec![ADMINS[0], MEMBER], vec![ADMINS[0]]),
    ] {
        let mut talk = Talk::at("Review");
        talk.catalog.told_of_courses = admins;
        talk.press("Submit");
        let pool = shared_core::PoolId::new("main").unwrap();
        let press = UpdateId::Press { query: QueryId(3) };
        let outbox = || {
            let effects = talk.effects.clone();
            outbox_of(effects, &pool, &talk.key, &press, BotId(2), UnixMs(77))
        };
        let told = outbox().told;
        let to: Vec<MemberId> = told.iter().map(|told| told.to.member).collect();
        assert_eq!(to, expected);
        assert_eq!(outbox().told, told, "the same update gives the same ids");
        assert!(told.windows(2).all(|pair| pair[0].id != pair[1].id));
        for told in told {
            assert_eq!(told.from, talk.key);
            let title = "Watercolours".into();
            assert_eq!(told.what, Telling::CourseSubmitted { title });
        }
    }
}

#[test]
fn what_is_told_is_heard_in_the_middle_of_something_and_disturbs_nothing() {
    const LINE: &str = "A course was handed in by member 99: Bread";
    for mut talk in [Talk::private(), Talk::at("Tags"), {
        let mut ended = Talk::at("Review");
        ended.press("Submit");
        ended
    }] {
        let before = talk.dialogue.clone();
        assert_eq!(talk.event(&told()), LINE);
        assert_eq!(talk.dialogue, before, "the prompt stays alive");
    }
}
