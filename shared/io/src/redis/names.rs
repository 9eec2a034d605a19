//! Which process has a worker's name, and which processes are known to be dead.
//!
//! ```text
//! the name is            claim                                       the holder's heartbeat
//! nobody's               taken                                       taken again with it (its key had run out)
//! ours                   ours                                        accepted
//! of a dead process      taken: its supervisor saw it die            -
//! of a silent process    taken by who has seen it silent             refused from then on: it has to end
//! of a live process      held                                        accepted
//! ```
//! Invariant: two live processes never beat under one name, so who is assigned to a worker is assigned to one process; a process that was silent
//! for so long that another took its name is told so with its next heartbeat. A death is reported by the supervisor whose child it was, by the
//! child's nonce: it stays true for ever, so nobody needs to lead to report it, and the leader need not wait for a heartbeat to run out.

use shared_core::{Nonce, WorkerId};

use super::RedisState;
use super::error::{Op, StateError};
use super::reply::Reply;
use super::scripts;
use super::workers::HEARTBEAT_KEPT_MS;

/// Longer than anything that a dead process may have held is waited for (`shared_core::LETS_GO_AFTER`).
const DEATH_KEPT_MS: u64 = 15 * 60 * 1000;
/// Workers that die in a loop fill it; the latest count.
const DEATHS: i64 = 256;

/// The process that has a name, and its last beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameHolder {
    pub nonce: Nonce,
    pub seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum NameAnswer {
    Ours,
    Held(NameHolder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Beaten {
    Done,
    /// Another process has this worker's name.
    NameTaken {
        by: Nonce,
    },
}

impl RedisState {
    /// Takes the name for the process with this nonce. `silent`: who had it, as it was seen some time ago; if it has not beaten since, it gives way.
    pub async fn claim_name(
        &self,
        worker: &WorkerId,
        nonce: Nonce,
        silent: Option<NameHolder>,
    ) -> Result<NameAnswer, StateError> {
        let op = self.op("claim the name", worker);
        let mut script = scripts::CLAIM_NAME.prepare_invoke();
        script
            .key(self.root.name(worker))
            .key(&self.root.deaths)
            .arg(worker.as_str())
            .arg(nonce.to_string())
            .arg(HEARTBEAT_KEPT_MS);
        if let Some(silent) = silent {
            script.arg(silent.nonce.to_string()).arg(silent.seq);
        }
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(NameAnswer::Ours),
            "held" => Ok(NameAnswer::Held(NameHolder {
                nonce: read_nonce(op, &reply.take::<String>(op)?)?,
                seq: reply.take(op)?,
            })),
            _ => Err(reply.unexpected(op)),
        }
    }

    /// Says that this process is dead, or has let go of everything and does nothing more; frees its name, and tells the leader to look. For who
    /// has seen it by its pidfd, or has taken its seat since, or is about to end.
    pub async fn report_death(&self, worker: &WorkerId, nonce: Nonce) -> Result<(), StateError> {
        let op = self.op("report the death of", worker);
        let mut script = scripts::REPORT_DEATH.prepare_invoke();
        script
            .key(&self.root.deaths)
            .key(self.root.name(worker))
            .arg(worker.as_str())
            .arg(nonce.to_string())
            .arg(DEATH_KEPT_MS)
            .arg(DEATHS)
            .arg(&self.root.bell);
        self.link.script(op, &script).await
    }

    /// Processes that are known to be dead, the earliest first. What cannot be read is left out: it says of nobody that he is alive.
    pub async fn deaths(&self) -> Result<Vec<(WorkerId, Nonce)>, StateError> {
        let op = self.op("read", &"the reported deaths");
        let mut command = ::redis::cmd("ZRANGE");
        command.arg(&self.root.deaths).arg(0).arg(-1);
        let found: Vec<String> = self.link.query(op, &command).await?;
        let read = |text: String| {
            let (worker, nonce) = text.split_once('#')?;
            Some((WorkerId::new(worker).ok()?, nonce.parse().ok()?))
        };
        Ok(found.into_iter().filter_map(read).collect())
    }
}

pub(super) fn beaten(op: Op<'_>, mut reply: Reply) -> Result<Beaten, StateError> {
    match reply.word.as_str() {
        "done" => Ok(Beaten::Done),
        "taken" => Ok(Beaten::NameTaken {
            by: read_nonce(op, &reply.take::<String>(op)?)?,
        }),
        _ => Err(reply.unexpected(op)),
    }
}

fn read_nonce(op: Op<'_>, text: &str) -> Result<Nonce, StateError> {
    text.parse()
        .map_err(|_| StateError::unreadable(op, "the holder's nonce is none"))
}
