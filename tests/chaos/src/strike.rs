//! What was struck, when, and until when: shared by who throws the faults and who judges what came of them.

use std::sync::{Arc, Mutex, MutexGuard};

use sandbox::clock::unix_ms;
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
