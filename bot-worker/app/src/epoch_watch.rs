//! One pool as this worker sees it: the epoch record and the assignments, looked at on every bell and four times a second.
//!
//! Level-triggered: a lost bell costs a poll, never a decision. When Redis does not answer, the last view stands; whoever acts on it is
//! fenced by Redis itself.

use std::sync::Arc;
use std::time::Duration;

use shared_core::{Assignment, EpochRecord, PoolId};
use shared_io::redis::{PoolState, PoolView};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often to look without a bell.
const POLL: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    pub epoch: Option<EpochRecord>,
    pub assignments: Vec<Assignment>,
    /// False until Redis was read for the first time.
    pub known: bool,
}

/// Follows a pool until stopped.
pub async fn follow(
    pool: PoolId,
    state: PoolState,
    views: Arc<watch::Sender<View>>,
    stop: CancellationToken,
) {
    let mut bell = None;
    while !stop.is_cancelled() {
        match state.look().await {
            Ok(PoolView {
                epoch, assignments, ..
            }) => {
                let view = View {
                    epoch,
                    assignments,
                    known: true,
                };
                views.send_if_modified(|known| {
                    let differs = *known != view;
                    if differs {
                        *known = view;
                    }
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
