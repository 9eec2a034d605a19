//! A box: numbered changes with true `pts`. Accounts (private chats and basic groups) and channels keep one each.
//!
//! Invariant: entries are in order, the last one's `pts` is the box's, and `pts - count` of an entry is the `pts` of
//! the one before it. A deletion of n messages counts n. Entries older than the retention fall off the front; who asks from before
//! them is told that it is too long ago. What a message looks like is not here: a difference shows its present state.

use std::collections::VecDeque;

use super::ids::MessageId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    New(MessageId),
    Edit(MessageId),
    Delete(Vec<MessageId>),
}

impl Change {
    fn count(&self) -> i32 {
        match self {
            Self::New(_) | Self::Edit(_) => 1,
            Self::Delete(ids) => i32::try_from(ids.len()).unwrap_or(i32::MAX),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The box's pts after this change.
    pub pts: i32,
    pub count: i32,
    pub at_ms: u64,
    pub change: Change,
}

#[derive(Debug)]
pub(crate) struct BoxLog {
    pts: i32,
    /// Changes up to here are forgotten.
    floor: i32,
    entries: VecDeque<Entry>,
    keep: bool,
}

/// Cuts a run of changes where it gets heavier than `max`; the first one always stays.
pub(crate) fn cut_to_weight(
    entries: &mut Vec<Entry>,
    max: usize,
    weight: impl Fn(&Entry) -> usize,
) {
    let mut sum = 0;
    let fitting = entries.iter().take_while(|entry| {
        sum += weight(entry);
        sum <= max
    });
    let keep = fitting.count().max(1);
    entries.truncate(keep);
}

/// Where a change landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub pts: i32,
    pub count: i32,
}

impl BoxLog {
    /// Telegram's boxes start at 1.
    pub fn new() -> Self {
        Self {
            pts: 1,
            floor: 1,
            entries: VecDeque::new(),
            keep: true,
        }
    }

    /// Counts, but remembers nothing: the box of an account that never asks for a difference, until [`BoxLog::keep`].
    pub fn counting_only() -> Self {
        Self {
            keep: false,
            ..Self::new()
        }
    }

    /// Remembers every change from here on.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    pub fn pts(&self) -> i32 {
        self.pts
    }

    pub fn floor(&self) -> i32 {
        self.floor
    }

    /// When the last remembered change was made.
    pub fn changed_at(&self) -> Option<u64> {
        self.entries.back().map(|entry| entry.at_ms)
    }

    pub fn append(&mut self, change: Change, at_ms: u64) -> At {
        let count = change.count();
        self.pts += count;
        if self.keep {
            self.entries.push_back(Entry {
                pts: self.pts,
                count,
                at_ms,
                change,
            });
        } else {
            self.floor = self.pts;
        }
        At {
            pts: self.pts,
            count,
        }
    }

    /// Changes after `pts`, oldest first.
    pub fn after(&self, pts: i32) -> impl Iterator<Item = &Entry> {
        let start = self.entries.partition_point(|entry| entry.pts <= pts);
        self.entries.range(start..)
    }

    /// Drops what is older than `before_ms`.
    pub fn expire(&mut self, before_ms: u64) {
        while let Some(first) = self.entries.front() {
            if first.at_ms >= before_ms {
                return;
            }
            self.floor = first.pts;
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[i32]) -> Vec<MessageId> {
        numbers.iter().copied().map(MessageId).collect()
    }

    fn log(changes: &[Change]) -> BoxLog {
        let mut log = BoxLog::new();
        for (at, change) in changes.iter().enumerate() {
            log.append(change.clone(), at as u64 * 10);
        }
        log
    }

    #[test]
    fn each_change_counts_and_a_deletion_counts_its_messages() {
        let mut log = BoxLog::new();
        assert_eq!(
            log.append(Change::New(MessageId(1)), 0),
            At { pts: 2, count: 1 }
        );
        assert_eq!(
            log.append(Change::Edit(MessageId(1)), 0),
            At { pts: 3, count: 1 }
        );
        assert_eq!(
            log.append(Change::Delete(ids(&[1, 2, 3])), 0),
            At { pts: 6, count: 3 }
        );
        assert_eq!(log.pts(), 6);
    }

    #[test]
    fn after_skips_what_the_client_has() {
        let log = log(&[
            Change::New(MessageId(1)),
            Change::New(MessageId(2)),
            Change::Edit(MessageId(1)),
        ]);
        let seen: Vec<i32> = log.after(2).map(|entry| entry.pts).collect();
        assert_eq!(seen, [3, 4]);
        assert_eq!(log.after(4).count(), 0);
    }

    #[test]
    fn old_changes_fall_off_and_raise_the_floor() {
        let mut log = log(&[
            Change::New(MessageId(1)),
            Change::New(MessageId(2)),
            Change::New(MessageId(3)),
        ]);
        log.expire(20);
        assert_eq!(log.floor(), 3);
        assert_eq!(log.after(1).map(|entry| entry.pts).collect::<Vec<_>>(), [4]);
        assert_eq!(log.pts(), 4);
    }

    #[test]
    fn a_counting_box_keeps_nothing() {
        let mut log = BoxLog::counting_only();
        log.append(Change::New(MessageId(1)), 0);
        assert_eq!((log.pts(), log.floor(), log.after(1).count()), (2, 2, 0));
    }
}
