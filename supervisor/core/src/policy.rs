//! What an operator may tune about decisions, with defaults that are argued.
//!
//! Every duration is in milliseconds and judged against ages, never against a wall clock; only bounds per hour look at dates.

/// The policy of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A worker whose heartbeat is older than this has failed. Six beats; a lease (1 s) is over by then.
    pub worker_silent_ms: u64,
    /// A bot whose line has been silent for longer has failed. Longer than a stall of 2 s plus a probe's interval of 1 s.
    pub line_silent_ms: u64,
    /// A standby counts as a witness that Telegram can be reached if it was answered within this time, and has been for `line_silent_ms`.
    pub witness_ms: u64,
    /// A holder that has been connected, with its epoch open, for this long works under that epoch, or never will by itself: one that
    /// may resume it does so within 100 ms.
    pub idle_ms: u64,
    /// After a renewal that did not help the next one waits this long while a standby is ready.
    pub renew_again_ms: u64,
    /// How long a named holder has for its smoke test.
    pub smoke_timeout_ms: u64,
    /// The same for a takeover on a silent line, where a switch is the way out: together with `line_silent_ms`, the looks in between and what a busy
    /// machine adds within 6 s. One that passes takes 30 to 400 ms.
    pub takeover_smoke_ms: u64,
    /// Within this time there are at most `guesses` moves for what may turn out to be nothing (a silent line).
    pub cooldown_ms: u64,
    /// Three: a line that is silent once more after each of them is not mended by moving.
    pub guesses: u32,
    pub switches_per_hour: u32,
    pub takeovers_per_hour: u32,
    /// A bot whose sessions keep dying is not helped by yet another login: a standby answers instead.
    pub relogins_per_hour: u32,
    /// After a relogin the next one waits this long, so that a bot both of whose logins die does not go to and fro between them.
    pub relogin_again_ms: u64,
    /// A second login that is missing for longer is a reason of its own; making one takes its time and its budget.
    pub resting_grace_ms: u64,
    /// How long the first activation waits for a bot of higher priority that is still connecting.
    pub first_wait_ms: u64,
    /// How long a started worker has for its first heartbeat; placing waits for it, after that it has failed.
    pub start_grace_ms: u64,
    /// A holder that failed its smoke test is not tried again for this long.
    pub retry_failed_ms: u64,
    /// A standby that shares the active bot's worker is moved away once things have been calm for this long.
    pub settle_ms: u64,
    /// A flood wait from which a bot counts as degraded.
    pub flood_degraded_s: u32,
    /// A probe's round trip from which a bot counts as degraded.
    pub latency_degraded_us: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            worker_silent_ms: 1500,
            line_silent_ms: 3500,
            witness_ms: 2500,
            idle_ms: 1500,
            renew_again_ms: 30_000,
            smoke_timeout_ms: 2000,
            takeover_smoke_ms: 1250,
            cooldown_ms: 60_000,
            guesses: 3,
            switches_per_hour: 12,
            takeovers_per_hour: 60,
            relogins_per_hour: 6,
            relogin_again_ms: 60_000,
            resting_grace_ms: 600_000,
            first_wait_ms: 3000,
            start_grace_ms: 5000,
            retry_failed_ms: 10_000,
            settle_ms: 10_000,
            flood_degraded_s: 30,
            latency_degraded_us: 1_000_000,
        }
    }
}
