//! Opening: the file, the schema, several processes at once, and the errors of the whole store.

use shared_core::{BotId, Secret};
use shared_io::sql::{Store, StoreError};
use std::os::unix::fs::PermissionsExt;

use super::support::{Data, bot, edit, pool};

#[tokio::test]
async fn the_file_is_private_durable_and_opens_again() {
    let data = Data::new();
    let store = data.open().await;
    let mode = |name: &str| {
        std::fs::metadata(data.dir().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode(""), mode("understudy.db"), mode("understudy.db-wal")),
        (0o700, 0o600, 0o600)
    );
    store.ping().await.unwrap();
    store.bots().put(&bot(7, 0)).await.unwrap();
    store.close().await;
    assert_eq!(
        data.open().await.bots().list(&pool()).await.unwrap(),
        [bot(7, 0)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_start_at_once_on_nothing_make_one_schema() {
    let data = Data::new();
    let opened = (0..6).map(|_| {
        let (url, dir) = (data.url(), data.dir());
        tokio::spawn(async move { Store::open(&url, &dir).await })
    });
    let opened: Vec<_> = opened.collect();
    for store in opened {
        store.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_of_a_later_program_is_refused_in_one_line() {
    let data = Data::new();
    data.open().await.close().await;
    let known = schema::newest();
    let later = known + 6;
    edit(&data, "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (?, 'later', 1, x'00', 0)", later).await;
    let error = Store::open(&data.url(), &data.dir()).await.err().unwrap();
    assert!(matches!(error, StoreError::TooNew { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "the database has schema version {later} and this program knows up to {known}; run the program that upgraded it, or restore a backup from before"
        )
    );
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_refused() {
    let data = Data::new();
    data.open().await.close().await;
    edit(
        &data,
        "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = ?",
        1,
    )
    .await;
    let error = Store::open(&data.url(), &data.dir()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the database's schema version 1 is not the one this program knows by that number; run the program that made it"
    );
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_an_error_without_the_address() {
    let data = Data::new();
    let url = Secret::new("sqlite:///no/such/folder/S3CRET.db");
    let error = Store::open(&url, &data.dir()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot open the database (no connection); look at [database] in the configuration and at the free space of its disk"
    );
    assert!(!format!("{error:?}").contains("S3CRET"), "{error:?}");
}

#[tokio::test]
async fn a_row_that_nobody_here_wrote_is_an_error_that_names_the_bot() {
    let data = Data::new();
    let store = data.open().await;
    store.bots().put(&bot(7, 0)).await.unwrap();
    edit(&data, "UPDATE bots SET priority = ?", -4).await;
    let error = store.bots().get(&pool(), BotId(7)).await.unwrap_err();
    assert_eq!(error.to_string(), "reading bot b7: the database refused");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.contains("priority") && source.contains("out of range"),
        "{source}"
    );
}

#[tokio::test]
async fn waiting_for_another_writer_ends_and_may_be_repeated() {
    let data = Data::new();
    let store = data.open().await;
    sqlx::any::install_default_drivers();
    let other = sqlx::AnyPool::connect(data.url().expose()).await.unwrap();
    let mut hog = other.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut *hog)
        .await
        .unwrap();
    let started = tokio::time::Instant::now();
    let error = store.bots().put(&bot(7, 0)).await.unwrap_err();
    assert!(started.elapsed() < shared_io::sql::QUERY_TIMEOUT * 2);
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(
        store.bots().list(&pool()).await.unwrap(),
        [],
        "readers go on meanwhile"
    );
    sqlx::raw_sql("ROLLBACK").execute(&mut *hog).await.unwrap();
    store.bots().put(&bot(7, 0)).await.unwrap();
}
