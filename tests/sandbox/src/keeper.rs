//! Keeps the supervisor as a service manager would: killed by order, it is started again after a while.
//!
//! One task owns the daemon; orders reach it over a channel. A kill that is ordered while there is no supervisor strikes the next one a moment
//! after its start. Invariant: an end that nobody ordered is an error.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::{mpsc, oneshot};

use crate::clock::unix_ms;
use crate::daemon::Daemon;

#[derive(Debug)]
enum Order {
    Kill(Kill),
    Quiet(oneshot::Sender<u64>),
}

#[derive(Debug)]
struct Kill {
    asked_ms: i64,
    down: Duration,
    late: Duration,
    struck: oneshot::Sender<i64>,
}

#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// SIGKILL; it is started again after `down`. Returns when it landed: at once, or `late` after the start of the next supervisor.
    pub async fn kill(&self, down: Duration, late: Duration) -> Result<i64> {
        let (struck, landed) = oneshot::channel();
        let order = Order::Kill(Kill {
            asked_ms: unix_ms(),
            down,
            late,
            struck,
        });
        self.0
            .send(order)
            .await
            .context("nobody keeps the supervisor")?;
        landed.await.context("the supervisor could not be killed")
    }

    /// Waits until the supervisor is there and ready. Returns for how many milliseconds of the run it was not.
    pub async fn all_quiet(&self) -> Result<u64> {
        let (told, answer) = oneshot::channel();
        self.0
            .send(Order::Quiet(told))
            .await
            .context("nobody keeps the supervisor")?;
        answer.await.context("the supervisor did not come back")
    }
}

pub struct Keeper {
    orders: mpsc::Receiver<Order>,
    down_ms: u64,
}

pub fn keeper() -> (Orders, Keeper) {
    let (sender, orders) = mpsc::channel(8);
    (Orders(sender), Keeper { orders, down_ms: 0 })
}

impl Keeper {
    /// Ends only by an error: who runs it beside something else drops it.
    pub async fn keep(mut self, daemon: &mut Daemon) -> Result<Infallible> {
        loop {
            let order = tokio::select! {
                ended = daemon.ended() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    bail!("understudy ended by itself: {how}")
                }
                order = self.orders.recv() => order,
            };
            match order {
                Some(Order::Kill(kill)) => self.down(daemon, kill).await?,
                Some(Order::Quiet(told)) => drop(told.send(self.down_ms)),
                // Nobody can order anything any more; the daemon is still watched.
                None => return never(daemon).await,
            }
        }
    }

    /// From a kill until a supervisor is ready, whatever else strikes it on the way.
    async fn down(&mut self, daemon: &mut Daemon, mut kill: Kill) -> Result<()> {
        let since = unix_ms();
        let mut asked = Vec::new();
        loop {
            daemon.kill().await?;
            // Whoever ordered it may have given up.
            let _ = kill.struck.send(unix_ms());
            tokio::time::sleep(kill.down).await;
            daemon.restart()?;
            let started_ms = unix_ms();
            kill = loop {
                tokio::select! {
                    ready = daemon.ready() => {
                        ready?;
                        self.down_ms += u64::try_from(unix_ms() - since).unwrap_or(0);
                        let all: Vec<oneshot::Sender<u64>> = std::mem::take(&mut asked);
                        for told in all {
                            let _ = told.send(self.down_ms);
                        }
                        return Ok(());
                    }
                    order = self.orders.recv() => match order {
                        Some(Order::Kill(next)) => break next,
                        Some(Order::Quiet(told)) => asked.push(told),
                        None => bail!("the run ended while the supervisor was starting"),
                    },
                }
            };
            if kill.asked_ms < started_ms {
                tokio::time::sleep(kill.late).await;
            }
        }
    }
}

async fn never(daemon: &mut Daemon) -> Result<Infallible> {
    let how = daemon.ended().await?;
    bail!("understudy ended by itself: {how}")
}
