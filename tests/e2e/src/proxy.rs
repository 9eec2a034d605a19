//! A line to Redis that can be stalled, cut, and stopped at a chosen command: one for each client that is to be treated by itself. A *plain* one
//! passes on whatever comes, and is for other servers.
//!
//! What comes from the client is forwarded in whole commands (RESP arrays, which is what clients send), what comes back as it comes. A stalled line
//! takes everything and passes nothing on, as a network does that drops packets; a cut one breaks what is there and refuses what comes. A [`Trap`]
//! stalls the line at the first command that it fits, before or after the server has it. What was held back is passed on when the line is opened, also
//! when its sender is dead by then: that is what late packets are.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    Stalled,
    Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The server never sees the command, unless the line is opened again.
    Before,
    /// The server carries it out; the client does not hear of it.
    After,
}

/// A command that has all of these texts in it, and where to stop.
#[derive(Debug, Clone)]
pub struct Trap {
    pub has: Vec<String>,
    pub when: When,
}

struct Shared {
    mode: watch::Sender<Mode>,
    trap: Mutex<Option<Trap>>,
    sprung: Notify,
    server: SocketAddr,
    /// Does it pass on whole commands?
    knows_commands: bool,
}

pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Result<Self> {
        Self::start_for(server, true).await
    }

    /// To a server that speaks something else than Redis does.
    pub async fn start_plain(server: SocketAddr) -> Result<Self> {
        Self::start_for(server, false).await
    }

    async fn start_for(server: SocketAddr, knows_commands: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a proxy")?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            mode: watch::Sender::new(Mode::Open),
            trap: Mutex::new(None),
            sprung: Notify::new(),
            server,
            knows_commands,
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self {
            addr,
            shared,
            accepting,
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr)
    }

    /// Everything is taken, nothing passes.
    pub fn stall(&self) {
        self.shared.mode.send_replace(Mode::Stalled);
    }

    /// Connections break, new ones too.
    pub fn cut(&self) {
        self.shared.mode.send_replace(Mode::Cut);
    }

    pub fn open(&self) {
        self.shared.mode.send_replace(Mode::Open);
    }

    pub fn set_trap(&self, trap: Trap) {
        *lock(&self.shared.trap) = Some(trap);
    }

    pub fn clear_trap(&self) {
        *lock(&self.shared.trap) = None;
    }

    /// Waits until the trap has stalled the line.
    pub async fn sprung(&self, at_most: Duration) -> Result<()> {
        let sprung = tokio::time::timeout(at_most, self.shared.sprung.notified());
        sprung.await.context("the awaited command never came")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if *shared.mode.borrow() == Mode::Cut {
            continue;
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(shared.server).await {
                serve(client, server, shared).await;
            }
        });
    }
}

/// Until either side ends or the line is cut.
async fn serve(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut mode = shared.mode.subscribe();
    let there = async {
        match shared.knows_commands {
            true => commands(from_client, to_server, &shared).await,
            false => bytes(from_client, to_server, &shared).await,
        }
    };
    tokio::select! {
        _ = there => {}
        _ = bytes(from_server, to_client, &shared) => {}
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn commands(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut taken = Vec::new();
    loop {
        while let Some(length) = command_length(&taken) {
            let command: Vec<u8> = taken.drain(..length).collect();
            if shared.springs(&command) == Some(When::After) {
                to.write_all(&command).await?;
                continue;
            }
            shared.opened().await;
            to.write_all(&command).await?;
        }
        if from.read_buf(&mut taken).await? == 0 {
            return Ok(());
        }
    }
}

async fn bytes(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut taken = Vec::new();
    loop {
        taken.clear();
        if from.read_buf(&mut taken).await? == 0 {
            return Ok(());
        }
        shared.opened().await;
        to.write_all(&taken).await?;
    }
}

impl Shared {
    async fn opened(&self) {
        let mut mode = self.mode.subscribe();
        // The sender lives as long as the proxy, and so do its lines.
        let _open = mode.wait_for(|mode| *mode == Mode::Open).await;
    }

    /// Is it the trap's command? Then the line is stalled from here on.
    fn springs(&self, command: &[u8]) -> Option<When> {
        let mut trap = lock(&self.trap);
        let fits = trap.as_ref().is_some_and(|trap| {
            let mut texts = trap.has.iter();
            texts.all(|text| contains(command, text.as_bytes()))
        });
        let when = trap.take_if(|_| fits)?.when;
        self.mode.send_replace(Mode::Stalled);
        self.sprung.notify_one();
        Some(when)
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// How long the first command is, if all of it is there: `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`.
fn command_length(buffer: &[u8]) -> Option<usize> {
    let (parts, mut at) = number(buffer, 0)?;
    for _ in 0..parts {
        let (length, from) = number(buffer, at)?;
        at = from + length + 2;
    }
    (buffer.len() >= at).then_some(at)
}

/// The number of a line like `*3\r\n`, and where the next one begins.
fn number(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    let line = buffer.get(at..)?;
    let end = line.windows(2).position(|two| two == b"\r\n")?;
    let digits = std::str::from_utf8(line.get(1..end)?).ok()?;
    Some((digits.parse().ok()?, at + end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_whole_or_waited_for() {
        let two = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(command_length(two), Some(20));
        assert_eq!(command_length(&two[20..]), Some(14));
        for cut in 0..20 {
            assert_eq!(command_length(&two[..cut]), None, "{cut}");
        }
    }
}
