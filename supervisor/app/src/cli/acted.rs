//! What a person did at the command line that is no order to the leader, on its way to `admin_actions`.
//!
//! It waits in Redis, which the command has just changed, and a worker brings it to SQL: the command works while SQL is away. It names ids and counts,
//! never what members wrote.

use serde_json::Value;
use shared_io::clock;
use shared_io::notes::Note;
use shared_io::redis::PoolState;
use shared_io::sql::{AdminAction, AdminVerdict, Via, Who};

use super::{orders, out};

/// Notes it. What was done stays done: when it cannot be noted, that is said and nothing else.
pub async fn note(state: &PoolState, action: &str, done: bool, details: Value) {
    let row = AdminAction {
        id: clock::nonce(),
        pool: state.id().clone(),
        at: clock::unix_now(),
        who: Who::Cli(orders::user()),
        via: Via::Cli,
        action: action.to_owned(),
        verdict: match done {
            true => AdminVerdict::Done,
            false => AdminVerdict::Failed,
        },
        details,
    };
    if let Err(error) = state.keep_note(&Note::from(&row)).await {
        out::refuse(&format!(
            "this could not be noted for `understudy events`: {error}"
        ));
    }
}
