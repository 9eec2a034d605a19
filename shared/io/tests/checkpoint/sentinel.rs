//! Behind Sentinels: a copy that takes over without the last commits goes on, and SQL has nothing that it lacks.

use std::time::Duration;

use redis_servers::{Settings, Watched};
use shared_core::Secret;
use shared_io::checkpoint::{CheckpointError, Checkpointer};
use shared_io::redis::{LeadAnswer, PoolState, RedisState, RedisTimeouts, StateError};
use shared_io::sql::Store;

use crate::build::*;
use crate::stage::{BOTS, MARK, say};
use crate::support::Data;

const TIMEOUTS: RedisTimeouts = RedisTimeouts {
    connect: Duration::from_secs(2),
    response: Duration::from_secs(2),
};
const PATIENCE: Duration = Duration::from_secs(60);

async fn open(pool: &PoolState, store: &Store, writer: u64) -> Checkpointer {
    let held = pool.held_to(pool.history());
    let bots = BOTS.to_vec();
    let opened = Checkpointer::open(held, store.clone(), leader(), MARK.to_owned(), bots, writer);
    opened.await.unwrap()
}

/// The turn, and the version of the only conversation.
async fn copied(store: &Store) -> (u64, u64) {
    let checkpoints = store.checkpoints();
    let head = checkpoints.head(&pool_id()).await.unwrap().unwrap();
    let rows = checkpoints.conversations(&pool_id(), "", 9).await.unwrap();
    (head.turn, rows[0].version)
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_never_has_what_the_copies_of_redis_lack() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    let data = Data::sqlite();
    let store = data.open().await;
    let url = Secret::new(watched.url());
    let state = RedisState::connect(&url, "us", TIMEOUTS).await.unwrap();
    let (pool, stamp) = open_pool(&state).await;
    let marked = pool.set_lineage(&leader(), MARK).await.unwrap();
    assert_eq!(marked, LeadAnswer::Done);
    let mut copying = open(&pool, &store, 1).await;
    say(&pool, stamp, 1, 1).await;
    copying.turn().await.unwrap();
    let before = copied(&store).await;
    assert_eq!(before.1, 1);

    let primary = watched.primary().unwrap();
    watched.cut_copies(primary).unwrap();
    say(&pool, stamp, 1, 2).await;
    for _ in 0..2 {
        let refused = copying.turn().await.unwrap_err();
        let uncopied = matches!(refused, CheckpointError::State(StateError::Uncopied { .. }));
        assert!(uncopied, "{refused}");
        assert!(!refused.is_over(), "it is tried again");
    }
    assert_eq!(copied(&store).await, before, "acknowledged, and on no copy");

    watched.server_mut(primary).kill().unwrap();
    watched.mend_copies(primary).unwrap();
    watched.failed_over_from(primary).unwrap();
    let until = tokio::time::Instant::now() + PATIENCE;
    while let Err(error) = pool.take_lead_of_pool(&leader(), LONG).await {
        assert!(tokio::time::Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = copying.turn().await.unwrap_err();
    let replaced = matches!(refused, CheckpointError::State(StateError::Replaced { .. }));
    assert!(replaced, "{refused}");
    let turn = pool.checkpoint_turn().await.unwrap();
    assert!(
        turn >= Some(before.0),
        "{turn:?}: it knows every turn that SQL has, so nothing is restored"
    );
    // It goes on from what it has, and the checkpoint with it.
    let mut next = open(&pool, &store, 2).await;
    say(&pool, stamp, 1, 2).await;
    next.turn().await.unwrap();
    assert_eq!(copied(&store).await.1, 2);
}
