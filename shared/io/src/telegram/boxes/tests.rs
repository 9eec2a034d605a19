//! The boxes: what is taken at once, what waits behind a gap, what a difference settles.

#![allow(clippy::unwrap_used)]

mod channels;

use grammers_client::tl;

use super::*;

const GROUP: ChannelId = ChannelId(50);
const GAP: Duration = Duration::from_millis(500);

impl Boxes {
    /// A test asks for one box's difference; the product asks for all.
    pub(in crate::telegram) fn want(&mut self, key: Key) {
        self.boxes.get_mut(&key).unwrap().want();
    }
}

/// A deletion: the smallest update with a position.
fn private(pts: i32, count: i32) -> Event {
    let update = tl::types::UpdateDeleteMessages {
        messages: vec![pts],
        pts,
        pts_count: count,
    };
    tl::enums::Update::from(update).into()
}

fn group(pts: i32) -> Event {
    in_channel(GROUP, pts)
}

fn in_channel(channel: ChannelId, pts: i32) -> Event {
    let update = tl::types::UpdateDeleteChannelMessages {
        channel_id: channel.0,
        messages: vec![pts],
        pts,
        pts_count: 1,
    };
    tl::enums::Update::from(update).into()
}

fn stopped(qts: i32) -> Event {
    let update = tl::types::UpdateBotStopped {
        user_id: 1,
        date: 1,
        stopped: true,
        qts,
    };
    tl::enums::Update::from(update).into()
}

fn state(pts: i32, qts: i32) -> BoxState {
    BoxState { pts, qts, date: 9 }
}

fn whole(pts: i32, qts: i32) -> SliceEnd {
    SliceEnd {
        state: state(pts, qts),
        last: true,
        again_in: None,
    }
}

/// Positions of what is due, as `p5` (pts), `q5` (qts), `c5` (channel).
fn said(due: &[Event]) -> String {
    let position = |event: &Event| {
        let position = event.position.unwrap();
        let letter = match (position.key, position.counter) {
            (Key::Private, Counter::Pts) => 'p',
            (Key::Private, Counter::Qts) => 'q',
            (Key::Channel(_), _) => 'c',
        };
        format!("{letter}{}", position.after)
    };
    due.iter().map(position).collect::<Vec<_>>().join(" ")
}

/// Boxes at pts 10, qts 3 that are done with the difference they begin with.
fn settled(now: Instant) -> Boxes {
    let mut boxes = Boxes::new(Some(state(10, 3)), &[], HashSet::from([GROUP]), now);
    let request = boxes.next_request(now).unwrap();
    assert_eq!(request.ask, Ask::PrivateDifference(state(10, 3)));
    boxes.slice(Key::Private, whole(10, 3), now);
    assert!(boxes.caught_up());
    boxes
}

#[test]
fn in_step_it_is_applied_and_repeated_it_is_dropped() {
    let now = Instant::now();
    let mut boxes = settled(now);
    assert_eq!(
        said(&boxes.live(vec![private(11, 1), stopped(4)], 20, now)),
        "p11 q4"
    );
    assert_eq!(
        said(&boxes.live(vec![private(11, 1), stopped(4)], 20, now)),
        ""
    );
    assert_eq!(
        boxes.take_moved().private,
        Some(BoxState {
            pts: 11,
            qts: 4,
            date: 20
        })
    );
    assert_eq!(boxes.take_moved(), Moved::default(), "nothing moved since");
}

#[test]
fn what_came_too_early_waits_and_a_closed_gap_asks_nothing() {
    let now = Instant::now();
    let mut boxes = settled(now);
    assert_eq!(said(&boxes.live(vec![private(13, 1)], 0, now)), "");
    assert_eq!(said(&boxes.live(vec![private(12, 1)], 0, now)), "");
    assert_eq!(boxes.take_moved().private, None, "11 is missing");
    assert_eq!(
        said(&boxes.live(vec![private(11, 1)], 0, now)),
        "p11 p12 p13"
    );
    boxes.tick(now + GAP);
    assert!(boxes.caught_up());
}

#[test]
fn each_gap_has_its_own_deadline() {
    let start = Instant::now();
    let mut boxes = settled(start);
    boxes.live(vec![group(7)], 0, start);
    boxes.live(vec![group(9)], 0, start);
    let later = start + Duration::from_millis(300);
    boxes.live(vec![private(15, 1)], 0, later);

    assert_eq!(boxes.wake_at(), Some(start + GAP));
    boxes.tick(start + GAP);
    let first = boxes.next_request(start + GAP).unwrap();
    assert_eq!(
        (first.key, first.ask),
        (Key::Channel(GROUP), Ask::ChannelDifference(7))
    );
    assert_eq!(boxes.next_request(start + GAP), None);

    assert_eq!(
        boxes.wake_at(),
        Some(later + GAP),
        "the other gap is not forgotten"
    );
    boxes.tick(later + GAP);
    assert_eq!(boxes.next_request(later + GAP).unwrap().key, Key::Private);
}

#[test]
fn live_updates_wait_for_the_difference_and_follow_it() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.want(Key::Private);
    boxes.next_request(now).unwrap();
    // 12 is in the difference already, 13 is not.
    assert_eq!(
        said(&boxes.live(vec![private(12, 1), private(13, 1)], 0, now)),
        ""
    );
    boxes.slice(Key::Private, whole(12, 3), now);
    assert_eq!(
        boxes.take_moved().private.unwrap().pts,
        12,
        "without what waits"
    );
    assert_eq!(said(&boxes.release(Key::Private, now)), "p13");
    assert_eq!(boxes.take_moved().private.unwrap().pts, 13);
}

#[test]
fn a_slice_that_is_not_the_last_is_followed_by_the_next() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.want(Key::Private);
    boxes.next_request(now).unwrap();
    let mut end = whole(40, 3);
    end.last = false;
    boxes.slice(Key::Private, end, now);
    assert_eq!(said(&boxes.release(Key::Private, now)), "", "not done");
    assert_eq!(
        boxes.next_request(now).unwrap().ask,
        Ask::PrivateDifference(state(40, 3))
    );
    // One that claims more and does not move would go on for ever.
    boxes.slice(Key::Private, end, now);
    assert!(boxes.caught_up());
}

#[test]
fn wanted_again_while_underway_is_asked_again() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.want_all();
    boxes.next_request(now).unwrap();
    boxes.want_all();
    assert_eq!(boxes.next_request(now), None, "one at a time");
    boxes.slice(Key::Private, whole(10, 3), now);
    assert!(boxes.next_request(now).is_some());
    boxes.slice(Key::Private, whole(10, 3), now);
    assert!(boxes.caught_up());
}

#[test]
fn too_much_held_back_is_fetched_instead() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.want(Key::Private);
    boxes.next_request(now).unwrap();
    for pts in 11..=1_011 {
        boxes.live(vec![private(pts, 1)], 0, now);
    }
    boxes.slice(Key::Private, whole(10, 3), now);
    assert!(
        boxes.next_request(now).is_some(),
        "what was let go is asked for"
    );
}

#[test]
fn an_observation_ahead_counts_only_when_it_stays_ahead() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.observe(state(11, 3), now);
    boxes.live(vec![private(11, 1)], 0, now);
    boxes.tick(now + GAP);
    assert!(boxes.caught_up(), "the update was only on its way");

    boxes.observe(state(12, 3), now);
    boxes.observe(state(13, 3), now + GAP / 2);
    assert_eq!(
        boxes.wake_at(),
        Some(now + GAP),
        "the first sighting counts"
    );
    boxes.tick(now + GAP);
    assert!(boxes.next_request(now + GAP).is_some());
}

#[test]
fn without_a_cursor_what_came_live_is_not_lost_to_the_state() {
    let now = Instant::now();
    let mut boxes = Boxes::new(None, &[], HashSet::new(), now);
    assert_eq!(boxes.next_request(now).unwrap().ask, Ask::Where);
    boxes.live(vec![private(21, 1)], 0, now);
    assert!(!boxes.placed(Key::Private, state(21, 5), now));
    assert_eq!(boxes.take_moved().private.unwrap().pts, 20);
    assert_eq!(said(&boxes.release(Key::Private, now)), "p21");
}

#[test]
fn a_refused_cursor_goes_on_from_where_telegram_is() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.want(Key::Private);
    boxes.next_request(now).unwrap();
    boxes.reset(Key::Private);
    assert_eq!(boxes.next_request(now).unwrap().ask, Ask::Where);
    assert!(
        boxes.placed(Key::Private, state(5, 1), now),
        "a place was given up"
    );
    assert_eq!(boxes.take_moved().private.unwrap().pts, 5);
}

#[test]
fn a_failure_is_asked_again_later_and_later() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.want(Key::Private);
    boxes.next_request(now).unwrap();
    let mut waits = Vec::new();
    let mut at = now;
    for _ in 0..8 {
        boxes.failed(Key::Private, None, at);
        assert_eq!(boxes.next_request(at), None);
        let next = boxes.wake_at().unwrap();
        waits.push((next - at).as_millis());
        at = next;
        boxes.next_request(at).unwrap();
    }
    assert_eq!(
        waits,
        [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]
    );
    boxes.failed(Key::Private, Some(Duration::from_secs(31)), at);
    assert_eq!(boxes.wake_at(), Some(at + Duration::from_secs(31)));
}

#[test]
fn silence_is_broken_when_telegram_wants_to_be_asked() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.want(Key::Private);
    boxes.next_request(now).unwrap();
    let mut end = whole(10, 3);
    end.again_in = Some(Duration::from_secs(30));
    boxes.slice(Key::Private, end, now);
    assert_eq!(boxes.wake_at(), Some(now + Duration::from_secs(30)));
}
