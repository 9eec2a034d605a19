//! What an admin asks for: commands and buttons, and whether it may be done.
//!
//! Button data: `dr:` and `s` (status), `e` (events), `w` (a switch's plan), `c:<nonce>` (confirm), `x:<nonce>` (drop). A command
//! counts in private only, whatever bot it names: the addressed bot is the one that hears it.

use std::fmt;

use shared_core::{Incoming, IncomingKind, OrderId, Place, UnixMs};

/// A command older than this, by Telegram's date, does nothing (milliseconds).
pub const OLD_MS: u64 = 120_000;

const PREFIX: &str = "dr:";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Status,
    Recovery,
    Help,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    Refresh,
    Events,
    /// Show what a rotation would do.
    Switch,
    Confirm(OrderId),
    Drop(OrderId),
}

/// An admin's business, whoever it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Command(Command),
    Press(Press),
    /// Begins like one of our buttons and is none.
    Forged,
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Not an admin: nothing is answered.
    Stranger,
    Old {
        age_ms: u64,
    },
    Go,
}

impl Command {
    const ALL: [Self; 3] = [Self::Status, Self::Recovery, Self::Help];

    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "drstatus",
            Self::Recovery => "emergency_recovery",
            Self::Help => "drhelp",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let word = text.trim_start().strip_prefix('/')?;
        let word = word.split(char::is_whitespace).next()?;
        let name = word.split('@').next()?;
        Self::ALL
            .into_iter()
            .find(|command| command.name().eq_ignore_ascii_case(name))
    }
}

/// Is this the name of an admin command? In groups they are nobody's.
pub fn is_command(name: &str) -> bool {
    Command::ALL
        .iter()
        .any(|command| command.name().eq_ignore_ascii_case(name))
}

impl Press {
    fn parse(data: &str) -> Option<Self> {
        Some(match data.strip_prefix(PREFIX)? {
            "s" => Self::Refresh,
            "e" => Self::Events,
            "w" => Self::Switch,
            rest => match rest.split_once(':')? {
                ("c", nonce) => Self::Confirm(nonce.parse().ok()?),
                ("x", nonce) => Self::Drop(nonce.parse().ok()?),
                _ => return None,
            },
        })
    }
}

/// The button's data.
impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refresh => write!(f, "{PREFIX}s"),
            Self::Events => write!(f, "{PREFIX}e"),
            Self::Switch => write!(f, "{PREFIX}w"),
            Self::Confirm(nonce) => write!(f, "{PREFIX}c:{nonce}"),
            Self::Drop(nonce) => write!(f, "{PREFIX}x:{nonce}"),
        }
    }
}

impl Asked {
    /// The word under which it is recorded.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Command(command) => command.name(),
            Self::Press(Press::Refresh) => "refresh",
            Self::Press(Press::Events) => "events",
            Self::Press(Press::Switch) => "switch_plan",
            Self::Press(Press::Confirm(_)) => "confirm",
            Self::Press(Press::Drop(_)) => "drop",
            Self::Forged => "forged_button",
        }
    }
}

/// `None` when it is not an admin's business, and so the conversations'.
pub fn asked(incoming: &Incoming) -> Option<Asked> {
    if incoming.place != Place::Private {
        return None;
    }
    match &incoming.what {
        IncomingKind::Message { text, .. } => Command::parse(text).map(Asked::Command),
        IncomingKind::Press { data, .. } if data.starts_with(PREFIX) => {
            Some(Press::parse(data).map_or(Asked::Forged, Asked::Press))
        }
        _ => None,
    }
}

/// `date` is Telegram's of a command, and the time of receipt of a press, whose age is that of what was offered.
pub fn judge(is_admin: bool, date: UnixMs, now: UnixMs) -> Judged {
    let age_ms = now.since(date);
    match (is_admin, age_ms > OLD_MS) {
        (false, _) => Judged::Stranger,
        (true, true) => Judged::Old { age_ms },
        (true, false) => Judged::Go,
    }
}
