//! Whom a bot may not write to, what he is asked, and what he may not be shown.

use super::*;

fn says(text: &str) -> Heard {
    Heard {
        bot: 1,
        message: 90,
        at_ms: 9_000,
        text: text.to_owned(),
        buttons: Vec::new(),
    }
}

#[test]
fn another_members_words_in_private_are_a_problem() {
    let mut member = member();
    let own = format!("✓ Title: #{}-2 Bread", member.number);
    member.hear(&says(&own));
    let before = member.problems.len();
    member.hear(&says(&format!(
        "So far:\nTitle: #{}-2 Bread",
        member.number + 1
    )));
    assert_eq!(member.problems.len(), before + 1);
    assert!(
        member.problems[before]
            .expected
            .contains("his own words only")
    );
}

#[test]
fn an_invitation_comes_once_and_not_in_the_middle_of_an_upload() {
    let mut member = member();
    member.hear_invitation();
    assert_eq!(member.problems, []);
    member.hear_invitation();
    assert_eq!(member.problems.len(), 1, "twice");
    member.invitations = 0;
    member.upload = member.upload.after(&Input::Open);
    member.hear_invitation();
    assert_eq!(member.problems.len(), 2, "in the middle");
}

#[test]
fn who_waits_does_nothing_until_somebody_speaks_to_him() {
    let mut member = member();
    member.upload = member.upload.after(&Input::Open);
    assert!(member.next_input().is_some());
    member.parking = Parking::Waits;
    assert_eq!(member.next_input(), None);
    member.hear(&says("↻ I am @second\nSo far:\n\nStep 1/6: Title"));
    assert_eq!(member.parking, Parking::No);
    member.parking = Parking::LooksOnly;
    member.hear(&says("So far:\n\nStep 1/6: Title"));
    assert_eq!(member.next_input(), None, "he looks, and leaves it at that");
}
