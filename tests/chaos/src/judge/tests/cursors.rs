//! What a cursor passed, what a bot kept, and who was told where to go.

use super::*;

#[test]
fn what_a_cursor_passed_is_lost_whoever_was_struck() {
    let revoked = [strike(Kind::Revoke, 1_900, 9_000)];
    let moves = [away(2_100)];
    let judged = |boxes: &Boxes| {
        let person = written(title(), &[(SECOND, 2_400, GOES_ON_AT_TITLE)]);
        let found = judged_by(&[person], &revoked, &moves, boxes);
        (found.lost, found.updates_unreachable)
    };
    assert_eq!(judged(&passed(49)), (0, 1), "nobody acknowledged it");
    assert_eq!(judged(&passed(50)), (1, 0));
    assert_eq!(judged(&passed(90)), (1, 0));
    let found = judged_by(&[written(title(), &[])], &revoked, &moves, &passed(60));
    assert!(
        found.violations[0].seen.contains("cursor passed it"),
        "{found:?}"
    );
    // A question where he stands is answered by whoever shows it.
    let asked = written(Input::Resume, &[(SECOND, 2_400, GOES_ON_AT_TITLE)]);
    assert_eq!(judged_by(&[asked], &revoked, &moves, &passed(60)).lost, 0);
}

#[test]
fn what_a_bot_kept_is_explained_while_it_waits_or_by_who_went_on_meanwhile() {
    let back = Move {
        from: Some(SECOND),
        to: FIRST,
        fenced_ms: 8_000,
        activated_ms: 8_010,
    };
    let judged = |settled_ms: Option<i64>, moves: &[Move], shown: &[(i64, i64, &str)]| {
        let mut boxes = passed(60);
        let at_ms = 2_050;
        boxes.keep(FIRST, 40, Kept { at_ms, settled_ms });
        let person = written(title(), shown);
        let found = judged_by(&[person], &[], moves, &boxes);
        (found.lost, found.updates_turned_away)
    };
    let elsewhere = [(SECOND, 4_200, GOES_ON_AT_TITLE)];
    let gone = [away(1_500)];
    let returned = [away(1_500), back];
    assert_eq!(judged(None, &gone, &[]), (0, 1), "it waits for its bot");
    assert_eq!(judged(None, &returned, &elsewhere), (1, 0), "in vain");
    assert_eq!(judged(Some(8_200), &returned, &elsewhere), (0, 1));
    assert_eq!(
        judged(Some(8_200), &returned, &[]),
        (1, 0),
        "nobody went on with him, so it was an answer"
    );
    // Another bot has taken in what he asked it, and could not tell him.
    let asked_elsewhere = |passed_pts: i32| {
        let mut boxes = passed(60);
        let (at_ms, settled_ms) = (2_050, Some(8_200));
        boxes.keep(FIRST, 40, Kept { at_ms, settled_ms });
        boxes.pass(SECOND, passed_pts, 3_050);
        let mut person = at_title(Place::Private);
        let both = [(FIRST, title(), 40, 50), (SECOND, Input::Resume, 9, 12)];
        for ((bot, input, message_id, pts), sent_ms) in both.into_iter().zip([2_000, 3_000]) {
            person.member.moves_to(bot);
            let entry = person.begin(input, sent_ms);
            person.member.ledger.entries[entry].received = Some(Received { message_id, pts });
            person.member.lose_patience();
        }
        comes_to_his_end(&mut person, FIRST);
        let struck = [Strike {
            bot: Some(SECOND),
            ..strike(Kind::CutTelegram, 2_900, 7_900)
        }];
        let found = judged_by(&[person], &struck, &returned, &boxes);
        let mut all = found.violations.iter();
        all.any(|one| one.input.contains("#7-2 T"))
    };
    assert!(!asked_elsewhere(12), "his title is no answer any more");
    assert!(asked_elsewhere(11));
    let later = [(SECOND, 9_200, GOES_ON_AT_TITLE)];
    assert_eq!(judged(Some(8_200), &returned, &later), (1, 0));
    let help = [(SECOND, 4_200, LIST)];
    assert_eq!(judged(Some(8_200), &returned, &help).0, 1, "no step of his");
    // A question where he stands is answered by the very bot that kept it.
    let mut boxes = passed(60);
    let (at_ms, settled_ms) = (2_050, Some(8_200));
    boxes.keep(FIRST, 40, Kept { at_ms, settled_ms });
    let nothing = "Nothing is open. /upload starts a new course.";
    let asked = written(Input::Resume, &[(FIRST, 8_300, nothing)]);
    assert_eq!(judged_by(&[asked], &[], &returned, &boxes).lost, 0);
    // The answer to his step with the other bot came through this one.
    let mut boxes = passed(60);
    let (at_ms, settled_ms) = (2_050, Some(8_200));
    boxes.keep(FIRST, 40, Kept { at_ms, settled_ms });
    let mut person = written(title(), &[]);
    person.member.ledger.entries.last_mut().unwrap().sent_ms = 8_100;
    assert_eq!(judged_by(&[person], &[], &returned, &boxes).lost, 0);
}

/// Written at 2,000, and the other bot's step before it cannot be told from one after it.
#[test]
fn who_is_told_that_nobody_can_tell_what_he_wrote_first_has_lost_nothing() {
    const NOT_TAKEN: &str = "Something that you wrote here earlier was not taken. Please write it again.\n\nSo far:\nNothing has been entered yet.\n\nStep 1/6: Title";
    let moves = [
        away(1_500),
        Move {
            from: Some(SECOND),
            to: FIRST,
            fenced_ms: 8_000,
            activated_ms: 8_010,
        },
    ];
    let lost = |said_before: i64, told: Option<(i64, i64)>| {
        let mut boxes = passed(60);
        let (at_ms, settled_ms) = (2_050, Some(8_200));
        boxes.keep(FIRST, 40, Kept { at_ms, settled_ms });
        let mut person = at_title(Place::Private);
        person.hear(&said(SECOND, said_before, GOES_ON_AT_TITLE), None);
        person.member.moves_to(FIRST);
        let entry = person.begin(title(), 2_000);
        person.member.accepted(entry, 5, 2_000);
        person.member.ledger.entries[entry].received = Some(Received {
            message_id: 40,
            pts: 50,
        });
        if let Some((bot, at_ms)) = told {
            person.hear(&said(bot, at_ms, NOT_TAKEN), None);
        }
        person.member.lose_patience();
        comes_to_his_end(&mut person, FIRST);
        judged_by(&[person], &[], &moves, &boxes).lost
    };
    assert_eq!(lost(1_900, Some((FIRST, 8_250))), 0);
    assert_eq!(lost(1_900, None), 1, "and is not told");
    assert_eq!(lost(1_900, Some((SECOND, 8_900))), 1, "by another bot");
    assert_eq!(lost(400, Some((FIRST, 8_250))), 1, "it can be told");
}

#[test]
fn any_word_of_another_bot_is_no_telling() {
    let killed = [strike(Kind::KillWorker, 1_900, 1_900)];
    let heard = |bot: i64, text: &str| {
        let mut person = at_title(Place::Private);
        told(&mut person, Input::Quit, 2_000, &[]);
        person.member.lose_patience();
        person.hear(&said(bot, 3_000, text), Some(SECOND));
        comes_to_his_end(&mut person, SECOND);
        let found = judged(&[person], &killed, &[away(2_100)]);
        (found.lost, found.updates_turned_away)
    };
    assert_eq!(
        heard(SECOND, "Please press one of the buttons below."),
        (1, 0)
    );
    assert_eq!(heard(SECOND, "Step 1/6: Title"), (1, 0));
    assert_eq!(heard(SECOND, GOES_ON_AT_TITLE), (0, 1));
    let asked = "So far:\nNothing has been entered yet.\n\nStep 1/6: Title";
    assert_eq!(heard(SECOND, asked), (0, 1));
    let pointer = "I am a backup and listen only. Who answers is being settled.";
    assert_eq!(heard(FIRST, pointer), (0, 1));
    assert_eq!(heard(SECOND, pointer), (1, 0), "it was not written to");
}
