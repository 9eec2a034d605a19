//! A line between the processes and a server (a shared Redis, Telegram) that can be cut for one process: refused, or without an answer.
//!
//! Who called is found by the socket: `/proc/net/tcp` names its inode, `/proc/PID/fd` its owner (proc(5)). Invariant: while a process is cut, not a byte of
//! its connections passes; those that were open when it was cut without an answer stay silent until it ends, then they are closed, as a broken route does it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a process is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its connections are closed, new ones too.
    Refused,
    /// Nothing passes, nothing is closed.
    Silent,
}

type Cuts = HashMap<i32, Cut>;

#[derive(Debug)]
pub struct Proxy {
    pub addr: SocketAddr,
    cuts: watch::Sender<Cuts>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("a line to a server")?;
        let addr = listener.local_addr().context("a line to a server")?;
        let cuts = watch::Sender::new(Cuts::new());
        let known = cuts.subscribe();
        let task = tokio::spawn(async move {
            while let Ok((client, from)) = listener.accept().await {
                tokio::spawn(pass(client, from, addr, to, known.clone()));
            }
        });
        Ok(Self { addr, cuts, task })
    }

    pub fn cut(&self, pid: i32, how: Cut) {
        self.cuts.send_modify(|cuts| {
            cuts.insert(pid, how);
        });
    }

    pub fn mend(&self, pid: i32) {
        self.cuts.send_modify(|cuts| {
            cuts.remove(&pid);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, from its begin to its end.
async fn pass(
    mut client: TcpStream,
    from: SocketAddr,
    here: SocketAddr,
    to: SocketAddr,
    mut cuts: watch::Receiver<Cuts>,
) {
    let owner = tokio::task::spawn_blocking(move || owner_of(from, here)).await;
    let Some(pid) = owner.ok().flatten() else {
        return;
    };
    if !may_pass(pid, &mut cuts).await {
        return;
    }
    let Ok(mut server) = TcpStream::connect(to).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut up, mut down) = (vec![0; 16_384], vec![0; 16_384]);
    loop {
        tokio::select! {
            biased;
            changed = cuts.changed() => {
                let cut = cuts.borrow_and_update().get(&pid).copied();
                if changed.is_err() || cut == Some(Cut::Refused) {
                    return;
                }
                if cut == Some(Cut::Silent) {
                    may_pass(pid, &mut cuts).await;
                    return;
                }
            }
            read = client.read(&mut up) => if !forward(read, &up, &mut server).await { return },
            read = server.read(&mut down) => if !forward(read, &down, &mut client).await { return },
        }
    }
}

/// Waits while the process is cut silently; false when it is refused.
async fn may_pass(pid: i32, cuts: &mut watch::Receiver<Cuts>) -> bool {
    loop {
        match cuts.borrow_and_update().get(&pid) {
            None => return true,
            Some(Cut::Refused) => return false,
            Some(Cut::Silent) => {}
        }
        if cuts.changed().await.is_err() {
            return false;
        }
    }
}

async fn forward(read: std::io::Result<usize>, bytes: &[u8], to: &mut TcpStream) -> bool {
    match read {
        Ok(0) | Err(_) => false,
        Ok(count) => to.write_all(&bytes[..count]).await.is_ok(),
    }
}

/// The process whose socket on this machine goes from `from` to `to`.
fn owner_of(from: SocketAddr, to: SocketAddr) -> Option<i32> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = table
        .lines()
        .find_map(|line| inode_in(line, from.port(), to.port()))?;
    let wanted = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.into_iter().find(|pid| {
        holds(
            &Path::new("/proc").join(pid.to_string()).join("fd"),
            &wanted,
        )
    })
}

/// A line of `/proc/net/tcp`: number, local address, remote address, ..., inode the tenth word.
fn inode_in(line: &str, local_port: u16, remote_port: u16) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let port = |at: usize| {
        let (_, port) = words.get(at)?.split_once(':')?;
        u16::from_str_radix(port, 16).ok()
    };
    let matches = port(1) == Some(local_port) && port(2) == Some(remote_port);
    let inode = words.get(9)?.parse().ok()?;
    (matches && inode != 0).then_some(inode)
}

fn holds(folder: &Path, wanted: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut links = entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.any(|link| link.to_str() == Some(wanted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        addr
    }

    async fn says(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_process_is_cut_in_either_way_and_others_are_not() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let mut stream = TcpStream::connect(proxy.addr).await.unwrap();
        assert_eq!(says(&mut stream).await.unwrap(), b'x');
        proxy.cut(own + 1, Cut::Refused);
        assert_eq!(says(&mut stream).await.unwrap(), b'x');

        proxy.cut(own, Cut::Silent);
        let unheard = timeout(Duration::from_millis(200), says(&mut stream)).await;
        assert!(unheard.is_err(), "{unheard:?}");
        let mut waits = TcpStream::connect(proxy.addr).await.unwrap();
        let unheard = timeout(Duration::from_millis(200), says(&mut waits)).await;
        assert!(unheard.is_err(), "{unheard:?}");
        proxy.mend(own);
        assert!(says(&mut stream).await.is_err(), "what was open is closed");
        assert_eq!(waits.read_u8().await.unwrap(), b'x', "it had only waited");

        proxy.cut(own, Cut::Refused);
        assert!(waits.read_u8().await.is_err());
        let mut refused = TcpStream::connect(proxy.addr).await.unwrap();
        assert!(says(&mut refused).await.is_err());
    }

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = "   1: 0100007F:A1B2 0100007F:18EB 01 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 20 4 30 10 -1";
        assert_eq!(inode_in(line, 0xa1b2, 0x18eb), Some(4242));
        assert_eq!(inode_in(line, 0x18eb, 0xa1b2), None);
        assert_eq!(inode_in("  sl  local_address rem_address", 1, 2), None);
    }
}
