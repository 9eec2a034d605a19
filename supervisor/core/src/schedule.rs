//! Moves that are to happen by themselves at a time that a person has named.
//!
//! ```text
//! its time has not come                                   nothing
//! it has                                                  the order that was planned is given, under the id that was planned with it
//! it has, and automation is paused                        given up: whoever paused wants no surprise
//! it has for longer than SCHEDULE_LIVES_MS                given up: nobody led, and nobody expects it any more
//! ```
//! Invariant: whatever it comes to, it comes to it once: the order's id is part of what was laid down, and an order is carried out once per id.
//! Whether the bot can take over is the order's business: it is refused like any other. Deliberately absent: repetition.

use shared_core::{Overrides, SCHEDULE_LIVES_MS, Scheduled, UnixMs};

use crate::snapshot::Snapshot;

/// What is to become of a scheduled move now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    Give,
    /// It is dropped, and why is told.
    GiveUp {
        why: String,
    },
}

/// `None`: nothing is scheduled, or its time has not come.
pub fn due(overrides: &Overrides, now: UnixMs) -> Option<Due> {
    let scheduled = overrides.scheduled.as_ref()?;
    if now < scheduled.due {
        return None;
    }
    if let Some(paused) = &overrides.paused {
        let why = format!("automation was paused by {} when its time came", paused.by);
        return Some(Due::GiveUp { why });
    }
    let late_ms = now.since(scheduled.due);
    if late_ms > SCHEDULE_LIVES_MS {
        let minutes = late_ms / 60_000;
        let why = format!("nobody led when its time came, {minutes} minutes ago");
        return Some(Due::GiveUp { why });
    }
    Some(Due::Give)
}

/// `switch to second`, with the name that people know.
pub(crate) fn described(snapshot: &Snapshot, scheduled: &Scheduled) -> String {
    match scheduled.to {
        Some(to) => format!("switch to {}", snapshot.name(to)),
        None => "rotation to the best standby".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use shared_core::{BotId, Laid, Nonce};

    use super::*;

    fn laid(at: i64) -> Laid {
        Laid {
            at: UnixMs(at),
            by: "cli:ann".into(),
        }
    }

    fn scheduled_for(due: i64) -> Overrides {
        Overrides {
            scheduled: Some(Scheduled {
                to: Some(BotId(2)),
                due: UnixMs(due),
                fires: Nonce([1; 8]),
                laid: laid(0),
            }),
            ..Overrides::default()
        }
    }

    #[test]
    fn it_is_given_when_its_time_has_come_and_not_before() {
        let overrides = scheduled_for(10_000);
        assert_eq!(due(&Overrides::default(), UnixMs(10_000)), None);
        assert_eq!(due(&overrides, UnixMs(9_999)), None);
        assert_eq!(due(&overrides, UnixMs(10_000)), Some(Due::Give));
        assert_eq!(due(&overrides, UnixMs(609_999)), Some(Due::Give));
    }

    #[test]
    fn it_is_given_up_when_nobody_led_or_automation_is_paused() {
        let mut overrides = scheduled_for(10_000);
        let why = |found: Option<Due>| match found {
            Some(Due::GiveUp { why }) => why,
            other => format!("{other:?}"),
        };
        let late = why(due(&overrides, UnixMs(10_000 + 3_600_000)));
        assert_eq!(late, "nobody led when its time came, 60 minutes ago");
        overrides.paused = Some(laid(5));
        let paused = why(due(&overrides, UnixMs(10_000)));
        assert_eq!(
            paused,
            "automation was paused by cli:ann when its time came"
        );
    }
}
