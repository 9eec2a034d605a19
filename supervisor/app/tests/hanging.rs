//! Processes of the supervisor that hang, and those that are left on a seat that is not theirs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use support::{BOTS, Bench, active, runs, signal, worker_pid};

#[test]
fn the_only_worker_is_killed_when_it_hangs_and_serves_again() {
    let bench = Bench::with("[workers]\nlocal = 1");
    let (running, _) = bench.ready();
    let before = bench.until("all well", |s| {
        s["pools"][0]["bots"]
            .as_array()
            .unwrap()
            .iter()
            .all(|bot| bot["ready"] == true)
    });
    let hung = bench.pid("run/w1.pid").unwrap();
    signal(hung, Signal::STOP);
    let after = bench.until("another process serves", |s| {
        worker_pid(s, "w1").is_some_and(|pid| pid != hung)
            && s["pools"][0]["bots"]
                .as_array()
                .unwrap()
                .iter()
                .all(|bot| bot["ready"] == true)
    });
    assert!(!runs(hung), "{hung} hangs on");
    assert_eq!(active(&after), (BOTS[0], "w1".to_owned()));
    assert_eq!(after["pools"][0]["epoch"], before["pools"][0]["epoch"]);
    assert!(
        bench.log().contains("worker hangs, killing it"),
        "{}",
        bench.log()
    );
    let events = bench.output(&["events", "--json"]);
    let events = String::from_utf8(events.stdout).unwrap();
    assert!(events.contains("killed_when_silent_for_ms"), "{events}");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_standbys_worker_that_hangs_is_killed_and_nobody_is_moved() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    let before = bench.until("all well", |s| s["pools"][0]["state"] == "ok");
    assert_eq!(active(&before), (BOTS[0], "w1".to_owned()));
    let hung = bench.pid("run/w2.pid").unwrap();
    signal(hung, Signal::STOP);
    let after = bench.until("another w2", |s| {
        worker_pid(s, "w2").is_some_and(|pid| pid != hung) && s["pools"][0]["state"] == "ok"
    });
    assert!(!runs(hung), "{hung} hangs on");
    assert_eq!(active(&after), active(&before));
    assert_eq!(after["pools"][0]["epoch"], before["pools"][0]["epoch"]);
    assert_eq!(running.stop(), Some(0));
}

/// Makes the server rewrite its file for a long time; the process that does it.
fn rewriting(bench: &Bench, server: u32) -> u32 {
    let mut socket = UnixStream::connect(bench.data().join("redis/redis.sock")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    for command in ["CONFIG SET rdb-key-save-delay 5000000", "BGREWRITEAOF"] {
        socket
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let mut answer = [0; 256];
        let length = socket.read(&mut answer).unwrap();
        assert_eq!(
            answer[0],
            b'+',
            "{}",
            String::from_utf8_lossy(&answer[..length])
        );
    }
    let children = format!("/proc/{server}/task/{server}/children");
    let until = shared_io::clock::boot_now().plus(Duration::from_secs(10));
    loop {
        let text = std::fs::read_to_string(&children).unwrap();
        if let Some(child) = text.split_whitespace().next() {
            return child.parse().unwrap();
        }
        assert!(shared_io::clock::boot_now() < until, "nobody rewrites");
        std::thread::yield_now();
    }
}

fn another(bench: &Bench, known: u32) -> Option<u32> {
    bench.pid("redis/redis.pid").filter(|pid| *pid != known)
}

#[test]
fn a_child_that_outlives_its_redis_is_not_taken_for_it() {
    let bench = Bench::new();
    let (running, _) = bench.ready();
    bench.until("all well", |s| s["pools"][0]["state"] == "ok");
    let server = bench.pid("redis/redis.pid").unwrap();
    let child = rewriting(&bench, server);
    signal(server, Signal::KILL);
    bench.until("another Redis, all well", |s| {
        another(&bench, server).is_some() && s["pools"][0]["state"] == "ok"
    });
    assert!(!runs(child), "{child} is left");

    // The same where nobody is there to see the server die.
    let server = bench.pid("redis/redis.pid").unwrap();
    let child = rewriting(&bench, server);
    running.kill();
    signal(server, Signal::KILL);
    assert!(runs(child), "the child was to outlive it");
    let (running, _) = bench.ready();
    assert!(!runs(child), "{child} is left");
    let next = another(&bench, server).expect("another server");
    assert!(Path::new(&format!("/proc/{next}")).exists());
    assert_eq!(running.stop(), Some(0));
}
