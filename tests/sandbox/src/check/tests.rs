//! The judge is shown a violation of each rule, and says so.

#![allow(clippy::unwrap_used)]

mod parked;

use super::*;
use crate::course::Intention;
use crate::fault::{Details, FaultKind, Moment};
use crate::ledger::Confirmer;
use crate::member::Resumption;

const MOVES: [Move; 1] = [Move {
    from: Some(1),
    to: 2,
    fenced_ms: 1_010,
    activated_ms: 1_020,
}];

const FAULT: Blows = Blows {
    first: Blow {
        kind: FaultKind::Revoke,
        moment: Moment::AnyTime,
        details: Details::None,
        bot: 1,
        at_ms: 1_000,
        seq: None,
        quiet_ms: 1_000,
    },
    then: None,
};

/// A member who finished: half before the fault, half after it.
fn finished(number: usize) -> Member {
    let intention = Intention {
        subject: "Bread",
        category: "Science",
        tags: vec![],
        files: 1,
        finishes: true,
    };
    let mut member = Member::new(
        number,
        100 + number as i64,
        format!("Ada-{number}"),
        Place::Private,
        1,
        intention,
    );
    let inputs = [
        Input::Open,
        Input::Title(format!("#{number}-2 Bread")),
        Input::Description(format!("#{number}-3 Bread and more")),
        Input::Category("Science".into()),
        Input::TagsDone,
        Input::File(format!("#{number}-6 part 1.pdf")),
        Input::FilesDone,
        Input::Submit,
    ];
    for (at, input) in (0..).zip(inputs) {
        let sent = 600 + at * 150;
        let entry = member.begin(input.clone(), sent);
        let entry = &mut member.ledger.entries[entry];
        entry.to = Some(if sent < 1_000 { 1 } else { 2 });
        entry.fate = Fate::Answered;
        entry.confirmations = 1;
        entry.answered_ms = Some(sent + 20);
        member
            .received
            .push((if sent < 1_000 { 1 } else { 2 }, sent + 20));
        member.upload = member.upload.after(&input);
    }
    member.resumptions.push(Resumption {
        bot: 2,
        at_ms: 1_040,
    });
    member.received.insert(3, (2, 1_040));
    member
}

fn row(member: &Member) -> CourseRow {
    CourseRow {
        member: member.id,
        title: member.upload.title.clone().unwrap(),
        description: member.upload.description.clone().unwrap(),
        category: "Science".into(),
        tags: vec![],
        files: member.upload.files.clone(),
    }
}

fn judged(members: &[Member]) -> Findings {
    let courses: Vec<CourseRow> = members.iter().map(row).collect();
    let posts: Vec<String> = courses
        .iter()
        .map(|row| format!("New course: {}\n\nby a member", row.title))
        .collect();
    check(&Evidence {
        members,
        parked: &[],
        waited: &[],
        blows: FAULT,
        bots: &[1, 2],
        moves: &MOVES,
        courses: &courses,
        posts: &posts,
    })
}

/// One member who has finished, and what stands in SQL and in the channel of it.
fn judged_after(blows: Blows, members: &[Member; 1]) -> Findings {
    let courses = [row(&members[0])];
    let posts = [format!("New course: {}", courses[0].title)];
    check(&Evidence {
        members,
        parked: &[],
        waited: &[],
        blows,
        bots: &[1, 2],
        moves: &MOVES,
        courses: &courses,
        posts: &posts,
    })
}

#[test]
fn a_clean_run_has_nothing_to_say() {
    let findings = judged(&[finished(1), finished(2)]);
    assert_eq!(findings.problems, []);
    assert_eq!(
        (
            findings.conversations_open,
            findings.conversations_continued,
            findings.conversations_lost
        ),
        (2, 2, 0)
    );
    assert_eq!(
        (
            findings.updates_sent,
            findings.updates_lost,
            findings.replies_duplicated
        ),
        (16, 0, 0)
    );
    assert_eq!(
        (findings.first_reply_ms.len(), findings.reprompt_ms),
        (0, vec![40, 40])
    );
}

#[test]
fn a_planted_loss_is_found() {
    let mut member = finished(1);
    member.ledger.entries[1].fate = Fate::WithoutEffect;
    member.ledger.entries[1].confirmations = 0;
    let findings = judged(&[member]);
    assert_eq!(
        (
            findings.updates_lost,
            findings.conversations_lost,
            findings.updates_unreachable
        ),
        (1, 1, 0)
    );
    assert_eq!(findings.problems[0].message, "#1-2");
    assert_eq!(findings.problems[0].expected, "its effect");
}

#[test]
fn an_answer_that_never_came_is_found() {
    let mut member = finished(1);
    member.ledger.entries[7].fate = Fate::Waiting;
    member.ledger.entries[7].answered_ms = None;
    let findings = judged(&[member]);
    assert_eq!(findings.updates_lost, 1);
    assert_eq!(findings.problems[0].expected, "an answer");
}

#[test]
fn what_lies_in_the_dead_bots_box_is_out_of_reach_and_no_loss() {
    let mut member = finished(1);
    let entry = member.begin(Input::Description("#1-9 typed to the dead".into()), 995);
    let entry = &mut member.ledger.entries[entry];
    (entry.to, entry.fate) = (Some(1), Fate::WithoutEffect);
    let findings = judged(&[member]);
    assert_eq!(
        (findings.updates_lost, findings.updates_unreachable),
        (0, 1)
    );
    assert_eq!(findings.problems, []);
    assert_eq!(
        findings.first_reply_ms,
        [40],
        "he waited, so his first reply is measured"
    );
    assert!(findings.reprompt_ms.is_empty());
}

#[test]
fn who_wrote_in_the_instant_of_the_fault_is_measured_where_nobody_waited_before() {
    let mut member = finished(1);
    member.ledger.entries[3].input = Input::Resume;
    let first_replies = judged(&[member]).first_reply_private_ms;
    assert_eq!(first_replies, [40], "sent 50 ms after it");
}

/// It is acknowledged when the storage channel has it, and that takes 20 messages a minute.
#[test]
fn who_waits_for_a_file_to_be_stored_is_measured_apart() {
    let mut member = finished(1);
    member.ledger.entries[5].sent_ms = 990;
    member.ledger.entries[5].answered_ms = Some(8_000);
    let findings = judged(&[member]);
    assert!(findings.first_reply_private_ms.is_empty());
    assert_eq!(findings.first_reply_slow_ms.len(), 1);
}

#[test]
fn a_planted_duplicate_is_found() {
    let mut member = finished(1);
    member.ledger.entries[2].confirmations = 2;
    let findings = judged(&[member]);
    assert_eq!(
        (findings.replies_duplicated, findings.conversations_lost),
        (1, 1)
    );
    assert_eq!(findings.problems[0].expected, "one confirmation");
}

/// Whoever sent it was struck before it could know that Telegram had taken it.
#[test]
fn a_reply_of_two_bots_is_no_duplicate_where_the_first_one_was_struck_with_it() {
    let judged_at = |first_ms: i64, second: i64| {
        let mut member = finished(1);
        let entry = &mut member.ledger.entries[2];
        entry.confirmations = 2;
        entry.confirmed_by = vec![
            Confirmer {
                bot: 1,
                at_ms: first_ms,
            },
            Confirmer {
                bot: second,
                at_ms: 1_400,
            },
        ];
        let findings = judged(&[member]);
        (findings.replies_duplicated, findings.repeated_across_bots)
    };
    let struck_ms = FAULT.first.at_ms;
    assert_eq!(judged_at(struck_ms - 20, 2), (0, 1));
    assert_eq!(judged_at(struck_ms - 20, 1), (1, 0), "one bot twice");
    assert_eq!(judged_at(struck_ms - 500, 2), (1, 0), "it had time to know");
}

#[test]
fn a_wrong_field_in_sql_is_found() {
    let member = finished(1);
    let mut wrong = row(&member);
    wrong.category = "Crafts".into();
    let posts = [format!("New course: {}", wrong.title)];
    let members = [member];
    let evidence = Evidence {
        members: &members,
        parked: &[],
        waited: &[],
        blows: FAULT,
        bots: &[1, 2],
        moves: &MOVES,
        courses: &[wrong],
        posts: &posts,
    };
    let findings = check(&evidence);
    assert_eq!(findings.problems.len(), 1);
    assert_eq!(findings.problems[0].message, "the recorded category");
    assert_eq!(
        (
            findings.problems[0].expected.as_str(),
            findings.problems[0].seen.as_str()
        ),
        ("Science", "Crafts")
    );
}

#[test]
fn a_second_row_and_a_missing_post_are_found() {
    let members = [finished(1)];
    let courses = [row(&members[0]), row(&members[0])];
    let findings = check(&Evidence {
        members: &members,
        parked: &[],
        waited: &[],
        blows: FAULT,
        bots: &[1, 2],
        moves: &MOVES,
        courses: &courses,
        posts: &[],
    });
    let messages: Vec<&str> = findings
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(messages, ["the post in the channel", "the recorded course"]);
}

#[test]
fn a_parked_member_who_came_is_counted_as_parked() {
    let members = [finished(1)];
    let courses = [row(&members[0])];
    let posts = [format!("New course: {}", courses[0].title)];
    let findings = check(&Evidence {
        members: &members,
        parked: &[1],
        waited: &[],
        blows: FAULT,
        bots: &[1, 2],
        moves: &MOVES,
        courses: &courses,
        posts: &posts,
    });
    assert_eq!(
        (
            findings.conversations_parked,
            findings.conversations_continued,
            findings.conversations_lost
        ),
        (1, 0, 0)
    );
}

#[test]
fn at_most_thirty_private_members_are_measured_as_waiting() {
    let members: Vec<Member> = (1..=33)
        .map(|number| {
            let mut member = finished(number);
            member.ledger.entries[2].answered_ms = Some(1_500);
            member
        })
        .collect();
    let findings = judged(&members);
    assert_eq!(
        (findings.first_reply_ms.len(), findings.reprompt_ms.len()),
        (30, 3)
    );
}

#[test]
fn an_answer_that_members_notice_fails_a_run_that_is_to_go_unnoticed() {
    let killed = Blows {
        first: Blow {
            kind: FaultKind::KillSupervisor,
            ..FAULT.first
        },
        then: None,
    };
    let judged = |answered_ms| {
        let mut members = [finished(1)];
        members[0].ledger.entries[3].answered_ms = Some(answered_ms);
        judged_after(killed, &members)
    };
    assert_eq!(judged(1_200).problems, []);
    let late = judged(1_050 + 2_001);
    assert_eq!(late.answer_ms.iter().max(), Some(&2_001));
    assert_eq!(late.problems.len(), 1);
    assert_eq!(late.problems[0].seen, "2001 ms");
}

#[test]
fn a_press_is_lost_only_if_it_was_acknowledged() {
    let judged = |acknowledged| {
        let mut member = finished(1);
        let entry = member.begin(Input::Category("Crafts".into()), 1_100);
        let entry = &mut member.ledger.entries[entry];
        (entry.to, entry.fate) = (Some(2), Fate::WithoutEffect);
        entry.acknowledged = acknowledged;
        judged(&[member])
    };
    let (gone, lost) = (judged(false), judged(true));
    assert_eq!((gone.updates_lost, gone.presses_repeated), (0, 1));
    assert_eq!((lost.updates_lost, lost.presses_repeated), (1, 0));
}

#[test]
fn a_second_prompt_after_one_switch_and_one_without_a_switch_are_found() {
    let mut twice = finished(1);
    twice.resumptions.push(Resumption {
        bot: 2,
        at_ms: 1_300,
    });
    let mut without = finished(2);
    without.resumptions[0].bot = 1;
    for member in [twice, without] {
        let findings = judged(&[member]);
        assert_eq!(findings.problems.len(), 1);
        assert_eq!(findings.problems[0].message, "prompts after a switch");
    }
}

#[test]
fn a_stale_press_has_to_have_been_left_behind() {
    let judged = |sent_ms| {
        let mut member = finished(1);
        let entry = member.begin(Input::Category("Crafts".into()), sent_ms);
        member.ledger.entries[entry].fate = Fate::Stale;
        judged(&[member])
    };
    let shown_again = judged(1_030);
    assert_eq!(
        (shown_again.presses_stale, shown_again.problems.len()),
        (1, 0)
    );
    let never = judged(1_500);
    assert_eq!((never.presses_stale, never.problems.len()), (1, 1));
}

#[test]
fn a_press_is_turned_away_only_by_a_bot_that_stands_by() {
    let judged = |to, sent_ms, told_ms| {
        let mut member = finished(1);
        let entry = member.begin(Input::Category("Crafts".into()), sent_ms);
        let entry = &mut member.ledger.entries[entry];
        (entry.pressed, entry.fate, entry.answered_ms) =
            (Some(to), Fate::TurnedAway, Some(told_ms));
        let living = Blows {
            first: Blow {
                kind: FaultKind::KillSupervisor,
                ..FAULT.first
            },
            then: None,
        };
        let found = judged_after(living, &[member]);
        assert_eq!(found.presses_stale, 1);
        let told = |problem: &&Problem| problem.expected == "a bot that stands by";
        found.problems.iter().filter(told).count()
    };
    assert_eq!(judged(1, 1_030, 1_100), 0, "the other one answers");
    assert_eq!(judged(1, 1_000, 1_100), 0, "it does by then");
    assert_eq!(judged(1, 900, 1_010), 1, "it answered itself");
    assert_eq!(judged(2, 1_030, 1_100), 1);
    assert_eq!(judged(2, 900, 1_010), 0);
}

#[test]
fn nobody_presses_twice_and_the_group_is_answered_while_the_supervisor_is_away() {
    let killed = Blows {
        first: Blow {
            kind: FaultKind::KillSupervisor,
            ..FAULT.first
        },
        then: None,
    };
    let judged = |change: fn(&mut Member)| {
        let mut members = [finished(1)];
        members[0].place = Place::Group(9);
        change(&mut members[0]);
        judged_after(killed, &members)
    };
    assert_eq!(judged(|_| {}).problems, []);
    let late = judged(|member| member.ledger.entries[3].answered_ms = Some(9_000));
    assert_eq!(late.problems.len(), 1, "one member: 2,000 and 3,334 ms");
    let repeated = judged(|member| {
        let entry = member.begin(Input::Category("Crafts".into()), 1_100);
        member.ledger.entries[entry].fate = Fate::TimedOut;
    });
    assert_eq!(repeated.problems[0].expected, "no press is done again");
}
