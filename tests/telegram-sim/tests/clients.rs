//! Clients that share no code with this project, against the simulator: Telethon and kurigram, unpatched, as bots and as members.
//! The programs are in `clients/`, each asserts what it sees and that nobody called what the simulator does not answer.
//!
//! They run in a Python environment that `scripts/test` makes. Without it these tests fail: a proof that is skipped is none.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use telegram_sim::{Sim, SimConfig};
use tokio::process::Command;
use tokio::time::timeout;

/// Where the Python environment is, when it is not under the target folder.
const ENVIRONMENT: &str = "TELEGRAM_CLIENTS_VENV";
/// The programs bound each of their own waits; this is for a hang that they do not see.
const PATIENCE: Duration = Duration::from_secs(120);

fn python() -> PathBuf {
    let venv = match std::env::var_os(ENVIRONMENT) {
        Some(venv) => PathBuf::from(venv),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("telegram-clients"),
    };
    let python = venv.join("bin/python");
    assert!(python.exists(), "no Python clients: run scripts/test");
    python
}

async fn run(program: &str, arguments: &[&str]) {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let output = Command::new(python())
        .arg(programs.join(program))
        .arg(sim.control_url())
        .args(arguments)
        // No byte code beside the sources, and no notes of kurigram's about errors that it does not know.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, output)
        .await
        .expect("an end within the patience")
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    sim.shutdown().await;
}

#[tokio::test]
async fn telethon_is_a_bot_over_full() {
    run("telethon_bot.py", &["full"]).await;
}

#[tokio::test]
async fn telethon_is_a_bot_over_abridged() {
    run("telethon_bot.py", &["abridged"]).await;
}

#[tokio::test]
async fn telethon_is_a_bot_over_intermediate() {
    run("telethon_bot.py", &["intermediate"]).await;
}

#[tokio::test]
async fn telethon_is_a_member_on_two_devices() {
    run("telethon_member.py", &[]).await;
}

#[tokio::test]
async fn kurigram_is_a_bot() {
    run("kurigram_bot.py", &[]).await;
}

#[tokio::test]
async fn kurigram_is_a_member_and_its_bot_is_telethon() {
    run("kurigram_member.py", &[]).await;
}

#[tokio::test]
async fn members_on_both_clients_follow_their_groups() {
    run("groups.py", &[]).await;
}
