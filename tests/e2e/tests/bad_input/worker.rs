//! The same of a worker that is started by itself: exit code 2, and its last line says what, where and how to mend it.

use crate::folder::Folder;
use crate::stores::{upgraded_store, with_database_away, with_redis_away};

/// One line, with this in it, and the data folder as it was.
#[track_caller]
fn refused(folder: &Folder, parts: &[&str]) {
    let before = folder.data();
    folder.run_worker().refused(parts);
    for (path, content) in before {
        let now = std::fs::read(&path).unwrap();
        assert!(now == content, "{} was changed", path.display());
    }
}

#[test]
fn what_is_wrong_in_the_configuration_is_named() {
    let folder = Folder::new();
    folder.replace("api_id", "app_id");
    let parts = [
        "understudy.toml: telegram.app_id: there is no such setting",
        "write one of these: api_id, api_hash, dc",
    ];
    folder.run_worker().refused_in_one_line(&parts);

    let folder = Folder::new();
    folder.write("second.token", "7000002-AAHk3b_0123456789");
    folder.run_worker().refused_in_one_line(&[
        "pool[0].bot[1].token: the bot token is malformed",
        "copy it again, in one line",
    ]);
    assert!(!folder.path("data").exists(), "something was made");
}

#[test]
fn a_private_redis_that_nobody_started_is_named_with_who_starts_it() {
    let folder = Folder::new();
    refused(
        &folder,
        &[
            "the private Redis at",
            "redis.sock cannot be reached",
            "`understudy run` starts it",
        ],
    );
}

#[test]
fn an_unreachable_redis_is_named_by_its_setting() {
    let folder = with_redis_away();
    refused(
        &folder,
        &[
            "Redis at redis.url cannot be reached (nobody listens there)",
            "start it, or mend [redis] url in",
            "understudy.toml",
        ],
    );
}

#[test]
fn an_unreachable_database_is_named_by_its_setting() {
    let folder = with_database_away();
    refused(
        &folder,
        &[
            "cannot open the database (nobody answers at its address)",
            "host and port in database.url",
        ],
    );
}

#[tokio::test]
async fn a_schema_that_is_newer_than_the_worker_is_left_alone() {
    let folder = Folder::new();
    upgraded_store(&folder).await;
    refused(
        &folder,
        &[
            "has schema version 9999 and this program knows up to",
            "run the program that upgraded it",
        ],
    );
}

#[test]
fn a_broken_sealing_key_is_never_replaced_by_a_worker() {
    let folder = Folder::new();
    folder.write("data/sealing.key", "AGE-SECRET-KEY-1QQQQQQ\n");
    refused(&folder, &["sealing.key", "put the right file back"]);
}
