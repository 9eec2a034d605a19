//! Login attempts, overrides, admin actions, and the events of all pools.

use serde_json::json;
use shared_core::{BotId, Laid, LoginSlot, MemberId, Nonce, PoolId, Scheduled, UnixMs};
use shared_io::sql::{
    AdminAction, AdminVerdict, Event, EventKind, LoginAttempt, LoginOutcome, OverridesRow, Via, Who,
};

use super::support::{Data, leads, pool};

fn attempt(id: u8, bot: i64, at: i64) -> LoginAttempt {
    LoginAttempt {
        id: Nonce([id; 8]),
        pool: pool(),
        bot: BotId(bot),
        slot: LoginSlot::B,
        at: UnixMs(at),
        outcome: LoginOutcome::Made,
        not_before: None,
    }
}

pub async fn login_attempts_are_counted_per_bot_and_forgotten_once_their_waiting_has_ended(
    data: Data,
) {
    let store = data.open().await;
    let attempts = store.login_attempts();
    let waiting = LoginAttempt {
        outcome: LoginOutcome::Refused,
        not_before: Some(UnixMs(5_000)),
        ..attempt(2, 7, 20)
    };
    for row in [
        &attempt(1, 7, 10),
        &waiting,
        &attempt(3, 7, 30),
        &attempt(4, 8, 25),
    ] {
        attempts.add(row).await.unwrap();
    }
    attempts.add(&attempt(3, 7, 99)).await.unwrap();
    let since = async |at| {
        let listed = attempts.since(&pool(), BotId(7), UnixMs(at)).await;
        listed.unwrap()
    };
    assert_eq!(since(20).await, [attempt(3, 7, 30), waiting.clone()]);
    assert_eq!(since(31).await, []);
    assert_eq!(attempts.prune(UnixMs(30)).await.unwrap(), 2);
    assert_eq!(since(0).await, [attempt(3, 7, 30), waiting.clone()]);
    assert_eq!(attempts.prune(UnixMs(5_001)).await.unwrap(), 2);
    assert_eq!(since(0).await, []);
}

pub async fn overrides_are_replaced_as_a_whole(data: Data) {
    let store = data.open().await;
    leads(&store, "s#1").await;
    assert_eq!(store.overrides().get(&pool()).await.unwrap(), None);
    let pinned = OverridesRow {
        pool: pool(),
        paused_at: Some(UnixMs(1)),
        paused_by: Some("m5".into()),
        pinned: Some(BotId(7)),
        pinned_at: Some(UnixMs(2)),
        pinned_by: Some("cli:root".into()),
        scheduled: Some(Scheduled {
            to: None,
            due: UnixMs(9),
            fires: Nonce([4; 8]),
            laid: Laid {
                at: UnixMs(2),
                by: "cli:root".into(),
            },
        }),
    };
    let by_another = store.overrides().put(&pinned, "s#2").await.unwrap();
    assert!(!by_another, "who does not lead lays nothing down");
    assert_eq!(store.overrides().get(&pool()).await.unwrap(), None);
    assert!(store.overrides().put(&pinned, "s#1").await.unwrap());
    assert_eq!(
        store.overrides().get(&pool()).await.unwrap(),
        Some(pinned.clone())
    );
    let resumed = OverridesRow {
        paused_at: None,
        paused_by: None,
        ..pinned.clone()
    };
    assert!(store.overrides().put(&resumed, "s#1").await.unwrap());
    leads(&store, "s#2").await;
    let by_former = store.overrides().put(&pinned, "s#1").await.unwrap();
    assert!(!by_former, "who led lays nothing down any more");
    assert_eq!(store.overrides().get(&pool()).await.unwrap(), Some(resumed));
    let other = PoolId::new("other").unwrap();
    assert_eq!(store.overrides().get(&other).await.unwrap(), None);
}

pub async fn admin_actions_are_kept_as_they_came_first(data: Data) {
    let store = data.open().await;
    let action = |id: u8, who, via, verdict| AdminAction {
        id: Nonce([id; 8]),
        pool: pool(),
        at: UnixMs(i64::from(id)),
        who,
        via,
        action: "switch".into(),
        verdict,
        details: json!({"to": "b8", "why": "it's time"}),
    };
    let root = || Who::Cli("root".into());
    let rows = [
        action(
            1,
            Who::Member(MemberId(5)),
            Via::Bot(BotId(7)),
            AdminVerdict::Refused,
        ),
        action(2, root(), Via::Cli, AdminVerdict::Allowed),
        action(3, root(), Via::Cli, AdminVerdict::Expired),
        action(4, root(), Via::Cli, AdminVerdict::Forged),
        action(5, root(), Via::Cli, AdminVerdict::Repeated),
        action(6, root(), Via::Cli, AdminVerdict::Failed),
        action(7, root(), Via::Cli, AdminVerdict::Done),
    ];
    for row in &rows {
        store.admin_actions().add(row).await.unwrap();
    }
    let again = AdminAction {
        verdict: AdminVerdict::Allowed,
        ..rows[0].clone()
    };
    store.admin_actions().add(&again).await.unwrap();
    let latest_first: Vec<_> = rows.iter().rev().cloned().collect();
    let listed = store.admin_actions().list(&pool(), 10).await.unwrap();
    assert_eq!(listed, latest_first);
    let listed = store.admin_actions().list(&pool(), 2).await.unwrap();
    assert_eq!(listed, latest_first[..2]);
}

pub async fn the_events_of_all_pools_can_be_followed_without_missing_one(data: Data) {
    let store = data.open().await;
    let event = |id: u8, at, pool, kind| Event {
        id: Nonce([id; 8]),
        pool,
        at: UnixMs(at),
        kind,
        subject: "b7".into(),
        details: json!({}),
    };
    let other = PoolId::new("other").ok();
    let events = [
        event(1, 10, Some(pool()), EventKind::LoginReplaced),
        event(2, 20, other.clone(), EventKind::Paused),
        event(3, 20, None, EventKind::Resumed),
        event(4, 30, other, EventKind::Pinned),
        event(5, 40, Some(pool()), EventKind::Unpinned),
        event(6, 50, Some(pool()), EventKind::OrderRefused),
    ];
    for event in &events {
        store.events().add(event).await.unwrap();
    }
    let all = async |limit, after: Option<i64>| {
        let listed = store.events().list_all(limit, after.map(UnixMs)).await;
        listed.unwrap()
    };
    assert_eq!(all(10, None).await, events);
    assert_eq!(all(2, None).await, events[4..]);
    assert_eq!(all(10, Some(20)).await, events[1..]);
    assert_eq!(all(2, Some(20)).await, events[1..3]);
    assert_eq!(all(10, Some(51)).await, []);
}
