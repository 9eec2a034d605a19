//! The server ends with whoever started it, in each of the ways in which that can end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres_server::{Server, is_alive};

/// The starter, its server's process and folder.
fn starter() -> (Child, u32, PathBuf) {
    let mut starter = Command::new(env!("CARGO_BIN_EXE_postgres-server"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(starter.stdout.as_mut().unwrap()).lines();
    let pid = lines.next().unwrap().unwrap().parse().unwrap();
    let folder = lines.next().unwrap().unwrap().into();
    (starter, pid, folder)
}

fn gone(pid: u32) {
    let started = Instant::now();
    while is_alive(pid) {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "the server stays"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn it_ends_when_its_starter_is_killed() {
    let (mut starter, pid, folder) = starter();
    assert!(is_alive(pid));
    starter.kill().unwrap();
    starter.wait().unwrap();
    gone(pid);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn it_ends_with_its_value_and_its_folder_goes_with_it() {
    let server = Server::start().unwrap();
    server.create_database("one").unwrap();
    assert_eq!(server.sql("one", "SELECT 1 + 1, 'x'").unwrap(), "2|x");
    let (pid, folder) = (server.pid(), server.certificate());
    assert!(folder.is_file());
    drop(server);
    gone(pid);
    assert!(!folder.exists());
}

#[test]
fn what_it_stored_is_there_after_a_crash() {
    let mut server = Server::start().unwrap();
    server
        .sql(
            "postgres",
            "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('kept')",
        )
        .unwrap();
    let port = server.port();
    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_eq!(server.sql("postgres", "SELECT a FROM t").unwrap(), "kept");
}
