//! A switch driven by observations, with a transcript of what followed each.
#![allow(clippy::unwrap_used, dead_code)]

use shared_core::{ChannelId, Epoch, LoginSlot, SmokeCheck, SmokeReport, SmokeResult};
use supervisor_core::*;

use super::fleet::{NOW, holder, seed, stamp};

pub struct Drive {
    pub saga: Saga,
    pub log: String,
}

impl Drive {
    pub fn start(seed: SagaSeed) -> Self {
        let mut drive = Self {
            saga: Saga::start(seed.clone()).saga,
            log: String::new(),
        };
        drive.note("start", Saga::start(seed));
        drive
    }

    fn note(&mut self, what: &str, advanced: Advanced) {
        let actions: Vec<String> = advanced.actions.iter().map(Action::to_string).collect();
        self.saga = advanced.saga;
        self.log.push_str(&format!(
            "{what}: {} [{}]\n",
            self.saga.state,
            actions.join(", ")
        ));
    }

    pub fn see(mut self, what: &str, observation: Observation) -> Self {
        let advanced = self.saga.clone().advance(observation, NOW);
        self.note(what, advanced);
        self
    }

    pub fn fenced(self, epoch: u64) -> Self {
        self.see(
            "fenced",
            Observation::Fenced {
                stamp: stamp(epoch),
            },
        )
    }

    pub fn activated(self) -> Self {
        self.see("activated", Observation::Activated)
    }

    pub fn smoked(self, epoch: u64, failed: Option<&str>) -> Self {
        self.tested(epoch, vec![result(SmokeCheck::Rpc, failed)])
    }

    /// How its log ends; all of it where it does not.
    pub fn ends_with(&self, lines: &str) {
        assert!(self.log.ends_with(lines), "{}", self.log);
    }

    /// Telegram answers; in so many of three channels a right is missing.
    pub fn lacks_rights(self, epoch: u64, channels: i64) -> Self {
        let mut results = vec![result(SmokeCheck::Rpc, None)];
        results.extend((1..=3).map(|at| {
            let channel = ChannelId(at);
            let failed = (at <= channels).then_some("may not post");
            result(SmokeCheck::Rights { channel }, failed)
        }));
        self.tested(epoch, results)
    }

    fn tested(self, epoch: u64, results: Vec<SmokeResult>) -> Self {
        let to = self.saga.target().unwrap().clone();
        let report = SmokeReport {
            epoch: Epoch(epoch),
            bot: to.bot,
            worker: to.worker,
            results,
        };
        self.see("smoked", Observation::Smoked(report))
    }
}

fn result(check: SmokeCheck, failed: Option<&str>) -> SmokeResult {
    SmokeResult {
        check,
        failed: failed.map(str::to_owned),
        took_ms: 3,
    }
}

/// The other login of the bot that holds the pool.
pub fn relogin(then: &[&str]) -> SagaSeed {
    SagaSeed {
        assign: Some(LoginSlot::B),
        ..seed(holder("b1@w1"), then)
    }
}
