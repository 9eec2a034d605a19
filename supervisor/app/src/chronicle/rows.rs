//! Between what `supervisor-core` says of a switch and its row in SQL.

use shared_core::PoolId;
use shared_io::sql::{SwitchKind as RowKind, SwitchOutcome, SwitchRow, Timeline as RowTimeline};
use supervisor_core::{Outcome, PastMove, SwitchKind, SwitchRecord};

pub fn record_row(pool: &PoolId, record: &SwitchRecord) -> SwitchRow {
    let timeline = record.timeline;
    SwitchRow {
        id: record.id,
        pool: pool.clone(),
        kind: match record.kind {
            SwitchKind::First => RowKind::First,
            SwitchKind::Switch => RowKind::Switch,
            SwitchKind::Takeover => RowKind::Takeover,
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

/// The moves that opened an epoch, for the policy's bounds.
pub fn past_moves(rows: &[SwitchRow]) -> Vec<PastMove> {
    let opened = rows.iter().filter(|row| row.outcome == SwitchOutcome::Done);
    opened
        .map(|row| PastMove {
            kind: match row.kind {
                RowKind::First => SwitchKind::First,
                RowKind::Switch => SwitchKind::Switch,
                RowKind::Takeover | RowKind::Relogin => SwitchKind::Takeover,
            },
            at: row.finished.unwrap_or(row.started),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_core::{BotId, Holder, SwitchId, UnixMs, WorkerId};
    use supervisor_core::{Cause, GaveUp, Timeline, Tried};

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
        let past = past_moves(&[row]);
        assert_eq!((past[0].kind, past[0].at), (SwitchKind::Switch, UnixMs(50)));
    }
}
