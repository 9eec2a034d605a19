//! Orders on their way: submitted by whoever asks, carried out by the leader, followed by anybody.
//!
//! Invariants: an id is taken in once, so whoever got no answer may submit again; an order that is over stays as it is, whatever a
//! leader that was slow still has to say; ages are differences of two readings of Redis' clock. How many may stand there is bounded, so
//! that nobody fills Redis while no leader takes them.

use shared_core::{OrderId, Request};

use super::commit::json;
use super::error::{Op, StateError, json_fault};
use super::leader::lead_answer;
use super::reply::Reply;
use super::{LeadAnswer, LeaderId, PoolState, scripts};

/// Orders that a pool keeps, those that are over included; the leader keeps far fewer.
const ORDERS: usize = 256;

/// An order as it stands, and how long ago it was submitted by Redis' clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    pub request: Request,
    pub age_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Submitted {
    New,
    /// The same id was submitted before; this is how it stands. Nothing was changed.
    Known(SeenRequest),
    /// Too many wait or are kept. Nothing was changed.
    Full,
}

type Found = Vec<(u64, Vec<u8>)>;

impl PoolState {
    /// Hands an order to the leader, and tells him to look.
    pub async fn submit(&self, request: &Request) -> Result<Submitted, StateError> {
        let op = self.op("submit order", &request.id);
        let mut script = scripts::SUBMIT_ORDER.prepare_invoke();
        script
            .key(&self.keys.orders)
            .key(&self.keys.orders_at)
            .key(&self.keys.orders_open)
            .arg(request.id.to_string())
            .arg(json(op, request)?)
            .arg(ORDERS)
            .arg(&self.root.bell);
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "new" => Ok(Submitted::New),
            "full" => Ok(Submitted::Full),
            "known" => {
                let text: Vec<u8> = reply.take(op)?;
                let age_ms = reply.take(op)?;
                let request = readable(&text).map_err(|why| StateError::unreadable(op, why))?;
                Ok(Submitted::Known(SeenRequest { request, age_ms }))
            }
            _ => Err(reply.unexpected(op)),
        }
    }

    /// All that are kept, the oldest first. One that cannot be read (of a program of another version) is left out.
    pub async fn orders(&self) -> Result<Vec<SeenRequest>, StateError> {
        self.many("all").await
    }

    /// Those that are not over, the oldest first: what a leader looks at, however many are kept.
    pub async fn open_orders(&self) -> Result<Vec<SeenRequest>, StateError> {
        self.many("open").await
    }

    /// `None`: it was never submitted, or is forgotten.
    pub async fn order(&self, id: OrderId) -> Result<Option<SeenRequest>, StateError> {
        let op = self.op("read order", &id);
        let found = self.find_orders(op, &id.to_string()).await?.pop();
        found
            .map(|(age_ms, text)| {
                let request = readable(&text).map_err(|why| StateError::unreadable(op, why))?;
                Ok(SeenRequest { request, age_ms })
            })
            .transpose()
    }

    /// Writes what became of it and rings the pool. One that is over, or forgotten, is left as it is.
    pub async fn advance_order(
        &self,
        leader: &LeaderId,
        request: &Request,
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("advance order", &request.id);
        let mut script = scripts::ADVANCE_ORDER.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(&self.keys.orders)
            .key(&self.keys.orders_open)
            .arg(leader.as_str())
            .arg(request.id.to_string())
            .arg(json(op, request)?)
            .arg(&self.keys.bell)
            .arg(u8::from(request.progress.is_over()));
        lead_answer(op, self.link.script(op, &script).await?)
    }

    pub async fn forget_orders(
        &self,
        leader: &LeaderId,
        ids: &[OrderId],
    ) -> Result<LeadAnswer, StateError> {
        let op = self.op("forget", &"orders");
        let mut script = scripts::FORGET_ORDERS.prepare_invoke();
        script
            .key(&self.keys.leader)
            .key(&self.keys.orders)
            .key(&self.keys.orders_at)
            .key(&self.keys.orders_open)
            .arg(leader.as_str());
        for id in ids {
            script.arg(id.to_string());
        }
        lead_answer(op, self.link.script(op, &script).await?)
    }

    async fn many(&self, which: &str) -> Result<Vec<SeenRequest>, StateError> {
        let op = self.op("read", &"the orders");
        let found = self.find_orders(op, which).await?.into_iter();
        Ok(found
            .filter_map(|(age_ms, text)| match readable(&text) {
                Ok(request) => Some(SeenRequest { request, age_ms }),
                Err(why) => {
                    tracing::debug!(pool = %self.keys.pool, why, "left out an order");
                    None
                }
            })
            .collect())
    }

    async fn find_orders(&self, op: Op<'_>, which: &str) -> Result<Found, StateError> {
        let mut script = scripts::ORDERS.prepare_invoke();
        script
            .key(&self.keys.orders)
            .key(&self.keys.orders_at)
            .key(&self.keys.orders_open)
            .arg(which);
        self.link.script(op, &script).await
    }
}

fn readable(text: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(text).map_err(|error| json_fault("an order", &error))
}
