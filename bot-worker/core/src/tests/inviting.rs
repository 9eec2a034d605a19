//! Invitations to the backups, and what links bring along: hints, whatever a member writes into them.

use proptest::prelude::*;
use shared_core::{Button, MemberId, Priority, UnixMs};

use super::talk::{MEMBER, Talk};
use crate::{Effect, Event};

fn invite(talk: &mut Talk, bots: &[&str]) -> String {
    talk.event(&Event::Invited {
        bots: bots.iter().map(|bot| (*bot).to_owned()).collect(),
    })
}

#[test]
fn a_good_moment_is_when_a_step_ends_with_nothing_left_to_ask() {
    let mut talk = Talk::private();
    for (text, good) in [
        ("/start", true),
        ("/help", true),
        ("/start something", true),
        ("hello", false),
        ("/cancel", false),
        ("/publish", false),
        ("/start upload", false),
        ("/help", false),
        ("/start", false),
        ("Watercolours", false),
        ("/cancel", true),
        ("/upload", false),
    ] {
        talk.say(text);
        assert_eq!(talk.invites, good, "{text}");
    }
    let mut talk = Talk::at("Review");
    talk.press("Submit");
    assert!(talk.invites, "a course was handed in");
}

#[test]
fn nobody_is_invited_in_a_group_or_where_it_is_turned_off() {
    let mut talk = Talk::group();
    talk.say("/help");
    assert!(!talk.invites);
    assert_eq!(invite(&mut talk, &["third_bot"]), "");
    let mut talk = Talk::private();
    talk.invite_again_ms = 0;
    talk.say("/help");
    assert!(!talk.invites);
    assert_eq!(invite(&mut talk, &["third_bot"]), "");
}

#[test]
fn an_invitation_has_a_link_for_each_bot_and_waits_behind_answers() {
    let mut talk = Talk::private();
    talk.say("/start");
    let said = invite(&mut talk, &["first_bot", "no/name", "third_bot"]);
    assert!(said.contains("pressed Start"), "{said}");
    let [
        Effect::Say {
            keyboard: Some(keyboard),
            priority: Priority::Announcement,
            ..
        },
    ] = &talk.effects[..]
    else {
        panic!("{:?}", talk.effects);
    };
    let links: Vec<&Button> = keyboard.0.iter().flatten().collect();
    assert_eq!(
        links,
        [&Button::Link {
            text: "Start @first_bot".into(),
            url: "https://t.me/first_bot?start=backup".into()
        }],
        "two are looked at, and what is no username is left out"
    );
}

#[test]
fn a_member_is_invited_once_in_the_time_and_not_in_the_middle_of_something() {
    let mut talk = Talk::private();
    talk.now = UnixMs(5000);
    talk.say("/help");
    assert_ne!(invite(&mut talk, &["third_bot"]), "");
    assert_eq!(invite(&mut talk, &["third_bot"]), "", "asked twice at once");
    talk.now = UnixMs(5999);
    talk.say("/help");
    assert!(!talk.invites, "a millisecond too early");
    assert_eq!(invite(&mut talk, &["third_bot"]), "");
    talk.now = UnixMs(6000);
    talk.say("/help");
    assert!(talk.invites);
    talk.say("/upload");
    assert_eq!(
        invite(&mut talk, &["third_bot"]),
        "",
        "he has begun meanwhile"
    );
    let art = Talk::at("Category").data("Art");
    assert!(!art.is_empty());
    talk.say("/cancel");
    assert_ne!(invite(&mut talk, &["third_bot"]), "");
    assert_eq!(invite(&mut talk, &[]), "");
}

#[test]
fn nobody_to_be_invited_to_leaves_the_time_as_it_was() {
    let mut talk = Talk::private();
    invite(&mut talk, &[]);
    invite(&mut talk, &["not a name"]);
    assert!(talk.json()["i"].is_null());
    talk.say("/help");
    assert!(talk.invites);
}

#[test]
fn who_follows_a_link_after_a_switch_is_shown_where_he_stands() {
    let mut talk = Talk::at("Category");
    let said = talk.say("/start go");
    assert!(said.starts_with("So far:\nTitle: Watercolours\n"), "{said}");
    assert!(said.contains("\n\nStep 3/6: Category\n"), "{said}");
    assert!(talk.press("Art").starts_with("✓ Category: Art"));
    let mut talk = Talk::private();
    assert!(talk.say("/start go").starts_with("Welcome!"));
}

/// Payloads as somebody would write them who wants another member's conversation.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("m6".to_owned()),
        Just("c800:m6".to_owned()),
        Just("us:{main}:c:m6".to_owned()),
        Just("go m6".to_owned()),
        Just("go-6".to_owned()),
        Just("resume".to_owned()),
        Just("../m6".to_owned()),
        Just("{\"u\":{\"s\":\"r\"}}".to_owned()),
        (1_i64..10_000).prop_map(|id| format!("m{id}")),
        "[A-Za-z0-9_-]{1,64}",
        "[A-Za-z0-9_-]{65,4000}",
        ".{0,300}",
    ]
}

proptest! {
    /// Whatever stands in the payload: with nothing open he is welcomed and nothing of anybody's appears; with something open it is his own.
    #[test]
    fn a_payload_gives_nobody_anything(payload in hostile()) {
        prop_assume!(payload.trim() != "upload");
        let mut stranger = Talk::private();
        stranger.key.member = MemberId(6);
        let said = stranger.say(&format!("/start {payload}"));
        prop_assert!(said.starts_with("Welcome! I am @second_bot"), "{said}");
        prop_assert!(!stranger.dialogue.is_open());
        prop_assert!(stranger.labels().is_empty());

        let mut talk = Talk::at("Category");
        prop_assert_eq!(talk.key.member, MEMBER);
        let before = talk.json();
        for _replay in 0..2 {
            let said = talk.say(&format!("/start {payload}"));
            prop_assert!(said.contains("Step 3/6: Category"), "{said}");
            prop_assert_eq!(&talk.json()["o"], &before["o"], "nothing of his moves");
        }
    }
}
