//! The JSON of a fault. A field that does not belong to the kind is an error, not ignored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::transport::TransportCode;
use crate::world::UserId;

/// What is sent to `POST /v1/faults`.
#[derive(Clone, Debug, Serialize)]
pub struct FaultSpec {
    #[serde(flatten)]
    pub effect: Effect,
    /// Whose line or account; everybody's when absent (then also of connections that are not logged in).
    pub bot: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Trigger>,
    /// A lasting fault clears itself so long after it fired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The token expires. Without `live_sessions` the world's doubt decides what running sessions meet.
    Revoke {
        #[serde(default)]
        live_sessions: Option<LiveMode>,
        /// What killed sessions are answered; 401 `SESSION_REVOKED` when absent.
        #[serde(default)]
        error: Option<String>,
    },
    /// The bot is deleted; clearing the fault brings it back.
    Delete {},
    /// Nothing passes in either direction; no socket is closed. With `live_only` it hits the sockets that are open when it fires;
    /// later ones are well.
    Silent {
        #[serde(default)]
        live_only: bool,
    },
    /// Live sockets are reset. With `refuse`, further ones too, until the fault is cleared.
    Reset {
        #[serde(default)]
        refuse: bool,
    },
    /// What the server sends comes this much later.
    Slow {
        delay_ms: u64,
        #[serde(default)]
        jitter_ms: u64,
    },
    /// A lost segment on TCP is a stall: so many of 100 answers come `stall_ms` later, with all that is behind them; so many
    /// of 100 update packets are lost for good, as at Telegram's end.
    Loss {
        percent: f64,
        #[serde(default = "default_stall_ms")]
        stall_ms: u64,
    },
    /// Every packet is answered with a bare transport code (-404: the key is not known; -429: too many connections), and
    /// the connection ends.
    TransportError { code: i32 },
    Flood {
        #[serde(default)]
        method: Option<String>,
        seconds: u64,
        #[serde(default)]
        count: Option<u32>,
    },
    RpcError {
        #[serde(default)]
        method: Option<String>,
        code: i32,
        message: String,
        #[serde(default)]
        count: Option<u32>,
        #[serde(default = "hundred")]
        percent: f64,
    },
    /// Updates are lost between the server and the client; the box has them.
    DropUpdates {
        #[serde(default)]
        count: Option<u32>,
        #[serde(default = "hundred")]
        percent: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveMode {
    Killed,
    LiveOn,
}

/// Arms a fault: it fires at the first event of which every field given here has the given value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    pub event: Map<String, Value>,
}

impl FaultSpec {
    pub fn from_json(value: Value) -> Result<Self, String> {
        let Value::Object(mut fields) = value else {
            return Err("a fault is a JSON object".to_owned());
        };
        let bot = take(&mut fields, "bot")?;
        let after: Option<Trigger> = take(&mut fields, "after")?;
        let for_ms = take(&mut fields, "for_ms")?;
        let effect: Effect =
            serde_json::from_value(Value::Object(fields)).map_err(|err| err.to_string())?;
        let spec = Self {
            effect,
            bot,
            after,
            for_ms,
        };
        spec.validate()?;
        Ok(spec)
    }

    fn validate(&self) -> Result<(), String> {
        let kind = self.effect.kind();
        match &self.effect {
            Effect::Revoke { .. } | Effect::Delete {} if self.bot.is_none() => {
                return Err(format!("{kind} needs \"bot\""));
            }
            Effect::Revoke {
                live_sessions,
                error: Some(_),
            } if *live_sessions != Some(LiveMode::Killed) => {
                return Err("\"error\" needs \"live_sessions\": \"killed\"".to_owned());
            }
            Effect::Loss { percent, .. }
            | Effect::RpcError { percent, .. }
            | Effect::DropUpdates { percent, .. }
                if !(0.0..=100.0).contains(percent) =>
            {
                return Err(format!("{kind}: percent is not between 0 and 100"));
            }
            Effect::TransportError { code } if TransportCode::from_code(*code).is_none() => {
                return Err("transport_error: code is -404 or -429".to_owned());
            }
            _ => {}
        }
        if self.for_ms.is_some() && !self.effect.lasts() {
            return Err(format!("{kind} does not last: \"for_ms\" means nothing"));
        }
        if self
            .after
            .as_ref()
            .is_some_and(|trigger| !trigger.event.contains_key("kind"))
        {
            return Err("\"after\" needs \"event\" with a \"kind\"".to_owned());
        }
        Ok(())
    }
}

impl Effect {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Revoke { .. } => "revoke",
            Self::Delete {} => "delete",
            Self::Silent { .. } => "silent",
            Self::Reset { .. } => "reset",
            Self::Slow { .. } => "slow",
            Self::Loss { .. } => "loss",
            Self::TransportError { .. } => "transport_error",
            Self::Flood { .. } => "flood",
            Self::RpcError { .. } => "rpc_error",
            Self::DropUpdates { .. } => "drop_updates",
        }
    }

    /// Hits after which it ends.
    pub fn count(&self) -> Option<u32> {
        match self {
            Self::Flood { count, .. }
            | Self::RpcError { count, .. }
            | Self::DropUpdates { count, .. } => *count,
            _ => None,
        }
    }

    /// Whether there is something to clear after it fired.
    pub fn lasts(&self) -> bool {
        !matches!(self, Self::Revoke { .. } | Self::Reset { refuse: false })
    }
}

impl Trigger {
    pub fn matches(&self, event: &Value) -> bool {
        self.event
            .iter()
            .all(|(field, wanted)| event.get(field) == Some(wanted))
    }
}

fn take<T: for<'de> Deserialize<'de>>(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|err| format!("\"{name}\": {err}")),
    }
}

fn default_stall_ms() -> u64 {
    1_000
}

fn hundred() -> f64 {
    100.0
}
