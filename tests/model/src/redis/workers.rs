//! Workers' names, heartbeats, deaths and login leases.

use std::rc::Rc;

use shared_core::{Heartbeat, LoginLease, Nonce, WorkerId};

use super::Redis;
use crate::bug::Bug;

/// A worker's name, and how far its process has beaten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    pub nonce: Nonce,
    pub seq: u64,
    pub until: u64,
}

/// As long as Redis keeps a heartbeat and a name.
pub const BEAT_KEPT: u64 = 5_000;

#[derive(Debug, Clone)]
pub struct Claim {
    pub lease: LoginLease,
    pub grant: Nonce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    Held,
    NotOurs,
}

impl Redis {
    /// `renew_leases.lua`
    pub fn renew_leases(
        &mut self,
        claims: &[Claim],
        ttl: u64,
        now: u64,
        bug: Option<Bug>,
    ) -> Vec<Claimed> {
        let state = self.state();
        let mut answers = Vec::with_capacity(claims.len());
        for Claim { lease, grant } in claims {
            let assigned = state.assign.get(&lease.bot).is_some_and(|given| {
                given.worker == lease.worker && given.slot == lease.slot && given.grant == *grant
            });
            let held = state
                .leases
                .get(&lease.bot)
                .filter(|(_, until)| *until > now);
            let free = held.is_none_or(|(held, _)| held == lease)
                || bug == Some(Bug::LeaseTakenFromHolder);
            if !assigned || !free {
                answers.push(Claimed::NotOurs);
                continue;
            }
            state.leases.insert(lease.bot, (lease.clone(), now + ttl));
            answers.push(Claimed::Held);
        }
        answers
    }

    /// `delete_own.lua`, of a lease.
    pub fn release_lease(&mut self, lease: &LoginLease) {
        let state = self.state();
        if state
            .leases
            .get(&lease.bot)
            .is_some_and(|(held, _)| held == lease)
        {
            state.leases.remove(&lease.bot);
        }
    }

    /// `beat.lua`; false: another process has the name.
    pub fn beat(&mut self, beat: Rc<Heartbeat>, now: u64) -> bool {
        let state = self.state();
        let name = state
            .names
            .get(&beat.worker)
            .filter(|name| name.until > now);
        if name.is_some_and(|name| name.nonce != beat.nonce) {
            return false;
        }
        let name = Name {
            nonce: beat.nonce,
            seq: beat.seq,
            until: now + BEAT_KEPT,
        };
        state.names.insert(beat.worker.clone(), name);
        state.beats.insert(beat.worker.clone(), (beat, now));
        true
    }

    /// `claim_name.lua`; the holder, if it is another's.
    pub fn claim_name(
        &mut self,
        worker: &WorkerId,
        nonce: Nonce,
        gone: Option<Name>,
        now: u64,
    ) -> Option<Name> {
        let state = self.state();
        let by = state
            .names
            .get(worker)
            .filter(|name| name.until > now)
            .copied();
        let free = by.is_none_or(|by| {
            by.nonce == nonce
                || gone.is_some_and(|gone| (gone.nonce, gone.seq) == (by.nonce, by.seq))
                || state.deaths.contains(&(worker.clone(), by.nonce))
        });
        if let Some(by) = by.filter(|_| !free) {
            return Some(by);
        }
        let seq = by.filter(|by| by.nonce == nonce).map_or(0, |by| by.seq);
        let until = now + BEAT_KEPT;
        state
            .names
            .insert(worker.clone(), Name { nonce, seq, until });
        None
    }

    /// `report_death.lua`
    pub fn report_death(&mut self, worker: &WorkerId, nonce: Nonce) {
        let state = self.state();
        state.deaths.insert((worker.clone(), nonce));
        if state
            .names
            .get(worker)
            .is_some_and(|name| name.nonce == nonce)
        {
            state.names.remove(worker);
        }
    }

    /// `heartbeats.lua`: with their ages.
    pub fn heartbeats(&self, now: u64) -> Vec<(Rc<Heartbeat>, u64)> {
        let beats = self.live.beats.values();
        let fresh = beats.filter(|(_, at)| now - at < BEAT_KEPT);
        fresh
            .map(|(beat, at)| (Rc::clone(beat), now - at))
            .collect()
    }
}
