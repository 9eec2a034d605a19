//! Records on their way to SQL. They are unique there by their id, so settling needs no fence and delivery may repeat.
//!
//! One that SQL refuses for good, or that nobody can read, is moved to a stream of its own: it is in nobody's way, and it is kept until a person
//! sends it again or drops it (`understudy outbox`), because its member was told that his course is kept. That stream is not trimmed and is in
//! the checkpoint. (Programs of another version move them to the poison stream; `poison.rs` knows those.)
//! Invariant: a record is on its way, refused, or in SQL: each move is one script.

use serde::Deserialize;
use shared_core::Record;

use super::error::StateError;
use super::streams::Stream;
use super::{PoolState, RecordPosition, RefusedPosition, scripts};

/// Positions that one script looks at.
const AT_ONCE: usize = 500;

/// A record that SQL did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRecord {
    pub position: RefusedPosition,
    pub why: String,
    /// `None` where this program cannot read it.
    pub record: Option<Record>,
}

/// An entry of the stream: its id and its fields.
type Found = (String, Vec<(String, Vec<u8>)>);

/// As it is stored, by the script.
#[derive(Deserialize)]
struct Kept {
    why: String,
    raw: String,
}

impl PoolState {
    /// The oldest records that are not settled. An unreadable one is moved aside and not returned.
    pub async fn records(&self, limit: usize) -> Result<Vec<(RecordPosition, Record)>, StateError> {
        let op = self.op("read", &"the records");
        self.read_stream(op, &self.records_stream(), None, limit)
            .await
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

    /// SQL does not take this one, whoever brings it. Those behind it go on.
    pub async fn refuse_record(&self, at: &RecordPosition, why: &str) -> Result<(), StateError> {
        self.poison(&self.records_stream(), &at.to_string(), why)
            .await
    }

    /// False where it is no record at all.
    pub(super) async fn keep_refused(&self, id: &str, why: &str) -> Result<bool, StateError> {
        let mut script = scripts::REFUSE_RECORD.prepare_invoke();
        script
            .key(&self.keys.records)
            .key(&self.keys.refused)
            .key(&self.keys.counters)
            .arg(id)
            .arg(why);
        let op = self.op("move aside", &"a record");
        self.link.script(op, &script).await
    }

    pub async fn refused_records_len(&self) -> Result<u64, StateError> {
        let op = self.op("count", &"the refused records");
        let mut command = ::redis::cmd("XLEN");
        command.arg(&self.keys.refused);
        self.link.query(op, &command).await
    }

    /// The latest first; of those before a position, where one is given.
    pub async fn refused_records(
        &self,
        before: Option<RefusedPosition>,
        limit: usize,
    ) -> Result<Vec<RefusedRecord>, StateError> {
        let op = self.op("read", &"the refused records");
        let from = before.map_or_else(|| "+".to_owned(), |at| format!("({}", at.0));
        let mut command = ::redis::cmd("XREVRANGE");
        command.arg(&self.keys.refused).arg(from).arg("-");
        command.arg("COUNT").arg(limit);
        let found: Vec<Found> = self.link.query(op, &command).await?;
        let refused = found.into_iter().map(|(id, fields)| {
            let position = id
                .parse()
                .map(RefusedPosition)
                .map_err(|_| StateError::unreadable(op, "an entry has no stream position"))?;
            let kept = fields.first().map(|(_, json)| json.as_slice());
            let kept: Option<Kept> = serde_json::from_slice(kept.unwrap_or_default()).ok();
            let record = kept
                .as_ref()
                .and_then(|kept| serde_json::from_str(&kept.raw).ok());
            let why = kept.map_or_else(|| "it is damaged".to_owned(), |kept| kept.why);
            Ok(RefusedRecord {
                position,
                why,
                record,
            })
        });
        refused.collect()
    }

    /// Puts these back to the end of those on their way to SQL. Says how many came back.
    pub async fn retry_records(&self, positions: &[RefusedPosition]) -> Result<u64, StateError> {
        let op = self.op("put back", &"refused records");
        let mut back: u64 = 0;
        for portion in positions.chunks(AT_ONCE) {
            let mut script = scripts::RETRY_RECORDS.prepare_invoke();
            script.key(&self.keys.refused).key(&self.keys.records);
            for position in portion {
                script.arg(position.0.to_string());
            }
            let some: u64 = self.link.script(op, &script).await?;
            back += some;
        }
        Ok(back)
    }

    /// Throws these away: what a member handed in is gone with them. Says how many were there.
    pub async fn drop_records(&self, positions: &[RefusedPosition]) -> Result<u64, StateError> {
        let op = self.op("drop", &"refused records");
        let positions = positions.iter().map(|position| position.0);
        self.delete_entries(op, &self.keys.refused, positions).await
    }

    fn records_stream(&self) -> Stream<'_> {
        Stream {
            key: &self.keys.records,
            field: "r",
            entry: "a record",
        }
    }
}
