//! How far each bot's private box was committed, and what a bot kept meanwhile for the time when it answers itself.
//!
//! The cursor of a box moves in one script with what was made of the updates before it, or behind the commits of their conversations. So a message at or
//! below it is *taken in*: by its conversation, or by the bot, which keeps it until it is active. Nothing in the file tells when a cursor moved; the ids that
//! Redis gives to entries of streams are times of the same clock, and the last one before tells it as well as it matters.

use std::collections::{BTreeMap, HashMap};

use crate::control::Received;

/// A message that its bot kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub at_ms: i64,
    /// When its conversation had taken it in, or was found to have gone on without it.
    pub settled_ms: Option<i64>,
}

/// Every private box of the pool.
#[derive(Debug, Clone, Default)]
pub struct Boxes {
    boxes: HashMap<i64, PrivateBox>,
    now_ms: i64,
}

#[derive(Debug, Clone, Default)]
struct PrivateBox {
    /// Where the cursor came to, and when; both only grow.
    cursor: Vec<(i32, i64)>,
    /// By the number that the bot's own box gives them.
    kept: BTreeMap<i64, Kept>,
    /// Entries of the stream: which message each is.
    entries: HashMap<Vec<u8>, i64>,
}

impl Boxes {
    /// When the bot's cursor came to this message or passed it; `None` when it never did.
    pub fn passed(&self, bot: i64, message: Received) -> Option<i64> {
        let cursor = &self.boxes.get(&bot)?.cursor;
        let first = cursor.partition_point(|(pts, _)| *pts < message.pts);
        cursor.get(first).map(|(_, at_ms)| *at_ms)
    }

    pub fn kept(&self, bot: i64, message: Received) -> Option<Kept> {
        let kept = &self.boxes.get(&bot)?.kept;
        kept.get(&message.message_id).copied()
    }

    /// The bot's cursor came so far.
    pub fn pass(&mut self, bot: i64, pts: i32, at_ms: i64) {
        let cursor = &mut self.boxes.entry(bot).or_default().cursor;
        if cursor.last().is_none_or(|(last, _)| *last < pts) {
            cursor.push((pts, at_ms));
        }
    }

    /// The bot kept the message with this number.
    pub fn keep(&mut self, bot: i64, message: i64, kept: Kept) {
        let known = &mut self.boxes.entry(bot).or_default().kept;
        known.insert(message, kept);
    }

    /// One command of the file; what is none of ours is passed over.
    pub(super) fn take(&mut self, command: &[&[u8]]) {
        let [name, key, arguments @ ..] = command else {
            return;
        };
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("XADD") {
            self.added(key, arguments);
        } else if is("XDEL") {
            self.removed(key, arguments);
        } else if is("HSET")
            && let Some(bot) = bot_of(key, ":box:")
        {
            let mut fields = arguments.chunks_exact(2);
            let pts = fields.find(|pair| pair[0] == b"pts");
            if let Some(pts) = pts.and_then(|pair| number(pair[1])) {
                self.pass(bot, pts, self.now_ms);
            }
        }
    }

    fn added(&mut self, key: &[u8], arguments: &[&[u8]]) {
        let Some(at) = arguments.iter().position(|word| time_of(word).is_some()) else {
            return;
        };
        let id = arguments[at];
        self.now_ms = time_of(id).unwrap_or(0).max(self.now_ms);
        let Some(bot) = bot_of(key, ":held:") else {
            return;
        };
        let mut fields = arguments[at + 1..].chunks_exact(2);
        let stored = fields.find(|pair| pair[0] == b"u");
        let Some(message) = stored.and_then(|pair| message_in(pair[1])) else {
            return;
        };
        let (at_ms, settled_ms) = (self.now_ms, None);
        self.keep(bot, message, Kept { at_ms, settled_ms });
        let known = self.boxes.entry(bot).or_default();
        known.entries.insert(id.to_vec(), message);
    }

    fn removed(&mut self, key: &[u8], ids: &[&[u8]]) {
        let now_ms = self.now_ms;
        let Some(known) = bot_of(key, ":held:").and_then(|bot| self.boxes.get_mut(&bot)) else {
            return;
        };
        for id in ids {
            if let Some(message) = known.entries.remove(*id)
                && let Some(kept) = known.kept.get_mut(&message)
            {
                kept.settled_ms = Some(now_ms);
            }
        }
    }
}

/// `us:{main}:box:b5` is bot 5's.
fn bot_of(key: &[u8], part: &str) -> Option<i64> {
    let (_, bot) = std::str::from_utf8(key).ok()?.rsplit_once(part)?;
    bot.strip_prefix('b')?.parse().ok()
}

/// `1700000000000-3`: when an entry of a stream was made.
fn time_of(id: &[u8]) -> Option<i64> {
    let (at, count) = std::str::from_utf8(id).ok()?.split_once('-')?;
    count.parse::<u64>().ok()?;
    at.parse().ok()
}

/// A press and an edit name a message as well: whose message that is, is another matter.
fn message_in(stored: &[u8]) -> Option<i64> {
    let stored: serde_json::Value = serde_json::from_slice(stored).ok()?;
    let is_message = stored.get("kind")? == "message";
    stored.get("message")?.as_i64().filter(|_| is_message)
}

fn number(word: &[u8]) -> Option<i32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(commands: &[&str]) -> Boxes {
        let mut boxes = Boxes::default();
        for command in commands {
            let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            boxes.take(&words);
        }
        boxes
    }

    fn message(message_id: i64, pts: i32) -> Received {
        Received { message_id, pts }
    }

    #[test]
    fn a_cursor_passes_what_is_at_it_or_below_from_then_on() {
        let boxes = boxes(&[
            "XADD us:{main}:outbox 1000-0 e x",
            "HSET us:{main}:box:b5 pts 7",
            "HSET us:{main}:box:b6 pts 30",
            "XADD us:{main}:outbox 2000-0 e x",
            "HSET us:{main}:box:b5 qts 20",
            "HSET us:{main}:box:b5 pts 9",
        ]);
        let passed = |bot, pts| boxes.passed(bot, message(1, pts));
        assert_eq!(
            [6, 7, 8, 9, 10].map(|pts| passed(5, pts)),
            [Some(1_000), Some(1_000), Some(2_000), Some(2_000), None]
        );
        assert_eq!((passed(6, 30), passed(7, 1)), (Some(1_000), None));
    }

    #[test]
    fn what_was_kept_is_known_by_its_number_and_when_it_was_settled() {
        let boxes = boxes(&[
            r#"XADD us:{main}:held:b5 1000-0 u {"kind":"message","message":41}"#,
            r#"XADD us:{main}:held:b5 1000-1 u {"kind":"message","message":42}"#,
            r#"XADD us:{main}:held:b5 1000-2 u {"kind":"press","message":43}"#,
            "XADD us:{main}:outbox 3000-0 e x",
            "XDEL us:{main}:held:b5 1000-1",
            "XDEL us:{main}:outbox 1000-0",
        ]);
        let kept = |number| boxes.kept(5, message(number, 1));
        let [first, second] = [None, Some(3_000)].map(|settled_ms| Kept {
            at_ms: 1_000,
            settled_ms,
        });
        assert_eq!((kept(41), kept(42)), (Some(first), Some(second)));
        assert_eq!((kept(43), kept(44)), (None, None));
        assert_eq!(boxes.kept(6, message(41, 1)), None);
    }
}
