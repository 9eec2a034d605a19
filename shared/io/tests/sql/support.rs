//! A data folder, and rows for it.

use std::path::PathBuf;

use shared_core::{
    BotId, ChannelId, ConversationKey, EntryId, MemberId, MessageId, PoolId, Record, Secret, UnixMs,
};
use shared_io::sql::{BotRow, Store};

pub struct Data(tempfile::TempDir);

impl Data {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub fn url(&self) -> Secret {
        Secret::new(format!(
            "sqlite://{}/understudy.db?mode=rwc",
            self.dir().display()
        ))
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url(), &self.dir()).await.unwrap()
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

/// Changes the file behind the store's back.
pub async fn edit(data: &Data, statement: &'static str, version: i64) {
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(data.url().expose()).await.unwrap();
    let done = sqlx::query(statement)
        .bind(version)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
    pool.close().await;
}
