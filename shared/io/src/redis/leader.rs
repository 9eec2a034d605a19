//! Which supervisor leads, and what only the leader may write: assignments, broken leases, the saga, the lineage.
//!
//! `us:leader` is in another slot than a pool's keys, so each pool has a copy of it (`us:{P}:leader`) that the leader takes and renews as
//! well; it is the copy that the pool's scripts check. Invariant: every write here checks it in the same script. A leader that lost
//! `us:leader` may keep a copy for at most its time to live, and its successor cannot take that pool before: one leader a pool at any moment. Both
//! count only when copies of the server have them (`link.rs`).

use std::fmt;
use std::time::Duration;

use ::redis::ScriptInvocation;
use shared_core::{Assignment, BotId, LoginLease, Nonce};

use super::commit::{counted, json};
use super::error::{Op, StateError};
use super::leases::{millis, parse_lease};
use super::reply::Reply;
use super::scripts;
use super::{PoolState, RedisState};
use crate::clock;

/// A supervisor process: its name and a nonce, so that a restarted one is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeaderId(String);

impl LeaderId {
    pub fn new(name: &str, nonce: Nonce) -> Self {
        Self(format!("{name}#{nonce}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LeaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum LeadAnswer {
    Done,
    /// Another leads this pool, or nobody does. Nothing was written.
    NotLeading,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum BreakAnswer {
    /// The lease is gone: broken, or it had run out.
    Free,
    /// Somebody else has taken it since; it stands.
    HeldBy(LoginLease),
    NotLeading,
}

/// How the taking of a lead went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Leadership {
    /// It is ours. Since when, by a mark that changes whenever a lead was nobody's before it was taken: what was known under another mark may have been
    /// overtaken, also when the answer that would have told of the beginning was lost.
    Ours { since: Nonce },
    /// Another has it, for so long unless he renews it.
    Another { left: Duration },
}

impl Leadership {
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Ours { .. })
    }
}

impl RedisState {
    /// Takes or renews the lead.
    pub async fn take_lead(&self, me: &LeaderId, ttl: Duration) -> Result<Leadership, StateError> {
        let op = self.op("take", &"the lead");
        let mut script = scripts::TAKE_LEAD.prepare_invoke();
        script
            .key(&self.root.leader)
            .key(&self.root.tenure)
            .arg(me.as_str())
            .arg(millis(ttl))
            .arg(clock::nonce().to_string());
        let (answer, _) = self.link.copied(op, &script).await?;
        leadership(op, answer)
    }

    pub async fn release_lead(&self, me: &LeaderId) -> Result<bool, StateError> {
        let op = self.op("release", &"the lead");
        let mut script = scripts::DELETE_OWN.prepare_invoke();
        script.key(&self.root.leader).arg(me.as_str());
        self.link.script(op, &script).await
    }

    /// Who leads.
    pub async fn leader(&self) -> Result<Option<String>, StateError> {
        let op = self.op("read", &"who leads");
        self.link
            .query(op, ::redis::cmd("GET").arg(&self.root.leader))
            .await
    }

    pub(super) fn op<'a>(
        &'a self,
        doing: &'static str,
        subject: &'a (dyn fmt::Display + Sync),
    ) -> Op<'a> {
        Op {
            doing,
            subject,
            pool: None,
        }
    }
}

impl PoolState {
    /// Takes or renews the lead of this pool; for who has [`RedisState::take_lead`] only.
    pub async fn take_lead_of_pool(
        &self,
        me: &LeaderId,
        ttl: Duration,
    ) -> Result<Leadership, StateError> {
        let op = self.op("take", &"the lead");
        let mut script = scripts::TAKE_LEAD.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(&self.keys.tenure)
            .arg(me.as_str())
            .arg(millis(ttl))
            .arg(clock::nonce().to_string());
        let (answer, _) = self.link.copied(op, &script).await?;
        leadership(op, answer)
    }

    /// Does it lead this pool at this moment? For what no script can do together with the question.
    pub async fn is_led_by(&self, leader: &LeaderId) -> Result<bool, StateError> {
        let op = self.op("read", &"who leads");
        let mut command = ::redis::cmd("GET");
        command.arg(&self.keys.leader);
        let found: Option<String> = self.link.query(op, &command).await?;
        Ok(found.as_deref() == Some(leader.as_str()))
    }

    pub async fn release_lead_of_pool(&self, me: &LeaderId) -> Result<bool, StateError> {
        let op = self.op("release", &"the lead");
        let mut script = scripts::DELETE_OWN.prepare_invoke();
        script.key(&self.keys.leader).arg(me.as_str());
        self.link.script(op, &script).await
    }

    /// Says who is to hold these bots, and rings the bell.
    pub async fn assign(
        &self,
        leader: &LeaderId,
        assignments: &[Assignment],
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("write", &"the assignments");
        let mut words = vec!["HSET".to_owned()];
        for assignment in assignments {
            words.push(assignment.bot.to_string());
            words.push(json(op, assignment)?);
        }
        self.leader_write(op, leader, &self.keys.assign, words, true)
            .await
    }

    /// Nobody is to hold these bots any more; rings the bell.
    pub async fn unassign(
        &self,
        leader: &LeaderId,
        bots: &[BotId],
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("remove", &"assignments");
        let mut words = vec!["HDEL".to_owned()];
        words.extend(bots.iter().map(BotId::to_string));
        self.leader_write(op, leader, &self.keys.assign, words, true)
            .await
    }

    /// The switch in progress, as its leader wrote it.
    pub async fn saga(&self) -> Result<Option<String>, StateError> {
        let op = self.op("read", &"the saga");
        self.link
            .query(op, ::redis::cmd("GET").arg(&self.keys.saga))
            .await
    }

    pub async fn set_saga(
        &self,
        leader: &LeaderId,
        saga: Option<&str>,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("write", &"the saga");
        let words = match saga {
            Some(saga) => vec!["SET".to_owned(), saga.to_owned()],
            None => vec!["DEL".to_owned()],
        };
        self.leader_write(op, leader, &self.keys.saga, words, true)
            .await
    }

    /// The mark of this Redis history; SQL has the same unless data was lost or rolled back.
    pub async fn lineage(&self) -> Result<Option<String>, StateError> {
        let op = self.op("read", &"the lineage");
        self.link
            .query(op, ::redis::cmd("GET").arg(&self.keys.lineage))
            .await
    }

    /// Copies have it: a server without it that takes over would be taken for another history.
    pub async fn set_lineage(
        &self,
        leader: &LeaderId,
        lineage: &str,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("write", &"the lineage");
        let words = vec!["SET".to_owned(), lineage.to_owned()];
        let script = self.leader_script(leader, &self.keys.lineage, words, true);
        let (reply, _) = self.link.copied(op, &script).await?;
        lead_answer(op, reply)
    }

    /// Ends a lease whose holder is known to be dead. The lease must still be that holder's: worker and nonce.
    pub async fn break_lease(
        &self,
        leader: &LeaderId,
        lease: &LoginLease,
    ) -> Result<BreakAnswer, StateError> {
        let op = self.op("break the lease of", &lease.bot);
        let mut script = scripts::BREAK_LEASE.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(self.keys.lease(lease.bot))
            .arg(leader.as_str())
            .arg(lease.worker.as_str())
            .arg(lease.nonce.to_string())
            .arg(&self.keys.bell);
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "done" => Ok(BreakAnswer::Free),
            "not_leading" => Ok(BreakAnswer::NotLeading),
            "other" => {
                let found: Vec<u8> = reply.take(op)?;
                Ok(BreakAnswer::HeldBy(parse_lease(op, &found)?))
            }
            _ => Err(reply.unexpected(op)),
        }
    }

    /// One command on one key, if this leader leads; then the bell, if it is to ring. `words`: the command and what follows the key.
    pub(super) async fn leader_write(
        &self,
        op: Op<'_>,
        leader: &LeaderId,
        key: &str,
        words: Vec<String>,
        ring: bool,
    ) -> Result<LeadAnswer, StateError> {
        let script = self.leader_script(leader, key, words, ring);
        lead_answer(op, self.link.script(op, &script).await?)
    }

    pub(super) fn leader_script(
        &self,
        leader: &LeaderId,
        key: &str,
        words: Vec<String>,
        ring: bool,
    ) -> ScriptInvocation<'static> {
        let mut script = scripts::LEADER_WRITE.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(key)
            .arg(leader.as_str())
            .arg(if ring { self.keys.bell.as_str() } else { "" });
        counted(&mut script, words);
        script
    }
}

fn leadership(op: Op<'_>, mut reply: Reply) -> Result<Leadership, StateError> {
    match reply.word.as_str() {
        "ours" => {
            let since: String = reply.take(op)?;
            let since = since.parse();
            let since = since.map_err(|_| StateError::unreadable(op, "the tenure's mark is none"));
            Ok(Leadership::Ours { since: since? })
        }
        "other" => Ok(Leadership::Another {
            left: Duration::from_millis(reply.take(op)?),
        }),
        _ => Err(reply.unexpected(op)),
    }
}

pub(super) fn lead_answer(op: Op<'_>, reply: Reply) -> Result<LeadAnswer, StateError> {
    match reply.word.as_str() {
        "done" => Ok(LeadAnswer::Done),
        "not_leading" => Ok(LeadAnswer::NotLeading),
        _ => Err(reply.unexpected(op)),
    }
}
