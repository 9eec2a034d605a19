//! The sealed columns as a whole: found, and sealed anew with another key.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use shared_core::{BotId, LoginSlot, UnixMs};
use shared_io::secrets::{Resealed, SealContext, Sealer, reseal, survey};
use shared_io::sql::{BotRow, LoginRow, LoginState, SealedLogin, SealedToken, Store};

use super::support::{Data, bot, pool};

/// More than are read at once.
const BOTS: i64 = 210;

fn login(bot: i64, slot: LoginSlot, sealed_key: &str) -> LoginRow {
    LoginRow {
        pool: pool(),
        bot: BotId(bot),
        slot,
        sealed_key: sealed_key.into(),
        dc_id: 2,
        dc_addr: None,
        made: UnixMs(1),
        state: LoginState::Live,
    }
}

async fn tokens(store: &Store) -> Vec<SealedToken> {
    let mut all: Vec<SealedToken> = Vec::new();
    loop {
        let portion = store.sealed().tokens(all.last()).await.unwrap();
        if portion.is_empty() {
            return all;
        }
        all.extend(portion);
    }
}

async fn logins(store: &Store) -> Vec<SealedLogin> {
    let mut all: Vec<SealedLogin> = Vec::new();
    loop {
        let portion = store.sealed().logins(all.last()).await.unwrap();
        if portion.is_empty() {
            return all;
        }
        all.extend(portion);
    }
}

pub async fn sealed_columns_are_read_in_portions_and_replaced_only_as_they_were_read(data: Data) {
    let store = data.open().await;
    for id in 1..=BOTS {
        store.bots().put(&bot(id, 0)).await.unwrap();
    }
    for slot in [LoginSlot::A, LoginSlot::B] {
        for id in 1..=BOTS / 2 {
            store.logins().put(&login(id, slot, "k")).await.unwrap();
        }
    }
    store
        .bots()
        .retire(&pool(), BotId(3), UnixMs(1))
        .await
        .unwrap();
    let found = tokens(&store).await;
    let ids: BTreeSet<BotId> = found.iter().map(|row| row.bot).collect();
    assert_eq!(
        (found.len(), ids.len()),
        (210, 210),
        "each once, the retired too"
    );
    assert_eq!(found[0].sealed, format!("sealed1:{}", found[0].bot.0));
    let found = logins(&store).await;
    let ids: BTreeSet<_> = found
        .iter()
        .map(|row| (row.bot, row.slot.as_str()))
        .collect();
    assert_eq!((found.len(), ids.len()), (210, 210));

    let read = tokens(&store).await.swap_remove(0);
    let changed = BotRow {
        sealed_token: "sealed1:changed".into(),
        ..bot(read.bot.0, 0)
    };
    store.bots().put(&changed).await.unwrap();
    let sealed = store.sealed();
    assert!(!sealed.replace_token(&read, "sealed1:mine").await.unwrap());
    let read = tokens(&store).await.swap_remove(0);
    assert_eq!(read.sealed, "sealed1:changed");
    assert!(sealed.replace_token(&read, "sealed1:mine").await.unwrap());

    let read = logins(&store).await.swap_remove(0);
    assert!(sealed.replace_login(&read, "mine").await.unwrap());
    assert!(!sealed.replace_login(&read, "again").await.unwrap());
    assert!(
        !sealed.give_up_login(&read).await.unwrap(),
        "another stands there"
    );
    let read = logins(&store).await.swap_remove(0);
    assert!(sealed.give_up_login(&read).await.unwrap());
    assert!(
        !sealed.give_up_login(&read).await.unwrap(),
        "it is lost already"
    );
    let row = store
        .logins()
        .get(&pool(), read.bot, read.slot)
        .await
        .unwrap();
    assert_eq!(row.unwrap().state, LoginState::Lost);
}

/// Lets it go on this often, and drops it then, as a kill would.
async fn stopped_after<T>(polls: u32, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

pub async fn everything_is_sealed_anew_whenever_it_was_stopped(data: Data) {
    let store = data.open().await;
    let key = data.dir().join("sealing.key");
    let old = Sealer::open_or_create(&key).unwrap();
    let token = |id: i64| SealContext::token(&pool(), BotId(id));
    let key_of = |id: i64| SealContext::login(&pool(), BotId(id), LoginSlot::B);
    let secret = |id: i64| format!("secret {id}").into_bytes();
    for id in 1..=20 {
        let row = BotRow {
            sealed_token: old.seal(&secret(id), &token(id)).unwrap(),
            ..bot(id, 0)
        };
        store.bots().put(&row).await.unwrap();
        let sealed = old.seal(&secret(-id), &key_of(id)).unwrap();
        store
            .logins()
            .put(&login(id, LoginSlot::B, &sealed))
            .await
            .unwrap();
    }
    Sealer::add_key_at(&key).unwrap();
    let sealer = Sealer::open_existing_at(&key).unwrap();
    let seen = survey(&store, &sealer).await.unwrap();
    assert_eq!((seen.with_key(0), seen.with_key(1)), (0, 40));
    assert!(!seen.is_current());

    // A step further each time: it is stopped everywhere on its way. How many polls a query takes is the machine's affair, and a query
    // that was dropped in the middle costs its connection, so that a fixed number may be used up before the first row is reached.
    let mut stops = 0;
    while stopped_after(stops + 1, reseal(&store, &sealer))
        .await
        .is_none()
    {
        stops += 1;
        assert!(stops < 1_000, "it gets no further");
    }
    assert!(stops > 1, "it was stopped on its way");
    let seen = survey(&store, &sealer).await.unwrap();
    assert_eq!((seen.with_key(0), seen.with_key(1)), (40, 0));
    assert!(seen.is_current());
    let again = reseal(&store, &sealer).await.unwrap();
    assert_eq!(
        again,
        Resealed {
            already: 40,
            ..Resealed::default()
        }
    );
    for row in tokens(&store).await {
        let opened = sealer.open(&row.sealed, &token(row.bot.0)).unwrap();
        assert_eq!(opened.as_slice(), secret(row.bot.0));
    }
    for row in logins(&store).await {
        let opened = sealer.open(&row.sealed, &key_of(row.bot.0)).unwrap();
        assert_eq!(opened.as_slice(), secret(-row.bot.0));
    }
}
