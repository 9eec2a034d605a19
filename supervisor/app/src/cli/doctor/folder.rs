//! The data folder: there, ours alone, writable, on a disk with room that keeps what it is told to keep; and how many files may be open.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use shared_io::clock;
use shared_io::config::Config;
use tokio::time::Instant;

use super::result::CheckResult;
use super::{Report, narrow};
use crate::folder::Folder;

const MIB: u64 = 1 << 20;
/// Redis rewrites its file into a second one: twice its size has to fit.
const LOW_DISK: u64 = 1024 * MIB;
const NO_DISK: u64 = 128 * MIB;
/// With `appendfsync always` a commit waits for one of these.
const SLOW_SYNC: Duration = Duration::from_millis(25);
const SYNCS: usize = 9;
/// A supervisor with 64 workers, pools and Redis stays well below.
const LOW_FILES: u64 = 1024;

pub async fn check(config: &Config, report: &mut Report) {
    let folder = config.data_dir();
    if !is_there(folder, report) {
        return;
    }
    mode(folder, report);
    let folder = folder.to_owned();
    // Syncing blocks; it is done beside the runtime.
    let results = tokio::task::spawn_blocking(move || [writable(&folder), disk(&folder)]).await;
    for result in results.into_iter().flatten() {
        report.add(result);
    }
    report.add(open_files());
}

fn is_there(folder: &Path, report: &mut Report) -> bool {
    const NAME: &str = "data folder";
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => {
            report.add(CheckResult::ok(NAME, folder.display().to_string()));
            true
        }
        Ok(_) => {
            let line = format!("{} is not a folder", folder.display());
            report.add(CheckResult::fail(
                NAME,
                line,
                "move it away, or write another data_dir",
            ));
            false
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && report.fix => {
            match Folder::new(folder).make() {
                Ok(()) => {
                    report.add(CheckResult::fixed(
                        NAME,
                        format!("{} is made", folder.display()),
                    ));
                    true
                }
                Err(error) => {
                    let line = super::out::one_line(&format!("{error:#}"));
                    report.add(CheckResult::fail(
                        NAME,
                        line,
                        "make it, or write another data_dir",
                    ));
                    false
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.add(absent(folder));
            false
        }
        Err(error) => {
            let line = format!(
                "{} cannot be looked at ({})",
                folder.display(),
                error.kind()
            );
            report.add(CheckResult::fail(
                NAME,
                line,
                "look at its owner and at the folders above it",
            ));
            false
        }
    }
}

/// The first start would make it, if it may.
fn absent(folder: &Path) -> CheckResult {
    const NAME: &str = "data folder";
    let above = folder.ancestors().skip(1).find(|above| above.is_dir());
    let may_make = above.is_some_and(|above| {
        rustix::fs::access(
            above,
            rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
        )
        .is_ok()
    });
    let line = format!("{} is not there yet", folder.display());
    if may_make {
        return CheckResult::warn(NAME, line, "the first start makes it, and so does --fix");
    }
    let above = above.map_or_else(PathBuf::new, Path::to_owned);
    CheckResult::fail(
        NAME,
        format!("{line}, and {} is not writable", above.display()),
        "make it as root and give it to this user, or write another data_dir",
    )
}

fn mode(folder: &Path, report: &mut Report) {
    const NAME: &str = "folder's mode";
    let Ok(found) = std::fs::metadata(folder) else {
        return;
    };
    let mode = found.mode() & 0o777;
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        let line = format!(
            "{} belongs to user {} and this is user {me}",
            folder.display(),
            found.uid()
        );
        let remedy =
            "run this as the user that runs the supervisor, or give the folder to that user";
        report.add(CheckResult::warn(NAME, line, remedy));
    } else if mode & 0o077 == 0 {
        report.add(CheckResult::ok(NAME, format!("{mode:o}, ours alone")));
    } else if report.fix && narrow(folder, 0o700).is_ok() {
        report.add(CheckResult::fixed(NAME, format!("{mode:o} is 700 now")));
    } else {
        let line = format!("{mode:o} lets other users in");
        report.add(CheckResult::fail(
            NAME,
            line,
            format!("run: chmod 700 '{}'", folder.display()),
        ));
    }
}

/// A file is written, synced and removed again.
fn writable(folder: &Path) -> CheckResult {
    const NAME: &str = "folder's disk";
    let file = folder.join(format!(".doctor-{}", clock::nonce()));
    let tried = sync_times(&file);
    let removed = std::fs::remove_file(&file);
    match tried {
        Err(error) => CheckResult::fail(
            NAME,
            format!(
                "{} cannot be written to ({})",
                folder.display(),
                error.kind()
            ),
            "look at its owner, its mode and the free space of its disk",
        ),
        Ok(_) if removed.is_err() => CheckResult::fail(
            NAME,
            format!("{} cannot be removed again", file.display()),
            "look at the folder's mode",
        ),
        Ok(took) => {
            let line = format!("a synced write takes {:.1} ms", took.as_secs_f64() * 1000.0);
            if took <= SLOW_SYNC {
                CheckResult::ok(NAME, line)
            } else {
                let remedy = "every commit waits for it with appendfsync always; use a faster disk";
                CheckResult::warn(NAME, line, remedy)
            }
        }
    }
}

/// The median of some synced writes.
fn sync_times(path: &Path) -> std::io::Result<Duration> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[0; 512])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort();
    Ok(times[SYNCS / 2])
}

const DISK: &str = "disk space";

fn disk(folder: &Path) -> CheckResult {
    let room = match rustix::fs::statvfs(folder) {
        Ok(room) => room,
        Err(error) => {
            let line = format!("cannot be read ({error})");
            return CheckResult::unknown(DISK, line, "look at it with df");
        }
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    enough(folder, free, room.f_files, room.f_favail)
}

/// Pure. `free` bytes; `inodes` in all and `free_inodes` of them.
fn enough(folder: &Path, free: u64, inodes: u64, free_inodes: u64) -> CheckResult {
    let line = format!("{} MiB free for {}", free / MIB, folder.display());
    let remedy = "make room: Redis and SQL stop taking writes on a full disk";
    // Some file systems have no fixed number of inodes and say 0 of 0.
    if inodes > 0 && free_inodes == 0 {
        return CheckResult::fail(
            DISK,
            "no inode is free",
            "remove small files from that disk",
        );
    }
    match free {
        0..NO_DISK => CheckResult::fail(DISK, line, remedy),
        NO_DISK..LOW_DISK => CheckResult::warn(DISK, line, remedy),
        _ => CheckResult::ok(DISK, line),
    }
}

fn open_files() -> CheckResult {
    const NAME: &str = "open files";
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < LOW_FILES => CheckResult::warn(
            NAME,
            format!("this shell allows {limit}"),
            "start with 1024 or more (ulimit -n, or LimitNOFILE= in the unit)",
        ),
        Some(limit) => CheckResult::ok(NAME, format!("{limit} allowed")),
        None => CheckResult::ok(NAME, "no limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::Grade;
    use super::*;

    #[test]
    fn a_disk_is_warned_of_before_it_is_full_and_fails_when_nothing_fits() {
        for (free, inodes, free_inodes, grade) in [
            (LOW_DISK, 0, 0, Grade::Ok),
            (LOW_DISK, 100, 1, Grade::Ok),
            (LOW_DISK - 1, 100, 1, Grade::Warn),
            (NO_DISK, 100, 1, Grade::Warn),
            (NO_DISK - 1, 100, 1, Grade::Fail),
            (0, 0, 0, Grade::Fail),
            (u64::MAX, 100, 0, Grade::Fail),
        ] {
            let result = enough(Path::new("data"), free, inodes, free_inodes);
            assert_eq!(result.grade, grade, "{free} bytes: {result}");
            assert_eq!(result.check, "disk space");
            assert_eq!(result.remedy.is_some(), grade != Grade::Ok, "{result}");
        }
    }
}
