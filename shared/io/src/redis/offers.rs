//! Offers: what an admin was shown in Telegram and may confirm, once, himself, through the bot that showed it, in time.
//!
//! Invariant: of any number of presses, by whomever and through whichever worker, at most one is answered [`Taken::Yours`]. The age of
//! an offer is a difference of two readings of Redis' clock. Whether the plan is still the plan is judged by the leader.

use serde::{Deserialize, Serialize};
use shared_core::{BotId, CONFIRM_WITHIN_MS, MemberId, Order, OrderId, PlanId};

use super::commit::json;
use super::error::{StateError, json_fault};
use super::reply::Reply;
use super::{PoolState, scripts};

/// For so long a press is told that it comes too late or a second time; after that the offer is unknown (milliseconds).
const KEPT_MS: u64 = 600_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub admin: MemberId,
    /// The bot in whose chat it was shown.
    pub bot: BotId,
    #[serde(flatten)]
    pub order: Order,
    /// The plan that was shown.
    pub plan: PlanId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    /// It is taken with this answer; nobody gets it again.
    Yours(Offer),
    /// Never made, or forgotten.
    Unknown,
    Expired,
    /// He confirmed it before.
    Repeated,
    /// It was shown to somebody else, or by another bot.
    NotYours,
}

impl PoolState {
    /// Notes what was shown; the same id again changes nothing.
    pub async fn offer(&self, id: OrderId, offer: &Offer) -> Result<(), StateError> {
        let op = self.op("offer", &id);
        let mut script = scripts::OFFER.prepare_invoke();
        script
            .key(self.keys.offer(id))
            .arg(json(op, offer)?)
            .arg(offer.admin.to_string())
            .arg(offer.bot.to_string())
            .arg(KEPT_MS);
        self.link.script(op, &script).await
    }

    /// A confirmation.
    pub async fn take_offer(
        &self,
        id: OrderId,
        admin: MemberId,
        bot: BotId,
    ) -> Result<Taken, StateError> {
        let op = self.op("take offer", &id);
        let mut script = scripts::TAKE_OFFER.prepare_invoke();
        script
            .key(self.keys.offer(id))
            .arg(admin.to_string())
            .arg(bot.to_string())
            .arg(CONFIRM_WITHIN_MS);
        let mut reply: Reply = self.link.script(op, &script).await?;
        match reply.word.as_str() {
            "yours" => {
                let text: Vec<u8> = reply.take(op)?;
                let offer = serde_json::from_slice(&text)
                    .map_err(|error| StateError::unreadable(op, json_fault("an offer", &error)))?;
                Ok(Taken::Yours(offer))
            }
            "unknown" => Ok(Taken::Unknown),
            "expired" => Ok(Taken::Expired),
            "repeated" => Ok(Taken::Repeated),
            "not_yours" => Ok(Taken::NotYours),
            _ => Err(reply.unexpected(op)),
        }
    }
}
