//! Where the state lives, and how it is broken: a Redis and a database of the harness's own, or the product's private ones.
//!
//! Invariant: nothing outlives the harness: what is stopped is woken before it is ended, and each server gets a signal when this process dies.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgres_server::Server;
use rustix::process::{Pid, Signal, kill_process};
use sandbox::processes::redis_of;
use sandbox::store::Store;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::proxy::Proxy;

const STARTS_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const DATABASE: &str = "chaos";

/// A Redis as a service of its own, one primary that syncs each write, behind a line that can be cut.
pub struct SharedRedis {
    child: tokio::sync::Mutex<Option<Child>>,
    addr: SocketAddr,
    folder: PathBuf,
    pub proxy: Proxy,
}

impl SharedRedis {
    pub async fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).context("the shared Redis' folder")?;
        let probe = TcpListener::bind("127.0.0.1:0").context("a port for Redis")?;
        let addr = probe.local_addr().context("a port for Redis")?;
        drop(probe);
        let redis = Self {
            child: tokio::sync::Mutex::new(None),
            addr,
            folder: folder.to_owned(),
            proxy: Proxy::start(addr).await?,
        };
        redis.launch().await?;
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.proxy.addr)
    }

    /// Starts it, again, and waits until it listens.
    pub async fn launch(&self) -> Result<()> {
        let mut command: Command = sandbox::launch::tied_to_us(Path::new("redis-server"))?;
        command
            .args([
                "--port",
                &self.addr.port().to_string(),
                "--bind",
                "127.0.0.1",
            ])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--save", "", "--daemonize", "no"])
            .arg("--dir")
            .arg(&self.folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.process_group(0).kill_on_drop(true);
        *self.child.lock().await = Some(command.spawn().context("redis-server")?);
        let listens = async {
            while TcpStream::connect(self.addr).await.is_err() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(STARTS_WITHIN, listens)
            .await
            .context("the shared Redis does not listen")
    }

    /// SIGKILL, and its end.
    pub async fn kill(&self) -> Result<()> {
        match self.child.lock().await.as_mut() {
            Some(child) => child.kill().await.context("redis-server"),
            None => bail!("there is no redis-server"),
        }
    }

    pub async fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.lock().await;
        let pid = child
            .as_ref()
            .and_then(Child::id)
            .and_then(|id| i32::try_from(id).ok());
        let pid = pid
            .and_then(Pid::from_raw)
            .context("there is no redis-server")?;
        kill_process(pid, signal).context("redis-server")
    }
}

/// Where Redis is.
pub enum Redis {
    Private(PathBuf),
    Shared(Box<SharedRedis>),
}

impl Redis {
    /// The folder of its append-only files.
    pub fn files(&self) -> PathBuf {
        match self {
            Self::Private(root) => root.join("state/redis/appendonlydir"),
            Self::Shared(shared) => shared.folder.join("appendonlydir"),
        }
    }

    /// False when there is none to strike.
    pub async fn signal(&self, signal: Signal) -> Result<bool> {
        match self {
            Self::Private(root) => match redis_of(root) {
                Some(process) => Ok(process.signal(signal).is_ok()),
                None => Ok(false),
            },
            Self::Shared(shared) => Ok(shared.signal(signal).await.is_ok()),
        }
    }
}

/// The SQL store.
pub enum Database {
    Sqlite(PathBuf),
    Postgres(Postgres),
}

/// A database that is gone until this is given back.
pub enum Gone {
    Locked(SqliteConnection),
    Stopped(Vec<Pid>),
}

impl Database {
    /// SQLite takes no write while another one holds its lock; PostgreSQL hangs.
    pub async fn take(&self) -> Result<Gone> {
        match self {
            Self::Sqlite(file) => {
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .busy_timeout(Duration::from_secs(5));
                let mut connection = SqliteConnection::connect_with(&options).await?;
                sqlx::query("BEGIN EXCLUSIVE")
                    .execute(&mut connection)
                    .await?;
                Ok(Gone::Locked(connection))
            }
            Self::Postgres(server) => {
                let all = family(server.pid);
                for pid in &all {
                    let _ = kill_process(*pid, Signal::STOP);
                }
                Ok(Gone::Stopped(all))
            }
        }
    }

    /// The titles of the courses that were recorded, once each row.
    pub async fn titles(&self) -> Result<Vec<String>> {
        match self {
            Self::Sqlite(file) => {
                let courses = Store::open(file).await?.courses().await?;
                Ok(courses.into_iter().map(|course| course.title).collect())
            }
            Self::Postgres(server) => server.titles().await,
        }
    }
}

impl Gone {
    pub async fn give_back(self) {
        match self {
            // The connection's end takes the lock with it in any case.
            Self::Locked(mut connection) => {
                let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
                let _ = connection.close().await;
            }
            Self::Stopped(all) => {
                for pid in all {
                    let _ = kill_process(pid, Signal::CONT);
                }
            }
        }
    }
}

/// A PostgreSQL on a thread of its own: it ends with the thread that started it.
pub struct Postgres {
    pub url: String,
    pid: i32,
    asks: mpsc::Sender<tokio::sync::oneshot::Sender<Result<String>>>,
}

impl Postgres {
    pub async fn start() -> Result<Self> {
        let (asks, asked) = mpsc::channel();
        let (told, started) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("postgres".into())
            .spawn(move || {
                let server =
                    Server::start().and_then(|one| one.create_database(DATABASE).map(|()| one));
                let server = match server {
                    Ok(server) => server,
                    Err(error) => return drop(told.send(Err(error))),
                };
                if told.send(Ok((server.url(DATABASE), server.pid()))).is_err() {
                    return;
                }
                serve(&server, &asked);
            })
            .context("a thread for PostgreSQL")?;
        let (url, pid) = started.await.context("PostgreSQL did not start")??;
        Ok(Self {
            url,
            pid: i32::try_from(pid)?,
            asks,
        })
    }

    async fn titles(&self) -> Result<Vec<String>> {
        let (told, answer) = tokio::sync::oneshot::channel();
        self.asks
            .send(told)
            .map_err(|_| anyhow::anyhow!("PostgreSQL is gone"))?;
        let text = answer.await.context("PostgreSQL is gone")??;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Until nobody can ask any more.
fn serve(server: &Server, asked: &mpsc::Receiver<tokio::sync::oneshot::Sender<Result<String>>>) {
    while let Ok(told) = asked.recv() {
        let _ = told.send(server.sql(DATABASE, "SELECT title FROM courses"));
    }
}

/// A process and its children.
fn family(of: i32) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter(|pid| *pid == of || parent_of(*pid) == Some(of));
    ours.filter_map(Pid::from_raw).collect()
}

/// The fourth word of `/proc/PID/stat`; the second is a name in brackets that may hold anything.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}
