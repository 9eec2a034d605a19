//! From bytes to a request. Telegram takes an `InputPeer` where an `InputUser` or an `InputChannel` is asked for, and clients of
//! Pyrogram's family send nothing else; the two have the same fields, so only the constructor is exchanged. Everything else is strict.

use grammers_tl_types as tl;
use tl::deserialize::{Cursor, Error};
use tl::{Deserializable, Identifiable, types};

use crate::world::RpcError;

/// `InputPeer` constructors and what they stand for.
const ALIASES: [(u32, u32); 5] = [
    (
        types::InputPeerUser::CONSTRUCTOR_ID,
        types::InputUser::CONSTRUCTOR_ID,
    ),
    (
        types::InputPeerSelf::CONSTRUCTOR_ID,
        types::InputUserSelf::CONSTRUCTOR_ID,
    ),
    (
        types::InputPeerUserFromMessage::CONSTRUCTOR_ID,
        types::InputUserFromMessage::CONSTRUCTOR_ID,
    ),
    (
        types::InputPeerChannel::CONSTRUCTOR_ID,
        types::InputChannel::CONSTRUCTOR_ID,
    ),
    (
        types::InputPeerChannelFromMessage::CONSTRUCTOR_ID,
        types::InputChannelFromMessage::CONSTRUCTOR_ID,
    ),
];
/// More exchanges than any honest request needs.
const EXCHANGES_MAX: usize = 1_000;

/// What follows the constructor of the method.
pub(super) fn parse<F: Deserializable>(body: &[u8]) -> Result<F, RpcError> {
    let mut bytes = body.get(4..).unwrap_or_default().to_vec();
    for _ in 0..=EXCHANGES_MAX {
        let mut cursor = Cursor::from_slice(&bytes);
        let error = match F::deserialize(&mut cursor) {
            Ok(request) => return Ok(request),
            Err(error) => error,
        };
        let end = cursor.pos();
        let exchanged = match error {
            Error::UnexpectedConstructor { id } => exchange(&mut bytes, end, id),
            Error::UnexpectedEof => return Err(RpcError::bad_request("INPUT_FETCH_ERROR")),
        };
        if exchanged.is_none() {
            break;
        }
    }
    Err(RpcError::bad_request("INPUT_CONSTRUCTOR_INVALID"))
}

/// Puts the alias of the constructor that was read up to `end` in its place.
fn exchange(bytes: &mut [u8], end: usize, id: u32) -> Option<()> {
    let (_, alias) = ALIASES.iter().find(|(peer, _)| *peer == id)?;
    let place = bytes.get_mut(end.checked_sub(4)?..end)?;
    place.copy_from_slice(&alias.to_le_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use tl::functions::{channels, users};
    use tl::{Serializable, enums};

    use super::*;

    #[test]
    fn peers_stand_for_users_and_channels_and_for_nothing_else() {
        let user = types::InputUser {
            user_id: 7,
            access_hash: 8,
        };
        let request = users::GetUsers {
            id: vec![user.clone().into(), enums::InputUser::UserSelf, user.into()],
        };
        let mut bytes = request.to_bytes();
        for (peer, alias) in ALIASES {
            swap(&mut bytes, alias, peer);
        }
        assert_ne!(bytes, request.to_bytes());
        assert_eq!(parse::<users::GetUsers>(&bytes).unwrap(), request);

        let channel = types::InputChannel {
            channel_id: 7,
            access_hash: 8,
        };
        let request = channels::GetFullChannel {
            channel: channel.into(),
        };
        let mut bytes = request.to_bytes();
        let user = types::InputPeerUser::CONSTRUCTOR_ID;
        swap(&mut bytes, types::InputChannel::CONSTRUCTOR_ID, user);
        let refused = parse::<channels::GetFullChannel>(&bytes).unwrap_err();
        assert_eq!(refused.message, "INPUT_CONSTRUCTOR_INVALID");
    }

    fn swap(bytes: &mut [u8], from: u32, to: u32) {
        for at in (0..bytes.len()).step_by(4) {
            if bytes[at..at + 4] == from.to_le_bytes() {
                bytes[at..at + 4].copy_from_slice(&to.to_le_bytes());
            }
        }
    }
}
