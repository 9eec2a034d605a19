//! The admins' texts, and how times are said in them.

use std::fmt::Display;

use shared_core::{Button, Keyboard};

use super::{Press, Screen};
use crate::bound;
use crate::texts::template::Template;
use crate::texts::{TextsError, templates};

const ENGLISH: &str = include_str!("../../texts/admin.en.toml");

/// Longest text of somebody else (an error, a cause, a step) inside a line.
const FOREIGN: usize = 300;

/// One language.
#[derive(Debug, Clone)]
pub struct AdminTexts {
    /// In the order of `KEYS`, one each.
    templates: Vec<Template>,
}

impl AdminTexts {
    /// The texts that come with the program.
    pub fn english() -> Result<Self, TextsError> {
        let templates = templates(ENGLISH, KEYS)?;
        Ok(Self { templates })
    }

    pub(super) fn fill(&self, line: &Line<'_>) -> String {
        let (at, values) = line.parts();
        // There is one template for each key, and `at` is the key's place among them.
        self.templates[at].fill(&values)
    }

    pub(super) fn ago(&self, ms: Option<u64>) -> String {
        match ms {
            Some(ms) => self.fill(&Line::Ago { time: &span(ms) }),
            None => self.fill(&Line::UnknownAge {}),
        }
    }

    pub(super) fn screen(&self, lines: &[String], buttons: &[&[(Line<'_>, Press)]]) -> Screen {
        let rows = buttons.iter().map(|row| {
            let row = row.iter().map(|(label, press)| Button::Press {
                text: self.fill(label),
                data: press.to_string(),
            });
            row.collect()
        });
        let rows: Vec<Vec<Button>> = rows.collect();
        Screen {
            text: bound::clip(&lines.join("\n"), bound::MESSAGE),
            keyboard: (!rows.is_empty()).then_some(Keyboard(rows)),
        }
    }
}

/// Somebody else's words, made to stand in one line.
pub(super) fn foreign(text: impl Display) -> String {
    bound::clip(&bound::one_line(&text.to_string()), FOREIGN)
}

/// A span of time, as exact as it is of use.
pub(super) fn span(ms: u64) -> String {
    const SECOND: u64 = 1_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match ms {
        0..SECOND => format!("{ms} ms"),
        SECOND..10_000 => format!("{}.{} s", ms / SECOND, ms % SECOND / 100),
        10_000..120_000 => format!("{} s", ms / SECOND),
        120_000..7_200_000 => format!("{} min", ms / MINUTE),
        7_200_000..172_800_000 => format!("{} h", ms / HOUR),
        _ => format!("{} d", ms / DAY),
    }
}

/// A round trip.
pub(super) fn micros(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => span(us / 1_000),
    }
}

lines! {
    // commands
    Help = "help" { minutes }
    Old = "old" { age }

    // the card
    Title = "title" { pool, state }
    StateOk = "state_ok" {}
    StateDegraded = "state_degraded" {}
    StateSwitching = "state_switching" {}
    StateDown = "state_down" {}
    Reason = "reason" { reason }
    Active = "active" { bot }
    NobodyActive = "nobody_active" {}
    Standby = "standby" { bot }
    Bot = "bot" { name, readiness, reach, second, worker, age }
    OnWorker = "on_worker" { worker }
    OnNoWorker = "on_no_worker" {}
    Ready = "ready" {}
    NotReady = "not_ready" { connection }
    NotReadyBecause = "not_ready_because" { connection, error }
    SecondRests = "second_rests" {}
    SecondMissing = "second_missing" {}
    Epoch = "epoch" { epoch, phase, age }
    NoEpoch = "no_epoch" {}
    WorkerWell = "worker_well" { worker, bots, age }
    WorkerUnwell = "worker_unwell" { worker, bots, age }
    RedisAnswers = "redis_answers" { rtt, mode, age }
    RedisAway = "redis_away" { age }
    DatabaseAnswers = "database_answers" { age }
    DatabaseAway = "database_away" { age }
    LastSwitch = "last_switch" { age, kind, from, to, took, first, cause }
    NoSwitch = "no_switch" {}
    Took = "took" { time }
    TookUnknown = "took_unknown" {}
    FirstReply = "first_reply" { time }
    FirstReplyNone = "first_reply_none" {}
    Paused = "paused" { by, age }
    Pinned = "pinned" { bot, by, age }
    Scheduled = "scheduled" { bot, by, left }
    ScheduledAny = "scheduled_any" { by, left }
    More = "more" { count }
    HeardFrom = "heard_from" { leader, age }
    AnsweredBy = "answered_by" { bot, worker }

    // when the supervisor is gone
    Stale = "stale" { age }
    NeverHeard = "never_heard" {}
    OwnHeading = "own_heading" { worker }
    OwnBot = "own_bot" { name, role, connection, answered, lease }
    OwnAnswered = "own_answered" { age }
    OwnNotAnswered = "own_not_answered" {}
    OwnLease = "own_lease" {}
    OwnNoLease = "own_no_lease" {}
    OwnError = "own_error" { name, error, age }
    OwnRedis = "own_redis" { rtt, age }
    OwnRedisAway = "own_redis_away" { age }
    OwnRedisNever = "own_redis_never" {}
    OwnDatabase = "own_database" { age }
    OwnDatabaseAway = "own_database_away" { age }
    OwnDatabaseNever = "own_database_never" {}
    RoleActive = "role_active" {}
    RoleStandby = "role_standby" {}
    Absent = "absent" {}
    Connecting = "connecting" {}
    Connected = "connected" {}
    Shaky = "shaky" {}
    Failed = "failed" {}
    Ago = "ago" { time }
    UnknownAge = "unknown_age" {}

    // recovery and switching
    RecoveryTitle = "recovery_title" { pool }
    RotationTitle = "rotation_title" { pool }
    Wrong = "wrong" { age }
    NothingWrong = "nothing_wrong" { age }
    Plan = "plan" { plan }
    NoPlan = "no_plan" { why }
    Because = "because" { reason }
    ConfirmHint = "confirm_hint" { minutes }
    CannotSupervisor = "cannot_supervisor" { age }
    CannotSupervisorNever = "cannot_supervisor_never" {}
    CannotRedis = "cannot_redis" { age }
    HostSupervisor = "host_supervisor" {}
    HostRedis = "host_redis" {}

    // the order on its way
    OrderTitle = "order_title" { order }
    OrderWaiting = "order_waiting" {}
    OrderWaitingLong = "order_waiting_long" { age, limit }
    OrderStep = "order_step" { step }
    OrderDone = "order_done" { time, outcome }
    OrderSmoke = "order_smoke" {}
    OrderCheck = "order_check" { check }
    OrderRefused = "order_refused" { why }
    OrderFailed = "order_failed" { why }
    OrderUnknown = "order_unknown" {}
    OrderNotTaken = "order_not_taken" {}
    OrderLostSight = "order_lost_sight" {}
    OrderGivenUp = "order_given_up" {}
    Dropped = "dropped" {}
    Expired = "expired" { minutes }

    // the little text that answers a press
    AlertTaken = "alert_taken" {}
    AlertExpired = "alert_expired" {}
    AlertUnknown = "alert_unknown" {}
    AlertRepeated = "alert_repeated" {}
    AlertNothingCame = "alert_nothing_came" {}
    AlertRedis = "alert_redis" {}
    AlertUncertain = "alert_uncertain" {}
    AlertFull = "alert_full" {}
    AlertForged = "alert_forged" {}

    // recent events
    EventsTitle = "events_title" { pool }
    EventsNone = "events_none" {}
    EventsAway = "events_away" { why }
    Event = "event" { age, kind, subject }
    EventSwitch = "event_switch" { age, kind, from, to, outcome, took, cause }
    Nobody = "nobody" {}

    // buttons
    Refresh = "refresh" {}
    Switch = "switch" {}
    Events = "events" {}
    Confirm = "confirm" {}
    Drop = "drop" {}
    Back = "back" {}
}
