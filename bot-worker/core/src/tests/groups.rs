//! In a supergroup: what is meant for the bot, who is addressed, what is quoted.

use shared_core::{BoxId, IncomingKind, MessageId};

use super::talk::{GROUP, Talk, document};
use crate::{Effect, Event};

/// The state that is stored, by which a step that does nothing is known.
fn unchanged(talk: &mut Talk, act: impl FnOnce(&mut Talk) -> String) -> bool {
    let before = talk.dialogue.clone();
    act(talk).is_empty() && talk.effects.is_empty() && talk.dialogue == before
}

/// Says something in the group that mentions nobody; `reply` makes it a reply.
fn unaddressed(talk: &mut Talk, text: &str, reply: bool) -> String {
    let mut what = talk.message(text, None);
    if let IncomingKind::Message {
        reply_to,
        addressed,
        ..
    } = &mut what
    {
        *addressed = false;
        *reply_to = reply.then_some(MessageId(3));
    }
    talk.happen(what)
}

#[test]
fn group_talk_is_no_input_and_a_reply_to_a_prompt_is() {
    let mut talk = Talk::group();
    assert_eq!(unaddressed(&mut talk, "good morning", false), "");
    assert_eq!(unaddressed(&mut talk, "good morning to you", true), "");
    assert_eq!(
        talk.say("thanks, bot"),
        "",
        "small talk to the bot opens nothing"
    );
    talk.say("/upload");
    assert_eq!(unaddressed(&mut talk, "Watercolours", false), "");
    assert!(
        unaddressed(&mut talk, "Watercolours", true).starts_with("✓ Title: Watercolours\n"),
        "the active bot may never have seen what was replied to"
    );
}

#[test]
fn a_file_in_the_group_counts_when_it_is_a_reply() {
    let mut talk = Talk::group();
    talk.walk_to("Files");
    let mut what = talk.message("", Some(document("sky.pdf", 9)));
    if let IncomingKind::Message { addressed, .. } = &mut what {
        *addressed = false;
    }
    talk.happen(what);
    assert!(talk.effects.is_empty());
    talk.send_file("sky.pdf", 9);
    let stored = matches!(talk.effects[..], [Effect::StoreFile { from, .. }] if from == BoxId::Channel(GROUP));
    assert!(stored, "{:?}", talk.effects);
}

#[test]
fn the_member_is_named_and_his_message_quoted() {
    let mut talk = Talk::group();
    talk.say("/upload@second_bot");
    let said = talk.say("@second_bot Watercolours");
    assert!(
        said.starts_with("✓ Title: Watercolours\n\nStep 2/6: Description\nFor Anna\n"),
        "{said}"
    );
    let quoted = |talk: &Talk| match &talk.effects[0] {
        Effect::Say { quote, .. } => *quote,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        quoted(&talk),
        Some((BoxId::Channel(GROUP), talk.last_message()))
    );
    talk.say("How to paint a sky, @first_bot");
    assert_eq!(talk.json()["o"]["u"]["d"][0], "How to paint a sky,");
    talk.press("Art");
    talk.press("Done");
    let last = talk.last_message();
    talk.send_file("sky.pdf", 9);
    let file = talk.file_on_its_way();
    let at = MessageId(9);
    let said = talk.event(&Event::FileStored { file, at });
    assert!(
        said.contains("\nFor Anna\n"),
        "an event of our own has no name in it: {said}"
    );
    assert_ne!(quoted(&talk), Some((BoxId::Channel(GROUP), last)));
    assert_eq!(
        quoted(&talk),
        Some((BoxId::Channel(GROUP), talk.last_message()))
    );
}

#[test]
fn in_private_nobody_is_named_or_quoted() {
    let mut talk = Talk::private();
    assert!(!talk.say("/upload").contains("Anna"));
    assert!(matches!(
        talk.effects[..],
        [Effect::Say { quote: None, .. }]
    ));
    assert!(talk.json()["w"].is_null());
}

#[test]
fn other_bots_commands_are_left_to_them() {
    let mut talk = Talk::group();
    for text in ["/upload@other_bot", "/ban", "/start@other_bot upload"] {
        assert_eq!(talk.say(text), "", "{text}");
        assert!(!talk.dialogue.is_open(), "{text}");
    }
    assert!(
        talk.say("/ban@third_bot")
            .starts_with("I do not know /ban.")
    );
    assert!(
        talk.say("/upload@Third_Bot")
            .starts_with("Step 1/6: Title\n"),
        "a standby of ours"
    );
}

#[test]
fn a_reply_that_commands_another_bot_is_no_input() {
    for step in ["Title", "Description", "Files", "Review"] {
        let mut talk = Talk::group();
        talk.walk_to(step);
        for text in [
            "/ban",
            "/upload@other_bot",
            "/cancel@other_bot now",
            " /ban x",
        ] {
            assert!(
                unchanged(&mut talk, |talk| unaddressed(talk, text, true)),
                "{step}: {text}: not even what is quoted next"
            );
        }
        assert!(
            !unchanged(&mut talk, |talk| unaddressed(
                talk,
                "Oil paint, for all",
                true
            )),
            "{step}: what is no command still counts"
        );
        assert!(
            unaddressed(&mut talk, "/cancel", true).starts_with("Cancelled."),
            "{step}: our commands still count"
        );
    }
}

#[test]
fn admin_commands_are_nobodys_in_a_group() {
    for step in ["Title", "Files"] {
        let mut talk = Talk::group();
        talk.walk_to(step);
        for text in [
            "/drstatus",
            "/drstatus@second_bot",
            "/emergency_recovery@second_bot",
            "/DRHELP",
        ] {
            assert!(unchanged(&mut talk, |talk| talk.say(text)), "{text}");
        }
    }
}
