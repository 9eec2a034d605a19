//! Login leases in Redis: taking, renewing, giving back, reading.
//!
//! Acquiring and renewing are one operation: the key is set if it is free or already ours, and only while the bot's assignment
//! names this worker, slot and grant. A renewal counts only when copies have it (`link.rs`). Invariant: a lease never changes hands without having expired, been given back or been broken.
//! The holder judges its expiry itself (`shared_core::LeaseClock`); an answer here only says what Redis had then.

use std::time::Duration;

use shared_core::{BotId, LoginLease, Nonce, WorkerId};

use super::commit::json;
use super::error::{Op, StateError, json_fault};
use super::reply::Reply;
use super::scripts;
use super::{History, PoolState};

/// A lease that a worker wants, and the grant of the assignment that entitles it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseClaim {
    pub lease: LoginLease,
    pub grant: Nonce,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum LeaseAnswer {
    /// It is ours.
    Held,
    /// It is another's, or of an earlier life of this worker.
    HeldBy(WorkerId),
    /// The bot's assignment names another worker, slot or grant, or there is none.
    NotAssigned,
    /// Nobody has it: it ran out. Only writes under a lease answer this, a renewal takes it again.
    Lapsed,
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// In the order of the claims.
    pub answers: Vec<LeaseAnswer>,
    /// The history in which the leases are held.
    pub history: History,
}

impl PoolState {
    /// Takes or renews all of a worker's leases in this pool in one round trip, and one more where copies have to have them.
    pub async fn renew_leases(
        &self,
        claims: &[LeaseClaim],
        ttl: Duration,
    ) -> Result<Renewed, StateError> {
        if claims.is_empty() {
            return Ok(Renewed {
                answers: Vec::new(),
                history: self.history(),
            });
        }
        let op = self.op("renew", &"login leases");
        let mut script = scripts::RENEW_LEASES.prepare_invoke();
        script.key(&self.keys.assign).arg(millis(ttl));
        for claim in claims {
            let lease = &claim.lease;
            script
                .key(self.keys.lease(lease.bot))
                .arg(lease.bot.to_string())
                .arg(lease.worker.as_str())
                .arg(lease.slot.as_str())
                .arg(claim.grant.to_string())
                .arg(json(op, lease)?);
        }
        let (replies, history): (Vec<Reply>, _) = self.link.copied(op, &script).await?;
        if replies.len() != claims.len() {
            return Err(StateError::unreadable(op, "not every lease was answered"));
        }
        let answers = replies.into_iter().map(|reply| lease_answer(op, reply));
        let answers = answers.collect::<Result<_, _>>()?;
        Ok(Renewed { answers, history })
    }

    /// Gives a lease back. Says whether it was still ours.
    pub async fn release_lease(&self, lease: &LoginLease) -> Result<bool, StateError> {
        let op = self.op("release the lease of", &lease.bot);
        let mut script = scripts::DELETE_OWN.prepare_invoke();
        script.key(self.keys.lease(lease.bot)).arg(json(op, lease)?);
        self.link.script(op, &script).await
    }

    /// Who holds these bots, in their order.
    pub async fn leases(&self, bots: &[BotId]) -> Result<Vec<Option<LoginLease>>, StateError> {
        if bots.is_empty() {
            return Ok(Vec::new());
        }
        let op = self.op("read", &"login leases");
        let mut command = ::redis::cmd("MGET");
        for bot in bots {
            command.arg(self.keys.lease(*bot));
        }
        let found: Vec<Option<Vec<u8>>> = self.link.query(op, &command).await?;
        found
            .iter()
            .map(|json| json.as_ref().map(|json| parse_lease(op, json)).transpose())
            .collect()
    }
}

/// Reads `{'held'}`, `{'not_assigned'}` or `{'other', lease or nil}`.
pub(super) fn lease_answer(op: Op<'_>, mut reply: Reply) -> Result<LeaseAnswer, StateError> {
    match reply.word.as_str() {
        "held" => Ok(LeaseAnswer::Held),
        "not_assigned" => Ok(LeaseAnswer::NotAssigned),
        "other" => {
            let found: Option<Vec<u8>> = reply.take(op)?;
            let Some(found) = found else {
                return Ok(LeaseAnswer::Lapsed);
            };
            Ok(LeaseAnswer::HeldBy(parse_lease(op, &found)?.worker))
        }
        _ => Err(reply.unexpected(op)),
    }
}

pub(super) fn parse_lease(op: Op<'_>, json: &[u8]) -> Result<LoginLease, StateError> {
    serde_json::from_slice(json)
        .map_err(|error| StateError::unreadable(op, json_fault("the lease", &error)))
}

/// Milliseconds for Redis, which refuses zero.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}
