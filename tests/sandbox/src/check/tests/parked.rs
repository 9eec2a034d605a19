//! Who waits to the end is parked, not lost, if he stands where he stood.

use super::*;

/// In the middle of his upload, where the new bot may not write to him.
fn waiting_at_the_end(number: usize) -> Member {
    let mut member = finished(number);
    member.ledger.entries.truncate(3);
    member.received.truncate(3);
    member.resumptions.clear();
    member.upload = Default::default();
    for entry in &member.ledger.entries {
        member.upload = member.upload.after(&entry.input);
    }
    let called = member.begin(Input::Resume, 60_000);
    member.ledger.entries[called].to = Some(2);
    member
}

fn judged_with(members: &[Member], parked: &[usize], waited: &[usize]) -> Findings {
    check(&Evidence {
        members,
        parked,
        waited,
        blows: FAULT,
        bots: &[1, 2],
        moves: &MOVES,
        courses: &[],
        posts: &[],
    })
}

#[test]
fn who_waits_to_the_end_is_parked_when_he_is_shown_where_he_stood_and_lost_when_he_is_not() {
    let mut member = waiting_at_the_end(1);
    let unanswered = judged_with(&[member.clone()], &[], &[1]);
    assert_eq!(unanswered.conversations_lost, 1);
    let entry = member.ledger.waiting_mut().unwrap();
    entry.fate = Fate::Answered;
    entry.confirmations = 1;
    entry.answered_ms = Some(60_020);
    let findings = judged_with(&[member.clone()], &[], &[1]);
    assert_eq!(findings.problems, []);
    let counted = (
        findings.conversations_parked,
        findings.conversations_waiting,
        findings.conversations_resumed,
        findings.conversations_lost,
    );
    assert_eq!(counted, (1, 1, 0, 0));
    // Whoever was not waiting has to come to the end of it.
    let unfinished = judged_with(&[member], &[1], &[]);
    assert_eq!(unfinished.conversations_lost, 1);
}
