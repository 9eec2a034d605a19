//! The whole system with PostgreSQL as its record: a takeover in the middle of a conversation, and a database that is away for a
//! while.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use e2e::{Stage, TITLE, Talk};
use postgres_server::{PASSWORD, Server};
use secret_scan::Scanner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const DATABASE: &str = "understudy";
const STORED: Duration = Duration::from_secs(40);

/// A stage whose record is there. The address is a secret like any other: a file of mode 600.
async fn stage_on(server: &Server, members: usize) -> (Stage, tempfile::TempDir) {
    server.create_database(DATABASE).unwrap();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("database_url");
    std::fs::write(&file, format!("{}?sslmode=require", server.url(DATABASE))).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let database = format!(
        "[database]\nurl = \"file:{}\"\n\n[workers]\n",
        file.display()
    );
    let stage = Stage::open_with(
        members,
        |config| config.replace("[workers]\n", &database),
        &[],
    );
    (stage.await.unwrap(), place)
}

/// Looks until the query says this; nobody tells when a record has come through.
async fn stored(server: &Server, query: &str, expected: &str) {
    let until = Instant::now() + STORED;
    loop {
        let found = server.sql(DATABASE, query);
        match found {
            Ok(found) if found == expected => return,
            found => assert!(Instant::now() < until, "{query}: {found:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Passes everything on, what the server says only after a while.
async fn slow_line(server: u16, delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let server = TcpStream::connect(("127.0.0.1", server)).await?;
                let ((mut asks, mut hears), (mut answers, mut takes)) =
                    (client.into_split(), server.into_split());
                let asked = tokio::io::copy(&mut asks, &mut takes);
                let answered = async {
                    let mut chunk = vec![0; 65_536];
                    loop {
                        let read = answers.read(&mut chunk).await?;
                        tokio::time::sleep(delay).await;
                        hears.write_all(&chunk[..read]).await?;
                        if read == 0 {
                            return Ok::<_, std::io::Error>(());
                        }
                    }
                };
                tokio::select! {
                    _ = asked => {}
                    _ = answered => {}
                }
                Ok::<_, std::io::Error>(())
            });
        }
    });
    port
}

/// A pool is read with some queries one after another; together they take longer than a lead lasts.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_needs_longer_to_read_a_pool_than_a_lead_lasts_leads_all_the_same() {
    let server = Server::start().unwrap();
    let (mut stage, place) = stage_on(&server, 1).await;
    let bot = stage.active().await.unwrap();
    stage.kill_supervisor().unwrap();
    let line = slow_line(server.port(), Duration::from_millis(300)).await;
    let direct = format!(":{}/", server.port());
    let file = place.path().join("database_url");
    let url = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, url.replace(&direct, &format!(":{line}/"))).unwrap();
    stage.start_supervisor().unwrap();
    stage.revoke(bot).await.unwrap();
    stage.switched_from(bot).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_on_when_its_worker_is_killed() {
    let server = Server::start().unwrap();
    let (stage, _place) = stage_on(&server, 1).await;
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    stage.kill_active_worker().await.unwrap();
    talk.send_file("bread.pdf", 70_000).await.unwrap();
    talk.see("✓ File 1: bread.pdf").await.unwrap();
    talk.submit().await.unwrap();
    stage.settled().await.unwrap();

    let member = format!("m{}", talk.member);
    stored(
        &server,
        "SELECT member, title FROM courses",
        &format!("{member}|{TITLE}"),
    )
    .await;
    stored(
        &server,
        "SELECT name, bytes FROM course_files",
        "bread.pdf|70000",
    )
    .await;
    stored(
        &server,
        "SELECT count(*) > 0 FROM switches WHERE kind = 'takeover' AND outcome = 'done'",
        "t",
    )
    .await;
    stored(
        &server,
        "SELECT count(*) FROM bots WHERE retired IS NULL",
        "3",
    )
    .await;
    stored(
        &server,
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'understudy'",
        "t",
    )
    .await;
    let state = stage.folder.state();
    assert!(
        !state.join("understudy.db").exists(),
        "nothing is in SQLite"
    );

    let mut scanner = Scanner::new();
    scanner.add("the password", PASSWORD.as_bytes()).unwrap();
    assert_eq!(scanner.tree(&stage.folder.root).unwrap(), vec![]);
    for (pid, command) in sandbox::daemon::processes_of(&stage.folder.root) {
        assert_eq!(scanner.bytes(command.as_bytes()), vec![], "{pid}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_notice_nothing_of_a_database_that_is_away() {
    let mut server = Server::start().unwrap();
    let (stage, _place) = stage_on(&server, 1).await;
    let bot = stage.active().await.unwrap();
    let talk = Talk::private(&stage, 0, bot);
    talk.upload_until_files().await.unwrap();
    server.kill().unwrap();
    talk.send_file("bread.pdf", 70_000).await.unwrap();
    talk.see("✓ File 1: bread.pdf").await.unwrap();
    talk.submit().await.unwrap();
    stage.settled().await.unwrap();
    assert_eq!(stage.active().await.unwrap(), bot, "nobody was replaced");

    server.restart().unwrap();
    let member = format!("m{}|{TITLE}", talk.member);
    stored(&server, "SELECT member, title FROM courses", &member).await;
    assert_eq!(talk.count("✓ Submitted: ").await.unwrap(), 1);
}
