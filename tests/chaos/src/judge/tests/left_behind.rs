//! What came to a bot, or under a prompt, that had been left by then.

use sandbox::texts::STALE_PRESS;

use super::*;

#[test]
fn a_press_is_stale_only_where_its_prompt_had_been_left_behind() {
    let pressed_amid = |shown: &[(i64, i64, &str)], moves: &[Move]| {
        let mut person = at_title(Place::Private);
        let press = person.begin(Input::TagsDone, 2_000);
        for (bot, at_ms, text) in shown {
            person.hear(&said(*bot, *at_ms, text), None);
        }
        person.member.press_answered(press, Some(STALE_PRESS));
        comes_to_his_end(&mut person, FIRST);
        let found = judged(&[person], &[], moves);
        assert_eq!(found.presses_stale, 1);
        wrongs(&found)
    };
    let pressed = |shown: &[(i64, i64, &str)]| pressed_amid(shown, &[]);
    assert_eq!(pressed(&[]), [Wrong::Contradiction]);
    assert_eq!(pressed(&[(FIRST, 2_010, GOES_ON_AT_TITLE)]), []);
    // An epoch was opened meanwhile, or just before, and its prompt did not come to him.
    let later = |ms: i64| [away(ms)];
    assert_eq!(pressed_amid(&[], &later(1_500)), []);
    assert_eq!(pressed_amid(&[], &later(-3_500)), []);
    assert_eq!(pressed_amid(&[], &later(-4_500)), [Wrong::Contradiction]);
    assert_eq!(pressed_amid(&[], &[away(2_500)]), [Wrong::Contradiction]);
}

/// Each answer that he hears is the one before the latest, whose buttons are the ones that live.
#[test]
fn who_is_one_answer_behind_presses_what_has_been_left_behind() {
    const SO_FAR: &str = "So far:\nNothing has been entered yet.\n\nStep 1/6: Title";
    let pressed = |first: &str, heard: &[i64]| {
        let mut person = at_title(Place::Private);
        told(
            &mut person,
            Input::Resume,
            40_000,
            &[(FIRST, 40_100, first)],
        );
        let answers: Vec<_> = heard.iter().map(|at| (FIRST, *at, SO_FAR)).collect();
        told(&mut person, Input::Resume, 41_000, &answers);
        let press = person.begin(Input::TagsDone, 42_000);
        person.member.press_answered(press, Some(STALE_PRESS));
        comes_to_his_end(&mut person, FIRST);
        wrongs(&judged(&[person], &[], &[]))
    };
    let wrong = [Wrong::Contradiction];
    assert_eq!(pressed(GOES_ON_AT_TITLE, &[41_100]), []);
    assert_eq!(pressed(GOES_ON_AT_TITLE, &[41_100, 41_500]), wrong, "both");
    assert_eq!(pressed(SO_FAR, &[41_100]), wrong, "nothing is to come");
}

fn judged_amid(person: &Person, moves: &[Move], openings: &[i64]) -> Findings {
    judge(&Evidence {
        people: std::slice::from_ref(person),
        strikes: &[],
        moves,
        openings,
        titles: &[],
        posts: &[],
        boxes: &Boxes::default(),
        maybe_repeated: 9,
    })
}

#[test]
fn who_goes_on_with_showing_where_everybody_stands_leaves_prompts_behind_too() {
    let mut person = at_title(Place::Private);
    let press = person.begin(Input::TagsDone, 2_000);
    person.member.press_answered(press, Some(STALE_PRESS));
    comes_to_his_end(&mut person, FIRST);
    let judged = |moves: &[Move], openings: &[i64]| wrongs(&judged_amid(&person, moves, openings));
    let long_before = away(-20_000);
    assert_eq!(judged(&[long_before], &[-19_990, 1_500]), []);
    assert_eq!(
        judged(&[long_before], &[-19_990]),
        [Wrong::Contradiction],
        "nobody began again"
    );
    assert_eq!(
        judged(&[away(-40_000)], &[-39_990, 1_500]),
        [Wrong::Contradiction],
        "nothing was owed any more"
    );
}

/// The press is answered with nothing and had no effect: its prompt had been left behind, and who knew that died.
#[test]
fn a_late_press_may_be_answered_without_a_word_only_when_who_took_it_in_died() {
    let judged = |shown: &[(i64, i64, &str)], openings: &[i64]| {
        let mut person = at_title(Place::Private);
        let press = person.begin(Input::TagsDone, 2_000);
        for (bot, at_ms, text) in shown {
            person.hear(&said(*bot, *at_ms, text), None);
        }
        person.member.press_answered(press, None);
        person.member.lose_patience();
        comes_to_his_end(&mut person, FIRST);
        let found = judged_amid(&person, &[], openings);
        (found.lost, found.presses_stale)
    };
    let asked = "So far:\nNothing has been entered yet.\n\nStep 1/6: Title";
    assert_eq!(judged(&[(FIRST, 2_050, asked)], &[2_400]), (0, 1));
    assert_eq!(judged(&[(FIRST, 2_050, asked)], &[]), (1, 0));
    assert_eq!(judged(&[], &[2_400]), (1, 0), "it was the latest");
}

#[test]
fn a_press_is_turned_away_only_by_a_bot_that_stands_by() {
    let pressed = |moves: &[Move], told_ms| {
        let mut person = at_title(Place::Private);
        let press = person.begin(Input::TagsDone, 2_000);
        assert_eq!(person.member.ledger.entries[press].pressed, Some(FIRST));
        person.press_turned_away(press, told_ms, Some(SECOND));
        assert_eq!(person.member.bot, SECOND, "he looks there");
        comes_to_his_end(&mut person, SECOND);
        let found = judged(&[person], &[], moves);
        assert_eq!((found.presses_stale, found.lost), (1, 0));
        wrongs(&found)
    };
    assert_eq!(pressed(&[away(1_900)], 2_100), []);
    assert_eq!(pressed(&[away(2_050)], 2_100), []);
    assert_eq!(pressed(&[away(2_200)], 2_100), [Wrong::Contradiction]);
    assert_eq!(pressed(&[], 2_100), [Wrong::Contradiction]);
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
