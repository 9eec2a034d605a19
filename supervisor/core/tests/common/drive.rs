//! A switch driven by observations, with a transcript of what followed each.
#![allow(clippy::unwrap_used, dead_code)]

use shared_core::{Epoch, LoginSlot, SmokeCheck, SmokeReport, SmokeResult};
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
        let to = self.saga.target().unwrap().clone();
        let report = SmokeReport {
            epoch: Epoch(epoch),
            bot: to.bot,
            worker: to.worker,
            results: vec![SmokeResult {
                check: SmokeCheck::Rpc,
                failed: failed.map(str::to_owned),
                took_ms: 3,
            }],
        };
        self.see("smoked", Observation::Smoked(report))
    }
}

/// The other login of the bot that holds the pool.
pub fn relogin(then: &[&str]) -> SagaSeed {
    SagaSeed {
        assign: Some(LoginSlot::B),
        ..seed(holder("b1@w1"), then)
    }
}
