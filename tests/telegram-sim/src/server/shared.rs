//! What all tasks share: the core behind its lock, auth keys, salts, message ids, the clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::core::Core;
use crate::crypto::AuthKey;
use crate::mtproto::message_ids::MessageIds;
use crate::mtproto::salts::Salts;
use crate::world::{Now, Settings, World};

/// No deadline is armed.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub struct Shared {
    core: Mutex<Core>,
    keys: RwLock<HashMap<i64, Arc<AuthKey>>>,
    salts: Salts,
    ids: MessageIds,
    clock: Clock,
    next_connection: AtomicU64,
    /// What the ticker sleeps until.
    armed: AtomicU64,
    rearm: Notify,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Shared {
    pub fn new(
        settings: Settings,
        seed: u64,
        shutdown: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            core: Mutex::new(Core::new(World::new(settings, seed), seed)),
            keys: RwLock::default(),
            salts: Salts::new(rand::random()),
            ids: MessageIds::default(),
            clock: Clock::start(),
            next_connection: AtomicU64::new(1),
            armed: AtomicU64::new(NEVER),
            rearm: Notify::new(),
            shutdown,
            tasks,
        }
    }

    /// One step of the simulator: `act` under the lock, then everything that it set off, then the deadline.
    pub fn step<T>(&self, act: impl FnOnce(&mut Core, Now) -> T) -> T {
        // A poisoned lock means that a step panicked; the tests that follow should see its report, not ours.
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let result = act(&mut core, now);
        core.settle(now);
        let deadline = core.next_deadline().unwrap_or(NEVER);
        drop(core);
        if deadline < self.armed.load(Ordering::Acquire) {
            self.rearm.notify_one();
        }
        result
    }

    /// Reads without side effects.
    pub fn look<T>(&self, read: impl FnOnce(&Core, Now) -> T) -> T {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        read(&core, self.clock.now())
    }

    /// The ticker's next deadline.
    pub fn arm(&self) -> Option<u64> {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = core.next_deadline();
        self.armed
            .store(deadline.unwrap_or(NEVER), Ordering::Release);
        deadline
    }

    pub async fn rearmed(&self) {
        self.rearm.notified().await;
    }

    /// Makes a permanent key known to the server; it is not logged in.
    pub fn create_key(&self) -> Arc<AuthKey> {
        let key = Arc::new(AuthKey::generate(&mut rand::rng()));
        self.keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.id(), Arc::clone(&key));
        self.step(|core, _| core.world.register_key(key.id()));
        key
    }

    pub fn key(&self, id: i64) -> Option<Arc<AuthKey>> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub fn next_connection_id(&self) -> u64 {
        self.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    pub fn salts(&self) -> &Salts {
        &self.salts
    }

    pub fn ids(&self) -> &MessageIds {
        &self.ids
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}
