//! What is remembered about bringing members to a bot: announcements that stand, hints that were given, invitations that were followed.

use std::collections::BTreeMap;

use shared_core::{BotId, ChannelId, Epoch, MemberId, MessageId, UnixMs};
use shared_io::redis::{Announcement, Counter, LeaseAnswer, PrivateChange, STANDING_MAX, Survey};

use crate::build::*;
use crate::server::RedisServer;

fn announcement(channel: i64, message: i32, at: i64) -> Announcement {
    Announcement {
        channel: ChannelId(channel),
        message: MessageId(message),
        bot: BOT,
        at: UnixMs(at),
    }
}

#[tokio::test]
async fn announcements_stand_until_they_are_forgotten() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    assert_eq!(pool.announcements().await.unwrap(), []);
    let (late, early) = (announcement(8, 20, 9_000), announcement(7, 20, 1_000));
    for one in [&late, &early, &late] {
        pool.note_announcement(one).await.unwrap();
    }
    assert_eq!(pool.announcements().await.unwrap(), [early, late]);
    pool.forget_announcements(&[]).await.unwrap();
    pool.forget_announcements(&[early, announcement(7, 21, 0)])
        .await
        .unwrap();
    assert_eq!(pool.announcements().await.unwrap(), [late]);
}

#[tokio::test]
async fn of_more_announcements_than_are_kept_the_earliest_go() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let most = i32::try_from(STANDING_MAX).unwrap();
    for number in (1..=most + 3).rev() {
        let one = announcement(8, number, i64::from(number) * 1_000);
        pool.note_announcement(&one).await.unwrap();
    }
    // The earlier ones came last here, and are not kept: what is kept is by its date.
    let standing = pool.announcements().await.unwrap();
    assert_eq!(standing.len(), STANDING_MAX);
    assert_eq!(standing[0].message, MessageId(4));
}

#[tokio::test]
async fn a_hint_counts_for_one_member_one_change_of_bots_and_some_hours() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let (member, change, next) = (MemberId(5), Epoch(7), Epoch(9));
    let hours = |hours: i64| UnixMs(1_700_000_000_000 + hours * 3_600_000);
    let told = async |member, change, at| pool.was_hinted(BOT, member, change, at).await.unwrap();
    assert!(!told(member, change, hours(0)).await);
    pool.note_hint(BOT, member, change, hours(0)).await.unwrap();
    assert!(told(member, change, hours(5)).await);
    assert!(!told(member, next, hours(0)).await, "the bots have changed");
    assert!(!told(MemberId(6), change, hours(0)).await);
    assert!(!told(member, change, hours(6)).await, "long ago");
    // What is long ago is forgotten when the next one is noted.
    pool.note_hint(BOT, MemberId(6), change, hours(7))
        .await
        .unwrap();
    assert!(!told(member, change, hours(0)).await);
    assert!(told(MemberId(6), change, hours(7)).await);
}

#[tokio::test]
async fn an_invitation_that_is_followed_counts_where_the_bot_was_not_started_before() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    let mine = lease(BOT, "w1", 1);
    assign(&pool, &[assignment(BOT, "w1", 9)]).await;
    pool.renew_leases(&[claim(&mine, 9)], LONG).await.unwrap();
    let change = |started: &[i64], invited: &[i64], stopped: &[i64]| {
        let of = |ids: &[i64]| ids.iter().copied().map(MemberId).collect();
        PrivateChange {
            started: of(started),
            invited: of(invited),
            stopped: of(stopped),
            ..Default::default()
        }
    };
    for (change, count) in [
        (change(&[1], &[], &[]), 0),
        // 1 had started it before, 2 had not, and a replay changes nothing.
        (change(&[1, 2], &[1, 2], &[]), 1),
        (change(&[2], &[2], &[]), 1),
        (change(&[3], &[3, 3], &[]), 2),
    ] {
        let held = pool.commit_private(&mine, &change).await.unwrap();
        assert_eq!(held, LeaseAnswer::Held);
        let counters = pool.counters().await.unwrap();
        assert_eq!(counters.get(Counter::InvitedStarted), count, "{change:?}");
    }
    assert_eq!(pool.reach(BOT).await.unwrap(), 3);
    let other = BotId(72);
    let members = [MemberId(1), MemberId(3), MemberId(4)];
    let counts = pool.reached_of(&[other, BOT], &members).await.unwrap();
    assert_eq!(counts, [0, 2]);
    assert_eq!(pool.reached_of(&[BOT], &[]).await.unwrap(), [0]);
}

#[tokio::test]
async fn a_survey_reads_back_and_none_is_none() {
    let server = RedisServer::start();
    let pool = led_pool(&server.state().await).await;
    assert_eq!(pool.survey().await.unwrap(), None);
    let survey = Survey {
        at: UnixMs(7),
        open: 3,
        reached: BTreeMap::from([(BOT, 2), (BotId(72), 0)]),
    };
    pool.set_survey(&survey).await.unwrap();
    assert_eq!(pool.survey().await.unwrap(), Some(survey));
}
