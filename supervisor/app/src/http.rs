//! The supervisor's small HTTP listener: `/go/<pool>` leads to whichever bot is active. Followers answer as well as the leader does.
//!
//! It speaks plain HTTP for a proxy on the same machine or a private network. Invariants: a connection takes one request, bounded in size and time, and there are
//! at most so many of them; nothing is answered that is not about the one pool that was asked for, and an unknown pool looks like
//! any other wrong path. It asks Redis nothing on a request: [`known`] looks on its own, and what it saw last is answered while
//! Redis is away. Deliberately absent: TLS, keep-alive, logs of who asked.

mod go;
mod known;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::Router;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use shared_io::config::{Config, HttpConfig};
use shared_io::redis::RedisState;
use shared_io::sql::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use known::Known;

/// Connections at once; more wait in the kernel.
const CONNECTIONS: usize = 256;
/// For the head of a request to come in, and for all of a connection.
const HEAD: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(10);
/// All of a request's head; hyper takes no less than 8 KiB.
const HEAD_BYTES: usize = 8 * 1024;
const HEADERS: usize = 64;
/// After the system gave no connection out (no descriptor left).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until it is dropped.
pub struct Server {
    accepting: JoinHandle<()>,
    _known: Arc<Known>,
}

/// Takes the configured address, before anything is started: who cannot have it is told at once. `None` without one.
pub async fn bind(config: &HttpConfig) -> anyhow::Result<Option<TcpListener>> {
    let Some(listen) = config.listen else {
        return Ok(None);
    };
    match TcpListener::bind(listen).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => {
            let why = match error.kind() {
                std::io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
                std::io::ErrorKind::AddrNotAvailable => {
                    "this machine has no such address".to_owned()
                }
                std::io::ErrorKind::PermissionDenied => {
                    "this program may not have a port below 1024".to_owned()
                }
                _ => error.to_string(),
            };
            Err(anyhow!(
                "http.listen: {listen} cannot be listened on: {why}; choose another address, or leave `listen` out"
            ))
        }
    }
}

impl Server {
    pub fn start(
        listener: TcpListener,
        config: &Config,
        redis: &RedisState,
        store: &Store,
    ) -> Self {
        let known = Arc::new(Known::start(config, redis, store));
        let router = Router::new()
            .route("/go/{pool}", get(go::answer))
            .fallback(go::nowhere)
            .with_state(Arc::clone(&known));
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening for /go/<pool>");
        }
        Self {
            accepting: tokio::spawn(accept(listener, router)),
            _known: known,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Never closed, so a place is only waited for.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                connections.spawn(async move {
                    serve(stream, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "no connection was given out");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // Whoever went away, was too slow or spoke something else has what he gets.
    let _ended = tokio::time::timeout(CONNECTION, connection).await;
}
