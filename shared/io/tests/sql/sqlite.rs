//! What only SQLite has: a file, and what goes wrong with it.

use std::os::unix::fs::PermissionsExt;

use shared_core::Secret;
use shared_io::sql::Store;

use super::support::{Data, bot, pool};

#[tokio::test]
async fn the_file_is_private_durable_and_opens_again() {
    let data = Data::sqlite();
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

#[tokio::test]
async fn an_address_that_leads_nowhere_is_an_error_without_the_address() {
    let data = Data::sqlite();
    let url = Secret::new("sqlite:///no/such/folder/S3CRET.db");
    let error = Store::open(&url, &data.dir()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot open the database (no connection); look at [database] in the configuration and at the free space of its disk"
    );
    assert!(!format!("{error:?}").contains("S3CRET"), "{error:?}");
}
