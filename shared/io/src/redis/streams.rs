//! Reading a stream of JSON entries so that one that cannot be read is in nobody's way.
//!
//! An unreadable entry (written by a program of another version, or damaged) is moved to the pool's poison stream with the reason and counted;
//! it is an incident, not an endless error. A record goes to a stream of its own, because none may be lost (`records.rs`).
//! Invariant: a page is only empty when the stream has nothing readable after `after`.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use super::PoolState;
use super::error::{Op, StateError, json_fault};
use super::position::StreamId;
use super::scripts;

/// Entries that the poison stream keeps, about.
pub(super) const POISON_KEPT: usize = 1000;

/// A stream of the pool: its key and the field that holds the entry.
pub(super) struct Stream<'a> {
    pub key: &'a str,
    pub field: &'static str,
    /// What an entry of it is called in a message.
    pub entry: &'static str,
}

pub(super) type Page = Vec<(String, HashMap<String, Vec<u8>>)>;

impl PoolState {
    pub(super) async fn read_stream<P: From<StreamId>, T: DeserializeOwned>(
        &self,
        op: Op<'_>,
        stream: &Stream<'_>,
        after: Option<StreamId>,
        limit: usize,
    ) -> Result<Vec<(P, T)>, StateError> {
        let mut from = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        loop {
            let mut command = ::redis::cmd("XRANGE");
            command
                .arg(stream.key)
                .arg(&from)
                .arg("+")
                .arg("COUNT")
                .arg(limit);
            let page: Page = self.link.query(op, &command).await?;
            let Some((last, _)) = page.last() else {
                return Ok(Vec::new());
            };
            from = format!("({last}");
            let readable = self.readable(op, stream, &page).await?;
            if !readable.is_empty() {
                return Ok(readable);
            }
        }
    }

    /// Of a page what can be read; the rest is moved aside.
    pub(super) async fn readable<P: From<StreamId>, T: DeserializeOwned>(
        &self,
        op: Op<'_>,
        stream: &Stream<'_>,
        page: &Page,
    ) -> Result<Vec<(P, T)>, StateError> {
        let mut entries = Vec::with_capacity(page.len());
        for (id, fields) in page {
            let position: StreamId = id
                .parse()
                .map_err(|_| StateError::unreadable(op, "an entry has no stream position"))?;
            let read = match fields.get(stream.field) {
                Some(json) => {
                    serde_json::from_slice(json).map_err(|error| json_fault(stream.entry, &error))
                }
                None => Err(format!("{} has no field `{}`", stream.entry, stream.field)),
            };
            match read {
                Ok(entry) => entries.push((P::from(position), entry)),
                Err(why) => self.poison(stream, id, &why).await?,
            }
        }
        Ok(entries)
    }

    /// Moves one entry aside, whole and with the reason.
    pub(super) async fn poison(
        &self,
        stream: &Stream<'_>,
        id: &str,
        why: &str,
    ) -> Result<(), StateError> {
        tracing::error!(pool = %self.keys.pool, stream = stream.key, position = id, why, "an entry is of no use and is moved aside");
        if stream.key == self.keys.records && self.keep_refused(id, why).await? {
            return Ok(());
        }
        let mut script = scripts::POISON.prepare_invoke();
        script
            .key(stream.key)
            .key(&self.keys.poison)
            .key(&self.keys.counters)
            .arg(id)
            .arg(why)
            .arg(POISON_KEPT);
        let op = self.op("move aside an entry of", &stream.key);
        self.link.script(op, &script).await
    }

    pub(super) async fn delete_entries(
        &self,
        op: Op<'_>,
        key: &str,
        positions: impl ExactSizeIterator<Item = StreamId>,
    ) -> Result<u64, StateError> {
        if positions.len() == 0 {
            return Ok(0);
        }
        let mut command = ::redis::cmd("XDEL");
        command.arg(key);
        for position in positions {
            command.arg(position.to_string());
        }
        self.link.query(op, &command).await
    }
}
