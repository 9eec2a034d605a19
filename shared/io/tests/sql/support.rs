//! A database of its own for each test, and rows for it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres_server::Server;
use shared_core::{
    BotId, ChannelId, ConversationKey, EntryId, MemberId, MessageId, PoolId, Record, Secret, UnixMs,
};
use shared_io::sql::{BotRow, Store};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

pub struct Data {
    pub engine: Engine,
    folder: tempfile::TempDir,
    url: Secret,
}

impl Data {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/understudy.db");
        Self {
            engine: Engine::Sqlite,
            folder,
            url: Secret::new(format!("sqlite://{}?mode=rwc", file.display())),
        }
    }

    /// An empty database on this server.
    pub fn postgres(server: &Server) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server.create_database(&name).unwrap();
        Self {
            engine: Engine::Postgres,
            folder: tempfile::tempdir().unwrap(),
            url: Secret::new(server.url(&name)),
        }
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn url(&self) -> Secret {
        self.url.clone()
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, &self.dir()).await.unwrap()
    }

    /// Connections that know nothing of the store.
    pub async fn behind(&self) -> sqlx::AnyPool {
        sqlx::any::install_default_drivers();
        sqlx::AnyPool::connect(self.url.expose()).await.unwrap()
    }

    /// Changes one row or the schema behind the store's back.
    pub async fn edit(&self, on_sqlite: &'static str, on_postgres: &'static str) {
        let statement = match self.engine {
            Engine::Sqlite => on_sqlite,
            Engine::Postgres => on_postgres,
        };
        let pool = self.behind().await;
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }
}

pub fn pool() -> PoolId {
    PoolId::new("main").unwrap()
}

pub fn bot(id: i64, priority: u32) -> BotRow {
    BotRow {
        pool: pool(),
        bot: BotId(id),
        name: format!("bot-{id}"),
        username: Some(format!("bot_{id}")),
        priority,
        sealed_token: format!("sealed1:{id}"),
        added: UnixMs(100),
        retired: None,
    }
}

pub fn course(id: u8, title: &str) -> Record {
    Record::Course {
        id: EntryId([id; 16]),
        member: MemberId(5),
        conversation: ConversationKey::group(ChannelId(8), MemberId(5)),
        title: title.into(),
        description: "Ümläute, 'quotes' and \u{1F600}".into(),
        category: "Other".into(),
        tags: vec!["video".into(), "a, b".into()],
        files: vec![
            ("one.pdf".into(), 5_000_000_000, MessageId(41)),
            ("two.pdf".into(), 0, MessageId(40)),
        ],
        submitted: UnixMs(1000 + i64::from(id)),
    }
}

/// Notes this supervisor as the pool's leader, whoever was it before.
pub async fn leads(store: &Store, leader: &str) {
    let epochs = store.epochs();
    epochs.reserve(&pool(), 1).await.unwrap();
    let known = epochs.leader(&pool()).await.unwrap();
    let pool = pool();
    let replaced = epochs.replace_leader(&pool, known.as_deref(), leader);
    assert!(replaced.await.unwrap());
}
