//! Notes that wait for SQL: a stream of at most [`KEPT`] entries. What they are is `crate::notes`'.
//!
//! Not fenced: a note says what has happened, and that stays true.

use super::commit::json;
use super::error::StateError;
use super::streams::Stream;
use super::{EntryPosition, PoolState};
use crate::notes::{KEPT, Note};

impl PoolState {
    /// Keeps a note until SQL takes it; the oldest ones make room.
    pub async fn keep_note(&self, note: &Note) -> Result<(), StateError> {
        let op = self.op("keep", &"a note for SQL");
        let mut command = ::redis::cmd("XADD");
        command
            .arg(&self.keys.notes)
            .arg("MAXLEN")
            .arg("~")
            .arg(KEPT)
            .arg("*")
            .arg("n")
            .arg(json(op, note)?);
        let _id: String = self.link.query(op, &command).await?;
        Ok(())
    }

    /// The oldest notes. An unreadable one is moved aside and not returned.
    pub async fn notes(&self, limit: usize) -> Result<Vec<(EntryPosition, Note)>, StateError> {
        let op = self.op("read", &"the notes for SQL");
        self.read_stream(op, &self.notes_stream(), None, limit)
            .await
    }

    pub async fn notes_len(&self) -> Result<u64, StateError> {
        let op = self.op("measure", &"the notes for SQL");
        let mut command = ::redis::cmd("XLEN");
        command.arg(&self.keys.notes);
        self.link.query(op, &command).await
    }

    /// These are in SQL.
    pub async fn notes_settle(&self, stored: &[EntryPosition]) -> Result<u64, StateError> {
        let op = self.op("settle", &"notes");
        let positions = stored.iter().map(|position| position.0);
        self.delete_entries(op, &self.keys.notes, positions).await
    }

    /// SQL does not take this one, whoever brings it.
    pub async fn refuse_note(&self, at: &EntryPosition, why: &str) -> Result<(), StateError> {
        self.poison(&self.notes_stream(), &at.to_string(), why)
            .await
    }

    fn notes_stream(&self) -> Stream<'_> {
        Stream {
            key: &self.keys.notes,
            field: "n",
            entry: "a note",
        }
    }
}
