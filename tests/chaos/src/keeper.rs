//! Keeps the supervisor as a service manager would: whatever ends it, it is started again; an operator may restart it in order.
//!
//! One task owns the daemon; orders reach it over a channel. An end that nobody ordered is noted with its last words: a supervisor may give up
//! while its stores are away, but what it says then belongs into the report.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sandbox::clock::unix_ms;
use sandbox::daemon::Daemon;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

/// `RestartSec` of the unit that docs/systemd.md shows.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// A supervisor that ends so often cannot run here at all.
const ENDS_AT_MOST: usize = 200;

#[derive(Debug)]
enum Order {
    Kill {
        down: Duration,
        struck: oneshot::Sender<i64>,
    },
    Restart(oneshot::Sender<()>),
    Pid(oneshot::Sender<Option<i32>>),
    Exits(oneshot::Sender<Vec<Exit>>),
}

/// It ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exit {
    pub at_ms: i64,
    pub how: String,
    pub said: String,
}

#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// SIGKILL; it is started again after `down`. Returns when it landed.
    pub async fn kill(&self, down: Duration) -> Result<i64> {
        let (struck, landed) = oneshot::channel();
        self.send(Order::Kill { down, struck }).await?;
        landed.await.context("the supervisor could not be killed")
    }

    /// An orderly stop and a start.
    pub async fn restart(&self) -> Result<()> {
        let (told, done) = oneshot::channel();
        self.send(Order::Restart(told)).await?;
        done.await.context("the supervisor could not be restarted")
    }

    pub async fn pid(&self) -> Result<Option<i32>> {
        let (told, answer) = oneshot::channel();
        self.send(Order::Pid(told)).await?;
        answer.await.context("nobody keeps the supervisor")
    }

    pub async fn exits(&self) -> Result<Vec<Exit>> {
        let (told, answer) = oneshot::channel();
        self.send(Order::Exits(told)).await?;
        answer.await.context("nobody keeps the supervisor")
    }

    async fn send(&self, order: Order) -> Result<()> {
        self.0
            .send(order)
            .await
            .context("nobody keeps the supervisor")
    }
}

pub struct Keeper {
    orders: mpsc::Receiver<Order>,
    exits: Vec<Exit>,
}

pub fn keeper() -> (Orders, Keeper) {
    let (sender, orders) = mpsc::channel(8);
    let exits = Vec::new();
    (Orders(sender), Keeper { orders, exits })
}

impl Keeper {
    /// Ends only by an error: who runs it beside something else drops it.
    pub async fn keep(mut self, daemon: &mut Daemon) -> Result<Infallible> {
        loop {
            let order = tokio::select! {
                ended = daemon.ended() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    self.note(how, daemon)?;
                    tokio::time::sleep(RESTART_AFTER).await;
                    daemon.restart()?;
                    continue;
                }
                order = self.orders.recv() => order,
            };
            match order {
                Some(Order::Kill { down, struck }) => {
                    daemon.kill().await?;
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
                Some(Order::Pid(told)) => drop(told.send(daemon.pid())),
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
