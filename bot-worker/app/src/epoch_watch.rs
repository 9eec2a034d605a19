//! One pool as this worker sees it: the epoch record, the assignments and the leader's board, looked at on every bell and four times a second.
//!
//! Level-triggered: a lost bell costs a poll, never a decision. When Redis does not answer, the last view stands; whoever acts on it is
//! fenced by Redis itself. How old the board is, is counted here, on our own clock, from when it last changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shared_core::{Assignment, BootMs, BotId, Epoch, EpochRecord, Nonce, PoolBoard, PoolId};
use shared_io::clock;
use shared_io::redis::{PoolState, PoolView};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::status::Status;

/// How often to look without a bell.
const POLL: Duration = Duration::from_millis(250);

/// The last board that was read, and when it last changed; what has stood still is old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBoard {
    pub board: Arc<PoolBoard>,
    pub changed: BootMs,
    /// It has changed since this process first saw one: until then it may have stood there for long.
    pub is_alive: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    pub epoch: Option<EpochRecord>,
    /// The highest that was ever seen. A Redis that stands lower has lost its tail: nobody acts on what it says until the leader has gone above.
    newest: Epoch,
    pub assignments: Vec<Assignment>,
    /// Stays when Redis has none any more: it says itself how old it is.
    pub board: Option<SeenBoard>,
    /// Smoke tests that somebody waits for.
    pub smoke_asked: BTreeMap<BotId, Nonce>,
    /// False until Redis was read for the first time.
    pub known: bool,
}

impl View {
    pub fn assignment(&self, bot: BotId) -> Option<&Assignment> {
        self.assignments.iter().find(|given| given.bot == bot)
    }

    /// The record, if it may be acted on.
    pub fn record(&self) -> Option<&EpochRecord> {
        let record = self.epoch.as_ref()?;
        (record.stamp.epoch >= self.newest).then_some(record)
    }

    fn next(&self, looked: PoolView, now: BootMs) -> Self {
        let PoolView {
            epoch,
            assignments,
            board,
            smoke_asked,
        } = looked;
        let known = self.board.as_ref();
        let board = match board {
            None => known.cloned(),
            Some(board) => {
                let stood_still = known.filter(|known| {
                    (known.board.seq, &known.board.leader) == (board.seq, &board.leader)
                });
                let changed = stood_still.map_or(now, |known| known.changed);
                let is_alive = match stood_still {
                    Some(known) => known.is_alive,
                    None => known.is_some(),
                };
                Some(SeenBoard {
                    board: Arc::new(board),
                    changed,
                    is_alive,
                })
            }
        };
        let seen = epoch.as_ref().map_or(self.newest, |it| it.stamp.epoch);
        Self {
            epoch,
            newest: self.newest.max(seen),
            assignments,
            board,
            smoke_asked,
            known: true,
        }
    }
}

/// Follows a pool until stopped.
pub async fn follow(
    pool: PoolId,
    state: PoolState,
    views: Arc<watch::Sender<View>>,
    status: Arc<Status>,
    stop: CancellationToken,
) {
    let mut bell = None;
    while !stop.is_cancelled() {
        match state.look().await {
            Ok(looked) => {
                let now = clock::boot_now();
                status.redis_answered(now);
                if let Some(record) = &looked.epoch {
                    status.saw(&pool, record.stamp.epoch);
                }
                views.send_if_modified(|known| {
                    let view = known.next(looked, now);
                    let differs = *known != view;
                    *known = view;
                    differs
                });
            }
            Err(error) => warn!(%pool, %error, "the pool's state could not be read"),
        }
        if bell.is_none() {
            bell = state.bell().await.ok();
        }
        let rung = async {
            match &bell {
                Some(bell) => drop(bell.wait(POLL).await),
                None => tokio::time::sleep(POLL).await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = rung => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn board(seq: u64) -> PoolBoard {
        let preview = serde_json::json!({"plan": null, "text": "nothing", "reasons": []});
        serde_json::from_value(serde_json::json!({
            "pool": "main", "at": 1, "seq": seq, "leader": "l1", "state": "ok", "reasons": [],
            "epoch": null, "phase": null, "active": null, "bots": [], "workers": [],
            "redis": {"ok": true, "rtt_us": null, "appendfsync": null}, "database_ok": true,
            "overrides": {}, "last_switch": null, "rotate": preview, "recover": preview,
        }))
        .unwrap()
    }

    fn looked(board: Option<PoolBoard>) -> PoolView {
        PoolView {
            epoch: None,
            assignments: Vec::new(),
            board,
            smoke_asked: BTreeMap::new(),
        }
    }

    #[test]
    fn a_board_is_as_old_as_its_last_change_and_outlives_redis() {
        let age = |view: &View| view.board.as_ref().unwrap().changed;
        let first = View::default().next(looked(Some(board(1))), BootMs(100));
        assert_eq!(age(&first), BootMs(100));
        let same = first.next(looked(Some(board(1))), BootMs(200));
        assert_eq!(age(&same), BootMs(100), "it stood still");
        let emptied = same.next(looked(None), BootMs(300));
        assert_eq!(age(&emptied), BootMs(100));
        let next = emptied.next(looked(Some(board(2))), BootMs(400));
        assert_eq!(age(&next), BootMs(400));
        let alive = |view: &View| view.board.as_ref().unwrap().is_alive;
        assert!(!alive(&first) && !alive(&emptied), "it may be an old one");
        assert!(alive(&next));
    }

    #[test]
    fn an_epoch_below_one_that_was_seen_is_not_acted_on() {
        let at = |epoch: u64| PoolView {
            epoch: serde_json::from_value(serde_json::json!({
                "stamp": {"epoch": epoch, "nonce": "00000000000000aa"}, "phase": "open",
                "holder": null, "previous_bot": null, "since": 1,
            }))
            .unwrap(),
            ..looked(None)
        };
        let seven = View::default().next(at(7), BootMs(1));
        assert!(seven.record().is_some());
        let eight = seven.next(at(8), BootMs(2));
        let rolled_back = eight.next(at(7), BootMs(3));
        assert!(rolled_back.epoch.is_some() && rolled_back.record().is_none());
        assert!(rolled_back.next(at(9), BootMs(4)).record().is_some());
    }
}
