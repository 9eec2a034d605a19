//! The simulator as a program: parses, starts, says where it listens, waits to be stopped.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use telegram_sim::{Sim, SimConfig};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Telegram for tests: MTProto on one port, an HTTP control API on another. See README.md.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where MTProto listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the control API listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Seed of all randomness in the world and in faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write the line that says where it listens into this file, once it does.
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    // Before the ready line: whoever reads it may stop us at once.
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;

    let config = SimConfig {
        listen: args.listen,
        control: args.control,
        seed: args.seed,
    };
    let sim = Sim::start(config)
        .await
        .context("cannot start the simulator")?;
    let ready = json!({"mtproto": sim.mtproto_addr().to_string(), "control": sim.control_url()})
        .to_string();
    println!("{ready}");
    if let Some(path) = args.ready_file {
        write_whole(&path, &ready)
            .with_context(|| format!("cannot write the ready file {}", path.display()))?;
    }

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = sim.stopped() => {}
    }
    sim.shutdown().await;
    Ok(())
}

/// By rename, so that a reader who waits for the file never sees half of it.
fn write_whole(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, format!("{text}\n"))?;
    std::fs::rename(part, path)
}
