//! `status`, `smoke` and `doctor` on a system that runs, or whose parts do not.

use e2e::Stage;
use rustix::process::Signal;
use sandbox::processes::redis_of;

use super::{cli, json, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_system_is_tested_and_looked_through() {
    let stage = Stage::open(1).await.unwrap();
    let smoke = text(&cli(&stage, &["smoke"]).await, 0);
    for part in [
        "first",
        "passed",
        "Telegram answers",
        "Redis takes a write",
        "rights in",
    ] {
        assert!(smoke.contains(part), "{part:?} is not in {smoke}");
    }
    let all = json(&cli(&stage, &["smoke", "--all", "--json"]).await, 0);
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|test| test["passed"] == true),
        "{all}"
    );

    let doctor = json(&cli(&stage, &["doctor", "--json"]).await, 0);
    assert_eq!(doctor["failed"], 0, "{doctor:#}");
    let verdict = |check: &str| {
        let findings = doctor["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("no check {check}: {doctor:#}"))["verdict"].clone()
    };
    for check in [
        "redis-server",
        "understudy-worker",
        "configuration",
        "data folder",
        "sealing key",
        "sealed secrets",
        "database",
        "redis",
        "redis' clock",
        "redis durability",
        "redis eviction",
        "supervisor",
        "workers",
        "bot",
    ] {
        assert_eq!(verdict(check), "ok", "{check}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_private_redis_are_put_back() {
    let stage = Stage::open(1).await.unwrap();
    let mut redis = stage.redis().await.unwrap();
    for (setting, value) in [("maxmemory-policy", "allkeys-lru"), ("appendfsync", "no")] {
        let () = redis::cmd("CONFIG")
            .arg("SET")
            .arg(setting)
            .arg(value)
            .query_async(&mut redis)
            .await
            .unwrap();
    }
    let ill = text(&cli(&stage, &["doctor"]).await, 1);
    for part in [
        "FAIL  redis durability",
        "30 s of acknowledged state can go",
        "FAIL  redis eviction",
    ] {
        assert!(ill.contains(part), "{part:?} is not in {ill}");
    }
    let mended = text(&cli(&stage, &["doctor", "--fix"]).await, 0);
    assert!(mended.contains("fixed redis durability"), "{mended}");
    assert!(mended.contains("fixed redis eviction"), "{mended}");
    let well = text(&cli(&stage, &["doctor"]).await, 0);
    assert!(
        well.contains("appendfsync always: what is acknowledged is on disk"),
        "{well}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_supervisor_is_told_what_it_needs() {
    let stage = Stage::open(1).await.unwrap();
    let second = cli(&stage, &["run"]).await;
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    let line = String::from_utf8(second.stderr).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    for part in [
        "another supervisor runs on",
        "redis.url",
        "data_dir of its own",
        "PostgreSQL",
    ] {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_redis_of_everysec_is_put_back_to_everysec() {
    let stage = Stage::open(1).await.unwrap();
    let config = stage.folder.config();
    let file = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        format!("{file}\n[redis]\nappendfsync = \"everysec\"\n"),
    )
    .unwrap();
    let mut redis = stage.redis().await.unwrap();
    let () = redis::cmd("CONFIG")
        .arg(&["SET", "appendfsync", "no"])
        .query_async(&mut redis)
        .await
        .unwrap();
    let mended = text(&cli(&stage, &["doctor", "--fix"]).await, 0);
    assert!(mended.contains("fixed redis durability"), "{mended}");
    let set: (String, String) = redis::cmd("CONFIG")
        .arg(&["GET", "appendfsync"])
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!(set.1, "everysec");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_is_said_to_and_what_it_alone_knows_is_not_guessed() {
    let stage = Stage::open(1).await.unwrap();
    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::STOP).unwrap();
    let (card, status, order, doctor) = tokio::join!(
        cli(&stage, &["status"]),
        cli(&stage, &["status", "--json"]),
        cli(&stage, &["rotate"]),
        cli(&stage, &["doctor"])
    );
    redis.signal(Signal::CONT).unwrap();
    let card = text(&card, 1);
    let way = "the supervisor runs and starts it again when it is dead; if it hangs, kill it";
    let unknown = "running; whether it leads is not known without Redis";
    for part in [way, unknown] {
        assert!(card.contains(part), "{part:?} is not in {card}");
    }
    let status = json(&status, 1);
    assert_eq!(status["supervisor"]["running"], true, "{status}");
    assert_eq!(order.status.code(), Some(2), "{order:?}");
    let order = String::from_utf8_lossy(&order.stderr);
    assert!(order.contains(way), "{order}");
    let doctor = text(&doctor, 1);
    assert!(doctor.contains(way), "{doctor}");
    assert!(
        doctor.contains("whether it leads is not known without Redis; mend Redis"),
        "{doctor}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_folder_on_which_nothing_runs_is_a_failure() {
    let mut stage = Stage::open(1).await.unwrap();
    stage.kill_supervisor().unwrap();
    let redis = redis_of(&stage.folder.root).unwrap();
    redis.signal(Signal::KILL).unwrap();
    stage
        .until_stored("Redis is gone", async || {
            Ok(redis_of(&stage.folder.root).is_none().then_some(()))
        })
        .await
        .unwrap();
    let ill = text(&cli(&stage, &["doctor"]).await, 1);
    for part in [
        "FAIL  redis ",
        "`understudy run` starts it",
        "FAIL  supervisor",
        "which has been used, and Redis cannot be reached",
    ] {
        assert!(ill.contains(part), "{part:?} is not in {ill}");
    }
    let card = text(&cli(&stage, &["status"]).await, 1);
    assert!(
        card.contains("whether another one leads is not known without Redis"),
        "{card}"
    );
}
