//! The sealing key's life: several keys in a file, files that are broken, a key that is lost.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use shared_core::{BotId, LoginSlot, Secret, UnixMs};
use shared_io::secrets::{
    GivenUp, OpenError, Resealed, SealContext, SealError, SealedWith, Sealer, give_up, open_for,
    reseal, survey,
};
use shared_io::sql::{BotRow, LoginRow, LoginState, Store};

use super::{TOKEN, mode, pool, token_of};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("sealing.key")
    }

    /// A key file with this text, private.
    fn with(text: &[u8]) -> Self {
        let place = Self::new();
        write(&place.key(), text);
        place
    }

    async fn store(&self) -> Store {
        let file = self.0.path().join("data/understudy.db");
        let url = Secret::new(format!("sqlite://{}?mode=rwc", file.display()));
        Store::open(&url, file.parent().unwrap()).await.unwrap()
    }
}

fn write(path: &Path, text: &[u8]) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let keys = text.lines().filter(|line| !line.starts_with('#'));
    keys.map(str::to_owned).collect()
}

#[test]
fn the_first_key_seals_and_all_open() {
    let place = Place::new();
    let old = Sealer::open_or_create(&place.key()).unwrap();
    let by_old = old.seal(TOKEN, &token_of(7)).unwrap();
    std::fs::set_permissions(place.key(), PermissionsExt::from_mode(0o640)).unwrap();
    Sealer::add_key_at(&place.key()).unwrap();
    assert_eq!(mode(&place.key()), 0o640, "its mode stays");
    let left = std::fs::read_dir(place.0.path()).unwrap().count();
    assert_eq!(left, 1, "no draft stays");

    let sealer = Sealer::open_existing_at(&place.key()).unwrap();
    assert_eq!((old.keys(), sealer.keys()), (1, 2));
    let by_new = sealer.seal(TOKEN, &token_of(7)).unwrap();
    assert_eq!(
        sealer.sealed_with(&by_new, &token_of(7)),
        SealedWith::Key(0)
    );
    assert_eq!(
        sealer.sealed_with(&by_old, &token_of(7)),
        SealedWith::Key(1)
    );
    assert_eq!(
        sealer.open(&by_old, &token_of(7)).unwrap().as_slice(),
        TOKEN
    );

    // Only the first line is left: what the other one sealed is closed.
    let first = lines(&place.key()).swap_remove(0);
    write(&place.key(), first.as_bytes());
    let sealer = Sealer::open_existing_at(&place.key()).unwrap();
    assert_eq!(
        sealer.sealed_with(&by_new, &token_of(7)),
        SealedWith::Key(0)
    );
    assert_eq!(
        sealer.sealed_with(&by_old, &token_of(7)),
        SealedWith::UnknownKey
    );
    assert_eq!(
        sealer.sealed_with("sealed1:x", &token_of(7)),
        SealedWith::Damaged
    );
    assert_eq!(
        sealer.sealed_with(&by_new, &token_of(8)),
        SealedWith::Damaged
    );
}

#[test]
fn whoever_has_the_file_open_finds_a_key_that_was_added_since() {
    let place = Place::new();
    let before = Sealer::open_or_create(&place.key()).unwrap();
    let clone = before.clone();
    Sealer::add_key_at(&place.key()).unwrap();
    let after = Sealer::open_existing_at(&place.key()).unwrap();
    let sealed = after.seal(TOKEN, &token_of(7)).unwrap();
    assert_eq!(before.keys(), 1);
    assert_eq!(
        before.open(&sealed, &token_of(7)).unwrap().as_slice(),
        TOKEN
    );
    assert_eq!((before.keys(), clone.keys()), (2, 2));
}

#[test]
fn a_broken_file_is_one_line_with_the_remedy_and_stays_as_it_is() {
    let good = Place::new();
    Sealer::open_or_create(&good.key()).unwrap();
    let key = lines(&good.key()).swap_remove(0);
    let not_a_key = |line: usize| {
        format!(
            "line {line} of the sealing key `KEY` is not a key; put the right file back, its keys begin with AGE-SECRET-KEY-1"
        )
    };
    let no_key = "there is no key in the sealing key `KEY`; put the right file back, it is not replaced by a fresh one".to_owned();
    let too_long = "the sealing key `KEY` has more keys or comments than a rotation needs; remove the lines that nothing is sealed with any more".to_owned();
    let cut = &key[..key.len() - 4];
    let cases: [(Vec<u8>, String); 8] = [
        (Vec::new(), no_key.clone()),
        (b"# only words\n\n".to_vec(), no_key),
        (format!("# old\n{key}\n{cut}\n").into_bytes(), not_a_key(3)),
        (format!("{cut}\n{key}\n").into_bytes(), not_a_key(1)),
        (b"{\"key\": 1}".to_vec(), not_a_key(1)),
        (format!("{key}\n\u{0}\n").into_bytes(), not_a_key(2)),
        ([key.as_bytes(), b"\n\xff\xfe\n"].concat(), not_a_key(2)),
        (format!("{key}\n").repeat(17).into_bytes(), too_long.clone()),
    ];
    let long = vec![b'#'; 20_000];
    for (text, line) in cases.into_iter().chain([(long, too_long)]) {
        let place = Place::with(&text);
        let path = place.key();
        let line = line.replace("KEY`", &format!("{}`", path.display()));
        for attempt in [
            Sealer::open_or_create(&path).err(),
            Sealer::open_existing_at(&path).err(),
            Sealer::add_key_at(&path).err(),
        ] {
            let error = attempt.unwrap();
            assert_eq!(error.to_string(), line);
            assert!(!format!("{error:?}").contains(&key[20..40]), "{error:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), text, "it stays as it is");
        assert_eq!(std::fs::read_dir(place.0.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_folder_or_a_link_to_nothing_in_its_place_is_an_error() {
    let place = Place::new();
    std::fs::create_dir(place.key()).unwrap();
    assert!(matches!(
        Sealer::open_or_create(&place.key()),
        Err(SealError::KeyFile { .. })
    ));
    let place = Place::new();
    std::os::unix::fs::symlink("/no/such/key", place.key()).unwrap();
    assert!(matches!(
        Sealer::open_or_create(&place.key()),
        Err(SealError::KeyFile { .. })
    ));
}

fn login_of(bot: i64) -> SealContext {
    SealContext::login(&pool(), BotId(bot), LoginSlot::A)
}

/// A bot and its login, each sealed by whom it says.
async fn put(store: &Store, bot: i64, token: &Sealer, login: &Sealer) {
    let row = BotRow {
        pool: pool(),
        bot: BotId(bot),
        name: format!("bot-{bot}"),
        username: None,
        priority: 0,
        sealed_token: token.seal(TOKEN, &token_of(bot)).unwrap(),
        added: UnixMs(1),
        retired: None,
    };
    store.bots().put(&row).await.unwrap();
    let row = LoginRow {
        pool: pool(),
        bot: BotId(bot),
        slot: LoginSlot::A,
        sealed_key: login.seal(&[7; 256], &login_of(bot)).unwrap(),
        dc_id: 2,
        dc_addr: None,
        made: UnixMs(1),
        state: LoginState::Resting,
    };
    store.logins().put(&row).await.unwrap();
}

#[tokio::test]
async fn a_fresh_key_is_made_only_where_nothing_is_sealed() {
    let place = Place::new();
    let store = place.store().await;
    let sealer = open_for(&place.key(), &store).await.unwrap();
    assert!(place.key().is_file());
    put(&store, 7, &sealer, &sealer).await;
    open_for(&place.key(), &store).await.unwrap();

    std::fs::remove_file(place.key()).unwrap();
    let error = open_for(&place.key(), &store).await.err().unwrap();
    assert!(matches!(error, OpenError::KeyMissing { sealed: 2, .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "there is no sealing key `{}`, and 2 secrets in the database were sealed with one; copy it from another host, or from its copy (if it is lost: `understudy secrets give-up`)",
            place.key().display()
        )
    );
    assert!(!place.key().exists());
}

#[tokio::test]
async fn what_no_key_opens_is_left_alone_until_it_is_given_up() {
    let place = Place::new();
    let store = place.store().await;
    let lost = Sealer::open_or_create(&Place::new().key()).unwrap();
    let sealer = Sealer::open_or_create(&place.key()).unwrap();
    put(&store, 7, &sealer, &lost).await;
    put(&store, 8, &lost, &sealer).await;
    let seen = survey(&store, &sealer).await.unwrap();
    assert_eq!((seen.with_key(0), seen.unreadable()), (2, 2));
    assert_eq!((seen.tokens.unknown_key, seen.logins.unknown_key), (1, 1));
    assert_eq!((seen.tokens.total(), seen.logins.damaged), (2, 0));

    let before = store
        .logins()
        .get(&pool(), BotId(7), LoginSlot::A)
        .await
        .unwrap();
    let done = reseal(&store, &sealer).await.unwrap();
    let expected = Resealed {
        already: 2,
        unreadable: 2,
        ..Resealed::default()
    };
    assert_eq!(done, expected);
    let after = store
        .logins()
        .get(&pool(), BotId(7), LoginSlot::A)
        .await
        .unwrap();
    assert_eq!(before, after);

    let given = give_up(&store, &sealer).await.unwrap();
    assert_eq!(
        given,
        GivenUp {
            logins: 1,
            tokens: 1
        }
    );
    let state = async |bot| {
        let row = store.logins().get(&pool(), BotId(bot), LoginSlot::A).await;
        row.unwrap().unwrap().state
    };
    assert_eq!(state(7).await, LoginState::Lost);
    assert_eq!(state(8).await, LoginState::Resting);
}
