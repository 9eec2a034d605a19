//! Why an attempt ended, and who is tried after it.
//!
//! Invariant: the list of candidates only gets shorter; one holder comes once more over another connection, and each that lacks nothing but rights once more
//! without them, when nobody has all. So a saga ends.

use serde::{Deserialize, Serialize};
use shared_core::{Holder, LoginSlot, UnixMs};

use super::{Action, Advanced, Saga, SagaState, SwitchKind, Tried, kind};

/// Why an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "gave_up", rename_all = "snake_case")]
pub enum GaveUp {
    SmokeFailed {
        failures: String,
        /// In so many channels a right is missing, and nothing else failed.
        #[serde(default, skip_serializing_if = "is_none")]
        only_rights: usize,
    },
    TimedOut {
        after_ms: u64,
    },
    /// It was answered, and then not any more: another connection may help.
    FellSilent {
        after_ms: u64,
    },
    HolderLost {
        why: String,
    },
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Saga {
    pub(super) fn fell_silent(&self) -> bool {
        let mut tried = self.tried.iter();
        tried.any(|tried| matches!(tried.why, GaveUp::FellSilent { .. }))
    }

    /// The same holder over another connection.
    pub(super) fn once_more(
        mut self,
        to: Holder,
        slot: LoginSlot,
        after_ms: u64,
        now: UnixMs,
    ) -> Advanced {
        self.tried.push(Tried {
            holder: to.clone(),
            why: GaveUp::FellSilent { after_ms },
            at: now,
        });
        self.assign = Some(slot);
        self.state = SagaState::Decided { to };
        self.with(vec![Action::Fence])
    }

    /// This holder will not do: the next one, or nobody.
    pub(super) fn next(mut self, why: GaveUp, now: UnixMs) -> Advanced {
        if let Some(holder) = self.target().cloned() {
            self.tried.push(Tried {
                holder,
                why,
                at: now,
            });
        }
        self.assign = None;
        let to = match self.then.is_empty() {
            false => self.then.remove(0),
            true => match self.lacks_least() {
                Some(to) => {
                    self.rights_waived = true;
                    self.reasons.push(format!(
                        "every candidate lacks a right in some channel; {} answers members all the same",
                        to.bot
                    ));
                    to
                }
                None => {
                    self.state = SagaState::Exhausted;
                    return self.with(vec![Action::Fence]);
                }
            },
        };
        self.kind = kind(self.previous_bot, self.from.as_ref(), &to, self.assign);
        self.state = SagaState::Decided { to };
        self.with(vec![Action::Fence])
    }

    /// Of those that were refused for missing rights alone, and were not tried again since, the first of those with the fewest. Whoever sets a pool up hears
    /// of them before anybody is served.
    fn lacks_least(&self) -> Option<Holder> {
        if self.kind == SwitchKind::First {
            return None;
        }
        let times = |holder: &Holder| {
            let tried = self.tried.iter();
            tried.filter(|tried| tried.holder == *holder).count()
        };
        let lacking = self.tried.iter().filter_map(|tried| match tried.why {
            GaveUp::SmokeFailed { only_rights, .. } if only_rights > 0 => {
                Some((only_rights, &tried.holder))
            }
            _ => None,
        });
        let left = lacking.filter(|(_, holder)| times(holder) == 1);
        let least = left.min_by_key(|(rights, _)| *rights);
        least.map(|(_, holder)| holder.clone())
    }
}
