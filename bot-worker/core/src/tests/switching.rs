//! Another bot takes over: where the member stands is shown once, with live buttons, and everything goes on.

use shared_core::{BotId, MessageId, Priority};

use super::talk::Talk;
use crate::{Effect, Event};

fn resume(talk: &mut Talk) -> String {
    talk.bot = BotId(8);
    talk.previous = Some("first_bot");
    talk.event(&Event::Resumed)
}

const SWITCHED: &str =
    "↻ I am @second_bot and go on from where you stood, in place of @first_bot.\nSo far:\n";

#[test]
fn every_step_is_shown_again_with_what_is_known() {
    for (step, so_far, heading) in [
        ("Title", "Nothing has been entered yet.", "Step 1/6: Title"),
        (
            "Description",
            "Title: Watercolours",
            "Step 2/6: Description",
        ),
        (
            "Category",
            "Title: Watercolours\nDescription: How to paint a sky",
            "Step 3/6: Category",
        ),
        (
            "Tags",
            "Title: Watercolours\nDescription: How to paint a sky\nCategory: Art",
            "Step 4/6: Tags",
        ),
        (
            "Files",
            "Title: Watercolours\nDescription: How to paint a sky\nCategory: Art\nTags: free",
            "Step 5/6: Files",
        ),
        (
            "Review",
            "Title: Watercolours\nDescription: How to paint a sky\nCategory: Art\nTags: free\nFiles: sky.pdf",
            "Step 6/6: Review",
        ),
    ] {
        let mut talk = Talk::at(step);
        let before = talk.json();
        let said = resume(&mut talk);
        let expected = format!("{SWITCHED}{so_far}\n\n{heading}\n");
        assert!(said.starts_with(&expected), "{said}");
        assert_eq!(
            said.matches("Title: Watercolours").count(),
            usize::from(step != "Title")
        );
        assert!(matches!(
            talk.effects[..],
            [Effect::Say {
                priority: Priority::Reprompt,
                ..
            }]
        ));
        assert_eq!(
            talk.json()["o"],
            before["o"],
            "nothing changes but the prompt"
        );
    }
}

#[test]
fn the_old_bots_buttons_are_dead_and_the_new_ones_alive() {
    let mut talk = Talk::at("Tags");
    talk.press("free");
    let old = talk.data("Done");
    resume(&mut talk);
    assert_eq!(talk.labels()[0], "✓ free");
    let before = talk.dialogue.clone();
    assert_eq!(talk.press_data(&old), "");
    assert_eq!(talk.dialogue, before);
    assert!(talk.press("Done").starts_with("✓ Tags: free\n"));
}

#[test]
fn a_member_with_nothing_open_is_left_alone() {
    let mut talk = Talk::private();
    assert_eq!(resume(&mut talk), "");
    assert_eq!(talk.effects, []);
}

#[test]
fn without_the_old_bots_name_the_new_one_is_named() {
    let mut talk = Talk::at("Title");
    let said = talk.event(&Event::Resumed);
    assert!(said.starts_with("↻ I am @second_bot and go on"), "{said}");
}

#[test]
fn who_was_not_told_something_is_shown_where_he_stands() {
    let mut talk = Talk::at("Description");
    let said = talk.event(&Event::Unsaid);
    assert!(
        said.starts_with("↻ Telegram did not take my last message."),
        "{said}"
    );
    assert!(
        said.contains("Title: Watercolours") && said.contains("Step 2/6"),
        "{said}"
    );
    talk.say("How to paint a sky");
    let mut idle = Talk::at("Title");
    idle.say("/cancel");
    assert_eq!(idle.event(&Event::Unsaid), "");
    assert_eq!(idle.effects, [], "nothing is open, nothing is said");
}

#[test]
fn a_file_that_the_old_bot_took_with_it_is_sent_again() {
    let mut talk = Talk::at("Files");
    talk.send_file("sky.pdf", 9);
    let file = talk.file_on_its_way();
    assert!(resume(&mut talk).ends_with("\nOn the way: 1."));
    assert!(
        talk.event(&Event::FileLost { file })
            .contains("Please send it again: sky.pdf\n")
    );
    assert!(talk.store("sky.pdf").starts_with("✓ File 1: sky.pdf\n"));
    assert!(talk.press("Done").contains("\nFiles: sky.pdf\n"));
}

#[test]
fn an_edit_in_the_old_bots_chat_does_not_meet_a_message_of_the_new_one() {
    let mut talk = Talk::at("Title");
    talk.say("Watercolours");
    let title = talk.last_message();
    resume(&mut talk);
    assert_eq!(
        talk.edit(title, "Oil paint"),
        "",
        "another box, another message"
    );
    talk.bot = BotId(7);
    assert!(
        talk.edit(title, "Oil paint")
            .starts_with("✓ Title: Oil paint\n")
    );
    assert_eq!(talk.edit(MessageId(title.0 + 1), "Oil paints"), "");
}

#[test]
fn in_the_group_the_member_is_still_named() {
    let mut talk = Talk::group();
    talk.walk_to("Tags");
    let said = resume(&mut talk);
    assert!(said.contains("\n\nStep 4/6: Tags\nFor Anna\n"), "{said}");
}

#[test]
fn no_word_outside_of_a_conversation_looks_like_a_resumption() {
    const LINK: &str = "https://go.example/go/main";
    let texts = crate::Texts::english().unwrap();
    for text in [
        texts.standby(Some(("first_bot", LINK))),
        texts.standby(None),
        texts.announcement("second_bot", Some("first_bot"), LINK),
        texts.announcement("second_bot", None, LINK),
        texts.announcement_over(Some("second_bot")),
        texts.announcement_over(None),
    ] {
        assert!(!text.contains('↻') && !text.contains("Step "), "{text}");
    }
    let standby = texts.standby(Some(("first_bot", LINK)));
    assert!(standby.contains("@first_bot") && standby.contains(LINK));
    assert!(texts.announcement("second_bot", None, LINK).contains(LINK));
}

#[test]
fn an_old_message_that_is_not_taken_is_told_with_where_the_member_stands() {
    let mut talk = Talk::at("Category");
    let said = talk.event(&Event::NotTaken);
    assert!(
        said.starts_with("Something that you wrote here earlier was not taken"),
        "{said}"
    );
    assert!(said.contains("\nSo far:\nTitle: Watercolours\n"), "{said}");
    assert!(said.contains("\n\nStep 3/6: Category\n"), "{said}");
    assert!(
        talk.press("Art").starts_with("✓ Category: Art"),
        "its buttons are alive"
    );

    let mut talk = Talk::private();
    let said = talk.event(&Event::NotTaken);
    assert!(
        said.contains("was not taken") && said.contains("\nNothing is open"),
        "{said}"
    );
}
