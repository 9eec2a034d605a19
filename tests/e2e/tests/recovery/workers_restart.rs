//! Every worker dies while the database is away, one after the other and then both: those that are started again serve with the logins that
//! they kept, the pool moves to another bot as ever, and the database finds everything when it comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::{Stage, Talk};
use postgres_server::Server;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{DATABASE, stage_on};

const SERVED: Duration = Duration::from_secs(60);
/// Logins are written to the file within five seconds; nothing tells when.
const LOGINS_KEPT: Duration = Duration::from_secs(7);

type Pids = BTreeMap<String, i32>;

fn pids(status: &Value) -> Pids {
    let workers = status["workers"].as_array().into_iter().flatten();
    let each = workers.filter_map(|it| {
        let pid = i32::try_from(it["pid"].as_i64()?).ok()?;
        Some((it["name"].as_str()?.to_owned(), pid))
    });
    each.collect()
}

/// Two processes that are none of those that were killed, with the pool open.
async fn others_than(stage: &Stage, killed: &[i32]) -> Pids {
    let status = stage
        .wait("workers that were started again", SERVED, |status| {
            let pids = pids(status);
            pids.len() == 2
                && pids.values().all(|pid| !killed.contains(pid))
                && status["pools"][0]["phase"] == "open"
        })
        .await;
    pids(&status.unwrap())
}

async fn is_served_by(stage: &Stage, bot: i64) {
    let talk = Talk::private(stage, 0, bot);
    talk.say("/help").await.unwrap();
    talk.see("What I know:").await.unwrap();
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_start_while_the_database_is_away_serve() {
    let mut server = Server::start().unwrap();
    let place = tempfile::tempdir().unwrap();
    let stage = stage_on(&server, place.path()).await;
    let bots: Vec<i64> = stage.scene.bots.iter().map(|bot| bot.id).collect();
    let talk = Talk::private(&stage, 0, bots[0]);
    talk.open_upload().await.unwrap();
    stage.delivered().await.unwrap();
    tokio::time::sleep(LOGINS_KEPT).await;
    server.kill().unwrap();

    let mut killed = Vec::new();
    let mut living = others_than(&stage, &killed).await;
    for name in ["w1", "w2"] {
        killed.push(living[name]);
        kill(living[name]);
        living = others_than(&stage, &killed).await;
    }
    talk.give_title().await.unwrap();
    for pid in living.values() {
        killed.push(*pid);
        kill(*pid);
    }
    others_than(&stage, &killed).await;
    // With everybody dead at once the pool may go on with another bot.
    let bot = stage.active().await.unwrap();
    is_served_by(&stage, bot).await;
    // A switch as well, to a bot whose login was only ever read from the file by now.
    stage.revoke(bot).await.unwrap();
    let next = stage.switched_from(bot).await.unwrap();
    is_served_by(&stage, next).await;

    server.restart().unwrap();
    stage
        .wait("the database followed", SERVED, |status| {
            let lag = status["pools"][0]["checkpoint_lag_ms"].as_u64();
            lag.is_some_and(|lag| lag < 2_000)
        })
        .await
        .unwrap();
    let moved = "SELECT COUNT(*) FROM switches WHERE kind = 'switch' AND outcome = 'done'";
    stage
        .until_stored("the switch is recorded", async || {
            let found: i64 = server.sql(DATABASE, moved)?.parse()?;
            Ok((found >= 1).then_some(()))
        })
        .await
        .unwrap();
}
