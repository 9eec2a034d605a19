//! Sealing over real files: round trips, what must not open, the key's file, and that nothing readable is left in a store.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "secrets/rotation.rs"]
mod rotation;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secret_scan::Scanner;
use shared_core::{BotId, LoginSlot, PoolId, Secret, UnixMs};
use shared_io::secrets::{SealContext, Sealer};
use shared_io::sql::{BotRow, Store};

const TOKEN: &[u8] = b"7000001:AAHk3b_0123456789-abcdefghijklmnop";

fn pool() -> PoolId {
    PoolId::new("main").unwrap()
}

fn token_of(bot: i64) -> SealContext {
    SealContext::token(&pool(), BotId(bot))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_sealed_opens_again_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("data/sealing.key");
    let sealed = Sealer::open_or_create(&key)
        .unwrap()
        .seal(TOKEN, &token_of(7))
        .unwrap();
    assert!(
        sealed.is_ascii() && !sealed.contains(['\'', '"', '\\', '\n', ' ']),
        "{sealed}"
    );
    let again = Sealer::open_or_create(&key).unwrap();
    assert_eq!(again.open(&sealed, &token_of(7)).unwrap().as_slice(), TOKEN);
    assert_ne!(
        again.seal(TOKEN, &token_of(7)).unwrap(),
        sealed,
        "the same secret never looks the same"
    );
    assert_eq!(
        again
            .open(&again.seal(b"", &token_of(7)).unwrap(), &token_of(7))
            .unwrap()
            .as_slice(),
        b""
    );
}

#[test]
fn the_key_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("data/sealing.key");
    Sealer::open_or_create(&key).unwrap();
    assert_eq!((mode(&key), mode(key.parent().unwrap())), (0o600, 0o700));
    let left: Vec<_> = std::fs::read_dir(key.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no draft stays: {left:?}");

    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o604)).unwrap();
    let error = Sealer::open_or_create(&key).unwrap_err().to_string();
    let expected = format!(
        "the sealing key `{0}` is open to other users of this machine (mode 604); run: chmod 600 '{0}'",
        key.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_secret_opens_only_for_what_it_was_sealed_for() {
    let folder = tempfile::tempdir().unwrap();
    let sealer = Sealer::open_or_create(&folder.path().join("sealing.key")).unwrap();
    let sealed = sealer.seal(TOKEN, &token_of(7)).unwrap();
    let error = sealer.open(&sealed, &token_of(8)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "token/main/b8 holds a secret that was sealed for something else; a row was swapped or copied, seal the secret anew"
    );
    let login = SealContext::login(&pool(), BotId(7), LoginSlot::A);
    assert!(sealer.open(&sealed, &login).is_err());
}

#[test]
fn another_key_is_named_and_damage_is_told_apart_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let sealer = Sealer::open_or_create(&folder.path().join("a/sealing.key")).unwrap();
    let other_key = folder.path().join("b/sealing.key");
    let other = Sealer::open_or_create(&other_key).unwrap();
    let sealed = sealer.seal(TOKEN, &token_of(7)).unwrap();
    assert_eq!(
        other.open(&sealed, &token_of(7)).unwrap_err().to_string(),
        format!(
            "token/main/b7 was sealed with another key than `{}`; put the key back that was there before, or seal the secret anew",
            other_key.display()
        )
    );
    let damaged =
        "token/main/b7 is damaged or was not sealed by this program; seal the secret anew";
    // The last character may carry bits that base64 ignores, so the one before it is changed.
    let last = sealed.len() - 2;
    let swap = if sealed.as_bytes()[last] == b'A' {
        "B"
    } else {
        "A"
    };
    let flipped = format!("{}{swap}{}", &sealed[..last], &sealed[last + 1..]);
    for text in [
        "",
        "sealed1:",
        "sealed1:%%%",
        "7000001:AAH",
        &sealed[..sealed.len() - 30],
        &flipped,
    ] {
        assert_eq!(
            sealer.open(text, &token_of(7)).unwrap_err().to_string(),
            damaged,
            "{text:?}"
        );
    }
    let error = sealer.seal(&vec![0; 70_000], &token_of(7)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "token/main/b7 is longer than 65536 bytes and is not sealed; that is not a secret"
    );
}

#[test]
fn a_file_that_is_no_key_is_neither_used_nor_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("sealing.key");
    std::fs::write(&key, "AGE-SECRET-KEY-1NOTREALLY\n").unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(
        Sealer::open_or_create(&key).unwrap_err().to_string(),
        format!(
            "line 1 of the sealing key `{}` is not a key; put the right file back, its keys begin with AGE-SECRET-KEY-1",
            key.display()
        )
    );
    assert_eq!(
        std::fs::read_to_string(&key).unwrap(),
        "AGE-SECRET-KEY-1NOTREALLY\n"
    );
}

#[test]
fn of_many_that_start_at_once_all_get_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("data/sealing.key");
    let start = std::sync::Barrier::new(8);
    let sealed: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    Sealer::open_or_create(&key)
                        .unwrap()
                        .seal(TOKEN, &token_of(7))
                        .unwrap()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let sealer = Sealer::open_or_create(&key).unwrap();
    for sealed in sealed {
        assert_eq!(
            sealer.open(&sealed, &token_of(7)).unwrap().as_slice(),
            TOKEN
        );
    }
}

#[tokio::test]
async fn a_stored_token_is_nowhere_in_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let sealer = Sealer::open_or_create(&data.join("sealing.key")).unwrap();
    let url = Secret::new(format!(
        "sqlite://{}/understudy.db?mode=rwc",
        data.display()
    ));
    let store = Store::open(&url, &data).await.unwrap();
    let row = BotRow {
        pool: pool(),
        bot: BotId(7),
        name: "first".into(),
        username: None,
        priority: 0,
        sealed_token: sealer.seal(TOKEN, &token_of(7)).unwrap(),
        added: UnixMs(1),
        retired: None,
    };
    store.bots().put(&row).await.unwrap();
    let mut scanner = Scanner::new();
    scanner.add("token", TOKEN).unwrap();
    scanner
        .add("sealed row", row.sealed_token.as_bytes())
        .unwrap();
    let found: Vec<String> = scanner
        .tree(&data)
        .unwrap()
        .into_iter()
        .map(|found| found.needle)
        .collect();
    assert!(
        found.contains(&"sealed row".to_owned()),
        "the scan does reach the database: {found:?}"
    );
    assert!(!found.contains(&"token".to_owned()), "{found:?}");
    let stored = store.bots().get(&pool(), BotId(7)).await.unwrap().unwrap();
    assert_eq!(
        sealer
            .open(&stored.sealed_token, &token_of(7))
            .unwrap()
            .as_slice(),
        TOKEN
    );
}
