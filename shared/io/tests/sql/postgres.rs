//! What only PostgreSQL has: an address with a password in it, TLS, users and their rights, and a server that can go away.

use std::time::Duration;

use postgres_server::{PASSWORD, Server};
use shared_core::Secret;
use shared_io::sql::{QUERY_TIMEOUT, Store, StoreError};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::support::{Data, bot, pool};

/// Opening at an address that is not quite right.
async fn refused(url: &str) -> StoreError {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let error = Store::open(&Secret::new(url), folder.path()).await;
    let error = error.err().unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{error}");
    let all = format!("{error:?} {error}");
    assert!(!all.contains(PASSWORD), "{all}");
    error
}

#[tokio::test]
async fn what_is_wrong_with_the_address_is_said_in_one_line() {
    let server = Server::start().unwrap();
    server.create_database("plain").unwrap();
    server
        .sql(
            "postgres",
            "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0; ",
        )
        .unwrap();
    server.create_database("replica").unwrap();
    server
        .sql(
            "postgres",
            "ALTER DATABASE replica SET default_transaction_read_only = on",
        )
        .unwrap();
    server
        .sql(
            "postgres",
            "CREATE ROLE guest LOGIN; GRANT CONNECT ON DATABASE plain TO guest",
        )
        .unwrap();
    server
        .sql("plain", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .unwrap();
    let own = server.url("plain");
    let elsewhere = own.replace(&format!(":{}/", server.port()), ":1/");
    let guest = server
        .socket_url("plain")
        .replace("user=understudy", "user=guest");
    let cases = [
        (
            own.replace(PASSWORD, "wrong-password"),
            "the server refuses the user or the password); correct database.url, or the server's pg_hba.conf",
        ),
        (
            server.url("nothing"),
            "there is no such database); make it with createdb, or correct database.url",
        ),
        (
            elsewhere,
            "nobody answers at its address); see that the server runs and that host and port in database.url are its own",
        ),
        (
            "postgres:///x?host=/no/such/folder&user=me".to_owned(),
            "nobody answers at its address); see that the server runs and that host and port in database.url are its own",
        ),
        (
            guest,
            "the user may not make tables there); run ALTER DATABASE ... OWNER TO the user, or GRANT CREATE ON SCHEMA public TO him",
        ),
        (
            server.url("replica"),
            "the server only takes reads, as a replica does); let database.url name the primary",
        ),
        (
            format!("{own}?sslmode=verify-full"),
            "no TLS connection); see whether the server offers TLS, and that sslmode and sslrootcert in database.url fit its certificate",
        ),
    ];
    for (url, line) in cases {
        let error = refused(&url).await.to_string();
        assert_eq!(error, format!("cannot open the database ({line}"), "{url}");
    }
    assert_eq!(
        refused(&server.url("latin")).await.to_string(),
        "the database's encoding is LATIN1, which not everything that members write fits into; make one with createdb -E UTF8 -T template0"
    );
}

#[tokio::test]
async fn tls_and_the_socket_are_ways_in() {
    let server = Server::start().unwrap();
    let data = Data::postgres(&server);
    data.open().await.bots().put(&bot(7, 0)).await.unwrap();
    let own = data.url();
    let own = own.expose();
    let verified = format!(
        "{own}?sslmode=verify-full&sslrootcert={}",
        server.certificate().display()
    );
    let name = own.rsplit('/').next().unwrap();
    for url in [
        format!("{own}?sslmode=require"),
        verified,
        server.socket_url(name),
    ] {
        let store = Store::open(&Secret::new(&url), &data.dir()).await;
        let store = store.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        assert_eq!(store.bots().list(&pool()).await.unwrap(), [bot(7, 0)]);
        let encrypted = server
            .sql(
                "postgres",
                &format!(
                    "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = '{name}' \
                     AND application_name = 'understudy'"
                ),
            )
            .unwrap();
        assert_eq!(
            encrypted,
            if url.contains("sslmode") { "t" } else { "f" },
            "{url}"
        );
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_outlives_a_crash_of_its_server() {
    let mut server = Server::start().unwrap();
    let data = Data::postgres(&server);
    let store = data.open().await;
    store.bots().put(&bot(7, 0)).await.unwrap();
    server.kill().unwrap();
    let started = Instant::now();
    let error = store.bots().list(&pool()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(started.elapsed() < QUERY_TIMEOUT * 2);
    server.restart().unwrap();
    assert_eq!(store.bots().list(&pool()).await.unwrap(), [bot(7, 0)]);
    store.bots().put(&bot(8, 0)).await.unwrap();
}

/// Between the store and its server: passes everything on until it is told to swallow everything instead.
struct Line {
    port: u16,
    silent: watch::Sender<bool>,
}

impl Line {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (silent, is_silent) = watch::channel(false);
        let own = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut is_silent = is_silent.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    // A connection that was once swallowed stays so, open and without an answer, as when its peer's host is gone.
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        () = async { drop(is_silent.wait_for(|silent| *silent).await) } => std::future::pending().await,
                    }
                });
            }
        });
        Self { port: own, silent }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_went_silent_are_replaced_once_there_is_a_way_again() {
    let server = Server::start().unwrap();
    let data = Data::postgres(&server);
    let line = Line::to(server.port()).await;
    let through = |port: u16| {
        let url = data
            .url()
            .expose()
            .replace(&format!(":{}/", server.port()), &format!(":{port}/"));
        Secret::new(url)
    };
    let store = Store::open(&through(line.port), &data.dir()).await.unwrap();
    store.bots().put(&bot(7, 0)).await.unwrap();
    // Every connection of the pool waits for its answer when the line goes silent: each has a query under way.
    let directly = data.behind().await;
    let mut hog = directly.acquire().await.unwrap();
    let lock = "BEGIN; LOCK TABLE bots IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut *hog).await.unwrap();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.bots().list(&pool()).await })
        })
        .collect();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'understudy' AND wait_event_type = 'Lock'";
    while server.sql("postgres", waiting).unwrap() != "4" {
        tokio::task::yield_now().await;
    }
    line.silent.send(true).unwrap();
    for call in calls {
        let error = timeout(QUERY_TIMEOUT * 2, call).await.unwrap().unwrap();
        assert!(error.unwrap_err().is_transient());
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut *hog).await.unwrap();
    line.silent.send(false).unwrap();
    let healed = Instant::now();
    while store.bots().list(&pool()).await.is_err() {
        assert!(
            healed.elapsed() < Duration::from_secs(15),
            "the pool stays blocked"
        );
    }
    assert_eq!(store.bots().list(&pool()).await.unwrap(), [bot(7, 0)]);
}

#[tokio::test]
async fn an_address_that_swallows_everything_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = refused(&format!("postgres://me@127.0.0.1:{port}/x")).await;
    assert_eq!(
        error.to_string(),
        "cannot open the database (no answer from its address); see that the server's host is reachable from here and that database.url names it"
    );
}
