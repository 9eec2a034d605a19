//! Starts a program that cannot outlive this one.
//!
//! The sandbox runs itself as a small launcher which asks the kernel for a signal at its parent's death (prctl(2), PR_SET_PDEATHSIG) and
//! then becomes the program: the setting survives execve. So also a `kill -9` of the sandbox leads to an orderly stop of what it started.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// The launcher's first argument; followed by the parent's pid and the command.
const MARK: &str = "--become-child-of";

/// A command that will be ended by SIGTERM when this process ends.
pub fn tied_to_us(program: &Path) -> std::io::Result<tokio::process::Command> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command
        .arg(MARK)
        .arg(std::process::id().to_string())
        .arg(program);
    Ok(command)
}

/// When this process was started as the launcher: becomes the program, or returns why it could not.
pub fn become_child() -> Option<std::io::Error> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != MARK {
        return None;
    }
    let rest: Vec<OsString> = arguments.collect();
    let [parent, program, arguments @ ..] = &rest[..] else {
        return Some(std::io::Error::other(
            "the launcher needs a pid and a command",
        ));
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return Some(error.into());
    }
    // The parent may have died before the setting took effect.
    let alive = getppid().is_some_and(|pid| *parent == *pid.as_raw_nonzero().to_string());
    if !alive {
        return Some(std::io::Error::other("who started this is gone"));
    }
    Some(Command::new(program).args(arguments).exec())
}
