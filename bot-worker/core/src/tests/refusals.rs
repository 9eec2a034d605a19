//! Every refusal: it says the rule, asks again with live buttons, and loses nothing.

use super::talk::Talk;
use crate::Event;

#[test]
fn a_text_that_breaks_its_rule_is_told_the_rule() {
    let long_title = "x".repeat(121);
    let long_description = "x".repeat(2001);
    for (step, text, line) in [
        (
            "Title",
            "ab",
            "A title has 3 to 120 characters; this one has 2.",
        ),
        (
            "Title",
            "\u{7}\u{7}\u{7}a",
            "A title has 3 to 120 characters; this one has 1.",
        ),
        (
            "Title",
            &long_title,
            "A title has 3 to 120 characters; this one has 121.",
        ),
        (
            "Description",
            "too short",
            "A description has 10 to 2000 characters; this one has 9.",
        ),
        (
            "Description",
            &long_description,
            "A description has 10 to 2000 characters; this one has 2001.",
        ),
    ] {
        let mut talk = Talk::at(step);
        let said = talk.say(text);
        assert_eq!(said.lines().next(), Some(line));
        assert!(said.contains(&format!("/6: {step}\n")), "{said}");
    }
    for (step, length) in [
        ("Title", 3),
        ("Title", 120),
        ("Description", 10),
        ("Description", 2000),
    ] {
        let mut talk = Talk::at(step);
        let said = talk.say(&"ü".repeat(length));
        assert!(said.starts_with("✓ "), "{length} fit: {said}");
    }
}

#[test]
fn the_wrong_kind_of_input_is_answered_with_help_and_live_buttons() {
    let text_wanted = "A text is asked for here; files come in step 5.";
    let button_wanted = "Please press one of the buttons below.";
    let file_wanted =
        "Files are asked for here: please send them as documents, or press a button below.";
    for (step, file, line, button) in [
        ("Title", true, text_wanted, None),
        ("Description", true, text_wanted, Some("Back")),
        ("Category", false, button_wanted, Some("Art")),
        ("Category", true, button_wanted, Some("Art")),
        ("Tags", false, button_wanted, Some("Done")),
        ("Tags", true, button_wanted, Some("Skip")),
        ("Files", false, file_wanted, Some("Back")),
        ("Review", false, button_wanted, Some("Submit")),
        ("Review", true, button_wanted, Some("Change title")),
    ] {
        let mut talk = Talk::at(step);
        let before = talk.json();
        let said = if file {
            talk.send_file("sky.pdf", 9)
        } else {
            talk.say("Watercolours, please")
        };
        assert_eq!(said.lines().next(), Some(line), "{step}");
        assert!(said.contains(&format!("/6: {step}\n")), "{step}: {said}");
        assert_eq!(talk.json()["o"], before["o"], "{step}: nothing is lost");
        if let Some(button) = button {
            talk.press(button);
            assert_eq!(talk.answer(), None, "{step}: {button} is alive");
        }
    }
}

#[test]
fn something_without_text_and_file_is_answered_too() {
    let mut talk = Talk::at("Title");
    assert!(talk.say("").starts_with("A text is asked for here"));
}

#[test]
fn an_album_at_the_wrong_step_is_refused_once() {
    let mut talk = Talk::at("Title");
    assert!(
        talk.send_album_item("a.pdf", 44)
            .starts_with("A text is asked for here")
    );
    assert_eq!(talk.send_album_item("b.pdf", 44), "");
    assert_ne!(
        talk.send_album_item("c.pdf", 45),
        "",
        "that is another album"
    );
}

#[test]
fn files_that_are_too_large_or_too_many_are_refused_by_name() {
    let mut talk = Talk::at("Files");
    let said = talk.send_file("film.mkv", (5 << 20) + 1);
    assert_eq!(
        said.lines().next(),
        Some("Not taken: film.mkv. A file has at most 5 MB.")
    );
    assert_eq!(
        talk.send_file("film.mkv", 5 << 20),
        "",
        "at the limit it is taken"
    );
    for name in ["b.pdf", "c.pdf"] {
        talk.store(name);
    }
    let said = talk.send_file("d.pdf", 9);
    assert_eq!(
        said.lines().next(),
        Some("Not taken: d.pdf. A course has at most 3 files.")
    );
}

#[test]
fn a_full_list_has_room_in_place_of_what_was_lost() {
    let mut talk = Talk::at("Files");
    talk.store("a.pdf");
    talk.store("b.pdf");
    talk.send_file("c.pdf", 9);
    let file = talk.file_on_its_way();
    talk.event(&Event::FileLost { file });
    assert!(talk.store("other.pdf").starts_with("✓ File 3: other.pdf\n"));
}

#[test]
fn a_step_is_not_left_while_a_file_is_on_its_way() {
    for button in ["Done", "Back", "Remove last"] {
        let mut talk = Talk::at("Files");
        talk.store("a.pdf");
        talk.send_file("b.pdf", 9);
        assert_eq!(talk.press(button), "", "{button}");
        assert_eq!(
            talk.answer().as_deref(),
            Some("A file is still on its way. One moment, please."),
            "{button}"
        );
    }
    let mut talk = Talk::at("Files");
    talk.send_file("a.pdf", 9);
    let before = talk.dialogue.clone();
    assert_eq!(talk.press("Skip"), "");
    assert_eq!(
        talk.answer().as_deref(),
        Some("A file is still on its way. One moment, please."),
        "Skip does not drop what is on its way"
    );
    assert_eq!(talk.dialogue, before);
}

#[test]
fn a_removed_file_is_named() {
    let mut talk = Talk::at("Files");
    talk.store("a.pdf");
    assert!(
        talk.press("Remove last")
            .starts_with("Removed: a.pdf\n\nStep 5/6: Files\n")
    );
    assert_eq!(talk.labels(), ["Skip", "Back"]);
}

#[test]
fn a_file_without_a_name_gets_one() {
    let mut talk = Talk::at("Files");
    assert!(talk.store(" \n").starts_with("✓ File 1: file\n"));
}
