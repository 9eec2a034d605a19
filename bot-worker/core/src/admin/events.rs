//! Recent events: what the database recorded last, switches and the rest in one list.

use shared_core::{BotId, UnixMs};

use super::words::{Line, foreign};
use super::{AdminTexts, Press, Screen, Sight};

/// As many as a phone shows.
const SHOWN: usize = 10;

/// Something that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    Switch {
        at: UnixMs,
        kind: &'static str,
        from: Option<BotId>,
        to: Option<BotId>,
        outcome: &'static str,
        took_ms: Option<u64>,
        cause: String,
    },
    Event {
        at: UnixMs,
        kind: &'static str,
        subject: String,
    },
}

impl Happening {
    fn at(&self) -> UnixMs {
        match self {
            Self::Switch { at, .. } | Self::Event { at, .. } => *at,
        }
    }
}

impl AdminTexts {
    /// The latest first; `Err` with the reason when the database was not there to be asked.
    pub fn events(&self, sight: &Sight<'_>, happenings: Result<Vec<Happening>, String>) -> Screen {
        let mut lines = vec![self.fill(&Line::EventsTitle { pool: sight.pool })];
        match happenings {
            Err(why) => lines.push(self.fill(&Line::EventsAway { why: &foreign(why) })),
            Ok(none) if none.is_empty() => lines.push(self.fill(&Line::EventsNone {})),
            Ok(mut some) => {
                some.sort_by_key(|happening| std::cmp::Reverse(happening.at()));
                let shown = some.iter().take(SHOWN);
                lines.extend(shown.map(|happening| self.happening(sight, happening)));
            }
        }
        self.screen(&lines, &[&[(Line::Back {}, Press::Refresh)]])
    }

    fn happening(&self, sight: &Sight<'_>, happening: &Happening) -> String {
        let age = self.ago(Some(sight.now.since(happening.at())));
        match happening {
            Happening::Switch {
                kind,
                from,
                to,
                outcome,
                took_ms,
                cause,
                ..
            } => self.fill(&Line::EventSwitch {
                age: &age,
                kind,
                from: &self.bot_or_nobody(sight, *from),
                to: &self.bot_or_nobody(sight, *to),
                outcome,
                took: &self.took(*took_ms),
                cause: &foreign(sight.in_words(cause)),
            }),
            Happening::Event { kind, subject, .. } => self.fill(&Line::Event {
                age: &age,
                kind,
                subject: &foreign(sight.in_words(subject)),
            }),
        }
    }
}
