//! How old each worker's last word is, by a clock of ours.
//!
//! Redis tells a heartbeat's age as a difference of two readings of its wall clock. When that clock is set, every age is wrong by the step, and keys
//! run out early: everybody would look silent at once, or somebody silent would look alive. So what Redis says is believed only within what was
//! seen here:
//!
//! ```text
//! the heartbeat is        its age is
//! the first of a worker   what Redis says: nothing else is known
//! another than before     what Redis says, at most the time since the look that did not show it
//! the same as before      what it was then, and the time since
//! gone                    the same, for as long as Redis would have kept it
//! ```
//! Invariants: an age grows with our clock and with nothing else while no heartbeat comes; a heartbeat that came makes it at most as old as our last look.
//! Deliberately absent: what an age means (`verdict.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use shared_core::{BootMs, Heartbeat, WorkerId};

/// As long as Redis keeps a heartbeat.
const KEPT: Duration = Duration::from_secs(5);

/// What has been heard of each worker, and when.
#[derive(Debug, Default)]
pub struct Arrivals {
    known: BTreeMap<WorkerId, Known>,
    /// When the last answered look was sent.
    looked: Option<BootMs>,
}

#[derive(Debug)]
struct Known {
    beat: Heartbeat,
    came: BootMs,
}

impl Arrivals {
    /// Takes what a look brought (heartbeats with their ages in milliseconds as Redis tells them); gives it with the ages that count, by worker.
    pub fn take(
        &mut self,
        seen: impl IntoIterator<Item = (Heartbeat, u64)>,
        sent: BootMs,
        now: BootMs,
    ) -> Vec<(Heartbeat, u64)> {
        for (beat, told_ms) in seen {
            let told = now.minus(Duration::from_millis(told_ms));
            let came = match (self.known.get(&beat.worker), self.looked) {
                (Some(known), _) if is_same(&known.beat, &beat) => known.came,
                (Some(_), Some(looked)) => told.max(looked),
                (Some(_) | None, _) => told,
            };
            let known = Known {
                came: came.min(now),
                beat,
            };
            self.known.insert(known.beat.worker.clone(), known);
        }
        self.looked = Some(sent);
        self.known.retain(|_, known| now.since(known.came) < KEPT);
        let all = self.known.values();
        all.map(|known| {
            let age = now.since(known.came).as_millis();
            (known.beat.clone(), u64::try_from(age).unwrap_or(u64::MAX))
        })
        .collect()
    }
}

fn is_same(known: &Heartbeat, seen: &Heartbeat) -> bool {
    (known.nonce, known.seq) == (seen.nonce, seen.seq)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_core::{Nonce, UnixMs};

    use super::*;

    fn beat(worker: &str, nonce: u8, seq: u64) -> Heartbeat {
        Heartbeat {
            worker: WorkerId::new(worker).unwrap(),
            nonce: Nonce([nonce; 8]),
            pid: 1,
            seq,
            sent: UnixMs(0),
            started: UnixMs(0),
            version: String::new(),
            bots: Vec::new(),
            pools: Vec::new(),
            seen: std::collections::BTreeMap::new(),
            redis_us: 1,
            sql_ok: true,
        }
    }

    /// Looks that take no time; each heartbeat as worker, nonce, seq and the age that Redis tells.
    fn look(arrivals: &mut Arrivals, at: u64, seen: &[(&str, u8, u64, u64)]) -> String {
        let seen = seen
            .iter()
            .map(|(worker, nonce, seq, age)| (beat(worker, *nonce, *seq), *age));
        let ages = arrivals.take(seen, BootMs(at), BootMs(at)).into_iter();
        let ages = ages.map(|(beat, age)| format!("{}#{} {age}", beat.worker, beat.seq));
        ages.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_first_word_is_as_old_as_redis_says() {
        let mut arrivals = Arrivals::default();
        let seen = [("w1", 1, 9, 1200), ("w2", 2, 4, 30)];
        assert_eq!(look(&mut arrivals, 10_000, &seen), "w1#9 1200, w2#4 30");
    }

    #[test]
    fn a_clock_that_is_put_forward_makes_nobody_silent() {
        let mut arrivals = Arrivals::default();
        look(&mut arrivals, 10_000, &[("w1", 1, 9, 50)]);
        // Three seconds forward: the same heartbeat, and then another one, are said to be old.
        let same = look(&mut arrivals, 10_200, &[("w1", 1, 9, 3250)]);
        assert_eq!(same, "w1#9 250");
        let next = look(&mut arrivals, 10_450, &[("w1", 1, 10, 3010)]);
        assert_eq!(next, "w1#10 250", "it came after the look before");
        // Ten seconds: the key has run out.
        let gone = look(&mut arrivals, 10_700, &[]);
        assert_eq!(gone, "w1#10 500");
        let back = look(&mut arrivals, 10_800, &[("w1", 1, 11, 20)]);
        assert_eq!(back, "w1#11 20");
    }

    #[test]
    fn a_clock_that_is_put_back_hides_nobodys_silence() {
        let mut arrivals = Arrivals::default();
        look(&mut arrivals, 10_000, &[("w1", 1, 9, 200)]);
        let silent = look(&mut arrivals, 11_500, &[("w1", 1, 9, 0)]);
        assert_eq!(silent, "w1#9 1700");
    }

    #[test]
    fn a_restarted_worker_is_heard_anew_and_one_that_is_gone_is_forgotten() {
        let mut arrivals = Arrivals::default();
        look(&mut arrivals, 10_000, &[("w1", 1, 9, 200), ("w2", 2, 1, 0)]);
        let seen = look(&mut arrivals, 12_000, &[("w1", 3, 1, 15)]);
        assert_eq!(seen, "w1#1 15, w2#1 2000");
        assert_eq!(
            look(&mut arrivals, 15_001, &[("w1", 3, 1, 3016)]),
            "w1#1 3016"
        );
    }

    #[test]
    fn what_comes_after_a_long_absence_of_redis_is_not_younger_than_redis_says() {
        let mut arrivals = Arrivals::default();
        look(&mut arrivals, 10_000, &[("w1", 1, 9, 0)]);
        let seen = look(&mut arrivals, 30_000, &[("w1", 1, 11, 4000)]);
        assert_eq!(seen, "w1#11 4000");
    }
}
