//! Between what `supervisor-core` says of a switch, or a request of an order, and its row in SQL.

use serde_json::json;
use shared_core::{Nonce, Overrides, PoolId, Progress, Request, Requester};
use shared_io::clock;
use shared_io::sql::{
    AdminAction, AdminVerdict, OverridesRow, SwitchKind as RowKind, SwitchOutcome, SwitchRow,
    Timeline as RowTimeline, Via, Who,
};
use supervisor_core::{Cause, Outcome, PastMove, SwitchKind, SwitchRecord};

pub fn record_row(pool: &PoolId, record: &SwitchRecord) -> SwitchRow {
    let timeline = record.timeline;
    SwitchRow {
        id: record.id,
        pool: pool.clone(),
        kind: match record.kind {
            SwitchKind::First => RowKind::First,
            SwitchKind::Switch => RowKind::Switch,
            SwitchKind::Takeover => RowKind::Takeover,
            SwitchKind::Relogin => RowKind::Relogin,
        },
        from_bot: record.from.as_ref().map(|from| from.bot),
        to_bot: record.to.as_ref().map(|to| to.bot),
        from_worker: record.from.as_ref().map(|from| from.worker.clone()),
        to_worker: record.to.as_ref().map(|to| to.worker.clone()),
        cause: cause(record),
        timeline: RowTimeline {
            detected_at: Some(timeline.detected_at),
            fenced_at: timeline.fenced_at,
            activated_at: timeline.activated_at,
            verified_at: timeline.verified_at,
            opened_at: timeline.opened_at,
            caught_up_at: timeline.caught_up_at,
            first_reply_at: timeline.first_reply_at,
        },
        outcome: match record.outcome {
            Outcome::Opened => SwitchOutcome::Done,
            Outcome::Held => SwitchOutcome::Held,
        },
        started: timeline.detected_at,
        finished: timeline
            .opened_at
            .or_else(|| record.tried.last().map(|tried| tried.at)),
    }
}

/// The stable word, the sentence, and who was tried in vain.
fn cause(record: &SwitchRecord) -> String {
    let mut text = format!("{}: {}", record.cause.code(), record.cause);
    for tried in &record.tried {
        let holder = &tried.holder;
        text.push_str(&format!("; {}@{} {}", holder.bot, holder.worker, tried.why));
    }
    text
}

/// A switch that a person ordered is no part of the policy's bounds: it says nothing about flapping, and must not use up what automation
/// may need.
pub fn counts_as_past(kind: SwitchKind, cause: &Cause) -> bool {
    !(kind == SwitchKind::Switch && cause.is_ordered())
}

/// As `Cause::is_certain`, of the stable word that a row's cause begins with.
fn is_a_guess(row: &SwitchRow) -> bool {
    let code = row.cause.split(':').next().unwrap_or_default();
    matches!(code, "line_silent" | "not_served")
}

/// The moves that opened an epoch, for the policy's bounds.
pub fn past_moves(rows: &[SwitchRow]) -> Vec<PastMove> {
    let opened = rows.iter().filter(|row| row.outcome == SwitchOutcome::Done);
    opened
        .filter(|row| !(row.kind == RowKind::Switch && is_ordered(row)))
        .map(|row| PastMove {
            kind: match row.kind {
                RowKind::First => SwitchKind::First,
                RowKind::Switch => SwitchKind::Switch,
                RowKind::Takeover => SwitchKind::Takeover,
                RowKind::Relogin => SwitchKind::Relogin,
            },
            at: row.finished.unwrap_or(row.started),
            on_a_guess: is_a_guess(row),
        })
        .collect()
}

fn is_ordered(row: &SwitchRow) -> bool {
    let word = row.cause.split(':').next();
    let of = Cause::Ordered {
        word: String::new(),
        by: String::new(),
    };
    word == Some(of.code())
}

/// How an order ended. The row's id follows from the order's, so that two leaders who both say it leave one row, and is another one,
/// because whoever took the order in may have a row under its id.
pub fn action_row(pool: &PoolId, request: &Request) -> AdminAction {
    let (verdict, mut details) = match &request.progress {
        Progress::Refused { why } => (AdminVerdict::Refused, json!({ "why": why })),
        Progress::Failed { why } => (AdminVerdict::Failed, json!({ "why": why })),
        Progress::Done {
            outcome, took_ms, ..
        } => (
            AdminVerdict::Done,
            json!({ "outcome": outcome, "took_ms": took_ms }),
        ),
        Progress::Waiting | Progress::Running { .. } => (AdminVerdict::Allowed, json!({})),
    };
    details["order"] = request.order.to_string().into();
    details["id"] = request.id.to_string().into();
    let (who, via) = match &request.by {
        Requester::Cli { user } => (Who::Cli(user.clone()), Via::Cli),
        Requester::Admin { member, bot, .. } => (Who::Member(*member), Via::Bot(*bot)),
        // Only the command line lays one down.
        Requester::Schedule { by } => (by.parse().unwrap_or(Who::Cli(by.clone())), Via::Cli),
    };
    AdminAction {
        id: Nonce(request.id.0.map(|byte| !byte)),
        pool: pool.clone(),
        at: clock::unix_now(),
        who,
        via,
        action: request.order.word().to_owned(),
        verdict,
        details,
    }
}

pub fn overrides_row(pool: &PoolId, overrides: &Overrides) -> OverridesRow {
    let paused = overrides.paused.as_ref();
    let pinned = overrides.pinned.as_ref();
    OverridesRow {
        pool: pool.clone(),
        paused_at: paused.map(|laid| laid.at),
        paused_by: paused.map(|laid| laid.by.clone()),
        pinned: pinned.map(|(bot, _)| *bot),
        pinned_at: pinned.map(|(_, laid)| laid.at),
        pinned_by: pinned.map(|(_, laid)| laid.by.clone()),
        scheduled: overrides.scheduled.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_core::{BotId, Holder, SwitchId, UnixMs, WorkerId};
    use supervisor_core::{GaveUp, Timeline, Tried};

    use super::*;

    #[test]
    fn a_row_says_why_and_who_was_tried_in_vain() {
        let holder = |bot, worker: &str| Holder {
            bot: BotId(bot),
            worker: WorkerId::new(worker).unwrap(),
        };
        let record = SwitchRecord {
            id: SwitchId([1; 8]),
            kind: SwitchKind::Switch,
            epoch: None,
            from: Some(holder(1, "w1")),
            to: Some(holder(3, "w2")),
            cause: Cause::WorkerDead,
            reasons: Vec::new(),
            tried: vec![Tried {
                holder: holder(2, "w2"),
                why: GaveUp::TimedOut { after_ms: 2000 },
                at: UnixMs(30),
            }],
            outcome: Outcome::Opened,
            timeline: Timeline {
                opened_at: Some(UnixMs(50)),
                ..Timeline::detected(UnixMs(10))
            },
        };
        let row = record_row(&PoolId::new("main").unwrap(), &record);
        assert_eq!(
            row.cause,
            "worker_dead: worker process dead; b2@w2 no smoke test within 2000 ms"
        );
        let past = past_moves(std::slice::from_ref(&row));
        assert_eq!((past[0].kind, past[0].at), (SwitchKind::Switch, UnixMs(50)));

        let cause = Cause::Ordered {
            word: "rotate".into(),
            by: "cli:ann".into(),
        };
        let ordered = record_row(&row.pool, &SwitchRecord { cause, ..record });
        assert_eq!(past_moves(&[ordered]), [], "nobody flaps by hand");
    }

    #[test]
    fn an_orders_end_is_one_row_whoever_writes_it() {
        let request = Request {
            id: Nonce([1; 8]),
            order: shared_core::Order::Rotate,
            by: Requester::Cli { user: "ann".into() },
            plan: None,
            at: UnixMs(1),
            progress: Progress::Refused { why: "no".into() },
        };
        let pool = PoolId::new("main").unwrap();
        let (one, two) = (action_row(&pool, &request), action_row(&pool, &request));
        assert_eq!(one.id, two.id);
        assert_ne!(one.id, request.id);
        assert_eq!(
            (one.verdict, one.action.as_str()),
            (AdminVerdict::Refused, "rotate")
        );
        assert_eq!(one.details["why"], "no");
    }
}
