//! The lines between hosts and servers: what is cut, what is slow, what is lost.
//!
//! ```text
//! a request   leaves ─▶ arrives and is carried out ─▶ its answer leaves ─▶ its answer arrives
//!                  └ lost: never carried out                   └ lost: carried out, and nobody knows
//! ```
//! A caller whose answer does not come learns it by its time-out; what it asked may be carried out later than that. Invariant: what one
//! connection carries arrives in order, but for what was given up on it. Nothing here knows what is said.

use super::rng::Rng;

/// Hosts: workers first, then supervisors.
pub const HOSTS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Redis,
    Telegram,
    Sql,
}

#[derive(Debug, Clone, Copy, Default)]
struct Line {
    cut: bool,
    /// Percent of requests and answers that are lost or late.
    bad: u64,
    /// When the last request arrived.
    last: u64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    /// When it arrives, if it does.
    pub arrives: Option<u64>,
    /// How long its answer takes, if it comes.
    pub answer: Option<u64>,
    /// When its caller gives up, if no answer has come.
    pub gives_up: u64,
}

#[derive(Debug)]
pub struct Net {
    lines: [[Line; 3]; HOSTS],
    rng: Vec<Rng>,
    pub redis_down: bool,
    pub sql_down: bool,
}

/// Callers give up on an answer after this.
pub const TIMEOUT: u64 = 1000;
/// A connection that is refused is known to be so after this.
const REFUSED: u64 = 15;

impl Net {
    pub fn new(seed: u64) -> Self {
        Self {
            lines: [[Line::default(); 3]; HOSTS],
            rng: (0..HOSTS)
                .map(|host| Rng::of(seed, host as u64 + 1))
                .collect(),
            redis_down: false,
            sql_down: false,
        }
    }

    pub fn cut(&mut self, host: usize, server: Server, cut: bool) {
        self.lines[host][server as usize].cut = cut;
    }

    pub fn spoil(&mut self, host: usize, server: Server, percent: u64) {
        self.lines[host][server as usize].bad = percent;
    }

    pub fn heal(&mut self) {
        self.lines = [[Line::default(); 3]; HOSTS];
        self.redis_down = false;
        self.sql_down = false;
    }

    pub fn passes(&self, host: usize, server: Server) -> bool {
        let down = match server {
            Server::Redis => self.redis_down,
            Server::Sql => self.sql_down,
            Server::Telegram => false,
        };
        !down && !self.lines[host][server as usize].cut
    }

    fn latency(rng: &mut Rng) -> u64 {
        match rng.below(32) {
            0..=24 => rng.below(2),
            25..=30 => rng.range(1, 8),
            _ => rng.range(5, 60),
        }
    }

    /// Draws what becomes of a request that leaves now.
    pub fn fate(&mut self, host: usize, server: Server, now: u64) -> Fate {
        let passes = self.passes(host, server);
        let rng = &mut self.rng[host];
        let line = &mut self.lines[host][server as usize];
        let gives_up = now + TIMEOUT;
        if !passes {
            // Refused at once, or nothing is heard.
            let quick = rng.chance(80);
            let gives_up = if quick { now + REFUSED } else { gives_up };
            return Fate {
                arrives: None,
                answer: None,
                gives_up,
            };
        }
        let (there, back) = (Self::latency(rng), Self::latency(rng));
        if line.bad > 0 && rng.chance(line.bad) {
            return Self::troubled(rng, now, there, back);
        }
        let arrives = (now + there).max(line.last);
        line.last = arrives;
        Fate {
            arrives: Some(arrives),
            answer: Some(back),
            gives_up,
        }
    }

    /// Lost on the way there, lost on the way back, or so late that nobody waits for it any more.
    fn troubled(rng: &mut Rng, now: u64, there: u64, back: u64) -> Fate {
        // A broken connection is noticed at once, a silent one by the time-out.
        let notices = if rng.chance(70) { REFUSED } else { TIMEOUT };
        let (arrives, answer) = match rng.below(3) {
            0 => (None, None),
            1 => (Some(now + there), None),
            _ => (Some(now + rng.range(notices / 2, notices * 2)), Some(back)),
        };
        Fate {
            arrives,
            answer,
            gives_up: now + notices,
        }
    }

    /// How long an update takes to a connection.
    pub fn push_latency(&mut self, host: usize) -> u64 {
        let rng = &mut self.rng[host];
        Self::latency(rng) + if rng.chance(3) { rng.range(10, 300) } else { 0 }
    }

    pub fn chance(&mut self, host: usize, percent: u64) -> bool {
        self.rng[host].chance(percent)
    }

    pub fn bad(&self, host: usize, server: Server) -> u64 {
        self.lines[host][server as usize].bad
    }

    pub fn draw(&mut self, host: usize) -> u64 {
        self.rng[host].next()
    }
}
