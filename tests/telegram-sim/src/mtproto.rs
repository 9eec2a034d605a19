//! MTProto 2.0's message layer as the server runs it: ids, sequence numbers, salts, containers, service messages, wrappers.
//!
//! Nothing here waits or knows a socket: bytes and times come in, bytes come out. Source: core.telegram.org/mtproto
//! (description, service messages, service messages about messages).

pub mod incoming;
pub mod message_ids;
pub mod outgoing;
pub mod salts;
pub mod session;
pub mod wrappers;

/// The newest layer that is spoken: the one of the schema this crate is built with.
pub const LAYER: i32 = grammers_tl_types::LAYER;

/// `bad_msg_notification` codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadMessage {
    IdTooLow,
    IdTooHigh,
    IdNotClients,
    ContainerIdRepeated,
    TooOld,
    SeqTooLow,
    SeqTooHigh,
    SeqNotEven,
    SeqNotOdd,
    WrongSalt,
    InvalidContainer,
}

impl BadMessage {
    pub fn code(self) -> i32 {
        match self {
            Self::IdTooLow => 16,
            Self::IdTooHigh => 17,
            Self::IdNotClients => 18,
            Self::ContainerIdRepeated => 19,
            Self::TooOld => 20,
            Self::SeqTooLow => 32,
            Self::SeqTooHigh => 33,
            Self::SeqNotEven => 34,
            Self::SeqNotOdd => 35,
            Self::WrongSalt => 48,
            Self::InvalidContainer => 64,
        }
    }
}
