//! What conversations tell one another, on its way: put in by the sender's commit, taken out by the receiver's (`commit.rs`).
//!
//! Invariant: an entry leaves only with the commit of the conversation that it is for; whoever reads the inbox moves nothing.

use shared_core::Letter;

use super::error::StateError;
use super::streams::Stream;
use super::{InboxPosition, PoolState};

impl PoolState {
    /// Entries after a position, oldest first. An unreadable one is moved aside and not returned.
    pub async fn inbox(
        &self,
        after: Option<&InboxPosition>,
        limit: usize,
    ) -> Result<Vec<(InboxPosition, Letter)>, StateError> {
        let stream = Stream {
            key: &self.keys.inbox,
            field: "i",
            entry: "an inbox entry",
        };
        let op = self.op("read", &"the inbox");
        self.read_stream(op, &stream, after.map(|at| at.0), limit)
            .await
    }

    pub async fn inbox_len(&self) -> Result<u64, StateError> {
        let op = self.op("measure", &"the inbox");
        let mut command = ::redis::cmd("XLEN");
        command.arg(&self.keys.inbox);
        self.link.query(op, &command).await
    }
}
