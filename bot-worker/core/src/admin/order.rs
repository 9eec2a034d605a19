//! An order on its way, in the message whose button gave it, and the little texts that answer presses.

use shared_core::{CONFIRM_WITHIN_MS, ORDER_LIVES_MS, Order, Progress};

use super::words::{Line, foreign, span};
use super::{AdminTexts, Heard, Screen, Sight};

/// What a press is answered with at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alert {
    /// The order is given; a note, not a window.
    Taken,
    Expired,
    /// Not made by this bot for this admin.
    Unknown,
    Repeated,
    /// Used, and there is no order: whoever took it died before it was given.
    NothingCame,
    RedisAway,
    /// Redis has not said whether it took the order.
    Uncertain,
    Full,
    Forged,
}

const STEPS: usize = 20;
const MINUTE_MS: u64 = 60_000;

impl AdminTexts {
    pub fn alert(&self, alert: Alert) -> String {
        self.fill(&match alert {
            Alert::Taken => Line::AlertTaken {},
            Alert::Expired => Line::AlertExpired {},
            Alert::Unknown => Line::AlertUnknown {},
            Alert::Repeated => Line::AlertRepeated {},
            Alert::NothingCame => Line::AlertNothingCame {},
            Alert::RedisAway => Line::AlertRedis {},
            Alert::Uncertain => Line::AlertUncertain {},
            Alert::Full => Line::AlertFull {},
            Alert::Forged => Line::AlertForged {},
        })
    }

    /// The same in place of a message that is not to be pressed again.
    pub fn notice(&self, alert: Alert) -> Screen {
        self.screen(&[self.alert(alert)], &[])
    }

    /// The message of an order: its steps so far and what became of it. No buttons: what is under way is not asked for again.
    pub fn progress(
        &self,
        sight: &Sight<'_>,
        order: &Order,
        steps: &[String],
        progress: &Progress,
    ) -> Screen {
        let mut lines = self.course(sight, order, steps);
        match progress {
            Progress::Waiting => lines.push(self.waiting(sight)),
            Progress::Running { .. } => {}
            Progress::Refused { why } => lines.push(self.fill(&Line::OrderRefused {
                why: &foreign(sight.in_words(why)),
            })),
            Progress::Failed { why } => lines.push(self.fill(&Line::OrderFailed {
                why: &foreign(sight.in_words(why)),
            })),
            Progress::Done {
                outcome,
                took_ms,
                smoke,
            } => {
                lines.push(self.fill(&Line::OrderDone {
                    time: &span(*took_ms),
                    outcome: &foreign(sight.in_words(outcome)),
                }));
                if !smoke.is_empty() {
                    lines.push(self.fill(&Line::OrderSmoke {}));
                }
                lines.extend(smoke.iter().take(STEPS).map(|check| {
                    let check = foreign(check);
                    self.fill(&Line::OrderCheck { check: &check })
                }));
            }
        }
        self.screen(&lines, &[])
    }

    fn course(&self, sight: &Sight<'_>, order: &Order, steps: &[String]) -> Vec<String> {
        let mut lines = vec![self.fill(&Line::OrderTitle { order })];
        let from = steps.len().saturating_sub(STEPS);
        lines.extend(steps[from..].iter().map(|step| {
            let step = foreign(sight.in_words(step));
            self.fill(&Line::OrderStep { step: &step })
        }));
        lines
    }

    fn waiting(&self, sight: &Sight<'_>) -> String {
        match sight.heard() {
            Heard::Silent { age_ms, .. } => self.fill(&Line::OrderWaitingLong {
                age: &span(age_ms),
                limit: &span(ORDER_LIVES_MS),
            }),
            Heard::Supervisor { .. } | Heard::Never => self.fill(&Line::OrderWaiting {}),
        }
    }

    /// Redis does not answer while an order is followed.
    pub fn lost_sight(&self, sight: &Sight<'_>, order: &Order, steps: &[String]) -> Screen {
        self.closing(sight, order, steps, &Line::OrderLostSight {})
    }

    /// The order is not in Redis any more.
    pub fn forgotten(&self, sight: &Sight<'_>, order: &Order, steps: &[String]) -> Screen {
        self.closing(sight, order, steps, &Line::OrderUnknown {})
    }

    /// It was never there.
    pub fn not_taken(&self, sight: &Sight<'_>, order: &Order) -> Screen {
        self.closing(sight, order, &[], &Line::OrderNotTaken {})
    }

    pub fn given_up(&self, sight: &Sight<'_>, order: &Order, steps: &[String]) -> Screen {
        self.closing(sight, order, steps, &Line::OrderGivenUp {})
    }

    pub fn dropped(&self) -> Screen {
        self.screen(&[self.fill(&Line::Dropped {})], &[])
    }

    /// In place of an offer that was not confirmed in time.
    pub fn expired(&self) -> Screen {
        let minutes = CONFIRM_WITHIN_MS / MINUTE_MS;
        self.screen(&[self.fill(&Line::Expired { minutes: &minutes })], &[])
    }

    fn closing(
        &self,
        sight: &Sight<'_>,
        order: &Order,
        steps: &[String],
        line: &Line<'_>,
    ) -> Screen {
        let mut lines = self.course(sight, order, steps);
        lines.push(self.fill(line));
        self.screen(&lines, &[])
    }
}
