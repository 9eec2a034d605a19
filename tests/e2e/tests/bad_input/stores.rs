//! Stores, programs and folders that cannot be used: `run` ends with one line, the others say the same as far as it concerns them, and what was
//! there before is there afterwards, byte by byte.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use shared_core::Secret;
use shared_io::sql::Store;

use crate::folder::{Folder, Said};

/// A port on which nobody listens: it was ours a moment ago.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A folder whose stores, at the addresses that it names, nobody answers for.
fn with_away(table: &str, scheme: &str, path: &str) -> Folder {
    let folder = Folder::new();
    let url = format!("{scheme}://127.0.0.1:{}/{path}", closed_port());
    folder.replace(
        "[workers]",
        &format!("[{table}]\nurl = \"{url}\"\n[workers]"),
    );
    folder
}

pub fn with_redis_away() -> Folder {
    with_away("redis", "redis", "")
}

pub fn with_database_away() -> Folder {
    with_away("database", "postgres", "understudy")
}

#[test]
fn an_unreachable_redis_is_named_by_its_setting() {
    let folder = with_redis_away();
    folder
        .run(&["run"])
        .refused(&["redis.url", "nobody listens there"]);
    for words in [["rotate"].as_slice(), &["smoke"], &["pause"]] {
        folder.run(words).refused_in_one_line(&[
            "Redis at redis.url cannot be reached",
            "start it, or mend [redis] url",
        ]);
    }
    folder
        .run(&["doctor"])
        .diagnosed(&["Redis at redis.url cannot be reached (nobody listens there)"]);
    let status = folder.run(&["status"]);
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.out.contains("cannot be reached"), "{status:?}");
}

#[test]
fn an_unreachable_database_is_named_by_its_setting() {
    let folder = with_database_away();
    folder.run(&["run"]).refused(&[
        "cannot open the database (nobody answers at its address)",
        "host and port in database.url",
    ]);
    folder
        .run(&["events"])
        .refused_in_one_line(&["the database at database.url"]);
    folder
        .run(&["doctor"])
        .diagnosed(&["the database at database.url"]);
    let left = folder.path("data/redis/redis.pid");
    assert!(
        !left.exists() || !is_running(&left),
        "the Redis of the failed start is left"
    );
}

fn is_running(pid_file: &std::path::Path) -> bool {
    let text = std::fs::read(pid_file).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let pid = value["pid"].as_u64().unwrap_or(0);
    std::path::Path::new(&format!("/proc/{pid}/exe")).exists() && pid != 0
}

#[test]
fn without_redis_server_the_package_is_named() {
    let folder = Folder::new().environment("PATH", "/nowhere");
    let parts = [
        "redis-server",
        "install the package redis-server, or set redis.url",
    ];
    folder.run(&["run"]).refused(&parts);
    folder.run(&["doctor"]).diagnosed(&parts);
}

#[test]
fn a_socket_that_another_program_holds_is_left_to_it() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("data/redis")).unwrap();
    let socket = folder.path("data/redis/redis.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    folder.run(&["run"]).refused(&[
        "another program listens on",
        "redis.sock",
        "choose another data_dir",
    ]);
    assert!(
        std::os::unix::net::UnixStream::connect(&socket).is_ok(),
        "its socket is still its own"
    );
    drop(listener);
}

#[test]
fn a_data_folder_that_cannot_be_written_to_is_named() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("data")).unwrap();
    let folder = folder.without_rights();
    let mode = |bits| {
        std::fs::set_permissions(folder.path("data"), std::fs::Permissions::from_mode(bits))
            .unwrap();
    };
    mode(0o500);
    folder
        .run(&["run"])
        .refused(&["data", "data_dir must be a folder that this user may write"]);
    folder
        .run(&["doctor"])
        .diagnosed(&["folder's disk", "cannot be written to (permission denied)"]);
    mode(0o700);
    assert!(
        folder.data().is_empty(),
        "something was made: {:?}",
        folder.data()
    );
}

/// Is this check among those that were made? Its grade is the machine's business.
fn has_check(said: &Said, name: &str) -> bool {
    let mut checks = said.out.lines().filter_map(|line| line.get(6..));
    checks.any(|check| check.starts_with(&format!("{name} ")))
}

#[test]
fn what_is_safe_to_mend_is_mended_when_asked_and_not_before() {
    let folder = Folder::new();
    let mode = |name: &str| {
        let found = std::fs::metadata(folder.path(name)).unwrap();
        found.permissions().mode() & 0o777
    };
    let set_mode = |name: &str, bits| {
        let permissions = std::fs::Permissions::from_mode(bits);
        std::fs::set_permissions(folder.path(name), permissions).unwrap();
    };
    let said = folder.run(&["doctor"]);
    assert_eq!(said.code, Some(0), "before the first start: {said:?}");
    assert!(said.out.contains("?     supervisor"), "{said:?}");
    assert!(has_check(&said, "clock"), "{said:?}");
    assert!(
        said.out
            .contains("is not there yet; the first start makes it, and so does --fix"),
        "{said:?}"
    );
    assert!(!folder.path("data").exists(), "looking makes nothing");

    let said = folder.run(&["doctor", "--fix"]);
    assert!(said.out.contains("fixed data folder"), "{said:?}");
    for check in ["clock", "folder's disk", "disk space"] {
        assert!(has_check(&said, check), "{check}: {said:?}");
    }
    assert_eq!(mode("data"), 0o700);

    shared_io::secrets::Sealer::open_or_create(&folder.path("data/sealing.key")).unwrap();
    let key = folder.read("data/sealing.key");
    set_mode("data", 0o755);
    set_mode("data/sealing.key", 0o644);
    let said = folder.run(&["doctor"]);
    said.diagnosed(&["folder's mode", "755 lets other users in", "chmod 700"]);
    said.diagnosed(&["sealing key", "is open to other users", "chmod 600"]);
    let said = folder.run(&["doctor", "--fix"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!((mode("data"), mode("data/sealing.key")), (0o700, 0o600));
    assert_eq!(
        folder.read("data/sealing.key"),
        key,
        "the key itself is untouched"
    );
}

/// A database as the first start makes it, and where it is.
pub async fn fresh_store(folder: &Folder) -> (Store, String) {
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path("data/understudy.db").display()
    );
    let store = Store::open(&Secret::new(&url), &folder.path("data"))
        .await
        .unwrap();
    (store, url)
}

/// The same after a program that is newer than this one.
pub async fn upgraded_store(folder: &Folder) {
    let (store, url) = fresh_store(folder).await;
    store.close().await;
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
}

#[tokio::test]
async fn a_schema_that_is_newer_than_the_program_is_left_alone() {
    let folder = Folder::new();
    upgraded_store(&folder).await;
    let before = folder.read("data/understudy.db");

    let parts = [
        "has schema version 9999 and this program knows up to",
        "run the program that upgraded it",
    ];
    folder.run(&["run"]).refused(&parts);
    folder.run(&["events"]).refused_in_one_line(&parts);
    folder.run(&["doctor"]).diagnosed(&parts);
    assert_eq!(
        folder.read("data/understudy.db"),
        before,
        "the database was touched"
    );
}

#[test]
fn a_broken_sealing_key_is_never_replaced() {
    for broken in [
        "",
        "AGE-SECRET-KEY-1QQQQQQ\n",
        "-----BEGIN SOMETHING ELSE-----\n",
    ] {
        let folder = Folder::new();
        folder.write("data/sealing.key", broken);
        let before = folder.data();
        folder
            .run(&["run"])
            .refused(&["sealing.key", "put the right file back"]);
        folder
            .run(&["doctor"])
            .diagnosed(&["sealing.key", "put the right file back"]);
        for (path, content) in before {
            assert_eq!(
                std::fs::read(&path).unwrap(),
                content,
                "{} was overwritten",
                path.display()
            );
        }
    }
}

/// A redis-server of the operator's own, gone with the test.
struct Own(std::process::Child);

impl Own {
    fn start(folder: &Folder, settings: &[&str]) -> Self {
        let socket = folder.path("own.sock");
        let child = std::process::Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path(""))
            .args(settings)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let own = Self(child);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(
                std::time::Instant::now() < until,
                "redis-server does not listen"
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let setting = format!(
            "[redis]\nurl = \"redis+unix://{}\"\n[workers]",
            socket.display()
        );
        folder.replace("[workers]", &setting);
        own
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_redis_that_may_lose_what_it_acknowledged_is_called_unsafe_and_left_alone() {
    let folder = Folder::new();
    let unsafe_ones = [
        "--appendonly",
        "no",
        "--maxmemory-policy",
        "allkeys-lru",
        "--min-replicas-to-write",
        "1",
    ];
    let _own = Own::start(&folder, &unsafe_ones);
    for words in [["doctor"].as_slice(), &["doctor", "--fix"]] {
        let said = folder.run(words);
        said.diagnosed(&[
            "redis durability",
            "no append-only file",
            "set appendonly to yes",
        ]);
        said.diagnosed(&[
            "redis eviction",
            "allkeys-lru",
            "set maxmemory-policy to noeviction",
        ]);
        said.diagnosed(&[
            "redis copies",
            "min-replicas-to-write is 1 and no copy is connected",
        ]);
    }
}

#[test]
fn a_redis_that_may_lose_a_second_is_said_to() {
    let folder = Folder::new();
    let _own = Own::start(
        &folder,
        &["--appendonly", "yes", "--appendfsync", "everysec"],
    );
    let said = folder.run(&["doctor"]);
    assert!(
        said.out.contains("warn  redis durability  appendfsync everysec: up to 2 s of acknowledged state can go at a power loss"),
        "{said:?}"
    );
}

#[tokio::test]
async fn secrets_of_another_key_are_named_and_stay_as_they_are() {
    use shared_io::secrets::{SealContext, Sealer};
    use shared_io::sql::BotRow;
    let folder = Folder::new();
    let (store, _) = fresh_store(&folder).await;
    let foreign = Sealer::open_or_create(&folder.path("foreign.key")).unwrap();
    let (pool, bot) = (
        "main".to_owned().try_into().unwrap(),
        shared_core::BotId(7_000_001),
    );
    let sealed = foreign
        .seal(b"a token", &SealContext::token(&pool, bot))
        .unwrap();
    let row = BotRow {
        pool,
        bot,
        name: "first".into(),
        username: None,
        priority: 0,
        sealed_token: sealed,
        added: shared_core::UnixMs(1),
        retired: None,
    };
    store.bots().put(&row).await.unwrap();
    store.close().await;

    folder
        .run(&["doctor"])
        .diagnosed(&["there is no sealing key", "copy it from another host"]);
    Sealer::open_or_create(&folder.path("data/sealing.key")).unwrap();
    let before = folder.read("data/understudy.db");
    folder.run(&["doctor"]).diagnosed(&[
        "sealed secrets",
        "1 of 1 cannot be opened",
        "put the key back that was there before",
    ]);
    let reseal = folder.run(&["secrets", "reseal"]);
    assert_eq!(reseal.code, Some(1), "{reseal:?}");
    assert!(
        reseal
            .err
            .contains("put the key back that was there before"),
        "{reseal:?}"
    );
    assert_eq!(
        folder.read("data/understudy.db"),
        before,
        "the database was touched"
    );
}
