//! A member hears, answers and waits as people do.

#![allow(clippy::unwrap_used)]

mod asking;
mod parking;

use super::*;
use crate::texts::{STALE_PRESS, Step};

const FIRST: i64 = 1;
const SECOND: i64 = 2;

fn member() -> Member {
    let intention = Intention {
        subject: "Bread",
        category: "Science",
        tags: vec!["video"],
        files: 1,
        finishes: true,
    };
    Member::new(7, 70, "Ada-7".into(), Place::Private, FIRST, intention)
}

/// Does what he would do next.
fn act(member: &mut Member) -> Input {
    let input = member.next_input().unwrap();
    member.act(&input).unwrap();
    let entry = member.begin(input.clone(), 10);
    member.accepted(entry, 100 + entry as i64, 10);
    input
}

fn buttons(labels: &[&str]) -> Vec<Button> {
    labels
        .iter()
        .map(|text| Button {
            text: (*text).into(),
            data: format!("d-{text}"),
        })
        .collect()
}

fn hear(member: &mut Member, bot: i64, text: &str, labels: &[&str]) {
    let message = 500 + member.received.len() as i64;
    member.hear(&Heard {
        bot,
        message,
        at_ms: 20,
        text: text.into(),
        buttons: buttons(labels),
    });
}

/// Up to the prompt of this step, all of it answered by the first bot.
fn up_to(step: Step) -> Member {
    let mut member = member();
    let replies: [(&str, &[&str]); 7] = [
        ("Step 1/6: Title", &[]),
        ("✓ Title: #7-2 Bread\n\nStep 2/6: Description", &["Back"]),
        (
            "✓ Description: #7-3 Bread: what one needs, in 2 short parts.\n\nStep 3/6: Category",
            &["Science", "Crafts"],
        ),
        (
            "✓ Category: Science\n\nStep 4/6: Tags",
            &["video", "text", "Skip"],
        ),
        ("", &["✓ video", "text", "Done"]),
        ("✓ Tags: video\n\nStep 5/6: Files", &[]),
        ("✓ File 1: #7-7 part 1.pdf\n\nStep 5/6: Files", &["Done"]),
    ];
    for (text, labels) in replies {
        act(&mut member);
        if text.is_empty() {
            let message = member.prompt.clone().unwrap().message;
            member.hear_edit(&Heard {
                bot: FIRST,
                message,
                at_ms: 20,
                text: String::new(),
                buttons: buttons(labels),
            });
        } else {
            hear(&mut member, FIRST, text, labels);
        }
        if member.upload.step() == Some(step) && step != Step::Tags {
            break;
        }
    }
    member
}

#[test]
fn an_upload_is_walked_to_its_end() {
    let mut member = up_to(Step::Review);
    assert_eq!(act(&mut member), Input::FilesDone);
    let card = "Title: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\nTags: video\nFiles: #7-7 part 1.pdf\n\nStep 6/6: Review";
    hear(&mut member, FIRST, card, &["Submit", "Cancel"]);
    assert_eq!(act(&mut member), Input::Submit);
    hear(&mut member, FIRST, "✓ Submitted: #7-2 Bread", &[]);
    assert!(member.is_done());
    assert_eq!(member.problems, []);
    assert!(
        member
            .ledger
            .entries
            .iter()
            .all(|entry| entry.confirmations == 1),
        "{:#?}",
        member.ledger
    );
}

#[test]
fn what_a_dead_bot_did_not_get_is_done_again() {
    let mut member = up_to(Step::Description);
    act(&mut member);
    hear(
        &mut member,
        SECOND,
        "↻ @second goes on for @first\nSo far:\nTitle: #7-2 Bread\n\nStep 2/6: Description",
        &["Back"],
    );
    assert_eq!(member.ledger.entries[2].fate, Fate::WithoutEffect);
    assert_eq!(member.bot, SECOND);
    let Input::Description(text) = act(&mut member) else {
        panic!("the step is asked again")
    };
    assert!(text.starts_with("#7-4 "), "{text}");
    assert_eq!(member.problems, []);
}

#[test]
fn what_was_taken_before_the_switch_is_not_done_again() {
    let mut member = up_to(Step::Description);
    act(&mut member);
    let resumed = "↻ @second\nSo far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\n\nStep 3/6: Category";
    hear(&mut member, SECOND, resumed, &["Science"]);
    let entry = &member.ledger.entries[2];
    assert_eq!(
        (entry.fate, entry.shown, entry.confirmations),
        (Fate::Answered, true, 0)
    );
    assert_eq!(act(&mut member), Input::Category("Science".into()));
    assert_eq!(member.problems, []);
}

#[test]
fn a_forgotten_field_after_the_switch_is_a_problem() {
    let mut member = up_to(Step::Category);
    hear(
        &mut member,
        SECOND,
        "↻ @second\nSo far:\nTitle: #7-2 Bread\n\nStep 3/6: Category",
        &["Science"],
    );
    let problem = &member.problems[0];
    assert!(
        problem.expected.starts_with("description \"#7-3"),
        "{problem:?}"
    );
    assert_eq!(problem.seen, "description \"\"");
}

#[test]
fn another_step_after_the_switch_is_a_problem() {
    let mut member = up_to(Step::Category);
    let shown = "↻ @second\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\n\nStep 2/6: Description";
    hear(&mut member, SECOND, shown, &[]);
    assert_eq!(member.problems[0].expected, "step Category");
    assert_eq!(member.problems[0].seen, "step Description");
}

#[test]
fn a_second_confirmation_is_counted() {
    let mut member = up_to(Step::Description);
    hear(
        &mut member,
        SECOND,
        "✓ Title: #7-2 Bread\n\nStep 2/6: Description",
        &[],
    );
    assert_eq!(member.ledger.entries[1].confirmations, 2);
}

#[test]
fn in_the_group_a_message_may_still_be_answered_after_the_new_bot_spoke() {
    let mut member = up_to(Step::Description);
    member.place = Place::Group(9);
    act(&mut member);
    hear(
        &mut member,
        SECOND,
        "↻ @second\nTitle: #7-2 Bread\n\nStep 2/6: Description",
        &[],
    );
    assert_eq!(member.ledger.entries[2].fate, Fate::Waiting);
    let answer = "✓ Description: #7-3 Bread: what one needs, in 2 short parts.\n\nFor Ada-7\nStep 3/6: Category";
    hear(&mut member, SECOND, answer, &["Science"]);
    assert_eq!(member.ledger.entries[2].fate, Fate::Answered);
    assert_eq!(member.problems, []);
}

#[test]
fn a_press_that_times_out_is_pressed_again_and_may_have_worked() {
    let mut member = up_to(Step::Category);
    act(&mut member);
    let entry = member.ledger.entries.len() - 1;
    member.press_timed_out(entry);
    assert_eq!(act(&mut member), Input::Category("Science".into()));
    hear(
        &mut member,
        FIRST,
        "✓ Category: Science\n\nStep 4/6: Tags",
        &["video", "Skip"],
    );
    member.press_answered(entry + 1, Some(STALE_PRESS));
    assert_eq!(member.upload.step(), Some(Step::Tags));
    assert_eq!(member.next_input(), Some(Input::ToggleTag("video".into())));
    assert_eq!(member.problems, []);
}

/// Its bot was cut off when it had taken the press, and he turned to the next one.
#[test]
fn a_press_that_was_given_up_may_have_worked() {
    let shown = |acknowledged: bool| {
        let mut member = up_to(Step::Category);
        act(&mut member);
        let entry = member.ledger.entries.len() - 1;
        member.ledger.entries[entry].acknowledged = acknowledged;
        member.lose_patience();
        let text = "↻ I am @second\nSo far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\n\nStep 4/6: Tags";
        hear(&mut member, SECOND, text, &["video", "Done", "Skip"]);
        (
            member.ledger.entries[entry].fate,
            member.problems.is_empty(),
        )
    };
    assert_eq!(shown(false), (Fate::Answered, true));
    assert_eq!(
        shown(true),
        (Fate::Answered, true),
        "its answer waited for the next bot"
    );
}

/// The first one took effect without his hearing of it; the second one came too late; and what he asks then comes to nothing, as its bot is left.
#[test]
fn what_a_stale_press_was_too_late_for_may_be_shown_by_the_next_bot() {
    let mut member = up_to(Step::Category);
    act(&mut member);
    let first = member.ledger.entries.len() - 1;
    member.press_timed_out(first);
    act(&mut member);
    member.press_answered(first + 1, Some(STALE_PRESS));
    assert_eq!(act(&mut member), Input::Resume);
    member.lose_patience();
    let text = "↻ I am @second\nSo far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\n\nStep 4/6: Tags";
    hear(&mut member, SECOND, text, &["video", "Done", "Skip"]);
    assert_eq!(member.problems, []);
    assert_eq!(member.upload.step(), Some(Step::Tags));
}

#[test]
fn a_word_over_a_press_that_nobody_knows_is_a_problem() {
    let mut member = up_to(Step::Category);
    act(&mut member);
    let entry = member.ledger.entries.len() - 1;
    member.press_answered(entry, Some("Something else."));
    assert_eq!(member.problems[0].seen, "Something else.");
}

#[test]
fn a_press_that_a_backup_turned_away_is_done_again_and_had_no_effect() {
    let turned_away = |shown: &str| {
        let mut member = up_to(Step::Category);
        act(&mut member);
        let entry = member.ledger.entries.len() - 1;
        member.press_turned_away(entry, 5_000);
        assert_eq!(member.ledger.entries[entry].fate, Fate::TurnedAway);
        assert_eq!(
            member.next_input(),
            Some(Input::Resume),
            "he looks where he stands"
        );
        hear(&mut member, SECOND, shown, &["Science"]);
        member
    };
    let so_far = "↻ I am @second\nSo far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.";
    let mut again = turned_away(&format!("{so_far}\n\nStep 3/6: Category"));
    assert_eq!(again.problems, []);
    assert_eq!(act(&mut again), Input::Category("Science".into()));
    let taken = turned_away(&format!("{so_far}\nCategory: Science\n\nStep 4/6: Tags"));
    assert!(!taken.problems.is_empty(), "it took effect after all");
}

/// The first press was taken in by a bot that was cut off; the second one of the same button came too late.
#[test]
fn what_a_press_that_timed_out_did_is_not_the_next_ones_doing() {
    let shown = "↻ I am @second\nSo far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\n\nStep 4/6: Tags";
    let pressed_twice = || {
        let mut member = up_to(Step::Category);
        act(&mut member);
        let first = member.ledger.entries.len() - 1;
        member.press_timed_out(first);
        act(&mut member);
        (member, first)
    };
    let fates = |member: &Member, first: usize| {
        let [first, second] = [first, first + 1].map(|at| member.ledger.entries[at].fate);
        (first, second, member.problems.len())
    };
    let (mut member, first) = pressed_twice();
    member.press_turned_away(first + 1, 5_000);
    hear(&mut member, SECOND, shown, &["video", "Done", "Skip"]);
    assert_eq!(fates(&member, first), (Fate::Answered, Fate::TurnedAway, 0));

    let (mut member, first) = pressed_twice();
    hear(&mut member, SECOND, shown, &["video", "Done", "Skip"]);
    member.press_turned_away(first + 1, 5_000);
    assert_eq!(fates(&member, first), (Fate::Answered, Fate::TurnedAway, 0));
    assert_eq!(member.upload.step(), Some(Step::Tags));

    // The first one's answer comes through the next bot.
    let (mut member, first) = pressed_twice();
    let answer = "✓ Category: Science\n\nStep 4/6: Tags";
    hear(&mut member, SECOND, answer, &["video", "Done", "Skip"]);
    member.press_turned_away(first + 1, 5_000);
    assert_eq!(fates(&member, first), (Fate::Answered, Fate::TurnedAway, 0));
    assert_eq!(member.ledger.entries[first].confirmations, 1);
    assert_eq!(member.ledger.entries[first + 1].confirmations, 0);

    let mut once = up_to(Step::Category);
    act(&mut once);
    let only = once.ledger.entries.len() - 1;
    hear(&mut once, SECOND, shown, &["video", "Done", "Skip"]);
    once.press_turned_away(only, 5_000);
    assert_eq!(once.problems.len(), 1, "it did what he was told it had not");
}

#[test]
fn a_word_that_comes_after_the_next_bots_prompt_is_of_that_press() {
    let mut member = up_to(Step::Category);
    act(&mut member);
    let entry = member.ledger.entries.len() - 1;
    let shown = "↻ I am @second\nSo far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\n\nStep 3/6: Category";
    hear(&mut member, SECOND, shown, &["Science"]);
    assert_eq!(member.ledger.entries[entry].fate, Fate::WithoutEffect);
    member.press_turned_away(entry, 5_000);
    assert_eq!(member.ledger.entries[entry].fate, Fate::TurnedAway);
    assert_eq!(act(&mut member), Input::Category("Science".into()));
    assert_eq!(member.problems, []);
}

#[test]
fn a_standbys_pointer_changes_nothing() {
    let mut member = up_to(Step::Description);
    hear(
        &mut member,
        SECOND,
        "I stand by. Please write to @first.",
        &[],
    );
    assert_eq!(member.bot, FIRST);
    assert!(member.received.iter().all(|(bot, _)| *bot == FIRST));
}

#[test]
fn who_does_not_submit_compares_his_card_and_cancels() {
    let mut member = up_to(Step::Files);
    (member.intention.finishes, member.intention.files) = (false, 0);
    hear(
        &mut member,
        FIRST,
        "✓ Tags: video\n\nStep 5/6: Files",
        &["Skip"],
    );
    member.ledger.entries[5].confirmations = 1;
    assert_eq!(act(&mut member), Input::FilesDone);
    let card = "Title: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\nTags: video\nFiles: none";
    hear(
        &mut member,
        FIRST,
        &format!("Step 6/6: Review\n{card}"),
        &["Submit", "Cancel"],
    );
    assert_eq!(act(&mut member), Input::Cancel);
    assert_eq!(member.problems, []);
    hear(
        &mut member,
        FIRST,
        &format!(
            "Cancelled. This was dropped:\n{}",
            card.replace("Science", "Crafts")
        ),
        &[],
    );
    assert!(member.is_done());
    assert_eq!(member.problems.len(), 1, "{:?}", member.problems);
    assert_eq!(member.problems[0].seen, "category \"Crafts\"");
}

#[test]
fn who_comes_to_the_new_bot_himself_is_continued() {
    let mut member = up_to(Step::Description);
    act(&mut member);
    member.moves_to(SECOND);
    member.begin(Input::Resume, 30);
    hear(
        &mut member,
        SECOND,
        "Welcome! I am @second.\n\nStep 2/6: Description",
        &["Back"],
    );
    assert_eq!(member.ledger.entries[2].fate, Fate::WithoutEffect);
    assert_eq!(member.ledger.entries[3].fate, Fate::Answered);
    assert_eq!(member.problems, []);
}

#[test]
fn a_press_that_timed_out_and_had_worked_shows_with_the_new_bot() {
    let mut member = up_to(Step::Category);
    act(&mut member);
    let entry = member.ledger.entries.len() - 1;
    member.press_timed_out(entry);
    member.moves_to(SECOND);
    member.begin(Input::Resume, 30);
    hear(
        &mut member,
        SECOND,
        "Welcome! I am @second.\n\nStep 4/6: Tags",
        &["video", "Skip"],
    );
    let pressed = &member.ledger.entries[entry];
    assert_eq!((pressed.fate, pressed.shown), (Fate::Answered, true));
    assert_eq!(member.next_input(), Some(Input::ToggleTag("video".into())));
    assert_eq!(member.problems, []);
}

#[test]
fn a_prompt_shows_that_a_press_which_seemed_lost_had_its_effect() {
    let mut member = up_to(Step::Files);
    let file = act(&mut member);
    let Input::File(name) = file else {
        unreachable!("{file:?}")
    };
    let shown = format!("✓ File 1: {name}\n\nStep 5/6: Files");
    hear(&mut member, FIRST, &shown, &["Done"]);
    for text in [None, Some(STALE_PRESS)] {
        assert_eq!(act(&mut member), Input::FilesDone);
        let entry = member.ledger.entries.len() - 1;
        match text {
            None => member.press_timed_out(entry),
            text => member.press_answered(entry, text),
        }
    }
    assert_eq!(act(&mut member), Input::Resume);
    let card = format!(
        "Title: {}\nDescription: {}\nCategory: {}\nTags: none\nFiles: {name}\n\nStep 6/6: Review",
        member.upload.title.clone().unwrap(),
        member.upload.description.clone().unwrap(),
        member.upload.category.clone().unwrap(),
    );
    let card = card.replace(
        "Tags: none",
        &format!("Tags: {}", member.upload.tags.join(", ")),
    );
    hear(&mut member, FIRST, &card, &["Submit"]);
    assert_eq!(member.upload.stage, Stage::At(Step::Review));
    assert_eq!(member.problems, []);
}

#[test]
fn another_bots_answer_to_something_earlier_ends_the_waiting_for_the_first() {
    let mut member = up_to(Step::Description);
    // It went to a bot that is replaced, is asked for again by the second one, and turns out to have arrived.
    let typed = act(&mut member);
    hear(
        &mut member,
        SECOND,
        "↻ @second goes on.\nTitle: #7-2 Bread\n\nStep 2/6: Description",
        &[],
    );
    act(&mut member);
    let Input::Description(first) = typed else {
        unreachable!("{typed:?}")
    };
    hear(
        &mut member,
        FIRST,
        &format!("✓ Description: {first}\n\nStep 3/6: Category"),
        &["Science"],
    );
    assert_eq!(member.problems, []);
    assert_eq!(member.next_input(), Some(Input::Category("Science".into())));
}
