//! A pool that is led and open in a Redis of its own, and a database.

use std::time::Duration;

use shared_core::{BotId, EpochBlock, EpochStamp, UnixMs};
use shared_io::checkpoint::{CheckpointError, Checkpointer, Restored, Terms, rehydrate};
use shared_io::redis::{Committed, LeadAnswer, PoolState};
use shared_io::sql::Store;

use crate::build::*;
use crate::server::RedisServer;
use crate::support::Data;

pub const OTHER: BotId = BotId(7_000_002);
pub const BOTS: [BotId; 2] = [BOT, OTHER];
pub const MARK: &str = "m1";
pub const REMIND_AFTER: Duration = Duration::from_secs(3_600);

pub struct Stage {
    pub server: RedisServer,
    pub data: Data,
    pub store: Store,
    pub pool: PoolState,
    pub stamp: EpochStamp,
}

impl Stage {
    pub async fn open(data: Data) -> Self {
        let server = RedisServer::start();
        let (pool, stamp) = open_pool(&server.state().await).await;
        let marked = pool.set_lineage(&leader(), MARK).await.unwrap();
        assert_eq!(marked, LeadAnswer::Done);
        let store = data.open().await;
        let epochs = store.epochs();
        assert!(epochs.set_lineage(&pool_id(), None, MARK).await.unwrap());
        Self {
            server,
            data,
            store,
            pool,
            stamp,
        }
    }

    pub async fn checkpointer(&self, writer: u64) -> Result<Checkpointer, CheckpointError> {
        Checkpointer::open(
            self.pool.clone(),
            self.store.clone(),
            leader(),
            MARK.to_owned(),
            BOTS.to_vec(),
            writer,
        )
        .await
    }

    pub async fn say(&self, member: i64, version: u64) {
        say(&self.pool, self.stamp, member, version).await;
    }

    /// Redis loses everything, and is led again.
    pub async fn lose_redis(&self) {
        let mut raw = self.server.raw().await;
        redis::cmd("FLUSHALL").exec_async(&mut raw).await.unwrap();
        let lead = self.pool.take_lead_of_pool(&leader(), LONG).await.unwrap();
        assert!(lead.is_ours());
    }

    pub async fn restore(&self) -> Result<Restored, CheckpointError> {
        let epochs = self.store.epochs();
        let block = epochs.reserve(&pool_id(), EpochBlock::SIZE).await.unwrap();
        let terms = Terms {
            state: self.pool.clone(),
            store: self.store.clone(),
            leader: leader(),
            bots: BOTS.to_vec(),
            block,
            why: "a test".to_owned(),
            remind_after: Some(REMIND_AFTER),
        };
        rehydrate(terms, |_, _| {}).await
    }
}

/// Commits one version of a member's conversation with one reply.
pub async fn say(pool: &PoolState, stamp: EpochStamp, member: i64, version: u64) {
    let key = conversation(member);
    let text = stored(version, &format!("words {version}"));
    let replies = [reply(u8::try_from(version).unwrap(), member)];
    let mut change = commit(stamp, &key, version - 1, &text);
    change.open = Some(UnixMs(1000 + i64::try_from(version).unwrap()));
    change.outbox = &replies;
    let done = pool.commit(&change).await.unwrap();
    assert!(matches!(done, Committed::Done { .. }), "{done:?}");
}
