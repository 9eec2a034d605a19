//! Which presses count: a live button, by its own member, once.

use super::talk::{MEMBER, Talk};

const STALE: &str = "That button is from an earlier step. Please use the latest message.";
const FOREIGN: &str = "Only the member who is asked can press that button.";

/// Presses, and holds that nothing but the answer comes of it.
fn refused(talk: &mut Talk, data: &str, answer: &str) {
    let before = talk.dialogue.clone();
    assert_eq!(talk.press_data(data), "", "{data}");
    assert_eq!(talk.answer().as_deref(), Some(answer), "{data}");
    assert_eq!(talk.effects.len(), 1, "{data}");
    assert_eq!(talk.dialogue, before, "{data}");
}

#[test]
fn a_button_of_an_earlier_prompt_is_dead() {
    let mut talk = Talk::at("Category");
    let art = talk.data("Art");
    talk.press("Music");
    refused(&mut talk, &art, STALE);
    talk.press("Back");
    refused(&mut talk, &art, STALE);
    assert_ne!(talk.data("Art"), art, "the same step, another prompt");
    assert!(talk.press("Art").starts_with("✓ Category: Art"));
}

#[test]
fn submit_pressed_twice_submits_once() {
    let mut talk = Talk::at("Review");
    let submit = talk.data("Submit");
    talk.press_data(&submit);
    refused(&mut talk, &submit, STALE);
    talk.walk_to("Review");
    refused(&mut talk, &submit, STALE);
}

#[test]
fn a_tag_pressed_twice_is_set_once() {
    let mut talk = Talk::at("Tags");
    let on = talk.data("free");
    talk.press_data(&on);
    assert!(talk.edited().is_some());
    talk.press_data(&on);
    assert_eq!(talk.edited(), None, "there is nothing to redraw");
    assert_eq!(talk.answer(), None);
    assert_eq!(talk.labels()[0], "✓ free");
    talk.press("✓ free");
    assert_eq!(talk.labels()[0], "free");
    talk.press_data(&on);
    assert_eq!(
        talk.labels()[0],
        "✓ free",
        "tags stay alive with their prompt"
    );
}

#[test]
fn somebody_elses_button_changes_nothing_for_either() {
    let mut owner = Talk::group();
    owner.walk_to("Category");
    let art = owner.data("Art");
    assert!(art.contains(&format!(":{}:", MEMBER.0)), "{art}");
    for mut other in [Talk::group(), {
        let mut other = Talk::group();
        other.walk_to("Category");
        other
    }] {
        other.key.member.0 += 1;
        refused(&mut other, &art, FOREIGN);
    }
    assert!(owner.press("Art").starts_with("✓ Category: Art"));
}

#[test]
fn what_no_prompt_of_ours_holds_is_refused() {
    let mut talk = Talk::at("Category");
    let art = talk.data("Art");
    let (head, _) = art.rsplit_once(':').unwrap();
    let other_flow = art.replacen('u', "z", 1);
    for data in ["", "junk", "u:1", &other_flow] {
        refused(&mut talk, data, STALE);
    }
    for choice in ["ok", "d", "s", "l", "x", "=t", "+00000000", "?", ""] {
        refused(&mut talk, &format!("{head}:{choice}"), STALE);
    }
}

#[test]
fn no_button_of_another_step_submits() {
    let mut talk = Talk::at("Files");
    let (head, _) = talk
        .data("Back")
        .rsplit_once(':')
        .map(|(h, c)| (h.to_owned(), c.to_owned()))
        .unwrap();
    refused(&mut talk, &format!("{head}:ok"), STALE);
}

#[test]
fn a_category_that_left_the_catalog_is_not_chosen() {
    let mut talk = Talk::at("Category");
    let art = talk.data("Art");
    talk.catalog.categories = vec!["Music".into(), "Maths".into()];
    let said = talk.press_data(&art);
    assert!(
        said.starts_with("Please press one of the buttons below.\n\nStep 3/6"),
        "{said}"
    );
    assert_eq!(talk.labels(), ["Music", "Maths", "Back"]);
}
