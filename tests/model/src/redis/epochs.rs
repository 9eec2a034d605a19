//! The leader's scripts: the lead, the steps of an epoch, assignments, the switch in progress.

use std::rc::Rc;

use shared_core::{
    Assignment, BotId, EpochRecord, EpochStamp, Holder, LoginLease, Nonce, Phase, UnixMs,
};
use supervisor_core::Saga;

use super::{Redis, State};
use crate::bug::Bug;
use crate::ghost::{Ghost, Wrong};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leading {
    Ours { since: Nonce },
    Another { left: u64 },
}

/// Who writes as the leader.
#[derive(Debug, Clone, Copy)]
pub struct Lead {
    pub id: Nonce,
    pub bug: Option<Bug>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    Fenced,
    Behind(u64),
    NotLeading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Done,
    NotLeading,
    Elsewhere,
}

impl State {
    pub fn leads(&self, lead: &Lead, now: u64) -> bool {
        lead.bug == Some(Bug::LeaderUnchecked) || self.is_led_by(lead.id, now)
    }

    fn is_led_by(&self, id: Nonce, now: u64) -> bool {
        let by = self.leader.filter(|(_, until)| *until > now);
        by.is_some_and(|(leader, _)| leader == id)
    }
}

impl Redis {
    /// `take_lead.lua`
    pub fn take_lead(&mut self, id: Nonce, ttl: u64, tenure: Nonce, now: u64) -> Leading {
        let state = self.state();
        let leads = state.leader.filter(|(_, until)| *until > now);
        match leads {
            Some((by, until)) if by != id => return Leading::Another { left: until - now },
            Some(_) => {}
            None => state.tenure = None,
        }
        let since = *state.tenure.get_or_insert(tenure);
        state.leader = Some((id, now + ttl));
        Leading::Ours { since }
    }

    /// `fence.lua`
    pub fn fence(
        &mut self,
        ghost: &mut Ghost,
        lead: &Lead,
        stamp: EpochStamp,
        since: UnixMs,
        saga: Rc<Saga>,
        now: u64,
    ) -> Fence {
        let state = self.state();
        if !state.leads(lead, now) {
            return Fence::NotLeading;
        }
        let repeated = state
            .epoch
            .as_ref()
            .is_some_and(|seen| seen.stamp == stamp && seen.phase == Phase::Fenced);
        if let Some(seen) = &state.epoch
            && !repeated
            && seen.stamp.epoch >= stamp.epoch
        {
            return Fence::Behind(seen.stamp.epoch.0);
        }
        if !state.is_led_by(lead.id, now) {
            ghost.fail(Wrong::StaleLeader(stamp));
        }
        if !repeated {
            ghost.begins(stamp);
            let before = state.epoch.as_ref();
            let previous_bot = match before {
                Some(seen) if seen.phase == Phase::Open && seen.holder.is_some() => {
                    seen.holder.as_ref().map(|holder| holder.bot)
                }
                Some(seen) => seen.previous_bot,
                None => None,
            };
            state.epoch = Some(EpochRecord {
                stamp,
                phase: Phase::Fenced,
                holder: None,
                previous_bot,
                since,
            });
        }
        state.saga = Some(saga);
        Fence::Fenced
    }

    /// `activate.lua`
    pub fn activate(
        &mut self,
        lead: &Lead,
        stamp: EpochStamp,
        to: &Holder,
        since: UnixMs,
        saga: Rc<Saga>,
        now: u64,
    ) -> Step {
        let state = self.state();
        if !state.leads(lead, now) {
            return Step::NotLeading;
        }
        let Some(seen) = state.epoch.as_mut().filter(|seen| seen.stamp == stamp) else {
            return Step::Elsewhere;
        };
        let repeated = seen.phase == Phase::Smoking && seen.holder.as_ref() == Some(to);
        if !(seen.phase == Phase::Fenced || repeated) {
            return Step::Elsewhere;
        }
        if !repeated {
            seen.phase = Phase::Smoking;
            seen.holder = Some(to.clone());
            seen.since = since;
        }
        state.saga = Some(saga);
        Step::Done
    }

    /// `open_epoch.lua`
    pub fn open(
        &mut self,
        ghost: &mut Ghost,
        lead: &Lead,
        stamp: EpochStamp,
        since: UnixMs,
        saga: Rc<Saga>,
        now: u64,
    ) -> Step {
        let state = self.state();
        if !state.leads(lead, now) {
            return Step::NotLeading;
        }
        let is_led = state.is_led_by(lead.id, now);
        let Some(seen) = state.epoch.as_mut().filter(|seen| seen.stamp == stamp) else {
            return Step::Elsewhere;
        };
        if !matches!(seen.phase, Phase::Smoking | Phase::Open) {
            return Step::Elsewhere;
        }
        if seen.phase != Phase::Open {
            seen.phase = Phase::Open;
            seen.since = since;
            if !is_led {
                ghost.fail(Wrong::StaleLeader(stamp));
            }
            ghost.opened(stamp, seen.holder.as_ref());
        }
        state.saga = Some(saga);
        Step::Done
    }

    /// `leader_write.lua`, of assignments.
    pub fn assign(&mut self, lead: &Lead, given: &[Assignment], now: u64) -> bool {
        let state = self.state();
        if !state.leads(lead, now) {
            return false;
        }
        for one in given {
            state.assign.insert(one.bot, one.clone());
        }
        true
    }

    /// `leader_write.lua`, of the saga that is over.
    pub fn clear_saga(&mut self, lead: &Lead, now: u64) -> bool {
        let state = self.state();
        let leads = state.leads(lead, now);
        if leads {
            state.saga = None;
        }
        leads
    }

    /// `break_lease.lua`; `None`: not the leader.
    pub fn break_lease(&mut self, lead: &Lead, of: &LoginLease, now: u64) -> Option<()> {
        let state = self.state();
        if !state.leads(lead, now) {
            return None;
        }
        let held = state.leases.get(&of.bot);
        if held.is_some_and(|(held, _)| held.worker == of.worker && held.nonce == of.nonce) {
            state.leases.remove(&of.bot);
        }
        Some(())
    }

    pub fn lease(&self, bot: BotId, now: u64) -> Option<LoginLease> {
        let (lease, until) = self.live.leases.get(&bot)?;
        (*until > now).then(|| lease.clone())
    }
}
