//! A descriptor that stands for one process, and for no other one that gets its number later.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Readable once the process has ended, and from then on.
#[derive(Debug)]
pub(super) struct Pidfd(AsyncFd<OwnedFd>);

impl Pidfd {
    pub fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        watched(pidfd_open(pid, PidfdFlags::empty())?).map(Self)
    }

    pub fn is_alive(&self) -> bool {
        let mut fds = [PollFd::new(self.0.get_ref(), PollFlags::IN)];
        let no_wait = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        matches!(poll(&mut fds, Some(&no_wait)), Ok(0))
    }

    pub async fn ended(&self) {
        // An error can only be the runtime's end.
        let _ready = self.0.readable().await;
    }

    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(self.0.get_ref(), signal)?)
    }
}

#[allow(unsafe_code)]
fn watched(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by the AsyncFd and neither replaced nor closed while it lives: it is only ever borrowed from it.
    let watched = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    Ok(watched?)
}
