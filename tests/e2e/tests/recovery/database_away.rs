//! The database does not answer for half a minute and longer, while a worker is killed, a token is revoked, an answer is refused and a stranger
//! asks for the admins' card: members are served, and what was to be recorded is there afterwards, although the supervisor that noted it has died
//! meanwhile.

use std::time::{Duration, Instant};

use e2e::{Stage, Talk};
use postgres_server::Server;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, SqliteConnection};

use crate::{DATABASE, stage_on};

/// At least so long nothing is written.
const AWAY: Duration = Duration::from_secs(32);
const SERVED: Duration = Duration::from_secs(60);
const FOLLOWS: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(100);

/// Workers read each other's logins anew every five seconds; nothing tells when.
const LOGINS_KNOWN: Duration = Duration::from_secs(7);

/// A member in the middle of an upload, whom the second bot may write to.
async fn prepare(stage: &Stage) {
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let standby = Talk::private(stage, 0, bots[1]);
    standby.meet_standby().await.unwrap();
    let talk = Talk::private(stage, 0, bots[0]);
    talk.open_upload().await.unwrap();
    stage.reach_is(bots[1], 1).await.unwrap();
    stage.delivered().await.unwrap();
    tokio::time::sleep(LOGINS_KNOWN).await;
}

/// All of it is noted by a supervisor that can write nothing.
async fn trouble(stage: &Stage) {
    let began = Instant::now();
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let first = Talk::private(stage, 0, bots[0]);
    stage.kill_active_worker().await.unwrap();
    first.give_title().await.unwrap();
    stage.delivered().await.unwrap();
    stage.revoke(bots[0]).await.unwrap();

    let second = Talk::private(stage, 0, bots[1]);
    assert_eq!(stage.switched_from(bots[0]).await.unwrap(), bots[1]);
    second.see("Step 2/6").await.unwrap();
    // Telegram does not take his answer, whatever is done: that is recorded, too.
    let refused = serde_json::json!({
        "kind": "rpc_error", "bot": bots[1], "method": "messages.sendMessage",
        "code": 400, "message": "MESSAGE_TOO_LONG", "count": 1,
    });
    stage.fault(refused).await.unwrap();
    second.give_description().await.unwrap();
    second.choose_category().await.unwrap();
    second.press("Done").await.unwrap();
    second.see("Step 5/6").await.unwrap();
    second.send_file("bread.pdf", 70_000).await.unwrap();
    second.see("✓ File 1: bread.pdf").await.unwrap();
    second.submit().await.unwrap();
    // He is no admin: nothing is answered, and it is recorded.
    second.say("/drstatus").await.unwrap();
    stage.delivered().await.unwrap();
    tokio::time::sleep(AWAY.saturating_sub(began.elapsed())).await;
}

/// What is in the database once it is back: a query and what it is to say.
const RECORDED: [(&str, i64); 6] = [
    (
        "SELECT COUNT(*) FROM switches WHERE kind = 'takeover' AND outcome = 'done'",
        1,
    ),
    (
        "SELECT COUNT(*) FROM switches WHERE kind = 'switch' AND outcome = 'done'",
        1,
    ),
    (
        "SELECT COUNT(*) FROM admin_actions WHERE verdict = 'refused'",
        1,
    ),
    (
        "SELECT COUNT(*) FROM events WHERE kind = 'reply_refused'",
        1,
    ),
    ("SELECT COUNT(*) FROM courses", 1),
    ("SELECT COUNT(*) FROM course_files", 1),
];

async fn served_on(stage: &Stage) {
    stage
        .wait("led, served and copied", SERVED, |status| {
            let pool = &status["pools"][0];
            let lag = pool["checkpoint_lag_ms"].as_u64();
            pool["phase"] == "open" && lag.is_some_and(|lag| lag < 2_000)
        })
        .await
        .unwrap();
    let bots = stage.scene.bots.clone();
    let talk = Talk::private(stage, 0, bots[1].id);
    assert_eq!(talk.count("✓ Submitted: ").await.unwrap(), 1);
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_that_takes_nothing_for_half_a_minute_costs_no_record() {
    let mut stage = Stage::open(1).await.unwrap();
    prepare(&stage).await;
    let file = stage.folder.state().join("understudy.db");
    let url = format!("sqlite://{}", file.display());
    let mut lock = SqliteConnection::connect(&url).await.unwrap();
    loop {
        // Somebody may be writing just now.
        let begun = sqlx::query("BEGIN EXCLUSIVE").execute(&mut lock).await;
        if begun.is_ok() {
            break;
        }
    }
    trouble(&stage).await;
    stage.kill_supervisor().unwrap();
    let before: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM courses")
        .fetch_one(&mut lock)
        .await
        .unwrap();
    assert_eq!(before.0, 0, "nothing could be written");
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    stage.start_supervisor().unwrap();
    served_on(&stage).await;
    let until = Instant::now() + FOLLOWS;
    for (query, expected) in RECORDED {
        loop {
            let found = sqlx::query_as(query).fetch_one(&mut lock).await;
            let found: (i64,) = found.unwrap();
            if found.0 == expected {
                break;
            }
            assert!(Instant::now() < until, "{query}: {}", found.0);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The server's own process and those that it has started for its clients.
fn processes(server: &Server) -> Vec<Pid> {
    let parent = server.pid();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of_server = ids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The parent follows the state, behind the name in parentheses: proc(5).
        let rest = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.trim().to_owned());
        let its = rest.and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        *pid == parent || its == Some(parent)
    });
    of_server
        .filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
        .collect()
}

/// Goes on at its end, also when the test fails: a server that hangs cannot be ended in order.
struct Hung(Vec<Pid>);

impl Drop for Hung {
    fn drop(&mut self) {
        for pid in &self.0 {
            // Some may have ended since.
            let _gone = kill_process(*pid, Signal::CONT);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_that_hangs_for_half_a_minute_costs_no_record() {
    let server = Server::start().unwrap();
    let place = tempfile::tempdir().unwrap();
    let mut stage = stage_on(&server, place.path()).await;
    prepare(&stage).await;
    let hung = Hung(processes(&server));
    for pid in &hung.0 {
        kill_process(*pid, Signal::STOP).unwrap();
    }
    trouble(&stage).await;
    stage.kill_supervisor().unwrap();
    drop(hung);
    stage.start_supervisor().unwrap();
    served_on(&stage).await;
    let until = Instant::now() + FOLLOWS;
    for (query, expected) in RECORDED {
        loop {
            let found = server.sql(DATABASE, query).unwrap();
            if found == expected.to_string() {
                break;
            }
            assert!(Instant::now() < until, "{query}: {found}");
            tokio::time::sleep(LOOK).await;
        }
    }
}
