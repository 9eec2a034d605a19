//! What an order would do, for a person to confirm, and the id that binds the confirmation to it.
//!
//! Invariant: an id follows from the plan's content, who holds the pool and in which epoch; never from ages, nor from who asks. So it stays the
//! same while nothing that matters changes, and a confirmed order is carried out only as it was shown.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use shared_core::{BotId, Holder, Nonce, Order, Overrides, PlanId, Preview, Scheduled, UnixMs};

use crate::order::{Ordered, ordered};
use crate::plan::{Plan, Shown};
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// What the order would do now.
pub fn preview(snapshot: &Snapshot, policy: &Policy, now: UnixMs, order: &Order) -> Preview {
    match ordered(snapshot, policy, now, order, "nobody") {
        Ok(Ordered::Move(decision)) => Preview {
            plan: Some(plan_id(snapshot, &decision.plan)),
            text: described(snapshot, &decision.plan),
            reasons: decision.reasons.iter().map(ToString::to_string).collect(),
        },
        Ok(Ordered::Lay(overrides)) => Preview {
            plan: Some(id_of(&format!("{order}\n{}", stand(snapshot)))),
            text: laid(snapshot, &overrides),
            reasons: Vec::new(),
        },
        Err(refusal) => Preview {
            plan: None,
            text: refusal.to_string(),
            reasons: Vec::new(),
        },
    }
}

/// Names a plan by its content, on the pool as it stands.
pub fn plan_id(snapshot: &Snapshot, plan: &Plan) -> PlanId {
    id_of(&format!("{}\n{}", content(plan), stand(snapshot)))
}

fn id_of(text: &str) -> PlanId {
    let digest = Sha256::digest(format!("understudy plan 1\n{text}").as_bytes());
    let mut id = [0; 8];
    for (byte, from) in id.iter_mut().zip(digest.iter()) {
        *byte = *from;
    }
    PlanId(Nonce(id))
}

/// Who holds the pool and in which epoch.
fn stand(snapshot: &Snapshot) -> String {
    let holder = snapshot.holder();
    let holder = holder.map_or_else(|| "nobody".to_owned(), |holder| Shown(holder).to_string());
    match &snapshot.epoch {
        Some(record) => format!("{holder} {} {}", record.stamp.epoch, record.stamp.nonce),
        None => format!("{holder} -"),
    }
}

/// The plan without ages and without who asked for it. Names have no blanks, so this says one thing only.
fn content(plan: &Plan) -> String {
    let mut text = match plan {
        Plan::Nothing => "nothing".to_owned(),
        Plan::Wait { .. } => "wait".to_owned(),
        Plan::Hold { .. } => "hold".to_owned(),
        Plan::FirstActivation { to, .. } => format!("activate {}", Shown(to)),
        Plan::Takeover {
            bot,
            from,
            to,
            slot,
            ..
        } => format!("takeover {bot} {from} {to} {slot}"),
        Plan::Relogin {
            bot, worker, slot, ..
        } => format!("relogin {bot} {worker} {slot}"),
        Plan::Renew { holder, .. } => format!("renew {}", Shown(holder)),
        Plan::Switch { from, to, .. } => format!("switch {} {}", Shown(from), Shown(to)),
        Plan::PlaceStandbys(placements) => {
            let each = placements
                .iter()
                .map(|p| format!(" {} {} {}", p.bot, p.worker, p.slot));
            format!("place{}", each.collect::<String>())
        }
    };
    for holder in then(plan) {
        let _infallible = write!(text, " else {}", Shown(holder));
    }
    if let Some(cause) = plan.cause() {
        let _infallible = write!(text, " for {}", cause.code());
    }
    text
}

fn then(plan: &Plan) -> &[Holder] {
    match plan {
        Plan::Takeover { then, .. }
        | Plan::Relogin { then, .. }
        | Plan::Renew { then, .. }
        | Plan::Switch { then, .. } => then,
        Plan::Nothing
        | Plan::Wait { .. }
        | Plan::Hold { .. }
        | Plan::FirstActivation { .. }
        | Plan::PlaceStandbys(_) => &[],
    }
}

/// The plan in a sentence, with the bots' names.
fn described(snapshot: &Snapshot, plan: &Plan) -> String {
    let name = |bot: &BotId| snapshot.name(*bot);
    let mut text = match plan {
        Plan::FirstActivation { to, .. } => {
            format!("activate {} on {}", name(&to.bot), to.worker)
        }
        Plan::Takeover { bot, from, to, .. } => {
            format!("{} goes from {from} to {to}", name(bot))
        }
        Plan::Relogin { bot, worker, .. } => {
            format!("{} goes on with its other login on {worker}", name(bot))
        }
        Plan::Renew { holder, .. } => {
            format!("{} begins anew on {}", name(&holder.bot), holder.worker)
        }
        Plan::Switch { from, to, .. } => {
            let (from, bot) = (name(&from.bot), name(&to.bot));
            format!("switch from {from} to {bot} on {}", to.worker)
        }
        other => other.to_string(),
    };
    let then: Vec<String> = then(plan).iter().map(|holder| name(&holder.bot)).collect();
    if !then.is_empty() {
        let _infallible = write!(text, "; if it does not pass: {}", then.join(", then "));
    }
    text
}

fn laid(snapshot: &Snapshot, after: &Overrides) -> String {
    let paused = match after.paused {
        Some(_) => "automation is paused",
        None => "automation acts by itself",
    };
    let pinned = match &after.pinned {
        Some((bot, _)) => format!("pinned to {}", snapshot.name(*bot)),
        None => "pinned to no bot".to_owned(),
    };
    let scheduled = match &after.scheduled {
        Some(Scheduled { to: Some(to), .. }) => {
            format!(", a switch to {} is scheduled", snapshot.name(*to))
        }
        Some(Scheduled { to: None, .. }) => ", a rotation is scheduled".to_owned(),
        None => String::new(),
    };
    format!("{paused}, {pinned}{scheduled}")
}
