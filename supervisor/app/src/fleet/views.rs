//! All workers as the pools see them, and who of them is certainly dead.
//!
//! Invariant: of a worker of ours only the heartbeats of our own process count, unless another live process has the name: then the name is that
//! one's, and nothing of it is touched because ours has died.

use shared_core::{Nonce, WorkerId};
use shared_io::clock;
use shared_io::redis::SeenHeartbeat;
use supervisor_core::{Process as Seen, WorkerView};

use super::{Fleet, Slot, State};

impl Fleet {
    /// All workers as they are seen: ours by their processes, the others by their heartbeats.
    pub fn views(&self, heartbeats: &[SeenHeartbeat]) -> Vec<WorkerView> {
        let ours = self.slots.iter().map(|(worker, slot)| {
            let heard = heartbeats.iter().find(|h| h.heartbeat.worker == *worker);
            match heard.filter(|heard| self.is_anothers(slot, heard)) {
                Some(heard) => elsewhere(heard, Seen::Elsewhere),
                None => own(worker, slot, heard),
            }
        });
        let others = heartbeats
            .iter()
            .filter(|h| !self.slots.contains_key(&h.heartbeat.worker))
            .map(
                |h| match self.dead.knows(&h.heartbeat.worker, h.heartbeat.nonce) {
                    true => elsewhere(h, Seen::Dead),
                    false => elsewhere(h, Seen::Elsewhere),
                },
            );
        ours.chain(others).collect()
    }

    /// Is it the heartbeat of a process that has the name of ours and is not ours? Then the name is that one's, whatever becomes of ours.
    fn is_anothers(&self, slot: &Slot, heard: &SeenHeartbeat) -> bool {
        let beat = &heard.heartbeat;
        let is_ours = match &slot.state {
            State::Running { nonce, .. } => nonce.is_none_or(|nonce| nonce == beat.nonce),
            State::Dead { nonce, .. } => *nonce == Some(beat.nonce),
        };
        !is_ours && !self.dead.knows(&beat.worker, beat.nonce)
    }

    /// Is this very process certainly dead, so that what it held may be taken from it?
    pub fn is_dead(&self, worker: &WorkerId, nonce: Nonce) -> bool {
        let ours = self.slots.get(worker).map(|slot| &slot.state);
        self.dead.knows(worker, nonce)
            || matches!(ours, Some(State::Running { process, nonce: Some(known), .. })
                if *known == nonce && !process.is_alive())
    }

    /// Does nothing run any more of whom this view shows?
    pub fn is_gone(&self, view: &WorkerView) -> bool {
        let ours = self.slots.get(&view.worker).map(|slot| &slot.state);
        let is_known = match ours {
            Some(State::Dead { nonce, .. } | State::Running { nonce, .. }) => nonce.is_some(),
            None => true,
        };
        is_known && view.process == Seen::Dead
    }
}

/// One of ours, by its process; of heartbeats only its own count.
fn own(worker: &WorkerId, slot: &Slot, heard: Option<&SeenHeartbeat>) -> WorkerView {
    let (process, nonce) = match &slot.state {
        State::Running { process, .. } if !process.is_alive() => (Seen::Dead, None),
        State::Running { nonce, since, .. } => {
            let for_ms = clock::boot_now().since(*since).as_millis();
            let for_ms = u64::try_from(for_ms).unwrap_or(u64::MAX);
            (Seen::Running { for_ms }, *nonce)
        }
        State::Dead { .. } => (Seen::Dead, None),
    };
    let beat = heard.filter(|h| nonce.is_none_or(|nonce| nonce == h.heartbeat.nonce));
    WorkerView {
        worker: worker.clone(),
        process,
        beat: beat.map(|h| (h.heartbeat.clone(), h.age_ms)),
    }
}

fn elsewhere(heard: &SeenHeartbeat, process: Seen) -> WorkerView {
    WorkerView {
        worker: heard.heartbeat.worker.clone(),
        process,
        beat: Some((heard.heartbeat.clone(), heard.age_ms)),
    }
}
