//! Calls: stripped of their wrappers, judged, handed to the world, logged and answered, in this order.

use std::sync::Arc;
use std::time::Instant;

use grammers_tl_types as tl;

use super::packets::PacketContext;
use super::{Core, Waiting};
use crate::hub::{Duplicate, Payload};
use crate::mtproto::LAYER;
use crate::mtproto::outgoing::ServerMessage;
use crate::mtproto::session::Session;
use crate::mtproto::wrappers::{self, Unwrapped};
use crate::server::log::WireEvent;
use crate::transport::TransportCode;
use crate::world::{Caller, KeyState, Now, Outcome, RpcError, World};

/// What stands in the log for a method that is not in the layer.
const UNKNOWN_METHOD: &str = "?";

/// A call that waits for somebody else.
#[derive(Debug)]
pub(super) struct WaitingCall {
    pub connection: u64,
    session: Arc<Session>,
    msg_id: i64,
}

impl Core {
    pub(super) fn call(
        &mut self,
        context: PacketContext,
        session: &Arc<Session>,
        msg_id: i64,
        body: Vec<u8>,
        now: Now,
    ) {
        let connection = context.connection;
        let started = Instant::now();
        if self.hub.get(connection).is_none() {
            return;
        }
        let introduction = self.hub.introduction(context.key_id);
        let (method, outcome) = match wrappers::unwrap(body, introduction) {
            Err(error) => (UNKNOWN_METHOD, Outcome::Reply(Err(error))),
            Ok(call) => {
                let method = World::method_name(&call.body).unwrap_or(UNKNOWN_METHOD);
                (method, self.judge_and_run(context, session, &call, now))
            }
        };
        // Events first: what they trigger is in force before the answer leaves.
        self.absorb_events(now);
        let error = match &outcome {
            Outcome::Reply(Err(error)) => Some(error.to_string()),
            Outcome::Reply(Ok(_)) | Outcome::Later(_) => None,
        };
        let took_us = started.elapsed().as_micros() as u64;
        let account = self.hub.get(connection).and_then(|known| known.account);
        self.record(
            WireEvent::Rpc {
                account,
                connection,
                method,
                error,
                took_us,
            },
            now,
        );
        self.answer(connection, session, msg_id, outcome);
    }

    pub(super) fn answer_late(&mut self, call: WaitingCall, result: Result<Vec<u8>, RpcError>) {
        let WaitingCall {
            connection,
            session,
            msg_id,
        } = call;
        if let Some(known) = self.hub.get_mut(connection) {
            known.waiting = known.waiting.saturating_sub(1);
        }
        self.send(
            connection,
            Payload::Result {
                session,
                req_msg_id: msg_id,
                result,
            },
        );
    }

    /// `rpc_drop_answer`: calls are answered at once here, so only a waiting one can still be dropped.
    pub(super) fn drop_answer(
        &mut self,
        connection: u64,
        session: &Session,
        msg_id: i64,
    ) -> tl::enums::RpcDropAnswer {
        let before = self.waiting.len();
        self.waiting.retain(|_, waiting| {
            !matches!(waiting, Waiting::Call(call) if call.msg_id == msg_id && call.session.id() == session.id())
        });
        if self.waiting.len() == before {
            return tl::enums::RpcDropAnswer::RpcAnswerUnknown;
        }
        if let Some(known) = self.hub.get_mut(connection) {
            known.waiting = known.waiting.saturating_sub(1);
        }
        tl::enums::RpcDropAnswer::RpcAnswerDroppedRunning
    }

    fn answer(&mut self, connection: u64, session: &Arc<Session>, msg_id: i64, outcome: Outcome) {
        let session = Arc::clone(session);
        match outcome {
            // The key was forgotten after its packet had come in (`packets.rs`): no error of a call bears that code.
            Outcome::Reply(Err(error)) if error.code == TransportCode::NotFound.code() => {
                self.send(connection, Payload::Code(TransportCode::NotFound));
            }
            Outcome::Reply(result) => {
                self.send(
                    connection,
                    Payload::Result {
                        session,
                        req_msg_id: msg_id,
                        result,
                    },
                );
            }
            Outcome::Later(id) => {
                if let Some(known) = self.hub.get_mut(connection) {
                    known.waiting += 1;
                }
                let call = WaitingCall {
                    connection,
                    session: Arc::clone(&session),
                    msg_id,
                };
                self.waiting.insert(id, Waiting::Call(call));
                let message = ServerMessage::ack(vec![msg_id]);
                self.send(connection, Payload::Service { session, message });
            }
        }
    }

    fn judge_and_run(
        &mut self,
        context: PacketContext,
        session: &Arc<Session>,
        call: &Unwrapped,
        now: Now,
    ) -> Outcome {
        let PacketContext {
            connection,
            key_id,
            closing,
            ..
        } = context;
        if !call.after.iter().all(|msg_id| session.has_seen(*msg_id)) {
            return Outcome::Reply(Err(RpcError::bad_request("MSG_WAIT_FAILED")));
        }
        // A dead key cannot die again: each of its calls would be reported as a duplicate.
        let dead = matches!(self.world.account_of_key(key_id), KeyState::Dead(_));
        if !dead && let Some(duplicate) = self.hub.note_call(connection, key_id, closing) {
            self.kill_duplicated(key_id, duplicate, now);
        }
        let layer = self.hub.introduction(key_id).layer.unwrap_or(LAYER);
        let Some(known) = self.hub.get(connection) else {
            return Outcome::Reply(Err(RpcError::server("CONNECTION_GONE")));
        };
        let mut caller = Caller {
            connection,
            auth_key_id: key_id,
            session_id: session.id(),
            layer,
            account: known.account,
        };
        let outcome = self.world.call(&mut caller, &call.body, now);
        self.hub.set_account(connection, caller.account);
        if caller.account.is_some() && !call.without_updates {
            self.hub.subscribe(connection, session);
        }
        outcome
    }

    fn kill_duplicated(&mut self, key_id: i64, duplicate: Duplicate, now: Now) {
        let account = self
            .hub
            .get(duplicate.newer)
            .and_then(|known| known.account);
        self.world
            .kill_key(key_id, RpcError::not_acceptable("AUTH_KEY_DUPLICATED"));
        let connections = [duplicate.older, duplicate.newer];
        for connection in connections {
            self.hub.set_account(connection, None);
        }
        self.record(
            WireEvent::AuthKeyDuplicated {
                auth_key_id: key_id,
                account,
                connections,
            },
            now,
        );
    }
}
