//! The folder of one server: made by initdb, owned by the user that the server runs as, removed with the value.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{PASSWORD, USER};

/// Who runs the server when the test is root's; the distribution's package makes him.
const ACCOUNT: &str = "postgres";

/// Small, quiet, and without waiting for the disk.
const SETTINGS: &str = "fsync = off
full_page_writes = off
synchronous_commit = on
shared_buffers = 16MB
max_connections = 60
autovacuum = off
listen_addresses = '127.0.0.1'
ssl = on
logging_collector = off
";

#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
}

impl Cluster {
    pub fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pg").tempdir();
        let cluster = Self {
            folder: folder.context("a temporary folder")?,
        };
        let place = cluster.folder.path();
        let owner = if is_root() { Some(account()?) } else { None };
        own(place, owner)?;
        let password = place.join("password");
        fs::write(&password, PASSWORD)?;
        own(&password, owner)?;
        run(unprivileged(&program("initdb")?)
            .arg("-D")
            .arg(cluster.data())
            .args(["-U", USER, "-E", "UTF8", "--locale=C", "--no-sync"])
            .args(["--no-instructions", "--auth-local=trust"])
            .arg("--auth-host=scram-sha-256")
            .arg("--pwfile")
            .arg(&password)
            .current_dir(place))?;
        cluster.make_certificate(owner)?;
        let settings = cluster.data().join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(settings)?;
        let socket = format!("unix_socket_directories = '{}'\n", place.display());
        file.write_all(SETTINGS.as_bytes())?;
        file.write_all(socket.as_bytes())?;
        Ok(cluster)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server looks for it when nothing else is configured.
    pub fn certificate(&self) -> PathBuf {
        self.data().join("server.crt")
    }

    fn make_certificate(&self, owner: Option<(u32, u32)>) -> Result<()> {
        let key = self.data().join("server.key");
        run(Command::new("openssl")
            .args(["req", "-new", "-x509", "-nodes", "-days", "2"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", "/CN=127.0.0.1"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            // Without it the certificate would call itself an authority, which rustls takes from no server.
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(self.certificate()))?;
        fs::set_permissions(&key, PermissionsExt::from_mode(0o600))?;
        own(&key, owner)?;
        own(&self.certificate(), owner)
    }
}

/// One of PostgreSQL's programs. Debian keeps those of each version in a folder outside of PATH.
pub fn program(name: &str) -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    folders.sort();
    let debian = folders.into_iter().rev().map(|(_, path)| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = debian
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    found.with_context(|| {
        format!("{name} is not installed: run ./scripts/test, or install the package postgresql")
    })
}

/// As the server's user if this is root, and ended with the thread that starts it in any case.
pub fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let what = format!("{:?}", command.get_program());
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("running {what}"))?;
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn own(path: &Path, owner: Option<(u32, u32)>) -> Result<()> {
    match owner {
        Some((user, group)) => chown(path, Some(user), Some(group))
            .with_context(|| format!("giving {} to {ACCOUNT}", path.display())),
        None => Ok(()),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user and group of the server's account.
fn account() -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").context("the list of users")?;
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(ACCOUNT));
    let mut fields = line.into_iter().flat_map(|line| line.split(':')).skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    number()
        .zip(number())
        .with_context(|| format!("there is no user {ACCOUNT}: run ./scripts/test"))
}
