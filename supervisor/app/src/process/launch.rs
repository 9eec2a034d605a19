//! Starting a program that is to outlive us.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts `program` in a session of its own, with `lock` inherited and its output appended to `log`.
pub(super) fn launch(
    program: &Path,
    arguments: &[OsString],
    lock: File,
    log: &Path,
) -> io::Result<Child> {
    let output = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(log)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    detach(&mut command, lock);
    command.spawn()
}

/// A session of its own: no terminal's Ctrl-C and no hang-up reaches it. The lock's descriptor stays open over exec in this child alone.
#[allow(unsafe_code)]
fn detach(command: &mut Command, lock: File) {
    let prepare = move || {
        rustix::process::setsid()?;
        rustix::io::fcntl_setfd(lock.as_fd(), rustix::io::FdFlags::empty())?;
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. Both calls are single system calls without allocation or
    // locks, and the closure owns what it uses.
    unsafe {
        command.pre_exec(prepare);
    }
}
