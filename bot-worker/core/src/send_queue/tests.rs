//! Order per chat, turns by urgency, doubt.

#![allow(clippy::panic)]
use super::*;
use crate::pacing::Rates;
use shared_core::{BotId, BoxId, ConversationKey, EntryId, MemberId, MessageId, UnixMs};

fn entry(member: i64, id: u8, priority: Priority) -> OutboxEntry {
    OutboxEntry {
        id: EntryId([id; 16]),
        conversation: ConversationKey::private(MemberId(member)),
        target: SendTarget::Member(MemberId(member)),
        priority,
        since: UnixMs(0),
        by: None,
        kind: OutboxKind::Say {
            text: String::new(),
            keyboard: None,
            reply_to: None,
        },
    }
}

fn taken(queue: &mut SendQueue<u8>, pacer: &mut Pacer, now: u64) -> Option<u8> {
    match queue.next(pacer, BootMs(now)) {
        Next::Send(position, _) => Some(position),
        Next::WaitUntil(_) | Next::Idle => None,
    }
}

fn edit(member: i64, id: u8, message: i32) -> OutboxEntry {
    OutboxEntry {
        kind: OutboxKind::Edit {
            r#box: BoxId::Private(BotId(7)),
            message: MessageId(message),
            text: String::new(),
            keyboard: None,
        },
        ..entry(member, id, Priority::Answer)
    }
}

#[test]
fn of_the_edits_of_one_message_the_last_one_leaves() {
    let mut queue = SendQueue::default();
    queue.push(1, edit(1, 1, 50));
    queue.push(2, edit(1, 2, 51));
    queue.push(3, entry(1, 3, Priority::Answer));
    queue.push(4, edit(2, 4, 50));
    assert!(queue.supersede(&entry(1, 5, Priority::Answer)).is_empty());
    let last = edit(1, 6, 50);
    let gone = queue.supersede(&last);
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].0, 1, "not another message's, nor another chat's");
    queue.push(6, last);
    let left = queue.chat(SendTarget::Member(MemberId(1)));
    assert_eq!(left.map(|(at, _)| *at).collect::<Vec<_>>(), [2, 3, 6]);
    assert_eq!(queue.len(), 4);
    let mut pacer = Pacer::new(Rates::default());
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(2));
    assert!(queue.supersede(&edit(1, 7, 51)).is_empty(), "on its way");
}

#[test]
fn answers_leave_first_and_a_chat_keeps_its_order() {
    let mut queue = SendQueue::default();
    let mut pacer = Pacer::new(Rates::default());
    queue.push(1, entry(1, 1, Priority::Announcement));
    queue.push(2, entry(2, 2, Priority::Reprompt));
    queue.push(3, entry(3, 3, Priority::Answer));
    queue.push(4, entry(3, 4, Priority::Answer));
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(3));
    assert_eq!(
        taken(&mut queue, &mut pacer, 0),
        Some(2),
        "3's chat has one in flight"
    );
    queue.finish(SendTarget::Member(MemberId(3)));
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(4));
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(1));
    assert_eq!(queue.next(&mut pacer, BootMs(0)), Next::Idle);
}

#[test]
fn a_prompt_is_overtaken_by_a_bounded_number_of_answers() {
    let mut queue = SendQueue::default();
    let mut pacer = Pacer::new(Rates {
        bulk_burst: 200,
        ..Rates::default()
    });
    queue.push(0, entry(1000, 1, Priority::Reprompt));
    let mut before = 0;
    for member in 1..100 {
        queue.push(1, entry(member, 2, Priority::Answer));
        match taken(&mut queue, &mut pacer, 0) {
            Some(0) => break,
            _ => before += 1,
        }
    }
    assert_eq!(before, 27);
}

#[test]
fn an_announcement_does_not_hold_up_the_answer_behind_it() {
    let mut queue = SendQueue::default();
    let mut pacer = Pacer::new(Rates::default());
    queue.push(1, entry(1, 1, Priority::Announcement));
    queue.push(2, entry(1, 2, Priority::Answer));
    queue.push(3, entry(2, 3, Priority::Answer));
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(1));
}

#[test]
fn what_did_not_leave_is_first_again() {
    let mut queue = SendQueue::default();
    let mut pacer = Pacer::new(Rates::default());
    queue.push(1, entry(1, 1, Priority::Answer));
    queue.push(2, entry(1, 2, Priority::Answer));
    let Next::Send(position, first) = queue.next(&mut pacer, BootMs(0)) else {
        panic!("nothing to send");
    };
    queue.put_back(position, *first);
    assert_eq!(queue.len(), 2);
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(1));
}

#[test]
fn a_doubtful_entry_holds_up_its_chat_and_nobody_elses() {
    let mut queue = SendQueue::default();
    let mut pacer = Pacer::new(Rates::default());
    queue.push(1, entry(1, 1, Priority::Answer));
    queue.push(2, entry(2, 2, Priority::Answer));
    queue.doubt(2);
    queue.push(3, entry(1, 3, Priority::Answer));
    queue.push(4, entry(3, 4, Priority::Answer));
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(4));
    assert_eq!(queue.next(&mut pacer, BootMs(0)), Next::Idle);
    // The first one turns out to have been sent: what came after it in its chat is not doubtful.
    let first = SendTarget::Member(MemberId(1));
    assert_eq!(queue.chat(first).count(), 2);
    assert!(queue.remove(first, &1).is_some() && queue.remove(first, &1).is_none());
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(3));
    assert_eq!(queue.end_doubt(), 1);
    assert_eq!(taken(&mut queue, &mut pacer, 0), Some(2));
    assert!(queue.is_empty());
}

#[test]
fn a_held_chat_says_until_when() {
    let mut queue = SendQueue::default();
    let mut pacer = Pacer::new(Rates::default());
    queue.push(1, entry(1, 1, Priority::Answer));
    pacer.hold(SendTarget::Member(MemberId(1)), BootMs(700));
    assert_eq!(
        queue.next(&mut pacer, BootMs(0)),
        Next::WaitUntil(BootMs(700))
    );
    assert_eq!(taken(&mut queue, &mut pacer, 700), Some(1));
}
