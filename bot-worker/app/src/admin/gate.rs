//! What is let through to be recorded or answered, so that no stranger can fill the records by repeating himself.
//!
//! A stranger's doings are recorded once a minute; everything of an admin's is, and answered, if only by saying that it is too old. Bounded:
//! when too many different strangers come at once, the rest is not recorded.

use std::time::Duration;

use bot_worker_core::admin::Judged;
use shared_core::{BootMs, MemberId};

const STRANGER_AGAIN: Duration = Duration::from_secs(60);
/// People who are remembered.
const PEOPLE: usize = 256;

#[derive(Debug, Default)]
pub struct Gate {
    seen: Vec<(MemberId, BootMs)>,
}

impl Gate {
    pub fn lets_in(&mut self, member: MemberId, judged: Judged, now: BootMs) -> bool {
        match judged {
            Judged::Go | Judged::Old { .. } => return true,
            Judged::Stranger => {}
        }
        self.seen.retain(|(_, at)| now.since(*at) < STRANGER_AGAIN);
        let known = self.seen.iter().any(|(seen, _)| *seen == member);
        if known || self.seen.len() >= PEOPLE {
            return false;
        }
        self.seen.push((member, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_counts_once_a_minute_and_an_admin_always() {
        let mut gate = Gate::default();
        let (one, other) = (MemberId(1), MemberId(2));
        let at = |seconds: u64| BootMs(seconds * 1_000);
        assert!(gate.lets_in(one, Judged::Stranger, at(0)));
        assert!(!gate.lets_in(one, Judged::Stranger, at(59)));
        assert!(gate.lets_in(other, Judged::Stranger, at(59)));
        assert!(gate.lets_in(one, Judged::Stranger, at(60)));
        let old = Judged::Old { age_ms: 200_000 };
        assert!(gate.lets_in(one, old, at(61)) && gate.lets_in(one, old, at(61)));
        assert!(gate.lets_in(one, Judged::Go, at(71)) && gate.lets_in(one, Judged::Go, at(71)));
    }

    #[test]
    fn a_crowd_of_strangers_is_bounded() {
        let mut gate = Gate::default();
        let let_in = (0..1_000)
            .filter(|member| gate.lets_in(MemberId(*member), Judged::Stranger, BootMs(1)))
            .count();
        assert_eq!(let_in, PEOPLE);
    }
}
