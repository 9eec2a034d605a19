//! What is kept of a switch: who, from where to where, why, and when each step happened.

use serde::{Deserialize, Serialize};
use shared_core::{Epoch, Holder, Milestone, MilestoneKind, SwitchId, UnixMs};

use super::{GaveUp, Saga, SagaState, SwitchKind};
use crate::plan::Cause;

/// A holder that was tried and did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub holder: Holder,
    pub why: GaveUp,
    pub at: UnixMs,
}

/// When each step happened, by wall clocks: the leader's, and from `caught_up_at` on (and `activated_at`, once it is known) the worker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    pub detected_at: UnixMs,
    pub fenced_at: Option<UnixMs>,
    pub activated_at: Option<UnixMs>,
    pub verified_at: Option<UnixMs>,
    pub opened_at: Option<UnixMs>,
    pub caught_up_at: Option<UnixMs>,
    pub first_reply_at: Option<UnixMs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Opened,
    Held,
}

/// A finished switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRecord {
    pub id: SwitchId,
    pub kind: SwitchKind,
    /// The epoch that was opened.
    pub epoch: Option<Epoch>,
    pub from: Option<Holder>,
    pub to: Option<Holder>,
    pub cause: Cause,
    pub reasons: Vec<String>,
    pub tried: Vec<Tried>,
    pub outcome: Outcome,
    pub timeline: Timeline,
}

impl Saga {
    /// The record, once the saga has come to an end.
    pub fn record(&self) -> Option<SwitchRecord> {
        let (outcome, to, epoch) = match &self.state {
            SagaState::Opened { to, stamp } => {
                (Outcome::Opened, Some(to.clone()), Some(stamp.epoch))
            }
            SagaState::Held => (Outcome::Held, None, None),
            _ => return None,
        };
        Some(SwitchRecord {
            id: self.id,
            kind: self.kind,
            epoch,
            from: self.from.clone(),
            to,
            cause: self.cause.clone(),
            reasons: self.reasons.clone(),
            tried: self.tried.clone(),
            outcome,
            timeline: self.timeline,
        })
    }
}

impl Timeline {
    pub fn detected(at: UnixMs) -> Self {
        Self {
            detected_at: at,
            fenced_at: None,
            activated_at: None,
            verified_at: None,
            opened_at: None,
            caught_up_at: None,
            first_reply_at: None,
        }
    }

    /// Takes in what the worker saw; returns whether anything changed. The first of each kind counts.
    pub fn take(&mut self, milestones: &[Milestone]) -> bool {
        let before = *self;
        let first = |kind| milestones.iter().find(|m| m.kind == kind).map(|m| m.at);
        self.activated_at = first(MilestoneKind::Activated).or(self.activated_at);
        self.caught_up_at = self.caught_up_at.or(first(MilestoneKind::CaughtUp));
        self.first_reply_at = self.first_reply_at.or(first(MilestoneKind::FirstReply));
        *self != before
    }

    pub fn is_complete(&self) -> bool {
        self.caught_up_at.is_some() && self.first_reply_at.is_some()
    }
}
