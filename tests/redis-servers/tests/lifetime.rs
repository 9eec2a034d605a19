//! The servers end with whoever started them, and a copy takes over when the primary dies.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redis_servers::{Server, Settings, Watched, is_alive};

#[test]
fn they_end_when_their_starter_is_killed() {
    let mut starter = Command::new(env!("CARGO_BIN_EXE_redis-servers"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(starter.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines.take(7).map(Result::unwrap).collect();
    assert!(lines[0].starts_with("redis+sentinel://"), "{lines:?}");
    let pids: Vec<u32> = lines[1..].iter().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    starter.kill().unwrap();
    starter.wait().unwrap();
    let killed = Instant::now();
    while pids.iter().any(|pid| is_alive(*pid)) {
        assert!(killed.elapsed() < Duration::from_secs(20), "servers stay");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_it_stored_is_there_after_a_crash() {
    let mut server = Server::start(&[]).unwrap();
    server.ask::<()>(&["SET", "a", "kept"]).unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(server.ask::<String>(&["GET", "a"]).unwrap(), "kept");
}

#[test]
fn a_copy_takes_over_and_the_primary_before_comes_back_as_a_copy() {
    let mut watched = Watched::start(&Settings::default()).unwrap();
    let before = watched.primary().unwrap();
    let server = watched.server(before);
    server.ask::<()>(&["SET", "a", "kept"]).unwrap();
    assert_eq!(server.ask::<u32>(&["WAIT", "2", "5000"]).unwrap(), 2);
    watched.server_mut(before).kill().unwrap();
    let after = watched.failed_over_from(before).unwrap();
    assert_ne!(before, after);
    let kept = watched.server(after).ask::<String>(&["GET", "a"]);
    assert_eq!(kept.unwrap(), "kept");
    watched.server_mut(before).start_again().unwrap();
    watched.is_copy(before).unwrap();
}
