//! Strips `invokeWithLayer`, `initConnection`, `invokeWithoutUpdates` and `invokeAfterMsg(s)` from a call, and judges
//! whether the client may call at all: it has to introduce itself first, once for its auth key.

use grammers_tl_types::{self as tl, Cursor, Deserializable, Identifiable};

use super::LAYER;
use crate::world::RpcError;

/// Wrappers around one call; more is a loop made by hand.
const MAX_DEPTH: usize = 8;

/// What a client has told about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    pub layer: Option<i32>,
    pub initialized: bool,
}

/// A call without its wrappers.
#[derive(Debug, PartialEq, Eq)]
pub struct Unwrapped {
    pub body: Vec<u8>,
    pub without_updates: bool,
    /// Messages that have to be handled before this one.
    pub after: Vec<i64>,
}

/// The rest of a message, as the innermost `query`.
struct Rest(Vec<u8>);

impl Deserializable for Rest {
    fn deserialize(buffer: &mut Cursor) -> tl::deserialize::Result<Self> {
        let mut rest = Vec::new();
        buffer.read_to_end(&mut rest)?;
        Ok(Self(rest))
    }
}

/// Unwraps `body` and notes in `introduction` what the wrappers tell.
pub fn unwrap(mut body: Vec<u8>, introduction: &mut Introduction) -> Result<Unwrapped, RpcError> {
    use tl::functions as f;
    let mut without_updates = false;
    let mut after = Vec::new();
    for _ in 0..MAX_DEPTH {
        let id = u32::from_bytes(&body).map_err(|_| garbled())?;
        body = match id {
            f::InvokeWithLayer::<Rest>::CONSTRUCTOR_ID => {
                let call: f::InvokeWithLayer<Rest> = parse(&body)?;
                if call.layer < 1 || call.layer > LAYER {
                    return Err(RpcError::bad_request("CONNECTION_LAYER_INVALID"));
                }
                introduction.layer = Some(call.layer);
                call.query.0
            }
            f::InitConnection::<Rest>::CONSTRUCTOR_ID => {
                let call: f::InitConnection<Rest> = parse(&body)?;
                if introduction.layer.is_none() {
                    return Err(RpcError::bad_request("CONNECTION_LAYER_INVALID"));
                }
                if call.api_id <= 0 {
                    return Err(RpcError::bad_request("CONNECTION_API_ID_INVALID"));
                }
                introduction.initialized = true;
                call.query.0
            }
            f::InvokeWithoutUpdates::<Rest>::CONSTRUCTOR_ID => {
                without_updates = true;
                parse::<f::InvokeWithoutUpdates<Rest>>(&body)?.query.0
            }
            f::InvokeAfterMsg::<Rest>::CONSTRUCTOR_ID => {
                let call: f::InvokeAfterMsg<Rest> = parse(&body)?;
                after.push(call.msg_id);
                call.query.0
            }
            f::InvokeAfterMsgs::<Rest>::CONSTRUCTOR_ID => {
                let call: f::InvokeAfterMsgs<Rest> = parse(&body)?;
                after.extend(call.msg_ids);
                call.query.0
            }
            _ if introduction.initialized => {
                return Ok(Unwrapped {
                    body,
                    without_updates,
                    after,
                });
            }
            _ => return Err(RpcError::bad_request("CONNECTION_NOT_INITED")),
        };
    }
    Err(garbled())
}

fn parse<T: Deserializable>(body: &[u8]) -> Result<T, RpcError> {
    T::from_bytes(&body[4..]).map_err(|_| garbled())
}

fn garbled() -> RpcError {
    RpcError::bad_request("INPUT_REQUEST_TOO_SHORT")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use grammers_tl_types::Serializable;

    use super::*;

    fn init<X>(
        layer: i32,
        query: X,
    ) -> tl::functions::InvokeWithLayer<tl::functions::InitConnection<X>> {
        let query = tl::functions::InitConnection {
            api_id: 1,
            device_model: "d".into(),
            system_version: "s".into(),
            app_version: "a".into(),
            system_lang_code: "en".into(),
            lang_pack: String::new(),
            lang_code: "en".into(),
            proxy: None,
            params: None,
            query,
        };
        tl::functions::InvokeWithLayer { layer, query }
    }

    #[test]
    fn a_connection_introduces_itself_once() {
        let state = tl::functions::updates::GetState {};
        let mut introduction = Introduction::default();
        let refused = unwrap(state.to_bytes(), &mut introduction);
        assert_eq!(refused.unwrap_err().message, "CONNECTION_NOT_INITED");
        let refused = unwrap(init(LAYER + 1, state.clone()).to_bytes(), &mut introduction);
        assert_eq!(refused.unwrap_err().message, "CONNECTION_LAYER_INVALID");
        let call = unwrap(init(LAYER, state.clone()).to_bytes(), &mut introduction).unwrap();
        assert_eq!(call.body, state.to_bytes());
        assert_eq!(
            introduction,
            Introduction {
                layer: Some(LAYER),
                initialized: true
            }
        );
        let wrapped = tl::functions::InvokeWithoutUpdates {
            query: tl::functions::InvokeAfterMsg {
                msg_id: 8,
                query: state.clone(),
            },
        };
        let call = unwrap(wrapped.to_bytes(), &mut introduction).unwrap();
        assert_eq!(
            call,
            Unwrapped {
                body: state.to_bytes(),
                without_updates: true,
                after: vec![8]
            }
        );
    }
}
