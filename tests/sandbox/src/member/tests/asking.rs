//! Questions that change nothing, and answers that come late.

use super::*;

#[test]
fn that_nothing_is_open_answers_who_asks_and_contradicts_who_is_in_the_middle() {
    let text = "Nothing is open. /upload starts a course upload, /help shows what else I know.";
    let mut over = member();
    over.upload.stage = Stage::Cancelled;
    over.begin(Input::Resume, 10);
    hear(&mut over, FIRST, text, &[]);
    assert_eq!(over.ledger.entries[0].fate, Fate::Answered);
    assert_eq!(over.problems, []);
    let mut open = up_to(Step::Category);
    hear(&mut open, FIRST, text, &[]);
    assert_eq!(open.problems.len(), 1, "{:?}", open.problems);
}

#[test]
fn a_typed_cancel_drops_the_upload_and_help_changes_nothing() {
    let mut member = up_to(Step::Category);
    let before = member.upload.clone();
    member.begin(Input::Help, 10);
    hear(
        &mut member,
        FIRST,
        "/upload – a course\n/help – this list",
        &[],
    );
    assert_eq!((&member.upload, member.problems.len()), (&before, 0));
    member.begin(Input::Quit, 20);
    hear(
        &mut member,
        FIRST,
        "Cancelled. This was dropped:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science",
        &[],
    );
    assert_eq!(member.upload.stage, Stage::Cancelled);
    let last = member.ledger.entries.last().unwrap();
    assert_eq!((last.fate, last.confirmations), (Fate::Answered, 1));
}

#[test]
fn what_a_new_bot_shows_is_not_yet_the_answer_to_a_question() {
    let mut member = up_to(Step::Category);
    member.begin(Input::Resume, 10);
    let card = "So far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\n\nStep 3/6: Category";
    hear(
        &mut member,
        SECOND,
        &format!("↻ @second goes on.\n{card}"),
        &["video"],
    );
    let count = |member: &Member| member.ledger.entries.last().unwrap().confirmations;
    assert_eq!((count(&member), member.ledger.waiting()), (0, None));
    hear(&mut member, SECOND, card, &["Science"]);
    assert_eq!((count(&member), member.problems.len()), (1, 0));
    hear(&mut member, SECOND, card, &["Science"]);
    assert_eq!(count(&member), 2, "a second answer is seen");
}

#[test]
fn a_file_that_the_next_bot_asks_for_again_is_not_lost() {
    let mut member = up_to(Step::Files);
    let input = act(&mut member);
    let Input::File(name) = &input else {
        panic!("{input:?}")
    };
    hear(
        &mut member,
        SECOND,
        "↻ @second goes on.\nSo far:\nTitle: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\nTags: video\n\nStep 5/6: Files",
        &["Skip"],
    );
    assert_eq!(
        member.ledger.entries.last().unwrap().fate,
        Fate::WithoutEffect
    );
    hear(
        &mut member,
        SECOND,
        &format!("File 1 did not arrive. Please send it again: {name}\n\nStep 5/6: Files"),
        &["Skip"],
    );
    assert_eq!(member.ledger.entries.last().unwrap().fate, Fate::AskedAgain);
}

/// The first bot was active again for a moment, read its box and took the file in; the second one has it in its card.
#[test]
fn a_file_that_is_taken_in_after_all_is_no_contradiction() {
    let card = "Title: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\nTags: video";
    let prompt = |bot: &str, files: &str| {
        format!("↻ {bot} goes on.\nSo far:\n{card}{files}\n\nStep 5/6: Files")
    };
    let mut member = up_to(Step::Files);
    let Input::File(name) = act(&mut member) else {
        panic!("no file")
    };
    let sent = member.ledger.entries.len() - 1;
    hear(&mut member, SECOND, &prompt("@second", ""), &["Skip"]);
    assert_eq!(member.ledger.entries[sent].fate, Fate::WithoutEffect);
    // He sends it again, and that one nobody reads.
    let again = member.begin(Input::File("#7-9 bread.pdf".into()), 30);
    member.accepted(again, 900, 30);
    hear(
        &mut member,
        FIRST,
        &prompt("@first", &format!("\nFiles: {name}")),
        &["Done"],
    );
    assert_eq!(member.problems, []);
    assert_eq!(member.ledger.entries[sent].fate, Fate::Answered);
    assert_eq!(member.ledger.entries[again].fate, Fate::WithoutEffect);
    assert_eq!(member.upload.files, [name]);
    // What he never sent is one.
    hear(
        &mut member,
        SECOND,
        &prompt("@second", "\nFiles: #7-8 other.pdf"),
        &["Done"],
    );
    assert!(!member.problems.is_empty());
}

#[test]
fn a_review_that_comes_late_answers_the_press_and_not_the_question_behind_it() {
    let mut member = up_to(Step::Files);
    let press = member.begin(Input::FilesDone, 10);
    member.press_timed_out(press);
    member.begin(Input::Resume, 20);
    let card = "Title: #7-2 Bread\nDescription: #7-3 Bread: what one needs, in 2 short parts.\nCategory: Science\nTags: video\nFiles: none";
    hear(
        &mut member,
        FIRST,
        &format!("Step 6/6: Review\n{card}"),
        &["Submit", "Cancel"],
    );
    hear(
        &mut member,
        FIRST,
        &format!("So far:\n{card}\n\nStep 6/6: Review"),
        &["Submit", "Cancel"],
    );
    let counts: Vec<u32> = member.ledger.entries[press..]
        .iter()
        .map(|one| one.confirmations)
        .collect();
    assert_eq!(
        (counts, member.problems.len()),
        (vec![1, 1], 0),
        "{:?}",
        member.problems
    );
}
