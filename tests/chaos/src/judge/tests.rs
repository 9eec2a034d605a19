//! The judge is shown what is wrong and finds it, and what nobody can be blamed for and lets it pass.

#![allow(clippy::unwrap_used)]

mod cursors;
mod left_behind;
mod repeats;

use sandbox::control::Received;
use sandbox::course::{Input, Intention};
use sandbox::journal::Kept;
use sandbox::member::{Heard, Member, Place};

use super::*;
use crate::fault::{Kind, Moment};

const FIRST: i64 = 1;
const SECOND: i64 = 2;

fn person(place: Place) -> Person {
    let intention = Intention {
        subject: "Bread",
        category: "Science",
        tags: vec![],
        files: 0,
        finishes: true,
    };
    Person::new(
        Member::new(7, 70, "Ada-7".into(), place, FIRST, intention),
        1,
    )
}

/// A message without buttons, numbered by its time.
fn said(bot: i64, at_ms: i64, text: &str) -> Heard {
    Heard {
        bot,
        message: at_ms,
        at_ms,
        text: text.into(),
        buttons: vec![],
    }
}

/// He sent this, and heard these answers: (bot, when, text).
fn told(person: &mut Person, input: Input, sent_ms: i64, answers: &[(i64, i64, &str)]) {
    let entry = person.begin(input, sent_ms);
    person.member.accepted(entry, 5, sent_ms);
    for (bot, at_ms, text) in answers {
        person.hear(&said(*bot, *at_ms, text), None);
    }
}

const TITLE: &str = "✓ Title: #7-2 T\n\nStep 2/6: Description";
const LIST: &str = "/upload – a course\n/help – this list";

fn at_title(place: Place) -> Person {
    let mut person = person(place);
    told(
        &mut person,
        Input::Open,
        1_000,
        &[(FIRST, 1_010, "Step 1/6: Title")],
    );
    person
}

/// He gave a title at 2,000 and was answered so.
fn answered(by: &[(i64, i64)]) -> Person {
    let mut person = at_title(Place::Private);
    let answers: Vec<_> = by
        .iter()
        .map(|(bot, at_ms)| (*bot, *at_ms, TITLE))
        .collect();
    told(&mut person, title(), 2_000, &answers);
    person
}

fn title() -> Input {
    Input::Title("#7-2 T".into())
}

/// His last question, asked of this bot.
fn comes_to_his_end(person: &mut Person, bot: i64) {
    person.close();
    let last = person.wants().unwrap();
    let text = if last == Input::Help {
        LIST
    } else {
        "Step 1/6: Title"
    };
    person.member.moves_to(bot);
    told(person, last, 90_000, &[(bot, 90_010, text)]);
}

fn strike(kind: Kind, at_ms: i64, until_ms: i64) -> Strike {
    Strike {
        number: 3,
        kind,
        moment: Moment::AnyTime,
        at_ms,
        until_ms: Some(until_ms),
        bot: Some(FIRST),
        pid: None,
        worker: None,
        details: String::new(),
        cuts_bot: kind.takes_a_bot(),
    }
}

fn away(fenced_ms: i64) -> Move {
    Move {
        from: Some(FIRST),
        to: SECOND,
        fenced_ms,
        activated_ms: fenced_ms + 10,
    }
}

fn judged(people: &[Person], strikes: &[Strike], moves: &[Move]) -> Findings {
    judged_by(people, strikes, moves, &Boxes::default())
}

/// With what Redis's files tell.
fn judged_by(people: &[Person], strikes: &[Strike], moves: &[Move], boxes: &Boxes) -> Findings {
    let openings: Vec<i64> = moves.iter().map(|one| one.activated_ms).collect();
    judge(&Evidence {
        people,
        strikes,
        moves,
        openings: &openings,
        titles: &[],
        posts: &[],
        boxes,
        maybe_repeated: 9,
    })
}

/// Written to the first bot, which has it as message 40 at pts 50, and given up; the next bot shows where he stands if `shown`.
fn written(input: Input, shown: &[(i64, i64, &str)]) -> Person {
    let mut person = at_title(Place::Private);
    let entry = person.begin(input, 2_000);
    person.member.accepted(entry, 5, 2_000);
    person.member.ledger.entries[entry].received = Some(Received {
        message_id: 40,
        pts: 50,
    });
    person.member.lose_patience();
    for (bot, at_ms, text) in shown {
        person.hear(&said(*bot, *at_ms, text), Some(SECOND));
    }
    comes_to_his_end(&mut person, SECOND);
    person
}

const GOES_ON_AT_TITLE: &str = "↻ I am @second_bot and go on from where you stood.\n\nSo far:\nNothing has been entered yet.\n\nStep 1/6: Title";

fn passed(pts: i32) -> Boxes {
    let mut boxes = Boxes::default();
    boxes.pass(FIRST, pts, 2_050);
    boxes
}

fn wrongs(findings: &Findings) -> Vec<Wrong> {
    findings.violations.iter().map(|one| one.wrong).collect()
}

#[test]
fn what_is_answered_once_is_well() {
    let mut person = person(Place::Private);
    told(&mut person, Input::Help, 1_000, &[(FIRST, 1_010, LIST)]);
    comes_to_his_end(&mut person, FIRST);
    let findings = judged(&[person], &[], &[]);
    assert_eq!((findings.updates, findings.violations), (2, vec![]));
}

#[test]
fn one_bot_that_answers_twice_is_found() {
    let person = answered(&[(FIRST, 2_010), (FIRST, 2_500)]);
    let strikes = [strike(Kind::KillWorker, 2_005, 2_005)];
    let findings = judged(&[person], &strikes, &[away(2_300)]);
    assert_eq!(findings.duplicated, 1);
    let found = &findings.violations[0];
    assert_eq!(
        (found.wrong, found.sent_ms),
        (Wrong::Duplicated, Some(2_000))
    );
    assert!(found.faults[0].contains("#3 kill-worker"), "{found:?}");
}

#[test]
fn a_question_where_one_stands_is_answered_twice_only_in_the_same_words() {
    let answered = |second: &str| {
        let mut person = at_title(Place::Private);
        told(
            &mut person,
            Input::Resume,
            2_000,
            &[(FIRST, 2_010, "Step 1/6: Title"), (FIRST, 2_500, second)],
        );
        judged(&[person], &[], &[]).duplicated
    };
    assert_eq!(answered("Step 1/6: Title"), 1);
    assert_eq!(
        answered("So far:\nNothing has been entered yet.\n\nStep 1/6: Title"),
        0
    );
}

#[test]
fn two_bots_may_give_one_answer_only_when_the_first_was_struck_and_left() {
    let twice = |strikes: &[Strike], moves: &[Move]| {
        let person = answered(&[(FIRST, 2_010), (SECOND, 2_500)]);
        let findings = judged(&[person], strikes, moves);
        (findings.duplicated, findings.repeated_across_bots)
    };
    let revoked = strike(Kind::Revoke, 2_011, 9_000);
    assert_eq!(
        twice(std::slice::from_ref(&revoked), &[away(2_100)]),
        (0, 1)
    );
    assert_eq!(twice(&[], &[away(2_100)]), (1, 0), "nothing struck it");
    assert_eq!(twice(&[revoked], &[]), (1, 0), "it was not left");
}

#[test]
fn what_nobody_answered_is_lost() {
    let mut person = at_title(Place::Private);
    told(&mut person, title(), 2_000, &[]);
    let findings = judged(&[person], &[strike(Kind::KillWorker, 1_990, 1_990)], &[]);
    assert_eq!(findings.lost, 1);
    assert!(wrongs(&findings).contains(&Wrong::Lost));
    assert!(
        wrongs(&findings).contains(&Wrong::Unrest),
        "he came to no end"
    );
}

/// Given up, and the next bot shows where he stands.
fn given_up(place: Place) -> Person {
    let mut person = at_title(place);
    told(&mut person, title(), 2_000, &[]);
    person.member.lose_patience();
    comes_to_his_end(&mut person, SECOND);
    person
}

#[test]
fn a_message_to_a_bot_that_nobody_could_read_is_unreachable_and_not_lost() {
    let revoked = [strike(Kind::Revoke, 1_900, 9_000)];
    let findings = judged(&[given_up(Place::Private)], &revoked, &[away(2_100)]);
    assert_eq!((findings.lost, findings.updates_unreachable), (0, 1));
    let stays = judged(&[given_up(Place::Private)], &revoked, &[]);
    assert_eq!(stays.lost, 1, "the bot went on and has to fetch it");
    let in_group = judged(&[given_up(Place::Group(5))], &revoked, &[away(2_100)]);
    assert_eq!(in_group.lost, 1, "the group can be read by any bot");
}

#[test]
fn a_bot_that_served_who_wrote_later_had_read_what_came_before() {
    let mut later = at_title(Place::Private);
    told(&mut later, title(), 3_000, &[(FIRST, 3_010, TITLE)]);
    comes_to_his_end(&mut later, SECOND);
    let revoked = [strike(Kind::Revoke, 3_900, 9_000)];
    let findings = judged(&[given_up(Place::Private), later], &revoked, &[away(4_000)]);
    assert_eq!((findings.lost, findings.updates_unreachable), (1, 0));
}

#[test]
fn a_bot_that_is_back_serves_what_still_stands_and_who_went_on_elsewhere_was_told() {
    let served_at = |answered: i64, by: i64| {
        let mut later = at_title(Place::Private);
        told(&mut later, title(), 3_000, &[(by, answered, TITLE)]);
        comes_to_his_end(&mut later, FIRST);
        let back = Move {
            from: Some(SECOND),
            to: FIRST,
            fenced_ms: 8_000,
            activated_ms: 8_010,
        };
        let mut elsewhere = given_up(Place::Private);
        let text = "↻ I go on from where you stood.\n\nStep 1/6: Title";
        elsewhere.hear(&said(SECOND, 4_200, text), Some(SECOND));
        let silent = given_up(Place::Private);
        let cut = [strike(Kind::CutTelegram, 1_950, 6_000)];
        let moves = [away(4_000), back];
        let judged = |one: Person| {
            let findings = judged(&[one, later.clone()], &cut, &moves);
            (findings.lost, findings.updates_turned_away)
        };
        (judged(elsewhere), judged(silent))
    };
    assert_eq!(
        served_at(8_200, FIRST),
        ((0, 1), (1, 0)),
        "read when it was back"
    );
    assert_eq!(
        served_at(4_100, SECOND),
        ((1, 0), (1, 0)),
        "read before it was left"
    );
}

#[test]
fn who_was_told_by_a_bot_that_could_be_read_is_turned_away() {
    let killed = [strike(Kind::KillWorker, 1_900, 1_900)];
    let mut told_so = given_up(Place::Private);
    let text = "I am a backup and listen only. @second answers";
    told_so.hear(&said(FIRST, 2_500, text), Some(SECOND));
    let findings = judged(&[told_so], &killed, &[away(2_100)]);
    assert_eq!((findings.lost, findings.updates_turned_away), (0, 1));
    let not_told = judged(&[given_up(Place::Private)], &killed, &[away(2_100)]);
    assert_eq!(not_told.lost, 1, "the next bot spoke too late");
}

#[test]
fn a_press_that_was_not_acknowledged_is_pressed_again() {
    let mut person = person(Place::Private);
    let press = person.begin(Input::TagsDone, 1_000);
    person.press_timed_out(press, None);
    comes_to_his_end(&mut person, FIRST);
    let findings = judged(&[person], &[], &[]);
    assert_eq!((findings.presses_repeated, findings.lost), (1, 0));
}

#[test]
fn a_strangers_number_is_misdirected_and_a_wrong_step_a_contradiction() {
    let mut person = at_title(Place::Private);
    told(
        &mut person,
        title(),
        2_000,
        &[
            (FIRST, 2_010, "✓ Title: #8-2 T"),
            (FIRST, 2_020, "Step 6/6: Review"),
        ],
    );
    let found = wrongs(&judged(&[person], &[], &[]));
    assert!(found.contains(&Wrong::Misdirected), "{found:?}");
    assert!(found.contains(&Wrong::Contradiction), "{found:?}");
}

#[test]
fn each_submission_has_one_row_and_one_post() {
    let mut person = person(Place::Private);
    told(
        &mut person,
        Input::Submit,
        1_000,
        &[(FIRST, 1_010, "✓ Submitted: #7-2 T")],
    );
    comes_to_his_end(&mut person, FIRST);
    let people = [person];
    let struck = [strike(Kind::Revoke, 2_005, 9_000)];
    let with_moves = |titles: &[&str], posts: &[i64], moves: &[Move]| {
        let titles: Vec<String> = titles.iter().map(|one| (*one).into()).collect();
        let post = |(bot, at_ms): (&i64, i64)| Post {
            by: Confirmer { bot: *bot, at_ms },
            first_line: "New course: #7-2 T".to_owned(),
        };
        let findings = judge(&Evidence {
            people: &people,
            strikes: &struck,
            moves,
            openings: &[],
            titles: &titles,
            posts: &posts
                .iter()
                .zip([2_000, 8_000])
                .map(post)
                .collect::<Vec<_>>(),
            boxes: &Boxes::default(),
            maybe_repeated: 1,
        });
        (
            findings.lost,
            findings.duplicated,
            findings.repeated_across_bots,
        )
    };
    let with = |titles: &[&str], posts: &[i64]| with_moves(titles, posts, &[away(2_100)]);
    assert_eq!(with(&["#7-2 T"], &[FIRST]), (0, 0, 0));
    assert_eq!(with(&[], &[FIRST]), (1, 0, 0));
    assert_eq!(with(&["#7-2 T"], &[]), (1, 0, 0));
    assert_eq!(with(&["#7-2 T", "#7-2 T"], &[FIRST]), (0, 1, 0));
    assert_eq!(with(&["#7-2 T"], &[FIRST, FIRST]), (0, 1, 0));
    let both = &[FIRST, SECOND];
    assert_eq!(with(&["#7-2 T"], both), (0, 0, 1));
    assert_eq!(
        with_moves(&["#7-2 T"], both, &[]),
        (0, 1, 0),
        "the first one was not left"
    );
}

/// The first bot is silent, the pool moves to the second one and that one is deleted: he asks it all the same, and the first one answers what it kept.
#[test]
fn an_answer_to_what_was_asked_first_is_not_taken_for_anothers() {
    let welcome = "Welcome!\n\nStep 1/6: Title";
    let asks_twice = || {
        let mut person = person(Place::Private);
        told(&mut person, Input::Open, 1_000, &[]);
        person.member.lose_patience();
        person.member.moves_to(SECOND);
        let second = person.begin(Input::Open, 12_000);
        person.member.accepted(second, 6, 12_000);
        person.member.ledger.entries[second].received = Some(Received {
            message_id: 41,
            pts: 60,
        });
        person.hear(&said(FIRST, 13_000, welcome), None);
        person.member.moves_to(FIRST);
        comes_to_his_end(&mut person, FIRST);
        person
    };
    // Somebody who wrote to the first one later was answered: its box was read.
    let witness = || {
        let mut person = person(Place::Private);
        told(
            &mut person,
            Input::Open,
            500,
            &[(FIRST, 510, "Step 1/6: Title")],
        );
        told(&mut person, title(), 2_000, &[(FIRST, 13_050, TITLE)]);
        comes_to_his_end(&mut person, FIRST);
        person
    };
    let back = Move {
        from: Some(SECOND),
        to: FIRST,
        fenced_ms: 12_700,
        activated_ms: 12_710,
    };
    let moves = [away(4_000), back];
    let deleted = Strike {
        bot: Some(SECOND),
        ..strike(Kind::Delete, 11_000, 20_000)
    };
    let people = [asks_twice(), witness()];
    let found = judged(&people, &[deleted], &moves);
    assert_eq!((found.lost, found.updates_unreachable), (0, 1), "{found:?}");
    // The second bot kept it, and the pool moved away from it before that was taken up.
    let mut boxes = Boxes::default();
    boxes.pass(SECOND, 60, 12_050);
    let (at_ms, settled_ms) = (12_050, None);
    boxes.keep(SECOND, 41, Kept { at_ms, settled_ms });
    let found = judged_by(&people, &[], &moves, &boxes);
    assert_eq!((found.lost, found.updates_turned_away), (0, 1), "{found:?}");
    assert_eq!(judged(&people, &[], &moves).lost, 1, "nobody told him");
    // It is active all the time and has answered nothing: then a question is lost.
    let found = judged(&people, &[], &[away(4_000)]);
    assert_eq!(found.lost, 1, "{found:?}");
}
