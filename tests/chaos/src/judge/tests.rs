//! The judge is shown what is wrong and finds it, and what nobody can be blamed for and lets it pass.

#![allow(clippy::unwrap_used)]

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
    judge(&Evidence {
        people,
        strikes,
        moves,
        titles: &[],
        posts: &[],
        boxes,
        maybe_repeated: 9,
    })
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
    let mut person = at_title(Place::Private);
    told(
        &mut person,
        title(),
        2_000,
        &[(FIRST, 2_010, TITLE), (FIRST, 2_500, TITLE)],
    );
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
        let mut person = at_title(Place::Private);
        told(
            &mut person,
            title(),
            2_000,
            &[(FIRST, 2_010, TITLE), (SECOND, 2_500, TITLE)],
        );
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

/// The first bot answered at 2,010, the second one at this time.
fn twice(second_ms: i64, strikes: &[Strike], moves: &[Move]) -> (usize, usize) {
    let mut person = at_title(Place::Private);
    told(
        &mut person,
        title(),
        2_000,
        &[(FIRST, 2_010, TITLE), (SECOND, second_ms, TITLE)],
    );
    let findings = judged(&[person], strikes, moves);
    (findings.duplicated, findings.repeated_across_bots)
}

#[test]
fn a_reply_that_was_settled_long_ago_may_not_come_again_from_another_bot() {
    let killed = |at_ms| strike(Kind::KillWorker, at_ms, at_ms);
    assert_eq!(twice(2_700, &[killed(2_300)], &[away(2_350)]), (0, 1));
    assert_eq!(
        twice(9_700, &[killed(9_300)], &[away(9_350)]),
        (1, 0),
        "it had been noted long before"
    );
    assert_eq!(
        twice(30_000, &[killed(2_300)], &[away(29_900)]),
        (1, 0),
        "its own bot had been back for long"
    );
    let flood = strike(Kind::Flood, 1_900, 4_000);
    assert_eq!(
        twice(2_700, &[flood], &[away(2_350)]),
        (1, 0),
        "that takes no acknowledgement"
    );
}

#[test]
fn an_acknowledgement_that_the_network_lost_is_not_noted_when_the_pool_is_rotated() {
    let loss = |at_ms| Strike {
        bot: None,
        ..strike(Kind::Loss, at_ms, 4_000)
    };
    assert_eq!(twice(2_900, &[loss(1_900)], &[away(2_600)]), (0, 1));
    assert_eq!(twice(2_900, &[loss(2_200)], &[away(2_600)]), (1, 0));
    assert_eq!(twice(2_900, &[], &[away(2_600)]), (1, 0));
}

#[test]
fn an_acknowledgement_is_noted_when_its_worker_wakes_up_or_redis_answers() {
    for kind in [Kind::CutRedis, Kind::CutWorker] {
        let cut = strike(kind, 1_000, 5_000);
        assert_eq!(twice(5_100, &[cut], &[away(4_900)]), (0, 1), "{kind:?}");
    }
    let hung = strike(Kind::HangWorker, 2_011, 5_000);
    let revoked = strike(Kind::Revoke, 4_800, 20_000);
    let at = [away(4_900)];
    assert_eq!(twice(5_100, std::slice::from_ref(&hung), &at), (0, 1));
    assert_eq!(twice(5_100, std::slice::from_ref(&revoked), &at), (1, 0));
    let redis = Strike {
        bot: None,
        ..strike(Kind::HangRedis, 2_200, 4_700)
    };
    assert_eq!(twice(5_100, std::slice::from_ref(&redis), &at), (1, 0));
    assert_eq!(twice(5_100, &[redis, revoked], &at), (0, 1));
}

#[test]
fn what_comes_twice_is_counted_by_the_product_unless_that_cannot_arrive() {
    let counted = |maybe_repeated: u64, strikes: &[Strike]| {
        let mut person = at_title(Place::Private);
        told(
            &mut person,
            title(),
            2_000,
            &[(FIRST, 2_010, TITLE), (SECOND, 2_500, TITLE)],
        );
        let findings = judge(&Evidence {
            people: &[person],
            strikes,
            moves: &[away(2_100)],
            titles: &[],
            posts: &[],
            boxes: &Boxes::default(),
            maybe_repeated,
        });
        let all = findings.violations.iter();
        all.filter(|one| one.wrong == Wrong::Duplicated).count()
    };
    let killed = strike(Kind::KillWorker, 2_012, 2_012);
    assert_eq!(counted(1, std::slice::from_ref(&killed)), 0);
    assert_eq!(counted(0, std::slice::from_ref(&killed)), 1);
    let again = Strike {
        bot: Some(SECOND),
        ..strike(Kind::KillWorker, 2_600, 2_600)
    };
    assert_eq!(counted(0, &[killed, again]), 0);
}

#[test]
fn a_press_is_stale_only_where_its_prompt_had_been_left_behind() {
    let pressed = |shown: &[(i64, i64, &str)]| {
        let mut person = at_title(Place::Private);
        let press = person.begin(Input::TagsDone, 2_000);
        for (bot, at_ms, text) in shown {
            person.hear(&said(*bot, *at_ms, text), None);
        }
        let stale = "That button is from an earlier step. Please use the latest message.";
        person.member.press_answered(press, Some(stale));
        comes_to_his_end(&mut person, FIRST);
        let found = judged(&[person], &[], &[]);
        assert_eq!(found.presses_stale, 1);
        wrongs(&found)
    };
    assert_eq!(pressed(&[]), [Wrong::Contradiction]);
    assert_eq!(pressed(&[(FIRST, 2_010, GOES_ON_AT_TITLE)]), []);
}

#[test]
fn a_file_is_asked_for_again_only_by_who_cannot_reach_it() {
    let asked = |place: Place, moves: &[Move]| {
        let mut person = person(place);
        let entry = person.begin(Input::File("#7-1 part 1.pdf".into()), 2_000);
        person.member.accepted(entry, 5, 2_000);
        let again = "File 1 did not arrive. Please send it again: #7-1 part 1.pdf";
        person.hear(&said(SECOND, 2_500, again), None);
        comes_to_his_end(&mut person, SECOND);
        let found = judged(&[person], &[], moves);
        assert_eq!(found.files_to_resend, 1);
        found.lost
    };
    assert_eq!(asked(Place::Private, &[away(2_100)]), 0);
    assert_eq!(asked(Place::Private, &[away(9_100)]), 1);
    assert_eq!(asked(Place::Private, &[]), 1);
    assert_eq!(asked(Place::Group(5), &[away(2_100)]), 1);
}

#[test]
fn a_file_that_he_gave_up_and_that_is_named_as_missing_is_to_be_sent_again() {
    let asked = |shown: &str, moves: &[Move]| {
        let person = written(
            Input::File("#7-2 part 1.pdf".into()),
            &[(SECOND, 2_400, shown)],
        );
        let found = judged_by(&[person], &[], moves, &passed(60));
        (found.lost, found.files_to_resend)
    };
    let missing = "↻ I go on.\n\nStep 5/6: Files\nMissing, please send again (Skip goes on without): #7-2 part 1.pdf";
    assert_eq!(asked(missing, &[away(2_100)]), (0, 1));
    assert_eq!(asked(missing, &[]), (1, 0), "its bot was not left");
    assert_eq!(asked(GOES_ON_AT_TITLE, &[away(2_100)]), (1, 0));
}

/// The first bot took it in and died; he asked the third one, which could not be read; and the second one said what the first one had to say.
#[test]
fn an_answer_by_whom_he_did_not_ask_is_the_first_ones() {
    let third = 3;
    let mut person = person(Place::Private);
    for (bot, sent_ms, message_id) in [(FIRST, 2_000, 40), (third, 8_000, 41)] {
        person.member.lose_patience();
        person.member.moves_to(bot);
        let entry = person.begin(Input::Open, sent_ms);
        person.member.accepted(entry, 5, sent_ms);
        let pts = 50;
        person.member.ledger.entries[entry].received = Some(Received { message_id, pts });
    }
    let welcome = "Welcome! I am @first_bot.\n\nStep 1/6: Title";
    person.hear(&said(SECOND, 10_000, welcome), None);
    comes_to_his_end(&mut person, SECOND);
    let cut = Strike {
        bot: Some(third),
        ..strike(Kind::CutTelegram, 7_000, 9_900)
    };
    let to_third = Move {
        to: third,
        ..away(2_100)
    };
    let to_second = Move {
        from: Some(third),
        ..away(9_500)
    };
    let moves = [to_third, to_second];
    let found = judged_by(&[person.clone()], &[cut], &moves, &passed(60));
    assert_eq!((found.lost, found.updates_unreachable), (0, 1), "{found:?}");
    let found = judged_by(&[person], &[], &moves, &passed(60));
    assert_eq!(found.lost, 1, "the third one could be read: {found:?}");
}
