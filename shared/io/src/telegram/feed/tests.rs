//! The feed over scripted answers: batches, gaps, slices, and what is asked for when.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use grammers_client::sender::SenderPool;
use shared_core::{BoxId, IncomingKind, MemberId, MessageId, QueryId, UnixMs};

use super::*;
use crate::telegram::boxes::{Ask, Key};
use crate::telegram::session::LineSession;

const ME: BotId = BotId(7_000_001);
const GROUP: ChannelId = ChannelId(50);
const PRIVATE: BoxState = BoxState {
    pts: 10,
    qts: 3,
    date: 9,
};

/// A feed over a pool that nobody drives: what is asked waits for ever, answers are given by hand.
fn feed() -> UpdateFeed {
    let session = Arc::new(LineSession::new(None, None));
    let pool = SenderPool::new(Arc::clone(&session), 1);
    let calls = Calls::new(pool.handle.thin.clone(), session, Duration::from_secs(1));
    let start = start(PRIVATE, vec![(GROUP, 100)]);
    UpdateFeed::new(RawUpdates(pool.updates), calls, start)
}

fn start(private: BoxState, channels: Vec<(ChannelId, i32)>) -> FeedStart {
    FeedStart {
        private: Some(private),
        channels,
        groups: HashSet::from([GROUP]),
        posts: HashSet::new(),
        own_bots: HashSet::new(),
        me: ME,
    }
}

/// Answers the next request for this box.
fn answer(feed: &mut UpdateFeed, key: Key, answer: Answer) -> Vec<Batch> {
    let now = Instant::now();
    let request = loop {
        let request = feed.boxes.next_request(now).unwrap();
        if request.key == key {
            break request;
        }
    };
    let answer = Ok(answer);
    feed.fetched(Fetched { request, answer }).unwrap();
    feed.ready.drain(..).collect()
}

/// Both boxes are where they were.
fn settle(feed: &mut UpdateFeed) {
    let empty = tl::types::updates::DifferenceEmpty { date: 70, seq: 1 };
    answer(feed, Key::Private, Answer::Private(Box::new(empty.into())));
    answer(
        feed,
        Key::Channel(GROUP),
        channel_difference(true, 100, vec![]),
    );
    assert!(feed.caught_up());
}

fn channel_difference(last: bool, pts: i32, other_updates: Vec<tl::enums::Update>) -> Answer {
    let difference = tl::types::updates::ChannelDifference {
        r#final: last,
        pts,
        timeout: None,
        new_messages: vec![],
        other_updates,
        chats: vec![],
        users: vec![],
    };
    Answer::Channel(Box::new(difference.into()))
}

fn private_difference(other_updates: Vec<tl::enums::Update>) -> Answer {
    let difference = tl::types::updates::Difference {
        new_messages: vec![],
        new_encrypted_messages: vec![],
        other_updates,
        chats: vec![],
        users: vec![],
        state: tl::types::updates::State {
            pts: 20,
            qts: 5,
            date: 99,
            seq: 7,
            unread_count: 0,
        }
        .into(),
    };
    Answer::Private(Box::new(difference.into()))
}

fn stopped(qts: i32) -> tl::enums::Update {
    tl::types::UpdateBotStopped {
        user_id: 42,
        date: 50,
        stopped: true,
        qts,
    }
    .into()
}

fn deleted_in_group(pts: i32) -> tl::enums::Update {
    tl::types::UpdateDeleteChannelMessages {
        channel_id: GROUP.0,
        messages: vec![1],
        pts,
        pts_count: 1,
    }
    .into()
}

#[tokio::test]
async fn a_difference_that_is_too_long_is_counted_and_followed_by_the_rest() {
    let mut feed = feed();
    let too_long = tl::types::updates::DifferenceTooLong { pts: 510 };
    let batches = answer(
        &mut feed,
        Key::Private,
        Answer::Private(Box::new(too_long.into())),
    );
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].unknown, 500);
    assert_eq!(batches[0].private_after.unwrap().pts, 510);
    let next = feed.boxes.next_request(Instant::now()).unwrap();
    assert_eq!(
        next.ask,
        Ask::PrivateDifference(BoxState {
            pts: 510,
            ..PRIVATE
        })
    );
}

fn channel_too_long(pts: Option<i32>) -> Answer {
    let group = tl::types::PeerChannel {
        channel_id: GROUP.0,
    };
    let dialog = tl::types::Dialog {
        pinned: false,
        unread_mark: false,
        view_forum_as_messages: false,
        peer: group.into(),
        top_message: 9,
        read_inbox_max_id: 9,
        read_outbox_max_id: 9,
        unread_count: 0,
        unread_mentions_count: 0,
        unread_reactions_count: 0,
        unread_poll_votes_count: 0,
        notify_settings: notify_settings(),
        pts,
        draft: None,
        folder_id: None,
        ttl_period: None,
    };
    let difference = tl::types::updates::ChannelDifferenceTooLong {
        r#final: true,
        timeout: None,
        dialog: dialog.into(),
        messages: vec![],
        chats: vec![],
        users: vec![],
    };
    Answer::Channel(Box::new(difference.into()))
}

fn notify_settings() -> tl::enums::PeerNotifySettings {
    tl::types::PeerNotifySettings {
        show_previews: None,
        silent: None,
        mute_until: None,
        ios_sound: None,
        android_sound: None,
        other_sound: None,
        stories_muted: None,
        stories_hide_sender: None,
        stories_ios_sound: None,
        stories_android_sound: None,
        stories_other_sound: None,
    }
    .into()
}

#[tokio::test]
async fn a_channel_difference_that_is_too_long_is_counted_and_gone_on_behind() {
    let mut feed = feed();
    settle(&mut feed);
    feed.boxes.want(Key::Channel(GROUP));
    let batches = answer(&mut feed, Key::Channel(GROUP), channel_too_long(Some(350)));
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].unknown, 250);
    assert_eq!(batches[0].channels_after, [(GROUP, 350)]);
    assert!(batches[0].items.is_empty() && batches[0].private_after.is_none());
    assert!(feed.caught_up(), "it was the last one");
    feed.received(UpdatesLike::Updates(
        tl::types::UpdateShort {
            update: deleted_in_group(351),
            date: 0,
        }
        .into(),
    ));
    let next = feed.ready.pop_front().unwrap();
    assert_eq!(next.channels_after, [(GROUP, 351)]);
    assert_eq!(next.unknown, 0, "once");
}

/// How much was skipped is not known then, but that something was.
#[tokio::test]
async fn a_channel_that_is_too_long_and_does_not_say_where_it_is_is_asked_for_its_place() {
    let mut feed = feed();
    settle(&mut feed);
    feed.boxes.want(Key::Channel(GROUP));
    let key = Key::Channel(GROUP);
    let batches = answer(&mut feed, key, channel_too_long(None));
    assert!(batches.is_empty(), "no cursor moves before that");
    assert!(!feed.caught_up());
    let placed = Answer::Where(BoxState {
        pts: 420,
        ..BoxState::default()
    });
    let request = feed.boxes.next_request(Instant::now()).unwrap();
    assert_eq!((request.key, request.ask), (key, Ask::Where));
    let answer = Ok(placed);
    feed.fetched(Fetched { request, answer }).unwrap();
    let batches: Vec<Batch> = feed.ready.drain(..).collect();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].unknown, 1);
    assert_eq!(batches[0].channels_after, [(GROUP, 420)]);
    assert!(feed.caught_up());
}

fn heard(what: IncomingKind) -> Incoming {
    Incoming {
        r#box: BoxId::Private(ME),
        place: Place::Private,
        member: MemberId(42),
        name: "Ada".into(),
        date: UnixMs(50_000),
        what,
    }
}

#[tokio::test]
async fn one_that_begins_again_asks_from_its_new_cursor_and_has_lost_no_press() {
    let mut feed = feed();
    settle(&mut feed);
    let stopped = heard(IncomingKind::Stopped { stopped: true });
    let press = heard(IncomingKind::Press {
        query: QueryId(1),
        message: MessageId(3),
        data: "1.Done".into(),
    });
    feed.ready.push_back(Batch {
        items: vec![stopped, press.clone()],
        private_after: Some(PRIVATE),
        channels_after: vec![(GROUP, 101)],
        ..Batch::default()
    });
    let behind = BoxState { pts: 7, ..PRIVATE };
    feed.begin_again(start(behind, vec![]));
    let next = feed.next().await.unwrap();
    let only_the_press = Batch {
        items: vec![press],
        ..Batch::default()
    };
    assert_eq!(next, only_the_press, "no cursor moves with it");
    assert!(!feed.caught_up());
    let request = feed.boxes.next_request(Instant::now()).unwrap();
    assert_eq!(request.ask, Ask::PrivateDifference(behind));
}

#[tokio::test]
async fn what_the_state_of_a_difference_already_counts_is_not_taken_for_old() {
    let mut feed = feed();
    let batches = answer(
        &mut feed,
        Key::Private,
        private_difference(vec![stopped(4)]),
    );
    assert!(matches!(
        batches[0].items[0].what,
        IncomingKind::Stopped { stopped: true }
    ));
    assert_eq!(
        batches[0].private_after,
        Some(BoxState {
            pts: 20,
            qts: 5,
            date: 99
        })
    );
}

#[tokio::test]
async fn channels_in_a_private_difference_keep_their_own_counters() {
    let mut feed = feed();
    settle(&mut feed);
    feed.boxes.want(Key::Private);
    let news = vec![deleted_in_group(101), deleted_in_group(100), stopped(4)];
    let batches = answer(&mut feed, Key::Private, private_difference(news));
    assert_eq!(batches.len(), 2);
    assert!(batches[0].from_difference && batches[0].channels_after.is_empty());
    assert_eq!(batches[1].channels_after, [(GROUP, 101)]);
    assert!(!batches[1].from_difference);
}

#[tokio::test]
async fn an_empty_slice_is_told_so_that_catching_up_is_noticed() {
    let mut feed = feed();
    let empty = tl::types::updates::DifferenceEmpty { date: 70, seq: 1 };
    let batches = answer(
        &mut feed,
        Key::Private,
        Answer::Private(Box::new(empty.into())),
    );
    assert_eq!(
        batches,
        [Batch {
            from_difference: true,
            ..Batch::default()
        }]
    );
    assert!(!feed.caught_up(), "the channel is outstanding");
}

#[tokio::test]
async fn an_unfinished_channel_difference_goes_on_from_its_slice() {
    let mut feed = feed();
    let key = Key::Channel(GROUP);
    let batches = answer(&mut feed, key, channel_difference(false, 130, vec![]));
    assert_eq!(batches[0].channels_after, [(GROUP, 130)]);
    let next = feed.boxes.next_request(Instant::now()).unwrap();
    assert_eq!((next.key, next.ask), (key, Ask::ChannelDifference(130)));
}

#[tokio::test]
async fn an_answer_to_a_question_that_is_void_changes_nothing() {
    let mut feed = feed();
    let now = Instant::now();
    let request = loop {
        let request = feed.boxes.next_request(now).unwrap();
        if request.key == Key::Channel(GROUP) {
            break request;
        }
    };
    feed.set_channels(&[(GROUP, 60)]);
    let answer = Ok(channel_difference(true, 130, vec![]));
    feed.fetched(Fetched { request, answer }).unwrap();
    assert!(feed.ready.is_empty());
    let next = feed.boxes.next_request(now).unwrap();
    assert_eq!(next.ask, Ask::ChannelDifference(60));
}

#[tokio::test]
async fn a_full_channel_means_that_every_box_is_asked_again() {
    let mut feed = feed();
    settle(&mut feed);
    feed.overflowed = true;
    feed.received(UpdatesLike::Updates(
        tl::types::Updates {
            updates: vec![],
            users: vec![],
            chats: vec![],
            date: 0,
            seq: 0,
        }
        .into(),
    ));
    let now = Instant::now();
    assert!(feed.boxes.next_request(now).is_some() && feed.boxes.next_request(now).is_some());
}

/// Who is denied his rights and stays in the group is refused nothing there: this is all that tells him.
#[tokio::test]
async fn what_a_bot_may_do_in_a_channel_is_told_when_it_is_changed_live_or_in_a_difference() {
    let changed = |user: BotId, qts: i32| -> tl::enums::Update {
        tl::types::UpdateChannelParticipant {
            via_chatlist: false,
            channel_id: GROUP.0,
            date: 50,
            actor_id: 42,
            user_id: user.0,
            prev_participant: None,
            new_participant: None,
            invite: None,
            qts,
        }
        .into()
    };
    let mut feed = feed();
    let missed = vec![changed(ME, 4), changed(BotId(42), 5)];
    let batches = answer(&mut feed, Key::Private, private_difference(missed));
    assert_eq!(batches[0].standing, [GROUP]);
    for (user, qts, told) in [(BotId(42), 6, vec![]), (ME, 7, vec![GROUP])] {
        let update = changed(user, qts);
        let live = tl::types::UpdateShort { update, date: 60 };
        feed.received(UpdatesLike::Updates(live.into()));
        let batch = feed.ready.pop_front().unwrap();
        assert_eq!(batch.standing, told);
        assert_eq!(batch.private_after.unwrap().qts, qts, "all are counted");
    }
}
