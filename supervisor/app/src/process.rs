//! Processes that outlive us: started in a session of their own, found again by the lock that they carry.
//!
//! One pass: [`Seat::take`] opens the seat's lock file. If nobody has it, [`Seat::launch`] starts the program with the locked descriptor
//! inherited, so the kernel keeps the lock for exactly as long as that process lives. If somebody has it, that is a process which an earlier
//! supervisor started: it is found by its pid file, or by looking who has the lock file open, and adopted by pidfd.
//!
//! Invariants: never two processes on one seat, whatever was killed when; a pid is only ever signalled through its pidfd, so it is never
//! somebody else's.

mod launch;
mod pidfd;
mod seat;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use pidfd::Pidfd;

pub use seat::{Seat, Taken};

/// A child, or a process that was adopted.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    pidfd: Arc<Pidfd>,
    /// Set for our own children, which we must reap.
    child: Option<std::process::Child>,
}

impl Process {
    fn of_child(child: std::process::Child) -> io::Result<Self> {
        let pid = child.id();
        Ok(Self {
            pid,
            pidfd: Arc::new(Pidfd::open(pid)?),
            child: Some(child),
        })
    }

    fn adopted(pid: u32, pidfd: Pidfd) -> Self {
        Self {
            pid,
            pidfd: Arc::new(pidfd),
            child: None,
        }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn is_alive(&self) -> bool {
        self.pidfd.is_alive()
    }

    /// A future that ends with the process; it does not borrow it.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let pidfd = self.pidfd.clone();
        async move { pidfd.ended().await }
    }

    /// Waits for its end, at most this long. True: it has ended.
    pub async fn ends_within(&self, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, self.ended()).await.is_ok()
    }

    /// Sends a signal; one that has ended is told nothing.
    pub fn signal(&self, signal: Signal) {
        if let Err(error) = self.pidfd.signal(signal)
            && self.is_alive()
        {
            tracing::warn!(pid = self.pid, %error, "a process could not be signalled");
        }
    }

    /// Asks it to end, insists after `patience`, and reaps it.
    pub async fn stop(mut self, patience: Duration) {
        self.signal(Signal::TERM);
        if !self.ends_within(patience).await {
            tracing::warn!(pid = self.pid, "did not end when asked, is killed");
            self.signal(Signal::KILL);
            self.ends_within(patience).await;
        }
        self.reap();
    }

    /// How it ended, if it is our child and has.
    pub fn reap(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }
}
