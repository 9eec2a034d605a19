//! Whether the very process on the seat answers on the socket, and when it has been silent for so long that it hangs.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::{START_PATIENCE, START_POLL};
use crate::process::Process;

/// How often a running server is asked, and how long it has for its answer.
const QUESTION: Duration = Duration::from_millis(500);

/// Does this very process listen on the socket and answer? Any answer will do: one that reads its file refuses all commands.
pub(super) async fn answers(process: &Process, socket: &Path, at_most: Duration) -> bool {
    let until = Instant::now() + at_most;
    while Instant::now() < until && process.is_alive() {
        let asked = tokio::time::timeout_at(until, ask(process, socket)).await;
        if matches!(asked, Ok(Ok(true))) {
            return true;
        }
        tokio::time::sleep(START_POLL).await;
    }
    false
}

/// Ends when the server has given no answer for `limit`, counted in questions that each had their time: while we sleep ourselves, nobody is asked.
/// One that is starting, and has not answered anybody yet, may first read what it finds.
pub(super) async fn hangs(process: &Process, socket: &Path, limit: Duration) {
    let mut silent = Duration::ZERO;
    let mut patience = START_PATIENCE.max(limit);
    loop {
        let began = Instant::now();
        match tokio::time::timeout(QUESTION, ask(process, socket)).await {
            Ok(Ok(true)) => {
                silent = Duration::ZERO;
                patience = limit;
            }
            Ok(Ok(false) | Err(_)) | Err(_) => silent += QUESTION,
        }
        if silent >= patience {
            return;
        }
        tokio::time::sleep_until(began + QUESTION).await;
    }
}

async fn ask(process: &Process, socket: &Path) -> std::io::Result<bool> {
    let mut stream = tokio::net::UnixStream::connect(socket).await?;
    let listener = stream.peer_cred()?.pid();
    let other = listener.is_some_and(|pid| u32::try_from(pid) != Ok(process.pid()));
    if other {
        return Ok(false);
    }
    stream.write_all(b"PING\r\n").await?;
    let mut first = [0];
    stream.read_exact(&mut first).await?;
    Ok(matches!(first[0], b'+' | b'-'))
}
