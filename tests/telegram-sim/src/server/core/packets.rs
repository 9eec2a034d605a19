//! A client packet: salt, session, message ids; then its messages one by one. Service requests are answered here.

use std::sync::Arc;

use grammers_tl_types::{self as tl, Serializable};

use super::Core;
use crate::hub::{CloseReason, Outgoing, Payload};
use crate::mtproto::BadMessage;
use crate::mtproto::incoming::{Message, Packet, Request};
use crate::mtproto::outgoing::ServerMessage;
use crate::mtproto::salts::Salts;
use crate::mtproto::session::{Session, Verdict};
use crate::server::log::WireEvent;
use crate::transport::TransportCode;
use crate::world::{KeyState, Now};

/// `msgs_state_info`: received / not received.
const STATE_RECEIVED: u8 = 4;
const STATE_NOT_RECEIVED: u8 = 2;

/// What a packet came in by.
#[derive(Clone, Copy, Debug)]
pub struct PacketContext<'a> {
    pub connection: u64,
    pub key_id: i64,
    pub salts: &'a Salts,
    /// The client has closed its side already.
    pub closing: bool,
}

/// What the reading task has to do after a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Close unless another ping comes within so many seconds.
    pub disconnect_after_s: Option<u32>,
}

impl Core {
    /// Handles a packet that was decrypted and taken apart.
    pub fn packet(&mut self, context: PacketContext, packet: Packet, now: Now) -> Reaction {
        let PacketContext {
            connection,
            key_id,
            salts,
            ..
        } = context;
        let mut reaction = Reaction::default();
        if !self.identify(connection, key_id) {
            return reaction;
        }
        let now_s = now.unix_ms.div_euclid(1000);
        let current_salt = salts.current(key_id, now_s);
        let (outer_id, outer_seq) = (packet.outer.msg_id, packet.outer.seq_no);
        if !salts.is_valid(key_id, packet.salt, now_s) {
            let session = Arc::new(Session::new(packet.session_id));
            self.record_bad(connection, outer_id, BadMessage::WrongSalt, now);
            self.service(
                connection,
                &session,
                ServerMessage::bad_salt(outer_id, outer_seq, current_salt),
            );
            return reaction;
        }
        let (session, fresh) = self.hub.session(key_id, packet.session_id);
        if !self.admit(context, &session, &packet.outer, false, now) {
            return reaction;
        }
        if fresh {
            let first = packet
                .parts
                .iter()
                .flatten()
                .map(|part| part.msg_id)
                .min()
                .unwrap_or(outer_id);
            let created = ServerMessage::new_session(first, rand::random(), current_salt);
            self.service(connection, &session, created);
        }
        let Some(parts) = packet.parts else {
            self.message(context, &session, packet.outer, now, &mut reaction);
            return reaction;
        };
        for part in parts {
            if self.admit(context, &session, &part, true, now) {
                self.message(context, &session, part, now, &mut reaction);
            }
        }
        reaction
    }

    /// Binds a connection to its key; false when a fault swallows or refuses the packet.
    fn identify(&mut self, connection: u64, key_id: i64) -> bool {
        let Some(known) = self.hub.get_mut(connection) else {
            return false;
        };
        if known.key_id.is_none() {
            known.key_id = Some(key_id);
            if let KeyState::Account(account) = self.world.account_of_key(key_id) {
                self.hub.set_account(connection, Some(account));
            }
        }
        let Some(known) = self.hub.get(connection) else {
            return false;
        };
        if let Some(fault) = self.faults.is_refused(known.account) {
            self.faults.count_hits(fault, 1);
            known.outbox.close(CloseReason::Reset);
            return false;
        }
        if let Some((fault, code)) = self.faults.transport_code(known.account) {
            self.faults.count_hits(fault, 1);
            known.outbox.send(Outgoing {
                due: None,
                payload: Payload::Code(code),
            });
            return false;
        }
        if let Some(fault) = self.faults.is_silent(known.account, connection) {
            self.faults.count_hits(fault, 1);
            return false;
        }
        if let KeyState::Dead(error) = self.world.account_of_key(key_id)
            && error.code == TransportCode::NotFound.code()
        {
            // It died of being forgotten, so there is no session that an error could be told in.
            known.outbox.send(Outgoing {
                due: None,
                payload: Payload::Code(TransportCode::NotFound),
            });
            return false;
        }
        true
    }

    /// Judges a message's id and number; false when it must not take effect.
    fn admit(
        &mut self,
        context: PacketContext,
        session: &Arc<Session>,
        message: &Message,
        inner: bool,
        now: Now,
    ) -> bool {
        let connection = context.connection;
        let parity = message.request.parity();
        let now_s = now.unix_ms.div_euclid(1000);
        let why = match session.judge(message.msg_id, message.seq_no, parity, now_s, inner) {
            Verdict::Accepted => return true,
            Verdict::Repeated if message.request == Request::Container => {
                BadMessage::ContainerIdRepeated
            }
            Verdict::Repeated => {
                // It was received: that is all the client may conclude. The effect is not repeated.
                self.service(
                    connection,
                    session,
                    ServerMessage::ack(vec![message.msg_id]),
                );
                return false;
            }
            Verdict::Bad(why) => why,
        };
        self.record_bad(connection, message.msg_id, why, now);
        let refusal = ServerMessage::bad_message(message.msg_id, message.seq_no, why);
        self.service(connection, session, refusal);
        false
    }

    fn message(
        &mut self,
        context: PacketContext,
        session: &Arc<Session>,
        message: Message,
        now: Now,
        reaction: &mut Reaction,
    ) {
        let PacketContext {
            connection,
            key_id,
            salts,
            ..
        } = context;
        let msg_id = message.msg_id;
        let answer = match message.request {
            Request::Call(body) => return self.call(context, session, msg_id, body, now),
            Request::Container | Request::Ack | Request::Information => return,
            Request::Ping { ping_id } => pong(msg_id, ping_id),
            Request::PingDelayDisconnect { ping_id, delay_s } => {
                reaction.disconnect_after_s = Some(u32::try_from(delay_s).unwrap_or(0));
                pong(msg_id, ping_id)
            }
            Request::FutureSalts { count } => future_salts(msg_id, key_id, salts, count, now),
            Request::DropAnswer { msg_id: dropped } => {
                let body = self.drop_answer(connection, session, dropped).to_bytes();
                ServerMessage::result(msg_id, &Ok(body))
            }
            Request::DestroySession { session_id } => {
                let own = session_id == session.id();
                destroyed(
                    session_id,
                    !own && self.hub.destroy_session(key_id, session_id),
                )
            }
            Request::State { msg_ids } | Request::Resend { msg_ids } => {
                state_info(msg_id, session, &msg_ids)
            }
        };
        self.service(connection, session, answer);
    }

    fn service(&mut self, connection: u64, session: &Arc<Session>, message: ServerMessage) {
        self.send(
            connection,
            Payload::Service {
                session: Arc::clone(session),
                message,
            },
        );
    }

    fn record_bad(&mut self, connection: u64, msg_id: i64, why: BadMessage, now: Now) {
        self.record(
            WireEvent::BadMessage {
                connection,
                code: why.code(),
                msg_id,
            },
            now,
        );
    }
}

fn pong(msg_id: i64, ping_id: i64) -> ServerMessage {
    ServerMessage::answer(tl::enums::Pong::Pong(tl::types::Pong { msg_id, ping_id }).to_bytes())
}

fn future_salts(
    req_msg_id: i64,
    key_id: i64,
    salts: &Salts,
    count: i32,
    now: Now,
) -> ServerMessage {
    let now_s = now.unix_ms.div_euclid(1000);
    let salts = tl::types::FutureSalts {
        req_msg_id,
        now: now_s as i32,
        salts: tl::RawVec(salts.future(key_id, count, now_s)),
    };
    ServerMessage::answer(tl::enums::FutureSalts::Salts(salts).to_bytes())
}

fn destroyed(session_id: i64, was_there: bool) -> ServerMessage {
    use tl::enums::DestroySessionRes;
    let answer = if was_there {
        DestroySessionRes::DestroySessionOk(tl::types::DestroySessionOk { session_id })
    } else {
        DestroySessionRes::DestroySessionNone(tl::types::DestroySessionNone { session_id })
    };
    ServerMessage::answer(answer.to_bytes())
}

fn state_info(req_msg_id: i64, session: &Session, msg_ids: &[i64]) -> ServerMessage {
    let state = |id: &i64| {
        if session.has_seen(*id) {
            STATE_RECEIVED
        } else {
            STATE_NOT_RECEIVED
        }
    };
    let info = msg_ids.iter().map(state).collect();
    ServerMessage::answer(
        tl::enums::MsgsStateInfo::Info(tl::types::MsgsStateInfo { req_msg_id, info }).to_bytes(),
    )
}
