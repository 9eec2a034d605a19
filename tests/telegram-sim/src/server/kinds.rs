//! The `kind` of an event without making JSON of it: a filter looks at far more events than it returns.

use super::log::{Logged, WireEvent};
use crate::world::Event;

/// The same name that serialization writes; a test compares the two.
pub fn kind_of(event: &Logged) -> &'static str {
    match event {
        Logged::World(event) => kind_of_world(event),
        Logged::Wire(event) => kind_of_wire(event),
    }
}

fn kind_of_world(event: &Event) -> &'static str {
    match event {
        Event::LoggedIn { .. } => "logged_in",
        Event::LoggedOut { .. } => "logged_out",
        Event::LoginRefused { .. } => "login_refused",
        Event::MessageSent { .. } => "message_sent",
        Event::MessageEdited { .. } => "message_edited",
        Event::MessageDeleted { .. } => "message_deleted",
        Event::Press { .. } => "press",
        Event::PressAnswered { .. } => "press_answered",
        Event::PressTimedOut { .. } => "press_timed_out",
        Event::Difference { .. } => "difference",
        Event::RandomIdDuplicate { .. } => "random_id_duplicate",
        Event::FloodWait { .. } => "flood_wait",
        Event::UnknownMethod { .. } => "unknown_method",
        Event::AdminChanged { .. } => "admin_changed",
        Event::MembershipChanged { .. } => "membership_changed",
        Event::BotBlocked { .. } => "bot_blocked",
        Event::Revoked { .. } => "revoked",
        Event::BotDeleted { .. } => "bot_deleted",
        Event::KeyKilled { .. } => "key_killed",
        Event::FaultFired { .. } => "fault_fired",
    }
}

fn kind_of_wire(event: &WireEvent) -> &'static str {
    match event {
        WireEvent::ConnectionOpened { .. } => "connection_opened",
        WireEvent::ConnectionClosed { .. } => "connection_closed",
        WireEvent::KeyRefused { .. } => "key_refused",
        WireEvent::BadMessage { .. } => "bad_message",
        WireEvent::Rpc { .. } => "rpc",
        WireEvent::UpdatesDelivered { .. } => "updates_delivered",
        WireEvent::UpdatesLost { .. } => "updates_lost",
        WireEvent::AuthKeyDuplicated { .. } => "auth_key_duplicated",
        WireEvent::FaultSet { .. } => "fault_set",
        WireEvent::FaultFired { .. } => "fault_fired",
        WireEvent::FaultCleared { .. } => "fault_cleared",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::world::{RpcError, UserId};

    #[test]
    fn kinds_are_what_serialization_writes() {
        let account = UserId(1);
        let error = RpcError::bad_request("X");
        let events = [
            Logged::World(Event::LoggedIn {
                account,
                auth_key_id: 1,
            }),
            Logged::World(Event::RandomIdDuplicate {
                account,
                random_id: 1,
            }),
            Logged::World(Event::PressTimedOut {
                query_id: 1,
                member: account,
                bot: account,
            }),
            Logged::World(Event::KeyKilled {
                auth_key_id: 1,
                account: None,
                error,
            }),
            Logged::Wire(WireEvent::ConnectionOpened { connection: 1 }),
            Logged::Wire(WireEvent::UpdatesLost {
                account,
                connection: 1,
                fault: 1,
            }),
            Logged::Wire(WireEvent::FaultCleared {
                fault: 1,
                fault_kind: "silent",
            }),
        ];
        for event in events {
            let value = serde_json::to_value(&event).unwrap();
            assert_eq!(value["kind"], kind_of(&event), "{value}");
        }
    }
}
