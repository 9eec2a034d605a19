//! What the leader saw of one pool in one look. Only facts; what they mean is the verdicts' business.
//!
//! Invariant: a heartbeat that belongs to a process's predecessor (another nonce) is not in a snapshot of that process.

use shared_core::{
    Assignment, BotHealth, BotId, EpochRecord, Heartbeat, Holder, LETS_GO_AFTER, LoginLease,
    LoginSlot, OtherLogin, Overrides, Phase, PoolId, ProcessId, UnixMs, WorkerId,
};

use crate::saga::{Saga, SwitchKind};

/// Can Redis be reached, and for how long has it been? Silence of workers is only counted while it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisView {
    Up { for_ms: u64 },
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolBot {
    pub bot: BotId,
    pub name: String,
    /// Lower is preferred.
    pub priority: u32,
    /// False: it stands by and answers admins, and is never made active, by nobody.
    pub promotable: bool,
    /// The login in the slot that is not assigned exists and is not lost, by SQL's word or by the last heartbeat about it. What a fresh
    /// heartbeat says counts for more: see [`Snapshot::resting`].
    pub resting_known: bool,
}

/// A worker's process as far as this supervisor can know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// Our child (started or adopted), alive.
    Running { for_ms: u64 },
    /// Seen to be dead by its pidfd, by us or by the supervisor whose child it was; nothing of it runs any more.
    Dead,
    /// Not ours: it is judged by its heartbeat alone.
    Elsewhere,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerView {
    pub worker: WorkerId,
    pub process: Process,
    /// The last heartbeat and its age (see [`crate::Arrivals`]).
    pub beat: Option<(Heartbeat, u64)>,
}

/// A switch or takeover that opened an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastMove {
    pub kind: SwitchKind,
    pub at: UnixMs,
    /// What it was made for might have turned out to be nothing (a silent line).
    pub on_a_guess: bool,
}

/// A holder that was named and did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    pub holder: Holder,
    pub at: UnixMs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub pool: PoolId,
    pub redis: RedisView,
    pub database_ok: bool,
    pub epoch: Option<EpochRecord>,
    /// For how long the epoch has been open, as far as the leader knows; 0 while it is not.
    pub open_for_ms: u64,
    pub bots: Vec<PoolBot>,
    pub workers: Vec<WorkerView>,
    pub assignments: Vec<Assignment>,
    pub leases: Vec<LoginLease>,
    /// Bots that were given to an earlier process of their worker's name: nobody knows whether it is dead, and the one that is heard leaves its
    /// connections alone.
    pub orphaned: Vec<BotId>,
    pub saga: Option<Saga>,
    /// Moves of the last hour at least.
    pub past: Vec<PastMove>,
    pub failed: Vec<FailedAttempt>,
    /// What an operator has laid down.
    pub overrides: Overrides,
}

/// A heartbeat this young says what is: they are sent four times a second, and at once when a bot comes or goes.
const FRESH_MS: u64 = 1000;

impl Snapshot {
    /// The bot's other login, if it is there and nobody can be connected with it any more.
    pub fn resting(&self, bot: BotId, now: UnixMs) -> Option<LoginSlot> {
        let given = self.assignment(bot)?;
        if given.other_rests_until.is_some_and(|until| until > now) {
            return None;
        }
        let rests = match self.reported(given).map(|health| health.other_login) {
            Some(OtherLogin::Resting) => true,
            Some(OtherLogin::Missing | OtherLogin::Lost) => false,
            Some(OtherLogin::Unknown) | None => self.bot(bot)?.resting_known,
        };
        rests.then(|| given.slot.other())
    }

    /// What the assigned worker says of the bot under the assigned login; its words about the login before it are not about this one.
    pub fn reported(&self, given: &Assignment) -> Option<&BotHealth> {
        self.health(given.bot, &given.worker)
            .filter(|health| health.slot == given.slot)
    }

    /// What an assignment of `slot` is to say about the other login (`Assignment::other_rests_until`). `gone`: whoever was connected
    /// with it is known to be dead.
    pub fn other_rests_until(
        &self,
        bot: BotId,
        slot: LoginSlot,
        gone: bool,
        now: UnixMs,
    ) -> Option<UnixMs> {
        let before = self.assignment(bot)?;
        if before.slot == slot {
            return before.other_rests_until.filter(|until| *until > now);
        }
        let millis = i64::try_from(LETS_GO_AFTER.as_millis()).unwrap_or(i64::MAX);
        (!gone).then(|| UnixMs(now.0.saturating_add(millis)))
    }

    /// Has whoever last used the other login certainly let go of it? A process that is heard without the bot closed its connection before it said
    /// so; what another one of its name says tells nothing. That a dead process has is the caller's to know.
    /// Not asked right after a move: a heartbeat from before it knows nothing.
    pub fn other_is_let_go(&self, given: &Assignment, now: UnixMs) -> bool {
        if self
            .since_last_move(now)
            .is_some_and(|since| since <= FRESH_MS)
        {
            return false;
        }
        let Some(user) = &given.other_process else {
            return false;
        };
        let beat = self.worker(&user.worker).and_then(|v| v.beat.as_ref());
        let said = beat.filter(|(beat, age)| *age <= FRESH_MS && beat.nonce == user.nonce);
        said.is_some_and(|(beat, _)| beat.bot(&self.pool, given.bot).is_none())
    }

    /// Who answers, if the epoch is open. A record that is fenced or smoking without a saga names nobody: whoever it was to be must be tested.
    pub fn holder(&self) -> Option<&Holder> {
        let record = self.epoch.as_ref()?;
        match record.phase {
            Phase::Open => record.holder.as_ref(),
            Phase::Fenced | Phase::Smoking => None,
        }
    }

    /// The bots of [`Snapshot::orphaned`]. `is_dead`: is this very process known to be dead?
    pub fn find_orphaned(&self, is_dead: impl Fn(&ProcessId) -> bool) -> Vec<BotId> {
        let orphaned = |given: &&Assignment| {
            let beat = self.worker(&given.worker).and_then(|v| v.beat.as_ref());
            let (Some((beat, _)), Some(nonce)) = (beat, given.process) else {
                return false;
            };
            let of = ProcessId {
                worker: given.worker.clone(),
                nonce,
            };
            beat.nonce != nonce && beat.bot(&self.pool, given.bot).is_none() && !is_dead(&of)
        };
        let orphaned = self.assignments.iter().filter(orphaned);
        orphaned.map(|given| given.bot).collect()
    }

    pub fn is_orphaned(&self, bot: BotId) -> bool {
        self.orphaned.contains(&bot)
    }

    pub fn running_saga(&self) -> Option<&Saga> {
        self.saga.as_ref().filter(|saga| saga.is_running())
    }

    pub fn bot(&self, bot: BotId) -> Option<&PoolBot> {
        self.bots.iter().find(|known| known.bot == bot)
    }

    /// The bot's name in the configuration, or its id.
    pub fn name(&self, bot: BotId) -> String {
        self.bot(bot)
            .map_or_else(|| bot.to_string(), |known| known.name.clone())
    }

    pub fn worker(&self, worker: &WorkerId) -> Option<&WorkerView> {
        self.workers.iter().find(|view| view.worker == *worker)
    }

    pub fn assignment(&self, bot: BotId) -> Option<&Assignment> {
        self.assignments.iter().find(|given| given.bot == bot)
    }

    pub fn lease(&self, bot: BotId) -> Option<&LoginLease> {
        self.leases.iter().find(|lease| lease.bot == bot)
    }

    /// What `worker` last said of `bot`, however old.
    pub fn health(&self, bot: BotId, worker: &WorkerId) -> Option<&BotHealth> {
        let (beat, _) = self.worker(worker)?.beat.as_ref()?;
        beat.bot(&self.pool, bot)
    }

    /// Can the bot's connection be had from this worker? Its process is dead or ours to end, or it is heard and gives a lease back by itself.
    pub fn lets_go(&self, bot: BotId, worker: &WorkerId, silent_ms: u64) -> bool {
        let view = self.worker(worker).filter(|_| !self.is_orphaned(bot));
        view.is_some_and(|view| match (view.process, &view.beat) {
            (Process::Dead | Process::Running { .. }, _) => true,
            (Process::Elsewhere, Some((_, age_ms))) => *age_ms < silent_ms,
            (Process::Elsewhere, None) => false,
        })
    }

    /// Bots of this pool that are assigned to the worker.
    pub fn load(&self, worker: &WorkerId) -> usize {
        self.assignments
            .iter()
            .filter(|given| given.worker == *worker && self.bot(given.bot).is_some())
            .count()
    }

    /// Milliseconds since the last move that opened an epoch.
    pub fn since_last_move(&self, now: UnixMs) -> Option<u64> {
        self.past.iter().map(|past| now.since(past.at)).min()
    }

    /// Moves on a guess within this time, and how long until the oldest of them does not count any more.
    pub fn guesses_within(&self, window_ms: u64, now: UnixMs) -> (u32, u64) {
        let guesses = self.past.iter().filter(|past| past.on_a_guess);
        let left = guesses.filter_map(|past| window_ms.checked_sub(now.since(past.at)));
        let left: Vec<u64> = left.filter(|left| *left > 0).collect();
        let count = u32::try_from(left.len()).unwrap_or(u32::MAX);
        (count, left.into_iter().min().unwrap_or(0))
    }

    /// Milliseconds since the last move of this kind.
    pub fn since_last(&self, kind: SwitchKind, now: UnixMs) -> Option<u64> {
        let of_kind = self.past.iter().filter(|past| past.kind == kind);
        of_kind.map(|past| now.since(past.at)).min()
    }

    /// Moves of this kind within the last hour.
    pub fn moves_last_hour(&self, kind: SwitchKind, now: UnixMs) -> u32 {
        const HOUR_MS: u64 = 3_600_000;
        let moves = self
            .past
            .iter()
            .filter(|past| past.kind == kind && now.since(past.at) < HOUR_MS);
        u32::try_from(moves.count()).unwrap_or(u32::MAX)
    }
}

impl WorkerView {
    /// How long the worker has been up, by its own clock; `None` before its first heartbeat.
    pub fn up_for_ms(&self) -> Option<u64> {
        let (beat, age) = self.beat.as_ref()?;
        Some(beat.sent.since(beat.started) + age)
    }
}
