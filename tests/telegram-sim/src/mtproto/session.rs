//! A client's session: which of its messages were seen, and how many content-related ones it was sent.
//!
//! Invariant: a message id is accepted once. Memory per session is bounded: ids older than the remembered ones are
//! refused as too old instead of being accepted twice.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

use super::BadMessage;

/// How many client message ids are remembered.
const REMEMBERED: usize = 4096;

/// A client's clock may be this far behind or ahead.
const PAST_S: i64 = 300;
const AHEAD_S: i64 = 30;

/// What a message's sequence number must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// Content-related: RPC calls.
    Odd,
    /// Containers and acknowledgements.
    Even,
    /// Service requests, on which clients differ.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// Seen before: its effect must not happen again.
    Repeated,
    Bad(BadMessage),
}

/// Shared by the connections that carry the session, one after the other.
#[derive(Debug)]
pub struct Session {
    id: i64,
    client: Mutex<ClientSide>,
    content_sent: AtomicI32,
}

#[derive(Debug, Default)]
struct ClientSide {
    seen: BTreeSet<i64>,
    forgotten_up_to: i64,
    highest: Option<(i64, i32)>,
}

impl Session {
    pub fn new(id: i64) -> Self {
        Self {
            id,
            client: Mutex::default(),
            content_sent: AtomicI32::new(0),
        }
    }

    pub fn id(&self) -> i64 {
        self.id
    }

    /// Judges one client message (a container's parts too) and remembers it when it is accepted.
    pub fn judge(
        &self,
        msg_id: i64,
        seq_no: i32,
        parity: Parity,
        now_s: i64,
        inner: bool,
    ) -> Verdict {
        if msg_id & 3 != 0 {
            return Verdict::Bad(BadMessage::IdNotClients);
        }
        // Parts of a container may be older: that is how an unanswered message is sent again.
        let sent_s = msg_id >> 32;
        if sent_s < now_s - PAST_S && !inner {
            return Verdict::Bad(BadMessage::IdTooLow);
        }
        if sent_s > now_s + AHEAD_S {
            return Verdict::Bad(BadMessage::IdTooHigh);
        }
        match (parity, seq_no & 1) {
            (Parity::Odd, 0) => return Verdict::Bad(BadMessage::SeqNotOdd),
            (Parity::Even, 1) => return Verdict::Bad(BadMessage::SeqNotEven),
            _ => {}
        }
        // A poisoned lock means a panic elsewhere; the data are plain numbers and stay usable.
        let mut client = self
            .client
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        client.accept(msg_id, seq_no)
    }

    pub fn has_seen(&self, msg_id: i64) -> bool {
        let client = self
            .client
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        client.seen.contains(&msg_id)
    }

    /// The sequence number of the next server message.
    pub fn next_seq_no(&self, content_related: bool) -> i32 {
        if content_related {
            self.content_sent
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_mul(2)
                | 1
        } else {
            self.content_sent.load(Ordering::Relaxed).wrapping_mul(2)
        }
    }
}

impl ClientSide {
    fn accept(&mut self, msg_id: i64, seq_no: i32) -> Verdict {
        if self.seen.contains(&msg_id) {
            return Verdict::Repeated;
        }
        if msg_id <= self.forgotten_up_to {
            return Verdict::Bad(BadMessage::TooOld);
        }
        match self.highest {
            Some((id, seq))
                if msg_id > id && (seq_no < seq || seq_no == seq && seq_no & 1 == 1) =>
            {
                return Verdict::Bad(BadMessage::SeqTooLow);
            }
            Some((id, seq)) if msg_id < id && seq_no > seq => {
                return Verdict::Bad(BadMessage::SeqTooHigh);
            }
            Some((id, _)) if msg_id < id => {}
            _ => self.highest = Some((msg_id, seq_no)),
        }
        self.seen.insert(msg_id);
        if self.seen.len() > REMEMBERED
            && let Some(oldest) = self.seen.pop_first()
        {
            self.forgotten_up_to = oldest;
        }
        Verdict::Accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn id(offset_s: i64, n: i64) -> i64 {
        (NOW + offset_s) << 32 | n << 2
    }

    #[test]
    fn ids_and_sequence_numbers_are_judged_as_telegram_does() {
        use BadMessage::*;
        use Verdict::*;
        let session = Session::new(1);
        let table = [
            (id(0, 1), 1, Parity::Odd, Accepted),
            (id(0, 1), 1, Parity::Odd, Repeated),
            (id(0, 2), 3, Parity::Odd, Accepted),
            (id(0, 3), 4, Parity::Even, Accepted),
            (id(0, 1) | 1, 5, Parity::Odd, Bad(IdNotClients)),
            (id(-301, 1), 5, Parity::Odd, Bad(IdTooLow)),
            (id(31, 1), 5, Parity::Odd, Bad(IdTooHigh)),
            (id(0, 4), 5, Parity::Even, Bad(SeqNotEven)),
            (id(0, 4), 4, Parity::Odd, Bad(SeqNotOdd)),
            (id(0, 4), 3, Parity::Odd, Bad(SeqTooLow)),
            (id(-1, 1), 9, Parity::Odd, Bad(SeqTooHigh)),
            (id(0, 4), 5, Parity::Any, Accepted),
        ];
        for (msg_id, seq_no, parity, expected) in table {
            assert_eq!(
                session.judge(msg_id, seq_no, parity, NOW, false),
                expected,
                "{msg_id} {seq_no}"
            );
        }
    }

    #[test]
    fn what_is_forgotten_is_refused_not_repeated() {
        let session = Session::new(1);
        for n in 0..=REMEMBERED as i64 {
            let verdict = session.judge(id(0, n + 1), (2 * n + 1) as i32, Parity::Odd, NOW, false);
            assert_eq!(verdict, Verdict::Accepted);
        }
        assert_eq!(
            session.judge(id(0, 1), 1, Parity::Odd, NOW, true),
            Verdict::Bad(BadMessage::TooOld)
        );
    }

    #[test]
    fn server_sequence_numbers_count_content() {
        let session = Session::new(1);
        let got = [false, true, false, true].map(|content| session.next_seq_no(content));
        assert_eq!(got, [0, 1, 2, 3]);
    }
}
