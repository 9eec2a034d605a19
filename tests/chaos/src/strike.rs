//! What was struck, when, and until when: shared by who throws the faults and who judges what came of them.

use std::sync::{Arc, Mutex, MutexGuard};

use sandbox::clock::unix_ms;
use sandbox::status::Switch;
use serde::Serialize;

use crate::fault::{Kind, Moment};

/// A fault that landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Strike {
    pub number: u32,
    pub kind: Kind,
    pub moment: Moment,
    pub at_ms: i64,
    /// When it was taken back; `None` while it lasts.
    pub until_ms: Option<i64>,
    /// The bot that it hits.
    pub bot: Option<i64>,
    /// The process that it hits.
    pub pid: Option<i32>,
    /// That worker's name.
    pub worker: Option<String>,
    /// Of its kind: only the sockets that are open, for one.
    pub details: String,
    /// Nobody can read the bot's box while it lasts.
    pub cuts_bot: bool,
}

impl Strike {
    pub fn is_on(&self, at_ms: i64) -> bool {
        at_ms >= self.at_ms && self.until_ms.is_none_or(|until| at_ms <= until)
    }

    /// Whether it was in force at any time between these two.
    pub fn meets(&self, from_ms: i64, to_ms: i64) -> bool {
        self.at_ms <= to_ms && self.until_ms.is_none_or(|until| until >= from_ms)
    }

    /// As seen from a moment in the run.
    pub fn words(&self, seen_from_ms: i64) -> String {
        let since = (seen_from_ms - self.at_ms) as f64 / 1_000.0;
        let whom = match (self.bot, self.pid) {
            (Some(bot), Some(pid)) => format!(" of bot {bot}, process {pid}"),
            (Some(bot), None) => format!(" of bot {bot}"),
            (None, Some(pid)) => format!(", process {pid}"),
            (None, None) => String::new(),
        };
        let until = self.until_ms.map_or_else(
            || "to the end".to_owned(),
            |until| format!("for {} ms", until - self.at_ms),
        );
        format!(
            "#{} {}{whom} {} {since:.3} s before, {until}",
            self.number,
            self.kind.name(),
            self.details
        )
    }
}

/// A strike is aimed at whom status shows, which is some moments old. These and, of each one on a worker, the same for every other bot that this worker held, by
/// the record of the switches, as it was struck or within `before_ms` before that.
pub fn with_all_they_hit(strikes: &[Strike], switches: &[Switch], before_ms: i64) -> Vec<Strike> {
    let mut times: Vec<&Switch> = switches
        .iter()
        .filter(|it| it.fenced_at.is_some())
        .collect();
    times.sort_by_key(|it| it.fenced_at);
    let mut all = strikes.to_vec();
    for strike in strikes.iter().filter(|it| it.kind.hits_a_worker()) {
        let mut held: Vec<i64> = strike.bot.into_iter().collect();
        for (at, switch) in times.iter().enumerate() {
            let next = times.get(at + 1).and_then(|it| it.fenced_at);
            let begun = switch.activated_at.is_some_and(|it| it <= strike.at_ms);
            let lasts = next.is_none_or(|it| it >= strike.at_ms - before_ms);
            let on_it = strike.worker.is_some() && switch.to_worker == strike.worker;
            let Some(bot) = switch.to_id().filter(|_| begun && lasts && on_it) else {
                continue;
            };
            if !held.contains(&bot) {
                held.push(bot);
                all.push(Strike {
                    bot: Some(bot),
                    cuts_bot: strike.kind == Kind::CutWorker,
                    ..strike.clone()
                });
            }
        }
    }
    all
}

#[derive(Debug, Clone, Default)]
pub struct Strikes(Arc<Mutex<Vec<Strike>>>);

impl Strikes {
    /// Returns its place, for `over`.
    pub fn landed(&self, strike: Strike) -> usize {
        let mut all = self.lock();
        all.push(strike);
        all.len() - 1
    }

    pub fn over(&self, place: usize) {
        if let Some(strike) = self.lock().get_mut(place) {
            strike.until_ms.get_or_insert_with(unix_ms);
        }
    }

    /// What is known of it only later.
    pub fn tell(&self, place: usize, more: &str) {
        if let Some(strike) = self.lock().get_mut(place) {
            strike.details += &format!(", {more}");
        }
    }

    pub fn all(&self) -> Vec<Strike> {
        self.lock().clone()
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that are in force.
    pub fn on(&self) -> Vec<Strike> {
        let now = unix_ms();
        let mut all = self.all();
        all.retain(|strike| strike.is_on(now));
        all
    }

    /// A panic elsewhere does not spoil a list of facts.
    fn lock(&self) -> MutexGuard<'_, Vec<Strike>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn switch(from: i64, to: i64, worker: &str, fenced: i64, activated: i64) -> Switch {
        serde_json::from_value(json!({
            "kind": "switch", "from": format!("b{from}"), "to": format!("b{to}"),
            "from_worker": "w1", "to_worker": worker, "fenced_at": fenced, "activated_at": activated,
        }))
        .unwrap()
    }

    #[test]
    fn a_worker_is_struck_with_whatever_bot_it_holds_by_then() {
        let hung = Strike {
            number: 1,
            kind: Kind::HangWorker,
            moment: Moment::AnyTime,
            at_ms: 10_000,
            until_ms: Some(13_000),
            bot: Some(1),
            pid: Some(7),
            worker: Some("w1".to_owned()),
            details: String::new(),
            cuts_bot: false,
        };
        let hits = |switches: &[Switch]| -> Vec<Option<i64>> {
            let all = with_all_they_hit(std::slice::from_ref(&hung), switches, 500);
            all.iter().map(|it| it.bot).collect()
        };
        // Status still showed the bot before.
        assert_eq!(
            hits(&[switch(1, 4, "w1", 9_500, 9_600)]),
            [Some(1), Some(4)]
        );
        // It had been left for another worker a while ago, or just now.
        let to_other = |at| {
            [
                switch(1, 4, "w1", 5_000, 5_100),
                switch(4, 5, "w2", at, at + 10),
            ]
        };
        assert_eq!(hits(&to_other(9_400)), [Some(1)]);
        assert_eq!(hits(&to_other(9_600)), [Some(1), Some(4)]);
        // What it was given later it did not hold.
        assert_eq!(hits(&[switch(1, 4, "w1", 10_400, 10_500)]), [Some(1)]);
        assert_eq!(hits(&[switch(1, 4, "w2", 9_500, 9_600)]), [Some(1)]);
    }
}
