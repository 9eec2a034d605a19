//! Setting, firing and clearing faults: which part of the simulator carries each kind out.

use thiserror::Error;

use super::Core;
use crate::faults::{Effect, Fault, FaultSpec, LiveMode, TooManyFaults};
use crate::server::log::{Logged, WireEvent};
use crate::world::{LiveSessions, Now, RpcError, RpcFault, RpcFaultEffect};

#[derive(Debug, Error)]
pub enum FaultError {
    #[error(transparent)]
    TooMany(#[from] TooManyFaults),
    /// The world cannot do it: no such bot, say.
    #[error("{0}")]
    Refused(RpcError),
}

impl Core {
    /// Keeps a fault; without a trigger it fires at once, and what cannot be carried out is not kept.
    pub fn set_fault(&mut self, spec: FaultSpec, now: Now) -> Result<u64, FaultError> {
        let armed = spec.after.is_some();
        let (fault_kind, bot) = (spec.effect.kind(), spec.bot);
        let fault = self.faults.add(spec)?;
        self.record(
            WireEvent::FaultSet {
                fault,
                fault_kind,
                bot,
                armed,
            },
            now,
        );
        if armed {
            return Ok(fault);
        }
        let (logged, outcome) = self.fire(fault, now);
        if let Err(error) = outcome {
            self.faults.remove(fault);
            return Err(FaultError::Refused(error));
        }
        self.record_all(logged.into(), now);
        Ok(fault)
    }

    pub fn clear_fault(&mut self, id: u64, now: Now) -> bool {
        let Some(fault) = self.faults.remove(id) else {
            return false;
        };
        self.undo(&fault, now);
        true
    }

    /// Puts an armed fault in force and returns what is to be logged.
    pub(super) fn fire(&mut self, id: u64, now: Now) -> (Vec<Logged>, Result<(), RpcError>) {
        let Some(fault) = self.faults.fire(id, now.mono_ms) else {
            return (Vec::new(), Ok(()));
        };
        let outcome = self.carry_out(&fault, now);
        let (fault_kind, bot) = (fault.spec.effect.kind(), fault.spec.bot);
        let error = outcome.as_ref().err().map(ToString::to_string);
        let fired = WireEvent::FaultFired {
            fault: id,
            fault_kind,
            bot,
            error,
        };
        let mut logged = vec![Logged::Wire(fired)];
        logged.extend(self.world.drain_events().into_iter().map(Logged::World));
        (logged, outcome)
    }

    /// Takes back what lasts of a fault that was removed from the list.
    pub(super) fn undo(&mut self, fault: &Fault, now: Now) {
        match (&fault.spec.effect, fault.spec.bot) {
            (Effect::Flood { .. } | Effect::RpcError { .. }, _) => {
                self.world.clear_rpc_fault(fault.id);
            }
            (Effect::Delete {}, Some(bot)) if fault.is_active() => {
                if let Err(error) = self.world.undelete_bot(bot) {
                    tracing::warn!(fault = fault.id, %error, "a deleted bot could not be brought back");
                }
            }
            _ => {}
        }
        let fault_kind = fault.spec.effect.kind();
        self.record(
            WireEvent::FaultCleared {
                fault: fault.id,
                fault_kind,
            },
            now,
        );
    }

    fn carry_out(&mut self, fault: &Fault, now: Now) -> Result<(), RpcError> {
        let account = fault.spec.bot;
        match (&fault.spec.effect, account) {
            (
                Effect::Revoke {
                    live_sessions,
                    error,
                },
                Some(bot),
            ) => {
                let sessions = live_sessions.map(|mode| match mode {
                    LiveMode::LiveOn => LiveSessions::LiveOn,
                    LiveMode::Killed => LiveSessions::Killed(session_error(error.as_deref())),
                });
                self.world.revoke(bot, sessions).map(drop)
            }
            (Effect::Delete {}, Some(bot)) => self.world.delete_bot(bot),
            (Effect::Reset { .. }, account) => {
                let hits = self.hub.reset(account);
                self.faults.count_hits(fault.id, hits);
                Ok(())
            }
            (
                Effect::Flood {
                    method,
                    seconds,
                    count,
                },
                account,
            ) => {
                let effect = RpcFaultEffect::Flood { seconds: *seconds };
                let (method, count) = (method.clone(), *count);
                self.world.add_rpc_fault(
                    fault.id,
                    RpcFault {
                        account,
                        method,
                        effect,
                        count,
                        percent: 100.0,
                    },
                    now,
                );
                Ok(())
            }
            (
                Effect::RpcError {
                    method,
                    code,
                    message,
                    count,
                    percent,
                },
                account,
            ) => {
                let effect = RpcFaultEffect::Error(RpcError::new(*code, message.clone()));
                let (method, count, percent) = (method.clone(), *count, *percent);
                self.world.add_rpc_fault(
                    fault.id,
                    RpcFault {
                        account,
                        method,
                        effect,
                        count,
                        percent,
                    },
                    now,
                );
                Ok(())
            }
            (Effect::Silent { live_only: true }, _) => {
                self.faults.strike_sockets(fault.id, self.hub.open_ids());
                Ok(())
            }
            // In force by being in the list. (Revoke and delete without a bot are refused when the JSON is read.)
            (
                Effect::Silent { live_only: false }
                | Effect::Slow { .. }
                | Effect::Loss { .. }
                | Effect::DropUpdates { .. }
                | Effect::TransportError { .. }
                | Effect::Revoke { .. }
                | Effect::Delete {},
                _,
            ) => Ok(()),
        }
    }
}

/// The code that Telegram sends with a session's death.
fn session_error(name: Option<&str>) -> RpcError {
    match name.unwrap_or("SESSION_REVOKED") {
        name @ "AUTH_KEY_DUPLICATED" => RpcError::not_acceptable(name),
        name => RpcError::unauthorized(name),
    }
}
