//! The running simulator: three listeners (MTProto, MTProto for files, control), one lock, one ticker.
//!
//! Invariant: everything that can change lies in [`core::Core`] behind one mutex that is never held over an await, so the
//! order in which the lock was taken is the order of answers, pushes and log entries.

mod clock;
mod connection;
pub mod core;
mod kinds;
mod listener;
pub mod log;
mod shared;
mod ticker;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use shared::Shared;

use crate::control;
use crate::hub::Line;
use crate::world::{DcAddress, Settings};

/// The number of the one data centre.
pub const DC_ID: i32 = 2;

#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where MTProto listens; port 0 takes a free one.
    pub listen: SocketAddr,
    pub control: SocketAddr,
    /// Of all randomness in the world and in the faults.
    pub seed: u64,
}

impl Default for SimConfig {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: any,
            control: any,
            seed: 1,
        }
    }
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error("cannot listen on {address} for {purpose}")]
    Listen {
        address: SocketAddr,
        purpose: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// Starts simulators.
#[derive(Debug)]
pub struct Sim;

/// Dropping it stops the simulator too, without waiting for its tasks.
#[derive(Debug)]
pub struct RunningSim {
    mtproto: SocketAddr,
    control: SocketAddr,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Sim {
    pub async fn start(config: SimConfig) -> Result<RunningSim, StartError> {
        let (mtproto_listener, mtproto) = listen(config.listen, "MTProto").await?;
        let (control_listener, control) = listen(config.control, "the control API").await?;
        let beside = SocketAddr::new(mtproto.ip(), 0);
        let (media_listener, media) = listen(beside, "file transfers").await?;
        let dc = DcAddress {
            id: DC_ID,
            ip: mtproto.ip().to_string(),
            port: mtproto.port(),
            media_port: Some(media.port()),
        };
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let shared = Arc::new(Shared::new(
            Settings::new(dc),
            config.seed,
            shutdown.clone(),
            tasks.clone(),
        ));
        for (listener, line) in [
            (mtproto_listener, Line::Main),
            (media_listener, Line::Media),
        ] {
            tasks.spawn(listener::run(Arc::clone(&shared), listener, line));
        }
        tasks.spawn(ticker::run(Arc::clone(&shared)));
        tasks.spawn(control::serve(shared, control_listener));
        Ok(RunningSim {
            mtproto,
            control,
            shutdown,
            tasks,
        })
    }
}

impl RunningSim {
    pub fn mtproto_addr(&self) -> SocketAddr {
        self.mtproto
    }

    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Resolves when somebody asked for a stop over the control API.
    pub async fn stopped(&self) {
        self.shutdown.cancelled().await;
    }

    pub async fn shutdown(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for RunningSim {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn listen(
    address: SocketAddr,
    purpose: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen {
        address,
        purpose,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
