//! Where orders are handed in: the same doors in Redis and SQL that the command line and the workers use.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use shared_core::{Order, OrderId, PlanId, PoolBoard, PoolId, Progress, Request, Requester};
use shared_io::clock;
use shared_io::config::Config;
use shared_io::redis::{PoolState, RedisState, RedisTimeouts, Submitted};
use shared_io::sql::Store;

use super::Bench;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Desk {
    pub runtime: tokio::runtime::Runtime,
    pub config: Config,
    pub pool: PoolState,
}

pub fn request(order: Order) -> Request {
    Request {
        id: clock::nonce(),
        order,
        by: Requester::Cli { user: "ann".into() },
        plan: None,
        at: clock::unix_now(),
        progress: Progress::Waiting,
    }
}

pub fn name() -> PoolId {
    PoolId::new("main").unwrap()
}

impl Desk {
    /// Of a deployment whose Redis runs.
    pub fn of(bench: &Bench) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = Config::load(bench.config()).unwrap();
        let (url, prefix) = (config.redis_url(), config.redis.prefix.clone());
        let redis = RedisState::connect(&url, &prefix, RedisTimeouts::default());
        let pool = runtime.block_on(redis).unwrap().pool(&name());
        Self {
            runtime,
            config,
            pool,
        }
    }

    pub fn submit(&self, request: &Request) -> Submitted {
        self.runtime.block_on(self.pool.submit(request)).unwrap()
    }

    pub fn progress(&self, id: OrderId) -> Progress {
        let seen = self.runtime.block_on(self.pool.order(id)).unwrap();
        seen.expect("the order is kept").request.progress
    }

    /// Looks until the order stands as is wanted.
    pub fn until(
        &self,
        bench: &Bench,
        id: OrderId,
        wanted: impl Fn(&Progress) -> bool,
    ) -> Progress {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let progress = self.progress(id);
            if wanted(&progress) {
                return progress;
            }
            assert!(Instant::now() < deadline, "{progress:?}\n{}", bench.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Hands in an order and waits for its end.
    pub fn order(&self, bench: &Bench, order: Order) -> Progress {
        let request = request(order);
        assert_eq!(self.submit(&request), Submitted::New);
        self.until(bench, request.id, Progress::is_over)
    }

    /// Looks until the board is as is wanted.
    pub fn board(&self, bench: &Bench, wanted: impl Fn(&PoolBoard) -> bool) -> PoolBoard {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let board = self.runtime.block_on(self.pool.board()).unwrap();
            if let Some(board) = board.as_ref().filter(|board| wanted(board)) {
                return board.clone();
            }
            assert!(Instant::now() < deadline, "{board:#?}\n{}", bench.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn plan(&self, bench: &Bench) -> PlanId {
        let board = self.board(bench, |board| board.rotate.plan.is_some());
        board.rotate.plan.unwrap()
    }

    pub fn store(&self) -> Store {
        self.runtime
            .block_on(Store::open_configured(&self.config))
            .unwrap()
    }

    /// A command that the API does not have, in the protocol's inline form; its first line.
    pub fn raw(&self, words: &str) -> String {
        let mut socket = UnixStream::connect(self.config.redis_socket()).unwrap();
        socket.write_all(format!("{words}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).unwrap();
        line
    }
}

pub fn done(progress: &Progress) -> bool {
    matches!(progress, Progress::Done { .. })
}

/// Why it was refused.
pub fn refusal(progress: Progress) -> String {
    match progress {
        Progress::Refused { why } => why,
        other => panic!("not refused: {other:?}"),
    }
}
