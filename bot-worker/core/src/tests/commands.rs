//! The commands, with and without something open.

use super::talk::Talk;

#[test]
fn start_welcomes_and_shows_what_is_open() {
    let mut talk = Talk::private();
    for text in [
        "/start",
        "/start something",
        "/START@Second_Bot x",
        " /start ",
    ] {
        assert!(
            talk.say(text).starts_with("Welcome! I am @second_bot"),
            "{text}"
        );
        assert!(!talk.dialogue.is_open(), "{text}");
    }
    let mut talk = Talk::at("Category");
    let said = talk.say("/start");
    assert!(said.starts_with("Welcome!"), "{said}");
    assert!(said.contains("\n\nStep 3/6: Category\n"), "{said}");
    assert!(talk.press("Art").starts_with("✓ Category: Art"));
}

#[test]
fn the_payload_upload_opens_one_with_one_reply() {
    let mut talk = Talk::private();
    let said = talk.say("/start upload");
    assert!(
        said.starts_with("Welcome!") && said.contains("\n\nStep 1/6: Title\n"),
        "{said}"
    );
    talk.say("Watercolours");
    let said = talk.say("/start upload");
    assert!(
        said.contains("\n\nStep 2/6: Description\n"),
        "what is open stays: {said}"
    );
}

#[test]
fn help_lists_the_commands_and_leaves_the_prompt_alive() {
    let mut talk = Talk::at("Category");
    let art = talk.data("Art");
    let help = talk.say("/help");
    for command in ["/upload", "/resume", "/cancel", "/help"] {
        assert!(help.contains(command), "{help}");
    }
    assert!(talk.press_data(&art).starts_with("✓ Category: Art"));
}

#[test]
fn cancel_says_what_it_drops() {
    for (step, said) in [
        ("Title", "Cancelled. Nothing had been entered yet."),
        (
            "Description",
            "Cancelled. This was dropped:\nTitle: Watercolours",
        ),
        (
            "Review",
            "Cancelled. This was dropped:\nTitle: Watercolours\nDescription: How to paint a sky\nCategory: Art\nTags: free\nFiles: sky.pdf",
        ),
    ] {
        let mut talk = Talk::at(step);
        assert_eq!(talk.say("/cancel"), said);
        assert!(!talk.dialogue.is_open());
        assert!(talk.labels().is_empty());
    }
    let mut talk = Talk::at("Review");
    let by_command = Talk::at("Review").say("/cancel");
    assert_eq!(talk.press("Cancel"), by_command);
    assert!(!talk.dialogue.is_open());
}

#[test]
fn without_anything_open_it_is_said_so() {
    let mut talk = Talk::private();
    for text in ["/cancel", "/resume", "hello", ""] {
        assert!(talk.say(text).starts_with("Nothing is open"), "{text:?}");
    }
}

#[test]
fn resume_and_upload_show_where_the_member_stands() {
    let mut talk = Talk::at("Category");
    assert_eq!(
        talk.say("/resume"),
        "So far:\nTitle: Watercolours\nDescription: How to paint a sky\n\nStep 3/6: Category\nPlease choose a category."
    );
    let said = talk.say("/upload");
    assert!(said.starts_with("Your upload is still open"), "{said}");
    assert!(talk.press("Art").starts_with("✓ Category: Art"));
    let mut talk = Talk::at("Review");
    let said = talk.say("/resume");
    assert_eq!(said.matches("Title: Watercolours").count(), 1, "{said}");
}

#[test]
fn an_unknown_command_is_named_and_is_no_input() {
    let mut talk = Talk::at("Title");
    assert_eq!(
        talk.say("/publish now"),
        "I do not know /publish. /help shows what I know."
    );
    assert!(
        talk.say("Watercolours")
            .starts_with("✓ Title: Watercolours")
    );
}
