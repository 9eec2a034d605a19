//! What would be done, shown with a button that does it once: `/emergency_recovery` and the card's "switch".
//!
//! Invariant: a button is offered only while the supervisor is heard and Redis answers, and only for a plan that moves something.

use shared_core::{CONFIRM_WITHIN_MS, Order, OrderId, PlanId, PoolBoard, Preview};

use super::words::{Line, foreign, span};
use super::{AdminTexts, Heard, Press, Screen, Sight};

/// What there is to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// Nothing to confirm, and the screen says why; `why` says it in short, for the record.
    Nothing { screen: Screen, why: String },
    /// To be offered under a nonce, then shown by [`AdminTexts::offer`].
    Offer { order: Order, plan: PlanId },
}

const MINUTE_MS: u64 = 60_000;

impl AdminTexts {
    /// `/emergency_recovery`: whatever helps now.
    pub fn propose_recovery(&self, sight: &Sight<'_>) -> Proposal {
        self.propose(sight, Order::Recover)
    }

    /// The card's button: to the best standby.
    pub fn propose_rotation(&self, sight: &Sight<'_>) -> Proposal {
        self.propose(sight, Order::Rotate)
    }

    fn propose(&self, sight: &Sight<'_>, order: Order) -> Proposal {
        let Heard::Supervisor { board, age_ms } = sight.heard() else {
            return self.nobody(sight);
        };
        if !sight.redis.is_well() {
            return self.nobody(sight);
        }
        let preview = preview(board, &order);
        match preview.plan {
            Some(plan) => Proposal::Offer { order, plan },
            None => {
                let mut lines = self.situation(sight, board, age_ms, &order);
                lines.push(self.fill(&Line::NoPlan {
                    why: &foreign(sight.in_words(&preview.text)),
                }));
                self.because(sight, preview, &mut lines);
                Proposal::Nothing {
                    screen: self.screen(&lines, &[&[(Line::Back {}, Press::Refresh)]]),
                    why: format!("no plan: {}", preview.text),
                }
            }
        }
    }

    fn nobody(&self, sight: &Sight<'_>) -> Proposal {
        let why = match sight.redis.is_well() {
            true => "the supervisor is not heard",
            false => "Redis does not answer",
        };
        Proposal::Nothing {
            screen: self.nobody_can(sight),
            why: why.to_owned(),
        }
    }

    /// The plan, with the button that carries the nonce.
    pub fn offer(&self, sight: &Sight<'_>, order: &Order, nonce: OrderId) -> Screen {
        let Some((board, age_ms)) = sight.board else {
            return self.nobody_can(sight);
        };
        let preview = preview(board, order);
        let mut lines = self.situation(sight, board, age_ms, order);
        lines.push(self.fill(&Line::Plan {
            plan: &foreign(sight.in_words(&preview.text)),
        }));
        self.because(sight, preview, &mut lines);
        let minutes = CONFIRM_WITHIN_MS / MINUTE_MS;
        lines.push(self.fill(&Line::ConfirmHint { minutes: &minutes }));
        self.screen(
            &lines,
            &[&[
                (Line::Confirm {}, Press::Confirm(nonce)),
                (Line::Drop {}, Press::Drop(nonce)),
            ]],
        )
    }

    /// The supervisor or Redis is gone: what this worker knows, and what a person does on the host.
    pub fn nobody_can(&self, sight: &Sight<'_>) -> Screen {
        let redis_away = !sight.redis.is_well();
        let silent_for = match sight.heard() {
            Heard::Supervisor { age_ms, .. } | Heard::Silent { age_ms, .. } => Some(age_ms),
            Heard::Never => None,
        };
        let mut lines = vec![match (redis_away, silent_for) {
            (true, _) => self.fill(&Line::CannotRedis {
                age: &span(sight.redis.ago_ms.unwrap_or(0)),
            }),
            (false, Some(age_ms)) => self.fill(&Line::CannotSupervisor { age: &span(age_ms) }),
            (false, None) => self.fill(&Line::CannotSupervisorNever {}),
        }];
        self.own(sight, &mut lines);
        lines.push(self.fill(&match redis_away {
            true => Line::HostRedis {},
            false => Line::HostSupervisor {},
        }));
        self.screen(&lines, &[&[(Line::Back {}, Press::Refresh)]])
    }

    fn situation(
        &self,
        sight: &Sight<'_>,
        board: &PoolBoard,
        age_ms: u64,
        order: &Order,
    ) -> Vec<String> {
        let pool = &board.pool;
        let mut lines = vec![self.fill(&match order {
            Order::Recover => Line::RecoveryTitle { pool },
            _ => Line::RotationTitle { pool },
        })];
        let age = self.ago(Some(age_ms));
        if board.reasons.is_empty() {
            lines.push(self.fill(&Line::NothingWrong { age: &age }));
        } else {
            lines.push(self.fill(&Line::Wrong { age: &age }));
            self.reasons(sight, &board.reasons, &mut lines);
        }
        lines
    }

    fn because(&self, sight: &Sight<'_>, preview: &Preview, lines: &mut Vec<String>) {
        lines.extend(preview.reasons.iter().take(8).map(|reason| {
            let reason = foreign(sight.in_words(reason));
            self.fill(&Line::Because { reason: &reason })
        }));
    }
}

fn preview<'a>(board: &'a PoolBoard, order: &Order) -> &'a Preview {
    match order {
        Order::Recover => &board.recover,
        _ => &board.rotate,
    }
}
