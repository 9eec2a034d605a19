//! Bots, logins and epochs: what the supervisor and the workers agree about through SQL.

use std::collections::BTreeSet;

use shared_core::{BotId, Epoch, LoginSlot, PoolId, UnixMs};
use shared_io::sql::{BotRow, LoginRow, LoginState};

use super::support::{Data, bot, pool};

pub async fn bots_keep_their_order_and_what_is_known_of_them(data: Data) {
    let store = data.open().await;
    let bots = store.bots();
    for row in [bot(9, 1), bot(7, 0), bot(8, 1)] {
        bots.put(&row).await.unwrap();
    }
    let order = |rows: Vec<BotRow>| rows.into_iter().map(|row| row.bot.0).collect::<Vec<_>>();
    assert_eq!(order(bots.list(&pool()).await.unwrap()), [7, 8, 9]);

    let changed = BotRow {
        username: None,
        priority: 3,
        sealed_token: "sealed1:new".into(),
        added: UnixMs(999),
        ..bot(7, 0)
    };
    bots.put(&changed).await.unwrap();
    let kept = bots.get(&pool(), BotId(7)).await.unwrap().unwrap();
    assert_eq!(
        kept.username.as_deref(),
        Some("bot_7"),
        "a known username stays"
    );
    assert_eq!((kept.added, kept.priority), (UnixMs(100), 3));
    assert_eq!(kept.sealed_token, "sealed1:new");
    bots.set_username(&pool(), BotId(7), "renamed")
        .await
        .unwrap();

    assert!(bots.retire(&pool(), BotId(7), UnixMs(5)).await.unwrap());
    assert!(!bots.retire(&pool(), BotId(7), UnixMs(6)).await.unwrap());
    assert_eq!(order(bots.list(&pool()).await.unwrap()), [8, 9]);
    let retired = bots.get(&pool(), BotId(7)).await.unwrap().unwrap();
    assert_eq!(
        (retired.retired, retired.username.as_deref()),
        (Some(UnixMs(5)), Some("renamed"))
    );
    assert_eq!(bots.list(&PoolId::new("other").unwrap()).await.unwrap(), []);
}

pub async fn a_login_belongs_to_a_bot_and_is_replaced_in_its_slot(data: Data) {
    let store = data.open().await;
    let login = |slot, key: &str| LoginRow {
        pool: pool(),
        bot: BotId(7),
        slot,
        sealed_key: key.into(),
        dc_id: 2,
        dc_addr: Some("127.0.0.1:4430".parse().unwrap()),
        made: UnixMs(3),
        state: LoginState::Live,
    };
    let logins = store.logins();
    let orphan = logins.put(&login(LoginSlot::A, "k")).await.unwrap_err();
    assert_eq!(
        orphan.to_string(),
        "storing a login of bot b7: the database refused"
    );
    assert!(!orphan.is_transient());

    store.bots().put(&bot(7, 0)).await.unwrap();
    logins.put(&login(LoginSlot::B, "kb")).await.unwrap();
    logins.put(&login(LoginSlot::A, "old")).await.unwrap();
    logins.put(&login(LoginSlot::A, "new")).await.unwrap();
    let expected = [login(LoginSlot::A, "new"), login(LoginSlot::B, "kb")];
    assert_eq!(logins.list(&pool(), BotId(7)).await.unwrap(), expected);

    assert!(
        logins
            .set_state(&pool(), BotId(7), LoginSlot::B, LoginState::Lost)
            .await
            .unwrap()
    );
    assert!(
        !logins
            .set_state(&pool(), BotId(9), LoginSlot::B, LoginState::Lost)
            .await
            .unwrap()
    );
    let lost = logins
        .get(&pool(), BotId(7), LoginSlot::B)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lost.state, LoginState::Lost);
}

pub async fn no_epoch_is_reserved_twice_whoever_asks(data: Data) {
    // Three stores are three processes as far as SQLite can tell: each has connections of its own.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let store = data.open().await;
        for _ in 0..4 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut blocks = Vec::new();
                for _ in 0..10 {
                    blocks.push(store.epochs().reserve(&pool(), 50).await.unwrap());
                }
                blocks
            });
        }
    }
    let mut given = BTreeSet::new();
    for block in tasks.join_all().await.into_iter().flatten() {
        assert_eq!(block.ceiling.0 - block.next.0, 49);
        for epoch in block.next.0..=block.ceiling.0 {
            assert!(given.insert(epoch), "{epoch} was given twice");
        }
    }
    assert_eq!(given.len(), 3 * 4 * 10 * 50);
    assert_eq!(
        (given.first(), given.last()),
        (Some(&1), Some(&6000)),
        "and none is left out"
    );
    let other = PoolId::new("other").unwrap();
    assert_eq!(
        data.open()
            .await
            .epochs()
            .reserve(&other, 1000)
            .await
            .unwrap()
            .next,
        Epoch(1)
    );
}

pub async fn a_reservation_goes_above_what_redis_has_seen(data: Data) {
    let store = data.open().await;
    let epochs = store.epochs();
    assert_eq!(epochs.ceiling(&pool()).await.unwrap(), Epoch(0));
    let block = epochs.reserve_above(&pool(), 10, Epoch(500)).await.unwrap();
    assert_eq!((block.next, block.ceiling), (Epoch(501), Epoch(510)));
    let block = epochs.reserve_above(&pool(), 10, Epoch(505)).await.unwrap();
    assert_eq!((block.next, block.ceiling), (Epoch(511), Epoch(520)));
    let block = epochs
        .reserve_above(&pool(), 10, Epoch(9000))
        .await
        .unwrap();
    assert_eq!((block.next, block.ceiling), (Epoch(9001), Epoch(9010)));
    assert_eq!(epochs.ceiling(&pool()).await.unwrap(), Epoch(9010));
    let error = epochs
        .reserve_above(&pool(), 10, Epoch(u64::MAX))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "reserving epochs of pool main: the epoch does not fit into the database"
    );
}

pub async fn one_leader_names_the_lineage(data: Data) {
    let store = data.open().await;
    let epochs = store.epochs();
    assert_eq!(epochs.lineage(&pool()).await.unwrap(), None);
    assert!(
        !epochs
            .set_lineage(&pool(), Some("never"), "x")
            .await
            .unwrap()
    );
    assert!(epochs.set_lineage(&pool(), None, "one").await.unwrap());
    assert!(!epochs.set_lineage(&pool(), None, "two").await.unwrap());
    assert!(
        epochs
            .set_lineage(&pool(), Some("one"), "two")
            .await
            .unwrap()
    );
    assert_eq!(
        epochs.lineage(&pool()).await.unwrap().as_deref(),
        Some("two")
    );
    assert_eq!(
        epochs.reserve(&pool(), 5).await.unwrap().next,
        Epoch(1),
        "a lineage takes no epochs"
    );
    assert_eq!(
        epochs.lineage(&pool()).await.unwrap().as_deref(),
        Some("two")
    );
}

pub async fn one_leader_at_a_time_is_noted_and_a_late_one_is_not(data: Data) {
    let store = data.open().await;
    let epochs = store.epochs();
    assert_eq!(epochs.leader(&pool()).await.unwrap(), None);
    let unknown = epochs.replace_leader(&pool(), None, "s#1").await.unwrap();
    assert!(!unknown, "nobody leads a pool that has no epochs");
    epochs.reserve(&pool(), 5).await.unwrap();
    assert!(epochs.replace_leader(&pool(), None, "s#1").await.unwrap());
    // Two have read the first; one of them is late.
    let read = epochs.leader(&pool()).await.unwrap();
    let replace = async |by| epochs.replace_leader(&pool(), read.as_deref(), by).await;
    assert!(replace("s#2").await.unwrap());
    assert!(!replace("s#3").await.unwrap());
    let leader = epochs.leader(&pool()).await.unwrap();
    assert_eq!(leader.as_deref(), Some("s#2"));
    epochs.reserve(&pool(), 5).await.unwrap();
    let kept = epochs.leader(&pool()).await.unwrap();
    assert_eq!(kept, leader, "a reservation changes no leader");
}
