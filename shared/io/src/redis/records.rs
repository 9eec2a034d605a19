//! Records on their way to SQL. They are unique there by their id, so settling needs no fence and delivery may repeat.

use shared_core::Record;

use super::error::StateError;
use super::streams::Stream;
use super::{PoolState, RecordPosition};

impl PoolState {
    /// The oldest records that are not settled. An unreadable one is moved aside and not returned.
    pub async fn records(&self, limit: usize) -> Result<Vec<(RecordPosition, Record)>, StateError> {
        let stream = Stream {
            key: &self.keys.records,
            field: "r",
            entry: "a record",
        };
        let op = self.op("read", &"the records");
        self.read_stream(op, &stream, None, limit).await
    }

    pub async fn records_len(&self) -> Result<u64, StateError> {
        let op = self.op("measure", &"the records");
        let mut command = ::redis::cmd("XLEN");
        command.arg(&self.keys.records);
        self.link.query(op, &command).await
    }

    /// These are in SQL.
    pub async fn records_settle(&self, stored: &[RecordPosition]) -> Result<u64, StateError> {
        let op = self.op("settle", &"records");
        let positions = stored.iter().map(|position| position.0);
        self.delete_entries(op, &self.keys.records, positions).await
    }
}
