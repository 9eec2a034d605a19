//! The daemon as an operator meets it: start, refuse, show, survive, stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use rustix::process::Signal;
use support::{BOTS, Bench, active, runs, signal, worker_pid};

#[test]
fn it_starts_shows_itself_refuses_a_second_one_and_stops_in_order() {
    let bench = Bench::new();
    let before = bench.status();
    assert_eq!(before["database"]["ok"], false);
    assert!(
        !bench.data().exists(),
        "looking at a deployment that never ran makes nothing"
    );

    let (running, line) = bench.ready();
    assert_eq!(line, "ready pool=main active=@b7000001_bot");

    let second = bench.output(&["run"]);
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("another supervisor runs on"), "{said}");
    assert!(said.contains("needs redis.url"), "{said}");

    let status = bench.until("all well", |s| s["pools"][0]["state"] == "ok");
    assert_eq!(bench.output(&["status"]).status.code(), Some(0));
    assert_eq!(status["redis"]["appendfsync"], "always");
    assert_eq!(status["supervisor"]["running"], true);
    assert_eq!(status["pools"][0]["bots"].as_array().unwrap().len(), 3);
    assert_eq!(status["pools"][0]["counters"]["commits"], 0);
    assert_ne!(
        status["pools"][0]["bots"][1]["worker"], status["pools"][0]["active"]["worker"],
        "standbys are away from the active bot's worker"
    );

    let pids = bench.pids();
    assert_eq!(pids.len(), 3);
    assert_eq!(running.stop(), Some(0));
    for pid in pids {
        assert!(!runs(pid), "process {pid} is left");
    }
    let after = bench.output(&["status"]);
    assert_eq!(after.status.code(), Some(1));
    let card = String::from_utf8(after.stdout).unwrap();
    assert!(card.contains("not running on this data folder"), "{card}");
    assert!(card.contains("main: down"), "{card}");
}

#[test]
fn a_killed_supervisor_leaves_everything_running_and_the_next_one_adopts_it() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let pids = bench.pids();
    running.kill();
    assert!(pids.iter().all(|pid| runs(*pid)), "somebody died with it");
    let status = bench.status();
    assert_eq!(status["supervisor"]["running"], false);
    assert_eq!(active(&status), (BOTS[0], "w1".to_owned()));

    // A lost pid file does not hide the process: it carries its lock.
    std::fs::remove_file(bench.data().join("run/w1.pid")).unwrap();
    let (running, line) = bench.ready();
    assert_eq!(line, "ready pool=main active=@b7000001_bot");
    let after = bench.status();
    assert_eq!(after["pools"][0]["epoch"], status["pools"][0]["epoch"]);
    for worker in ["w1", "w2"] {
        assert_eq!(worker_pid(&after, worker), worker_pid(&status, worker));
    }
    assert_eq!(running.stop(), Some(0));
    assert!(!pids.iter().any(|pid| runs(*pid)), "somebody is left");
}

#[test]
fn a_killed_redis_comes_back_with_everything_and_nobody_is_moved() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let before = bench.until("all well", |s| s["pools"][0]["state"] == "ok");
    // Twice: the second one as it starts.
    let first = bench.pid("redis/redis.pid").unwrap();
    signal(first, Signal::KILL);
    let next = |known: u32| bench.pid("redis/redis.pid").filter(|pid| *pid != known);
    bench.until("another Redis", |_| next(first).is_some());
    let redis = next(first).unwrap();
    signal(redis, Signal::KILL);
    let after = bench.until("another Redis, all well", |s| {
        next(redis).is_some() && s["pools"][0]["state"] == "ok"
    });
    assert_eq!(after["pools"][0]["epoch"], before["pools"][0]["epoch"]);
    assert_eq!(active(&after), active(&before));
    assert_eq!(worker_pid(&after, "w1"), worker_pid(&before, "w1"));
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn what_is_wrong_with_the_configuration_is_one_line_and_exit_code_2() {
    let bench = Bench::with("[workers]\nlocal = 200");
    for words in [["run"].as_slice(), &["status", "--json"]] {
        let output = bench.output(words);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("workers.local"), "{said}");
    }
    assert!(!bench.data().exists());
}

#[test]
fn a_start_that_fails_leaves_nothing_behind_and_ends_nothing_that_ran() {
    let bench = Bench::new();
    let start = |worker: &str| {
        let mut command = bench.command(&["run"]);
        command.env("UNDERSTUDY_WORKER", worker).output().unwrap()
    };
    let failed = start("no-such-program");
    assert_eq!(failed.status.code(), Some(2));
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(
        said.lines().last().unwrap().contains("starting worker w1"),
        "{said}"
    );
    assert!(bench.pids().iter().all(|pid| !runs(*pid)));

    let (running, _) = bench.ready();
    let pids = bench.pids();
    running.kill();
    // The database cannot be read by the next one: it gives up, and members are served on.
    let database = bench.data().join("understudy.db");
    let kept = std::fs::read(&database).unwrap();
    std::fs::write(
        &database,
        "this is no database, and long enough to be looked at",
    )
    .unwrap();
    assert_eq!(start("no-such-program").status.code(), Some(2));
    assert!(pids.iter().all(|pid| runs(*pid)), "{}", bench.log());
    std::fs::write(&database, kept).unwrap();
    let (running, _) = bench.ready();
    assert_eq!(running.stop(), Some(0));
    assert!(!pids.iter().any(|pid| runs(*pid)), "somebody is left");
}

#[test]
fn what_keeps_it_from_starting_is_one_line_with_a_remedy() {
    let long = "x".repeat(120);
    let mut cases = vec![
        (
            format!("data_dir = \"{long}\""),
            "choose a folder with a shorter path",
        ),
        (
            "data_dir = \"understudy.toml/data\"".to_owned(),
            "data_dir must be a folder",
        ),
    ];
    cases.push((
        "[redis]\nurl = \"redis://127.0.0.1:1/\"".to_owned(),
        "redis.url (is it right, and does that Redis run?)",
    ));
    for (settings, remedy) in cases {
        let bench = Bench::new();
        let config = std::fs::read_to_string(bench.config()).unwrap();
        let changed = match settings.starts_with("data_dir") {
            true => config.replace("data_dir = \"data\"", &settings),
            false => config.replace("[[pool]]", &format!("{settings}\n[[pool]]")),
        };
        std::fs::write(bench.config(), changed).unwrap();
        let output = bench.output(&["run"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let lines = said.lines().filter(|line| line.starts_with("understudy: "));
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(lines[0].contains(remedy), "{said}");
    }
}

#[test]
fn a_second_supervisor_on_a_shared_redis_does_not_keep_a_database_of_its_own() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let other = Bench::new();
    let config = std::fs::read_to_string(other.config()).unwrap();
    let socket = bench.data().join("redis/redis.sock");
    let redis = format!(
        "[redis]\nurl = \"redis+unix://{}\"\n[[pool]]",
        socket.display()
    );
    std::fs::write(other.config(), config.replace("[[pool]]", &redis)).unwrap();
    let output = other.output(&["run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("set database.url to the same database"),
        "{said}"
    );
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_redis_that_cannot_start_is_quoted_and_one_of_somebody_else_is_left_alone() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    assert_eq!(running.stop(), Some(0));
    let redis = bench.data().join("redis");
    let socket = redis.join("redis.sock");
    let _gone = std::fs::remove_file(&socket);
    let foreign = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let output = bench.output(&["run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("another program listens on"), "{said}");
    assert!(socket.exists(), "it was cut off");
    drop(foreign);

    let files = std::fs::read_dir(redis.join("appendonlydir")).unwrap();
    for file in files {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "aof") {
            std::fs::write(&path, "no commands\r\n").unwrap();
        }
    }
    let output = bench.output(&["run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("the private Redis ended as it started"),
        "{said}"
    );
    assert!(said.contains("redis-check-aof --fix"), "{said}");
    assert!(said.contains("log/redis.log"), "{said}");
}

#[test]
fn a_worker_too_many_is_ended_at_the_next_start() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let pids = bench.pids();
    running.kill();
    bench.configure("[workers]\nlocal = 1");
    let (running, _) = bench.ready();
    let status = bench.until("everybody on w1", |s| {
        let bots = s["pools"][0]["bots"].as_array().unwrap();
        bots.iter()
            .all(|bot| bot["worker"] == "w1" && bot["ready"] == true)
    });
    assert_eq!(active(&status), (BOTS[0], "w1".to_owned()));
    assert!(!runs(pids[1]), "w2 has no place any more");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn no_token_is_in_what_it_leaves_on_disk() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    assert_eq!(running.stop(), Some(0));
    let needle = b"AAHk3b_0123456789-abcdefghijklmnop";
    let mut folders = vec![bench.data()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                files += 1;
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "a token is in {}", path.display());
            }
        }
    }
    assert!(files > 5, "the data folder was not looked through");
}
