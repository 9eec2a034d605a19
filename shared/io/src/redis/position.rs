//! Where an entry stands in one of the pool's streams. A position of one stream is not one of another: a type each.
//!
//! Invariant: positions of one stream are ordered as its entries are. A position is not an identity: a Redis that was rolled back may give
//! it out again (an entry's identity is its `EntryId`).

use std::fmt;
use std::str::FromStr;

use shared_core::UnixMs;

/// `<milliseconds>-<sequence>`, as Redis numbers stream entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct StreamId {
    ms: u64,
    seq: u64,
}

impl StreamId {
    /// When it was written, by Redis' clock.
    fn at(self) -> UnixMs {
        UnixMs(i64::try_from(self.ms).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = NotAPosition;
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (ms, seq) = text.split_once('-').ok_or(NotAPosition)?;
        Ok(Self {
            ms: ms.parse().map_err(|_| NotAPosition)?,
            seq: seq.parse().map_err(|_| NotAPosition)?,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream position is not `<milliseconds>-<sequence>`")]
pub struct NotAPosition;

macro_rules! position {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) StreamId);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<StreamId> for $name {
            fn from(id: StreamId) -> Self {
                Self(id)
            }
        }
    };
}

position!(
    /// An entry of the pool's outbox.
    OutboxPosition
);
position!(
    /// An entry on its way to SQL.
    RecordPosition
);
position!(
    /// An entry of the pool's inbox.
    InboxPosition
);
position!(
    /// A conversation in quarantine.
    QuarantinePosition
);
position!(
    /// A private message that a standby keeps.
    HeldPosition
);
position!(
    /// An entry that was moved aside.
    PoisonPosition
);

impl HeldPosition {
    /// By Redis' clock.
    pub fn kept_at(self) -> UnixMs {
        self.0.at()
    }
}

impl FromStr for OutboxPosition {
    type Err = NotAPosition;
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        text.parse().map(Self)
    }
}

impl FromStr for PoisonPosition {
    type Err = NotAPosition;
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        text.parse().map(Self)
    }
}

impl PoisonPosition {
    /// When it was moved, by Redis' clock.
    pub fn at(&self) -> UnixMs {
        self.0.at()
    }
}

/// A record that SQL refused. Its name begins with `r`, so that whoever names one does not name what stands at the same place of the poison stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefusedPosition(pub(super) StreamId);

impl fmt::Display for RefusedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl FromStr for RefusedPosition {
    type Err = NotAPosition;
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        text.strip_prefix('r')
            .ok_or(NotAPosition)?
            .parse()
            .map(Self)
    }
}

impl RefusedPosition {
    /// When it was moved, by Redis' clock.
    pub fn at(&self) -> UnixMs {
        self.0.at()
    }
}

position!(
    /// An entry of any queue, as a checkpoint copies it.
    EntryPosition
);

impl EntryPosition {
    /// As two columns.
    pub fn parts(self) -> (u64, u64) {
        (self.0.ms, self.0.seq)
    }

    pub fn of(ms: u64, seq: u64) -> Self {
        Self(StreamId { ms, seq })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn positions_are_ordered_by_number_not_by_text() {
        let at = |text: &str| text.parse::<StreamId>().unwrap();
        assert!(at("9-0") < at("10-0"));
        assert!(at("10-9") < at("10-10"));
        assert_eq!(at("10-9").to_string(), "10-9");
        assert!("10".parse::<StreamId>().is_err());
    }

    #[test]
    fn what_was_refused_is_not_named_like_what_was_moved_aside() {
        let refused: RefusedPosition = "r10-9".parse().unwrap();
        assert_eq!(refused.to_string(), "r10-9");
        assert!("10-9".parse::<RefusedPosition>().is_err());
        assert!("r10-9".parse::<PoisonPosition>().is_err());
    }
}
