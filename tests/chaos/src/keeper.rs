//! Keeps the supervisors as a service manager would: whatever ends one, it is started again; an operator may restart them in order.
//!
//! One task owns each daemon; orders reach it over a channel. An end that nobody ordered is noted with its last words: a supervisor may give up
//! while its stores are away, but what it says then belongs into the report.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sandbox::clock::unix_ms;
use sandbox::daemon::{Daemon, StatusReader};
use sandbox::setup::Folder;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

/// `RestartSec` of the unit that docs/systemd.md shows.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// A supervisor that ends so often cannot run here at all.
const ENDS_AT_MOST: usize = 200;
/// No process has this number.
const NOBODY: i32 = 0;

/// `understudy run`, once or on several hosts of one deployment.
#[derive(Debug)]
pub struct Daemons {
    running: Vec<Daemon>,
    /// Those that are started once the first one serves.
    waiting: Vec<Folder>,
}

impl Daemons {
    /// One for each folder, the first of them at once.
    pub fn start(first: &Folder, others: &[Folder]) -> Result<Self> {
        Ok(Self {
            running: vec![Daemon::start(first)?],
            waiting: others.to_vec(),
        })
    }

    /// Until the first one serves: it leads. Then the others are started, which follow.
    pub async fn ready(&mut self) -> Result<()> {
        for daemon in &mut self.running {
            daemon.ready().await?;
        }
        for folder in self.waiting.drain(..) {
            self.running.push(Daemon::start(&folder)?);
        }
        Ok(())
    }

    pub fn status(&self) -> StatusReader {
        self.running[0].status()
    }

    /// Who keeps them, and how he is told what to do.
    pub fn keepers(&self) -> (Orders, Keepers) {
        let made = self.running.iter().map(|daemon| keeper(daemon.pid()));
        let (desks, keepers) = made.unzip();
        (Orders(desks), Keepers(keepers))
    }

    /// In order, the followers first: the folder of the first one holds the others'. What each of them left.
    pub async fn stop(self) -> Vec<String> {
        let mut left = Vec::new();
        for daemon in self.running.into_iter().rev() {
            left.extend(daemon.stop().await);
        }
        left
    }
}

#[derive(Debug)]
enum Order {
    Kill {
        down: Duration,
        struck: oneshot::Sender<i64>,
    },
    Restart(oneshot::Sender<()>),
    Exits(oneshot::Sender<Vec<Exit>>),
}

/// It ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exit {
    pub at_ms: i64,
    pub how: String,
    pub said: String,
}

/// Where a keeper takes orders.
#[derive(Debug, Clone)]
struct Desk {
    orders: mpsc::Sender<Order>,
    pid: Arc<AtomicI32>,
}

#[derive(Debug, Clone)]
pub struct Orders(Vec<Desk>);

impl Orders {
    /// SIGKILL to this one; it is started again after `down`. Returns when it landed.
    pub async fn kill(&self, which: usize, down: Duration) -> Result<i64> {
        let (struck, landed) = oneshot::channel();
        let desk = self.0.get(which).context("there is no such supervisor")?;
        desk.send(Order::Kill { down, struck }).await?;
        landed.await.context("the supervisor could not be killed")
    }

    /// An orderly stop and a start of each, one after the other, as an operator does it.
    pub async fn restart(&self) -> Result<()> {
        for desk in &self.0 {
            let (told, done) = oneshot::channel();
            desk.send(Order::Restart(told)).await?;
            done.await
                .context("the supervisor could not be restarted")?;
        }
        Ok(())
    }

    /// Of each, while it runs.
    pub fn pids(&self) -> Vec<Option<i32>> {
        let pids = self.0.iter().map(|desk| desk.pid.load(Ordering::Acquire));
        pids.map(|pid| (pid != NOBODY).then_some(pid)).collect()
    }

    pub async fn exits(&self) -> Result<Vec<Exit>> {
        let mut all = Vec::new();
        for desk in &self.0 {
            let (told, answer) = oneshot::channel();
            desk.send(Order::Exits(told)).await?;
            all.extend(answer.await.context("nobody keeps the supervisor")?);
        }
        all.sort_by_key(|exit| exit.at_ms);
        Ok(all)
    }
}

impl Desk {
    async fn send(&self, order: Order) -> Result<()> {
        let sent = self.orders.send(order).await;
        sent.context("nobody keeps the supervisor")
    }
}

struct Keeper {
    orders: mpsc::Receiver<Order>,
    pid: Arc<AtomicI32>,
    exits: Vec<Exit>,
}

pub struct Keepers(Vec<Keeper>);

fn keeper(pid: Option<i32>) -> (Desk, Keeper) {
    let (sender, orders) = mpsc::channel(8);
    let pid = Arc::new(AtomicI32::new(pid.unwrap_or(NOBODY)));
    let desk = Desk {
        orders: sender,
        pid: Arc::clone(&pid),
    };
    let exits = Vec::new();
    (desk, Keeper { orders, pid, exits })
}

impl Keepers {
    /// Ends only by an error: who runs it beside something else drops it.
    pub async fn keep(self, daemons: &mut Daemons) -> Result<Infallible> {
        let each = self.0.into_iter().zip(&mut daemons.running);
        let mut all: Vec<_> = each
            .map(|(keeper, daemon)| Box::pin(keeper.keep(daemon)))
            .collect();
        poll_fn(|context| {
            let mut polled = all.iter_mut().map(|one| one.as_mut().poll(context));
            polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }
}

impl Keeper {
    async fn keep(mut self, daemon: &mut Daemon) -> Result<Infallible> {
        loop {
            self.pid
                .store(daemon.pid().unwrap_or(NOBODY), Ordering::Release);
            let order = tokio::select! {
                ended = daemon.ended() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    self.note(how, daemon)?;
                    self.pid.store(NOBODY, Ordering::Release);
                    tokio::time::sleep(RESTART_AFTER).await;
                    daemon.restart()?;
                    continue;
                }
                order = self.orders.recv() => order,
            };
            match order {
                Some(Order::Kill { down, struck }) => {
                    daemon.kill().await?;
                    self.pid.store(NOBODY, Ordering::Release);
                    // Whoever ordered it may have given up.
                    let _ = struck.send(unix_ms());
                    tokio::time::sleep(down).await;
                    daemon.restart()?;
                }
                Some(Order::Restart(done)) => {
                    daemon.terminate().await?;
                    daemon.restart()?;
                    let _ = done.send(());
                }
                Some(Order::Exits(told)) => drop(told.send(self.exits.clone())),
                None => std::future::pending().await,
            }
        }
    }

    fn note(&mut self, how: String, daemon: &Daemon) -> Result<()> {
        if self.exits.len() >= ENDS_AT_MOST {
            bail!("understudy ended by itself {ENDS_AT_MOST} times; the last time: {how}");
        }
        self.exits.push(Exit {
            at_ms: unix_ms(),
            how,
            said: daemon.last_words(),
        });
        Ok(())
    }
}
