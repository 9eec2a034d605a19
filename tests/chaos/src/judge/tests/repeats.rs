//! The same answer by two bots.

use super::*;

/// The first bot answered at 2,010, the second one at this time.
fn twice(second_ms: i64, strikes: &[Strike], moves: &[Move]) -> (usize, usize) {
    let person = answered(&[(FIRST, 2_010), (SECOND, second_ms)]);
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
fn who_is_cut_off_again_has_not_found_out_yet() {
    let first = strike(Kind::CutWorker, 2_000, 8_000);
    let again = strike(Kind::CutWorker, 11_000, 18_400);
    let at = [away(18_900)];
    let both = [first.clone(), again];
    assert_eq!(twice(21_000, &[first], &at), (1, 0), "it had time enough");
    assert_eq!(twice(21_000, &both, &at), (0, 1));
}

#[test]
fn what_comes_twice_is_counted_by_the_product_unless_that_cannot_arrive() {
    let counted = |maybe_repeated: u64, strikes: &[Strike]| {
        let person = answered(&[(FIRST, 2_010), (SECOND, 2_500)]);
        let findings = judge(&Evidence {
            people: &[person],
            strikes,
            moves: &[away(2_100)],
            openings: &[],
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

/// He asks the same thing again; what the next bot says is the answer to the first question once more, which was in doubt, and his own bot answers the second.
#[test]
fn the_first_questions_answer_may_come_in_place_of_the_seconds() {
    let asked_twice = |strikes: &[Strike]| {
        let mut person = at_title(Place::Private);
        told(&mut person, Input::Help, 2_000, &[(FIRST, 2_010, LIST)]);
        let answers = [(SECOND, 2_700, LIST), (FIRST, 9_000, LIST)];
        told(&mut person, Input::Help, 2_100, &answers);
        comes_to_his_end(&mut person, FIRST);
        let found = judged(&[person], strikes, &[away(2_350)]);
        (found.duplicated, found.repeated_across_bots)
    };
    let killed = strike(Kind::KillWorker, 2_050, 2_050);
    assert_eq!(asked_twice(&[killed]), (0, 1));
    assert_eq!(asked_twice(&[]), (1, 0), "nothing was in doubt");
}

/// The first question is answered by what he is shown unasked, then each answer seems to be the next question's: as many answers as questions.
#[test]
fn an_answer_that_was_still_to_come_is_not_the_last_questions_second_one() {
    const SO_FAR: &str = "So far:\nNothing has been entered yet.\n\nStep 1/6: Title";
    let duplicated = |shown: &str, again: &[i64]| {
        let mut person = at_title(Place::Private);
        told(&mut person, Input::Resume, 2_000, &[(FIRST, 2_100, shown)]);
        told(&mut person, Input::Resume, 3_000, &[(FIRST, 3_100, SO_FAR)]);
        for at in again {
            person.hear(&said(SECOND, *at, SO_FAR), None);
        }
        comes_to_his_end(&mut person, SECOND);
        judged(&[person], &[], &[away(3_500)]).duplicated
    };
    assert_eq!(duplicated(GOES_ON_AT_TITLE, &[4_000]), 0);
    assert_eq!(duplicated(GOES_ON_AT_TITLE, &[4_000, 4_500]), 1, "once");
    assert_eq!(duplicated(SO_FAR, &[4_000]), 1, "its answer had come");
}

/// A backup kept the first question and took it up when it answered itself, as he asked the same again.
#[test]
fn what_a_bot_kept_and_took_up_has_an_answer_of_its_own() {
    let duplicated = |settled_ms: Option<i64>, answers: &[i64]| {
        let mut person = person(Place::Private);
        let first = person.begin(Input::Open, 2_000);
        person.member.accepted(first, 5, 2_000);
        let received = Received {
            message_id: 40,
            pts: 50,
        };
        person.member.ledger.entries[first].received = Some(received);
        person.member.lose_patience();
        let answers: Vec<_> = answers
            .iter()
            .map(|at| (FIRST, *at, "Step 1/6: Title"))
            .collect();
        told(&mut person, Input::Open, 3_000, &answers);
        comes_to_his_end(&mut person, FIRST);
        let mut boxes = passed(60);
        let at_ms = 2_050;
        boxes.keep(FIRST, 40, Kept { at_ms, settled_ms });
        judged_by(&[person], &[], &[], &boxes).duplicated
    };
    assert_eq!(duplicated(Some(2_900), &[3_050, 3_400]), 0);
    assert_eq!(duplicated(Some(2_900), &[3_050, 3_400, 3_700]), 1, "once");
    assert_eq!(duplicated(None, &[3_050, 3_400]), 1, "it waits there still");
    assert_eq!(
        duplicated(Some(5_000), &[3_050, 3_400]),
        1,
        "taken up later"
    );
}
