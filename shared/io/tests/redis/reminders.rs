//! Reminders: found by how long a member has been silent, once a silence, whoever looks and however often; nothing stands anywhere before.

use std::time::Duration;

use shared_core::{DueTimer, EpochStamp, Timer, TimerKey, UnixMs};
use shared_io::clock;
use shared_io::redis::{Committed, DueTimers, EpochAnswer, PoolState, Settles};

use crate::build::*;
use crate::server::RedisServer;

pub const HOUR: i64 = 3_600_000;
pub const SILENCE: Duration = Duration::from_secs(3600);
/// Between two moments of a test.
pub const WHILE: i64 = 60_000;

/// A pool with an open epoch, in which everybody ever active is still to be looked for.
pub struct Scene {
    pub server: RedisServer,
    pub pool: PoolState,
    pub stamp: EpochStamp,
    pub now: i64,
}

impl Scene {
    pub async fn open() -> Self {
        let server = RedisServer::start();
        let (pool, stamp) = open_pool(&server.state().await).await;
        let now = clock::unix_now().0;
        let scene = Self {
            server,
            pool,
            stamp,
            now,
        };
        scene.set_mark(0).await;
        scene
    }

    pub async fn set_mark(&self, at: i64) {
        let mut raw = self.server.raw().await;
        let mut set = redis::cmd("SET");
        set.arg("us:{main}:reminded").arg(at);
        set.exec_async(&mut raw).await.unwrap();
    }

    pub async fn mark(&self) -> Option<i64> {
        let mut raw = self.server.raw().await;
        let mut get = redis::cmd("GET");
        get.arg("us:{main}:reminded");
        get.query_async(&mut raw).await.unwrap()
    }

    /// Puts a member of a sorted set there as no commit does.
    pub async fn plant(&self, set: &str, name: &str, at: i64) {
        let mut raw = self.server.raw().await;
        let mut plant = redis::cmd("ZADD");
        plant.arg(format!("us:{{main}}:{set}")).arg(at).arg(name);
        plant.exec_async(&mut raw).await.unwrap();
    }

    pub async fn commit(
        &self,
        member: i64,
        version: u64,
        open: Option<i64>,
        active: bool,
        settles: Option<Settles>,
    ) -> Committed {
        let (key, text) = (conversation(member), stored(version + 1, "x"));
        let mut change = commit(self.stamp, &key, version, &text);
        change.open = open.map(UnixMs);
        change.active = active;
        change.settles = settles;
        self.pool.commit(&change).await.unwrap()
    }

    /// The member does something, at that moment of his worker's clock.
    pub async fn acts(&self, member: i64, version: u64, at: i64) {
        let done = self.commit(member, version, Some(at), true, None).await;
        assert!(matches!(done, Committed::Done { .. }), "{done:?}");
    }

    pub async fn silent_for(&self, after: Option<Duration>, limit: usize) -> DueTimers {
        match self.pool.due_timers(self.stamp, after, limit).await {
            Ok(EpochAnswer::Done(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    pub async fn look(&self) -> DueTimers {
        self.silent_for(Some(SILENCE), 100).await
    }

    pub async fn timers(&self) -> u64 {
        self.pool.timer_count().await.unwrap()
    }

    pub async fn open_since(&self, member: i64) -> Option<i64> {
        let since = self.pool.open_since(&conversation(member)).await.unwrap();
        since.map(|at| at.0)
    }
}

pub fn reminder(member: i64, due: i64) -> DueTimer {
    DueTimer {
        key: TimerKey {
            conversation: conversation(member),
            timer: Timer::Reminder,
        },
        due: UnixMs(due),
    }
}

/// About this long, by a clock that has gone on since.
pub fn is_about(next: Option<Duration>, ms: i64) -> bool {
    let next = i64::try_from(next.unwrap().as_millis()).unwrap();
    (ms - 30_000..=ms).contains(&next)
}

#[tokio::test]
async fn nothing_stands_anywhere_before_it_is_due_and_the_wait_is_known() {
    let scene = Scene::open().await;
    assert_eq!(scene.look().await, DueTimers::default(), "nobody at all");
    scene.acts(5, 0, scene.now).await;
    scene.acts(6, 0, scene.now - WHILE).await;
    let looked = scene.look().await;
    assert_eq!(looked.timers, []);
    assert!(is_about(looked.next, HOUR - WHILE), "{looked:?}");
    assert_eq!((scene.timers().await, scene.mark().await), (0, Some(0)));
    // A timer that was put off is sooner, and then it is not.
    scene
        .plant("timers", "reminder@m7", scene.now + WHILE)
        .await;
    assert!(is_about(scene.look().await.next, WHILE));
    scene
        .plant("timers", "reminder@m7", scene.now + 2 * HOUR)
        .await;
    assert!(is_about(scene.look().await.next, HOUR - WHILE));
}

#[tokio::test]
async fn who_has_been_silent_for_so_long_is_found_and_once_a_silence() {
    let scene = Scene::open().await;
    let since = scene.now - HOUR - WHILE;
    scene.acts(5, 0, since).await;
    scene.acts(6, 0, scene.now).await;
    let due = reminder(5, since + HOUR);
    for look in ["first", "before it is settled"] {
        assert_eq!(scene.look().await.timers, [due], "{look}");
    }
    assert_eq!((scene.timers().await, scene.mark().await), (1, Some(since)));
    let settles = Some(Settles::Timer(due));
    let told = scene.commit(5, 1, Some(since), false, settles).await;
    assert!(matches!(told, Committed::Done { .. }), "{told:?}");
    let again = scene.commit(5, 2, Some(since), false, settles).await;
    assert_eq!(again, Committed::Gone);
    assert_eq!(scene.look().await.timers, []);
    assert_eq!(scene.open_since(5).await, Some(since));

    // Words of others and a switch begin no other silence.
    let told = scene.commit(5, 2, Some(since), false, None).await;
    assert!(matches!(told, Committed::Done { .. }), "{told:?}");
    assert_eq!(scene.look().await.timers, []);
    // He does.
    scene.acts(5, 3, scene.now - HOUR - 1).await;
    assert_eq!(scene.look().await.timers, [reminder(5, scene.now - 1)]);
}

#[tokio::test]
async fn what_the_member_does_takes_a_timer_out_and_what_was_delivered_before_is_gone() {
    for ends in [false, true] {
        let scene = Scene::open().await;
        let since = scene.now - HOUR - WHILE;
        scene.acts(5, 0, since).await;
        let due = scene.look().await.timers[0];
        // Shown where he stands, he is as silent as before.
        let shown = scene.commit(5, 1, Some(since), false, None).await;
        assert!(matches!(shown, Committed::Done { .. }));
        assert_eq!(scene.look().await.timers, [due]);

        let open = (!ends).then_some(scene.now);
        let done = scene.commit(5, 2, open, true, None).await;
        assert!(matches!(done, Committed::Done { .. }));
        assert_eq!((scene.timers().await, scene.open_since(5).await), (0, open));
        let settles = Some(Settles::Timer(due));
        let late = scene.commit(5, 3, open, false, settles).await;
        assert_eq!(late, Committed::Gone);
        let looked = scene.look().await;
        assert_eq!(looked.timers, []);
        assert_eq!(looked.next.is_none(), ends, "{looked:?}");
    }
}

/// Opened by one update and ended by another that was no doing of his.
#[tokio::test]
async fn whatever_ends_what_is_open_takes_its_timer_out() {
    let scene = Scene::open().await;
    scene.acts(5, 0, scene.now - 2 * HOUR).await;
    assert_eq!(scene.look().await.timers.len(), 1);
    let done = scene.commit(5, 1, None, false, None).await;
    assert!(matches!(done, Committed::Done { .. }));
    assert_eq!(scene.look().await, DueTimers::default());
}

#[tokio::test]
async fn a_refused_commit_takes_no_timer_out() {
    let scene = Scene::open().await;
    let since = scene.now - 2 * HOUR;
    scene.acts(5, 0, since).await;
    let found = scene.look().await;
    let stale = scene.commit(5, 0, Some(scene.now), true, None).await;
    assert_eq!(stale, Committed::Stale { version: 1 });
    assert_eq!(scene.look().await, found);
    assert_eq!(scene.open_since(5).await, Some(since));
}

/// In portions of any size: everybody once, also where many were active in one millisecond.
#[tokio::test]
async fn nobody_is_passed_over_where_a_portion_ends() {
    let at = [1, 2, 3, 3, 3, 4, 5, 5];
    for limit in 1..=at.len() + 1 {
        let scene = Scene::open().await;
        for (member, at) in (1..).zip(at) {
            scene.acts(member, 0, at).await;
        }
        let mut found = Vec::new();
        loop {
            let portion = scene.silent_for(Some(SILENCE), limit).await.timers;
            assert!(portion.len() <= limit);
            if portion.is_empty() {
                break;
            }
            for due in portion {
                let member = due.key.conversation.member.0;
                let open = scene.open_since(member).await;
                let settles = Some(Settles::Timer(due));
                let told = scene.commit(member, 1, open, false, settles).await;
                assert!(matches!(told, Committed::Done { .. }), "{told:?}");
                found.push((member, due.due.0 - HOUR));
            }
        }
        found.sort_unstable();
        let expected: Vec<(i64, i64)> = (1..).zip(at).collect();
        assert_eq!(found, expected, "portions of {limit}");
    }
}

/// As many as are asked for have timers, not all who are late: a pool that was away for a day is not held up by one script.
#[tokio::test]
async fn a_portion_is_bounded() {
    let scene = Scene::open().await;
    for member in 1..=10 {
        scene.acts(member, 0, member).await;
    }
    let looked = scene.silent_for(Some(SILENCE), 4).await;
    assert_eq!(looked.timers.len(), 4);
    assert_eq!(looked.next, Some(Duration::ZERO), "the others are late");
    assert_eq!((scene.timers().await, scene.mark().await), (4, Some(4)));
}

/// One that is there keeps its moment: it may be on its way.
#[tokio::test]
async fn a_timer_that_is_there_is_not_made_another_one() {
    let scene = Scene::open().await;
    scene.acts(5, 0, scene.now - 2 * HOUR).await;
    let older = scene.now - HOUR + 7;
    scene.plant("timers", "reminder@m5", older).await;
    assert_eq!(scene.look().await.timers, [reminder(5, older)]);
}

#[tokio::test]
async fn who_is_fenced_finds_nobody() {
    let scene = Scene::open().await;
    scene.acts(5, 0, scene.now - 2 * HOUR).await;
    let fence = scene
        .pool
        .fence(&leader(), stamp(2, 2), UnixMs(1), "fenced")
        .await;
    assert_eq!(fence.unwrap(), shared_io::redis::FenceAnswer::Fenced);
    for stamp in [scene.stamp, stamp(2, 2)] {
        let found = scene.pool.due_timers(stamp, Some(SILENCE), 9).await;
        assert!(matches!(found, Ok(EpochAnswer::Fenced { .. })), "{found:?}");
        let off = scene.pool.due_timers(stamp, None, 9).await;
        assert!(matches!(off, Ok(EpochAnswer::Fenced { .. })), "{off:?}");
    }
    assert_eq!((scene.timers().await, scene.mark().await), (0, Some(0)));
}

#[tokio::test]
async fn a_name_that_no_program_knows_blocks_nobody() {
    let scene = Scene::open().await;
    scene.plant("open", "of a later program", 1).await;
    scene.plant("open", "m5", 2).await;
    scene.plant("timers", "later@m5", 1).await;
    let found = scene.silent_for(Some(SILENCE), 3).await;
    assert_eq!(found.timers, [reminder(5, 2 + HOUR)]);
    assert_eq!(scene.timers().await, 1, "out of the way");
    assert_eq!(scene.look().await.timers, [reminder(5, 2 + HOUR)]);
}
