//! What can go wrong with the state, in a form that says whether trying again can help.
//!
//! Invariant: no variant holds a stored value, a script's argument or a part of the URL. Redis repeats arguments in one message, the
//! one about an unknown command; that one is cut.

use std::fmt;

use shared_core::PoolId;

/// What was being done, to what; becomes text only when it goes wrong.
#[derive(Clone, Copy)]
pub(super) struct Op<'a> {
    pub doing: &'static str,
    pub subject: &'a (dyn fmt::Display + Sync),
    pub pool: Option<&'a PoolId>,
}

impl fmt::Display for Op<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.doing, self.subject)?;
        match self.pool {
            Some(pool) => write!(f, " of pool {pool}"),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The configuration is wrong.
    #[error("the Redis settings are not usable: {why}")]
    Address { why: &'static str },
    /// No answer. What was asked for may have been done.
    #[error("{doing}: Redis is unreachable: {why}")]
    Unreachable { doing: String, why: String },
    /// Too few copies have it. What was asked for was done, and a failover may undo it.
    #[error("{doing}: {acknowledged} of {needed} copies have it, so it does not count")]
    Uncopied {
        doing: String,
        acknowledged: u32,
        needed: u32,
    },
    /// The caller belongs to the history of a server that is not the primary any more. Nothing was done.
    #[error("{doing}: another server has become the primary")]
    Replaced { doing: String },
    /// Redis answered with an error.
    #[error("{doing}: Redis refused: {code} {detail}")]
    Refused {
        doing: String,
        code: String,
        detail: String,
    },
    /// What is stored, or what Redis answered, is not what it should be.
    #[error("{doing}: {why}")]
    Unreadable { doing: String, why: String },
    /// What was to be written breaks a rule of the one who wrote it.
    #[error("{doing}: {why}")]
    Misuse { doing: String, why: &'static str },
}

impl StateError {
    /// Is it the connection (or a server that is starting, or full), so that the same call can succeed later?
    pub fn is_connection(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Uncopied { .. } | Self::Replaced { .. } => true,
            Self::Refused { code, .. } => matches!(
                code.as_str(),
                "LOADING"
                    | "EXECABORT"
                    | "BUSY"
                    | "TRYAGAIN"
                    | "MASTERDOWN"
                    | "CLUSTERDOWN"
                    | "READONLY"
                    | "MISCONF"
                    | "OOM"
                    | "NOREPLICAS"
                    | "UNBLOCKED"
            ),
            Self::Address { .. } | Self::Unreadable { .. } | Self::Misuse { .. } => false,
        }
    }

    /// The same trouble, met by somebody else.
    pub(super) fn while_doing(mut self, op: Op<'_>) -> Self {
        match &mut self {
            Self::Address { .. } => {}
            Self::Unreachable { doing, .. }
            | Self::Uncopied { doing, .. }
            | Self::Replaced { doing }
            | Self::Refused { doing, .. }
            | Self::Unreadable { doing, .. }
            | Self::Misuse { doing, .. } => *doing = op.to_string(),
        }
        self
    }

    /// Did the server refuse what a primary with its copies would have done?
    pub(super) fn is_no_primarys(&self) -> bool {
        matches!(self, Self::Refused { code, .. }
            if matches!(code.as_str(), "READONLY" | "MASTERDOWN" | "NOREPLICAS" | "UNBLOCKED"))
    }

    pub(super) fn of(op: Op<'_>, error: &::redis::RedisError) -> Self {
        let doing = op.to_string();
        match error.kind() {
            ::redis::ErrorKind::Io => Self::Unreachable {
                doing,
                why: io_reason(error),
            },
            ::redis::ErrorKind::MasterNameNotFoundBySentinel => Self::Unreachable {
                doing,
                why: "no Sentinel knows a primary of that name that is up".to_owned(),
            },
            ::redis::ErrorKind::UnexpectedReturnType | ::redis::ErrorKind::Parse => {
                Self::Unreadable {
                    doing,
                    why: "Redis answered in another form than expected".to_owned(),
                }
            }
            kind => Self::Refused {
                doing,
                code: error
                    .code()
                    .map_or_else(|| format!("{kind:?}"), str::to_owned),
                detail: harmless(error.detail().unwrap_or_default()),
            },
        }
    }

    pub(super) fn unreadable(op: Op<'_>, why: impl Into<String>) -> Self {
        Self::Unreadable {
            doing: op.to_string(),
            why: why.into(),
        }
    }

    pub(super) fn misuse(op: Op<'_>, why: &'static str) -> Self {
        Self::Misuse {
            doing: op.to_string(),
            why,
        }
    }
}

/// Where a JSON text is wrong, without the words in it.
pub(super) fn json_fault(what: &str, error: &serde_json::Error) -> String {
    format!(
        "{what} is not readable at line {}, column {} ({:?})",
        error.line(),
        error.column(),
        error.classify()
    )
}

fn io_reason(error: &::redis::RedisError) -> String {
    if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connection_refusal() {
        "nobody listens there".to_owned()
    } else if error.is_connection_dropped() {
        "the connection broke".to_owned()
    } else {
        error.category().to_owned()
    }
}

fn harmless(detail: &str) -> String {
    if detail.contains("nknown command") {
        return "it does not know the command".to_owned();
    }
    detail.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_commands_arguments_are_not_repeated() {
        let cut =
            harmless("unknown command 'SETT', with args beginning with: 'key' 'private words'");
        assert!(!cut.contains("private"), "{cut}");
    }

    #[test]
    fn an_operation_names_its_subject() {
        let op = Op {
            doing: "load conversation",
            subject: &"m5",
            pool: None,
        };
        assert_eq!(op.to_string(), "load conversation m5");
    }
}
