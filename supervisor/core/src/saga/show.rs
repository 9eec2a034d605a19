//! How a switch reads in logs, reasons and transcripts.

use std::fmt;

use super::{Action, GaveUp, SagaState, SwitchKind};
use crate::plan::Shown;

impl SwitchKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Switch => "switch",
            Self::Takeover => "takeover",
            Self::Relogin => "relogin",
        }
    }
}

impl fmt::Display for SwitchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SmokeFailed { failures, .. } if failures.is_empty() => {
                write!(f, "its smoke test was empty")
            }
            Self::SmokeFailed { failures, .. } => write!(f, "smoke test: {failures}"),
            Self::TimedOut { after_ms } => write!(f, "no smoke test within {after_ms} ms"),
            Self::FellSilent { after_ms } => {
                write!(
                    f,
                    "its new line fell silent, no smoke test within {after_ms} ms"
                )
            }
            Self::HolderLost { why } => write!(f, "lost: {why}"),
        }
    }
}

impl fmt::Display for SagaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, to, stamp) = match self {
            Self::Decided { to } => return write!(f, "decided {}", Shown(to)),
            Self::Exhausted => return write!(f, "exhausted"),
            Self::Held => return write!(f, "held"),
            Self::Recorded => return write!(f, "recorded"),
            Self::Fenced { to, stamp } => ("fenced", to, stamp),
            Self::Activated { to, stamp } => ("activated", to, stamp),
            Self::Smoked { to, stamp } => ("smoked", to, stamp),
            Self::Opened { to, stamp } => ("opened", to, stamp),
        };
        write!(f, "{name} {} {stamp}", Shown(to))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fence => write!(f, "fence"),
            Self::Release { bot, worker } => write!(f, "release {bot}@{worker}"),
            Self::Assign { bot, worker, slot } => write!(f, "assign {bot}@{worker} slot {slot}"),
            Self::Activate { to, stamp } => write!(f, "activate {} {stamp}", Shown(to)),
            Self::Open { to, stamp } => write!(f, "open {} {stamp}", Shown(to)),
            Self::Record => write!(f, "record"),
            Self::Clear => write!(f, "clear"),
        }
    }
}
