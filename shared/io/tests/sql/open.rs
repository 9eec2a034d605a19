//! Opening: the schema, several processes at once, and the errors of the whole store.

use shared_core::BotId;
use shared_io::sql::{Store, StoreError};

use super::support::{Data, Engine, bot, pool};

pub async fn what_was_stored_is_there_when_it_is_opened_again(data: Data) {
    let store = data.open().await;
    store.ping().await.unwrap();
    store.bots().put(&bot(7, 0)).await.unwrap();
    store.close().await;
    assert_eq!(
        data.open().await.bots().list(&pool()).await.unwrap(),
        [bot(7, 0)]
    );
}

pub async fn many_that_start_at_once_on_nothing_make_one_schema(data: Data) {
    let opened = (0..6).map(|_| {
        let (url, dir) = (data.url(), data.dir());
        tokio::spawn(async move { Store::open(&url, &dir).await })
    });
    let opened: Vec<_> = opened.collect();
    for store in opened {
        store.await.unwrap().unwrap();
    }
}

pub async fn a_database_of_a_later_program_is_refused_in_one_line(data: Data) {
    data.open().await.close().await;
    let known = schema::newest();
    let later = known + 6;
    data.edit(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT MAX(version) + 6, 'later', 1, x'00', 0 FROM _sqlx_migrations",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT MAX(version) + 6, 'later', TRUE, '\\x00', 0 FROM _sqlx_migrations",
    )
    .await;
    let error = Store::open(&data.url(), &data.dir()).await.err().unwrap();
    assert!(matches!(error, StoreError::TooNew { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "the database has schema version {later} and this program knows up to {known}; run the program that upgraded it, or restore a backup from before"
        )
    );
}

pub async fn a_migration_that_was_changed_after_it_ran_is_refused(data: Data) {
    data.open().await.close().await;
    data.edit(
        "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
        "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1",
    )
    .await;
    let error = Store::open(&data.url(), &data.dir()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the database's schema version 1 is not the one this program knows by that number; run the program that made it"
    );
}

pub async fn a_row_that_nobody_here_wrote_is_an_error_that_names_the_bot(data: Data) {
    let store = data.open().await;
    store.bots().put(&bot(7, 0)).await.unwrap();
    let statement = "UPDATE bots SET priority = -4";
    data.edit(statement, statement).await;
    let error = store.bots().get(&pool(), BotId(7)).await.unwrap_err();
    assert_eq!(error.to_string(), "reading bot b7: the database refused");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.contains("priority") && source.contains("out of range"),
        "{source}"
    );
}

pub async fn waiting_for_another_writer_ends_and_may_be_repeated(data: Data) {
    let store = data.open().await;
    let other = data.behind().await;
    let mut hog = other.acquire().await.unwrap();
    let hold = match data.engine {
        Engine::Sqlite => "BEGIN IMMEDIATE",
        Engine::Postgres => "BEGIN; LOCK TABLE bots IN EXCLUSIVE MODE",
    };
    sqlx::raw_sql(hold).execute(&mut *hog).await.unwrap();
    let started = tokio::time::Instant::now();
    let error = store.bots().put(&bot(7, 0)).await.unwrap_err();
    assert!(started.elapsed() < shared_io::sql::QUERY_TIMEOUT * 2);
    assert!(
        matches!(error, StoreError::Query { .. }),
        "the database's own reason: {error:?}"
    );
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(
        store.bots().list(&pool()).await.unwrap(),
        [],
        "readers go on meanwhile"
    );
    sqlx::raw_sql("ROLLBACK").execute(&mut *hog).await.unwrap();
    store.bots().put(&bot(7, 0)).await.unwrap();
}

pub async fn a_column_that_a_later_release_adds_disturbs_nobody(data: Data) {
    let store = data.open().await;
    store.bots().put(&bot(7, 0)).await.unwrap();
    assert_eq!(store.bots().list(&pool()).await.unwrap(), [bot(7, 0)]);
    let statement = "ALTER TABLE bots ADD COLUMN later TEXT";
    data.edit(statement, statement).await;
    // As often as there are connections, each of which has prepared the statement before.
    for _ in 0..8 {
        assert_eq!(store.bots().list(&pool()).await.unwrap(), [bot(7, 0)]);
    }
    store.bots().put(&bot(7, 1)).await.unwrap();
}
