//! Channels: where they begin, what is too long, who is put off or barred, and who is looked at.

use super::*;

#[test]
fn channels_without_a_cursor_begin_with_what_is_seen_and_strangers_are_passed_over() {
    let now = Instant::now();
    let mut boxes = settled(now);
    assert_eq!(said(&boxes.live(vec![group(7)], 0, now)), "c7");
    assert_eq!(boxes.take_moved().channels, [(GROUP, 7)]);
    assert_eq!(
        said(&boxes.live(vec![in_channel(ChannelId(99), 4)], 0, now)),
        ""
    );
    assert_eq!(boxes.take_moved(), Moved::default());
}

#[test]
fn a_reloaded_channel_voids_what_was_underway() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.live(vec![group(7)], 0, now);
    boxes.want(Key::Channel(GROUP));
    let old = boxes.next_request(now).unwrap();
    boxes.load_channels(&[(GROUP, 3)], now);
    assert!(!boxes.is_current(&old));
    assert!(
        boxes.take_moved().channels.is_empty(),
        "the old cursor is not told any more"
    );
    let current = boxes.next_request(now).unwrap();
    assert_eq!(current.ask, Ask::ChannelDifference(3));
    assert!(boxes.is_current(&current));
}

#[test]
fn too_long_keeps_the_cursor_that_is_known() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.live(vec![group(7)], 0, now);
    let too_long = tl::types::UpdateChannelTooLong {
        channel_id: GROUP.0,
        pts: Some(500),
    };
    boxes.live(vec![tl::enums::Update::from(too_long).into()], 0, now);
    assert_eq!(
        boxes.next_request(now).unwrap().ask,
        Ask::ChannelDifference(7)
    );
}

/// A hint says where a channel is. Where we are is known better once there is a cursor; before, it is where following begins.
#[test]
fn a_hint_with_a_pts_is_where_an_unknown_channel_begins() {
    let now = Instant::now();
    let mut boxes = settled(now);
    let hint = |channel: ChannelId, pts| {
        let hint = tl::types::UpdateChannelTooLong {
            channel_id: channel.0,
            pts,
        };
        vec![Event::from(tl::enums::Update::from(hint))]
    };
    assert_eq!(said(&boxes.live(hint(GROUP, None), 0, now)), "");
    assert_eq!(said(&boxes.live(hint(ChannelId(99), Some(4)), 0, now)), "");
    boxes.tick(now + GAP);
    assert_eq!(
        boxes.next_request(now + GAP),
        None,
        "neither a stranger nor a hint without a place is followed"
    );

    boxes.live(hint(GROUP, Some(500)), 0, now);
    assert!(boxes.caught_up(), "there is nothing before it to fetch");
    assert_eq!(said(&boxes.live(vec![group(500)], 0, now)), "", "counted");
    assert_eq!(said(&boxes.live(vec![group(501)], 0, now)), "c501");
    assert_eq!(boxes.take_moved().channels, [(GROUP, 501)]);
    boxes.live(vec![group(503)], 0, now);
    boxes.tick(now + GAP);
    assert_eq!(
        boxes.next_request(now + GAP).unwrap().ask,
        Ask::ChannelDifference(501),
        "from then on a gap is one"
    );
}

/// Telegram puts single groups off for minutes; everybody else is not to wait for that.
#[test]
fn nobody_waits_for_a_group_that_is_put_off() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.live(vec![group(7)], 0, now);
    boxes.want(Key::Channel(GROUP));
    boxes.next_request(now).unwrap();
    boxes.failed(Key::Channel(GROUP), Some(Duration::from_secs(3)), now);
    assert!(!boxes.caught_up(), "that is not long");
    let later = now + Duration::from_secs(3);
    boxes.next_request(later).unwrap();
    boxes.failed(Key::Channel(GROUP), Some(Duration::from_secs(600)), later);
    assert!(boxes.caught_up());
    boxes.want(Key::Private);
    assert!(!boxes.caught_up());
    boxes.next_request(later).unwrap();
    boxes.failed(Key::Private, Some(Duration::from_secs(600)), later);
    assert!(!boxes.caught_up(), "private chats are what it is about");
}

#[test]
fn a_barred_channel_keeps_its_cursor_until_it_speaks_again() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.live(vec![group(7)], 0, now);
    boxes.want(Key::Channel(GROUP));
    boxes.next_request(now).unwrap();
    boxes.bar(Key::Channel(GROUP), now);
    assert_eq!(boxes.barred(), [GROUP]);
    assert!(boxes.caught_up());
    assert_eq!(said(&boxes.live(vec![group(20)], 0, now)), "");
    assert_eq!(
        boxes.next_request(now).unwrap().ask,
        Ask::ChannelDifference(7)
    );
}

/// Which channels are asked, and each of them answers that nothing is new, or that it is at this pts.
fn looked_at(boxes: &mut Boxes, now: Instant, moved: Option<(ChannelId, i32)>) -> Vec<i64> {
    boxes.look_at_channels(now);
    let mut asked = Vec::new();
    while let Some(request) = boxes.next_request(now) {
        let (Key::Channel(channel), Ask::ChannelDifference(pts)) = (request.key, request.ask)
        else {
            panic!("{request:?}");
        };
        let moved = moved.filter(|(which, _)| *which == channel);
        boxes.slice(
            request.key,
            whole(moved.map_or(pts, |(_, pts)| pts), 0),
            now,
        );
        asked.push(channel.0);
    }
    asked.sort_unstable();
    asked
}

#[test]
fn quiet_channels_are_looked_at_in_turn_and_those_that_missed_something_first() {
    let start = Instant::now();
    let second = |n: u64| start + Duration::from_secs(n);
    let ids: Vec<ChannelId> = (1..=6).map(ChannelId).collect();
    let cursors: Vec<(ChannelId, i32)> = ids.iter().map(|id| (*id, 100)).collect();
    let mut boxes = Boxes::new(
        Some(state(10, 3)),
        &cursors,
        ids.into_iter().collect(),
        start,
    );
    while let Some(request) = boxes.next_request(start) {
        let end = match request.key {
            Key::Private => whole(10, 3),
            Key::Channel(_) => whole(100, 0),
        };
        boxes.slice(request.key, end, start);
    }
    assert_eq!(
        looked_at(&mut boxes, start, None),
        [0; 0],
        "all were just heard"
    );
    assert_eq!(looked_at(&mut boxes, second(1), None), [1, 2, 3, 4]);
    assert_eq!(
        looked_at(&mut boxes, second(2), Some((ChannelId(5), 103))),
        [1, 2, 5, 6]
    );
    // 5 had lost something, so it does not wait for its turn; 1 speaks by itself and is not asked.
    assert_eq!(
        said(&boxes.live(vec![in_channel(ChannelId(1), 101)], 0, second(3))),
        "c101"
    );
    assert_eq!(looked_at(&mut boxes, second(3), None), [2, 3, 4, 5]);
    assert_eq!(looked_at(&mut boxes, second(4), None), [1, 2, 3, 6]);
}

#[test]
fn looks_become_rarer_when_telegram_says_wait_and_find_a_channel_that_is_back() {
    let now = Instant::now();
    let mut boxes = settled(now);
    boxes.live(vec![group(7)], 0, now);
    let at = |ms: u64| now + Duration::from_millis(ms);
    boxes.look_at_channels(at(1_000));
    let request = boxes.next_request(at(1_000)).unwrap();
    boxes.failed(request.key, Some(Duration::from_secs(1)), at(1_000));
    let again = boxes.next_request(at(2_000)).unwrap();
    boxes.bar(again.key, at(2_000));
    boxes.look_at_channels(at(6_900));
    assert_eq!(
        boxes.next_request(at(6_900)),
        None,
        "it was refused a moment ago"
    );
    boxes.look_at_channels(at(7_000));
    let back = boxes.next_request(at(7_000)).unwrap();
    assert_eq!(back.ask, Ask::ChannelDifference(7));
    boxes.slice(back.key, whole(9, 0), at(7_000));
    assert!(boxes.barred().is_empty());
    boxes.look_at_channels(at(8_000));
    assert_eq!(
        boxes.next_request(at(8_000)),
        None,
        "twice as rarely as before"
    );
    boxes.look_at_channels(at(9_000));
    assert!(boxes.next_request(at(9_000)).is_some());
}
