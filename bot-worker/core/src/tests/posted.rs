//! What reaches a conversation without its member: words of others, and the reminder.

use std::time::Duration;

use shared_core::{
    Alarm, BotId, ConversationKey, MemberId, Priority, QueryId, Telling, Timer, UnixMs, UpdateId,
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

/// What the last step did with the reminder: set, taken back, or nothing.
fn reminder(talk: &Talk) -> Option<Option<Duration>> {
    let changes = talk.effects.iter().filter_map(|effect| match effect {
        Effect::Schedule {
            timer: Timer::Reminder,
            after,
        } => Some(Some(*after)),
        Effect::Unschedule(Timer::Reminder) => Some(None),
        _ => None,
    });
    let changes: Vec<_> = changes.collect();
    assert!(changes.len() <= 1, "{:?}", talk.effects);
    changes.first().copied()
}

fn reminding(step: &str) -> Talk {
    let mut talk = Talk::private();
    talk.catalog.remind_after = Some(SILENCE);
    talk.walk_to(step);
    talk
}

#[test]
fn each_thing_that_a_member_does_in_an_upload_sets_the_reminder_anew() {
    let mut talk = reminding("Title");
    assert_eq!(reminder(&talk), Some(Some(SILENCE)), "opened");
    talk.say("x");
    assert_eq!(reminder(&talk), Some(Some(SILENCE)), "refused, but alive");
    talk.say("Watercolours");
    let title = talk.last_message();
    talk.edit(title, "Oil paint");
    assert_eq!(reminder(&talk), Some(Some(SILENCE)), "edited");
    talk.say("/help");
    assert_eq!(reminder(&talk), Some(Some(SILENCE)));
    let mut talk = reminding("Files");
    assert_eq!(reminder(&talk), Some(Some(SILENCE)), "pressed");
    talk.store("sky.pdf");
    assert_eq!(reminder(&talk), Some(Some(SILENCE)), "his file is there");
}

#[test]
fn it_is_taken_back_when_nothing_is_open_any_more() {
    let mut talk = reminding("Review");
    talk.press("Submit");
    assert_eq!(reminder(&talk), Some(None));
    talk.say("/help");
    assert_eq!(reminder(&talk), None, "there is none");
    let mut talk = reminding("Tags");
    talk.say("/cancel");
    assert_eq!(reminder(&talk), Some(None));
}

#[test]
fn neither_a_switch_nor_what_others_say_moves_it() {
    let mut talk = reminding("Tags");
    talk.event(&Event::Resumed);
    assert_eq!(reminder(&talk), None);
    talk.event(&told());
    assert_eq!(reminder(&talk), None);
}

#[test]
fn it_shows_where_the_member_stands_once_with_live_buttons() {
    let mut talk = reminding("Tags");
    let old = talk.data("Done");
    let said = talk.event(&Event::Due(Timer::Reminder));
    let expected = "This is still open. You can go on below; /cancel drops it.\nSo far:\n\
        Title: Watercolours\nDescription: How to paint a sky\nCategory: Art\n\nStep 4/6: Tags\n";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(reminder(&talk), None, "not again before he does something");
    assert!(matches!(
        talk.effects[..],
        [Effect::Say {
            priority: Priority::Announcement,
            ..
        }]
    ));
    assert_eq!(talk.press_data(&old), "", "buttons die with their prompt");
    talk.press("Done");
    assert_eq!(reminder(&talk), Some(Some(SILENCE)));
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
    talk.press("Done");
    assert_eq!(reminder(&talk), None);
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
        assert_eq!(outbox().alarms, [], "there was no reminder to take back")
    }
}

#[test]
fn an_upload_that_ends_takes_its_reminder_with_it() {
    let mut talk = reminding("Review");
    talk.press("Submit");
    let pool = shared_core::PoolId::new("main").unwrap();
    let press = UpdateId::Press { query: QueryId(3) };
    let effects = talk.effects.clone();
    let outbox = outbox_of(effects, &pool, &talk.key, &press, BotId(2), UnixMs(77));
    assert_eq!(outbox.alarms, [Alarm::Clear(Timer::Reminder)]);
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
