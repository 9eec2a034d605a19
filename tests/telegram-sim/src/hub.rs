//! Who is connected: connections by account, where updates go, and keys that are used twice at once.
//!
//! Invariants: a connection belongs to one auth key; its queue is bounded, and a client that does not read is
//! disconnected rather than waited for; updates of an account go to its last active connection (or, by the doubt
//! `updates_to`, to that of each login). Holds no socket: tasks own those.

mod outbox;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

pub use outbox::{CloseReason, Outbox, Outgoing, Payload, QueueState};

use crate::mtproto::session::Session;
use crate::mtproto::wrappers::Introduction;
use crate::world::{UpdatesTo, UserId};

/// Sessions that are remembered after their connection is gone; the oldest are forgotten first.
const MAX_SESSIONS: usize = 20_000;

/// Which of the data centre's two ports a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Main,
    /// For files: a login may have any number of these beside its main connection, and no updates go there.
    Media,
}

#[derive(Debug)]
pub struct Connection {
    pub id: u64,
    pub line: Line,
    pub key_id: Option<i64>,
    pub account: Option<UserId>,
    /// Where updates go: the session of the last call that was not wrapped in `invokeWithoutUpdates`.
    pub subscribed: Option<Arc<Session>>,
    pub outbox: Outbox,
    /// Rises with every subscribing call of any connection; the highest of an account is its last active one.
    active: u64,
    /// Calls that wait for somebody else.
    pub waiting: usize,
}

#[derive(Debug, Default)]
pub struct Hub {
    connections: HashMap<u64, Connection>,
    accounts: HashMap<UserId, BTreeSet<u64>>,
    /// What the client of each auth key told of itself. Telegram keeps it with the key: a client that reconnects need not say it again.
    introductions: HashMap<i64, Introduction>,
    /// For each auth key the newest connection that called with it.
    callers: HashMap<i64, u64>,
    sessions: HashMap<(i64, i64), Arc<Session>>,
    session_order: VecDeque<(i64, i64)>,
    activity: u64,
}

/// Two live connections called with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub older: u64,
    pub newer: u64,
}

impl Hub {
    pub fn open(&mut self, id: u64, line: Line, outbox: Outbox) {
        let connection = Connection {
            id,
            line,
            key_id: None,
            account: None,
            subscribed: None,
            outbox,
            active: 0,
            waiting: 0,
        };
        self.connections.insert(id, connection);
    }

    /// Forgets a connection; what it was is returned.
    pub fn close(&mut self, id: u64) -> Option<Connection> {
        let account = self.connections.get(&id)?.account;
        self.set_account(id, None);
        let mut connection = self.connections.remove(&id)?;
        connection.account = account;
        if let Some(key_id) = connection.key_id
            && self.callers.get(&key_id) == Some(&id)
        {
            self.callers.remove(&key_id);
        }
        Some(connection)
    }

    pub fn get(&self, id: u64) -> Option<&Connection> {
        self.connections.get(&id)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    pub fn len(&self) -> usize {
        self.connections.len()
    }

    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    pub fn set_account(&mut self, id: u64, account: Option<UserId>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.account == account {
            return;
        }
        if let Some(old) = std::mem::replace(&mut connection.account, account)
            && let Some(ids) = self.accounts.get_mut(&old)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.accounts.remove(&old);
            }
        }
        if let Some(account) = account {
            self.accounts.entry(account).or_default().insert(id);
        }
    }

    pub fn introduction(&mut self, key_id: i64) -> &mut Introduction {
        self.introductions.entry(key_id).or_default()
    }

    /// The session of a packet, and whether it is seen for the first time.
    pub fn session(&mut self, key_id: i64, session_id: i64) -> (Arc<Session>, bool) {
        if let Some(session) = self.sessions.get(&(key_id, session_id)) {
            return (Arc::clone(session), false);
        }
        if self.session_order.len() >= MAX_SESSIONS
            && let Some(oldest) = self.session_order.pop_front()
        {
            self.sessions.remove(&oldest);
        }
        let session = Arc::new(Session::new(session_id));
        self.sessions
            .insert((key_id, session_id), Arc::clone(&session));
        self.session_order.push_back((key_id, session_id));
        (session, true)
    }

    pub fn destroy_session(&mut self, key_id: i64, session_id: i64) -> bool {
        self.session_order
            .retain(|known| *known != (key_id, session_id));
        self.sessions.remove(&(key_id, session_id)).is_some()
    }

    /// Notes a call. Two connections call *in parallel* when the older one calls after the newer one did and both are open, or
    /// has a call that still waits. A reconnect, after which the old connection stays quiet, is fine; so is one that the
    /// client has closed already (`closing`) and whose last bytes are read late.
    pub fn note_call(&mut self, id: u64, key_id: i64, closing: bool) -> Option<Duplicate> {
        if self.connections.get(&id)?.line == Line::Media {
            return None;
        }
        let previous = *self.callers.entry(key_id).or_insert(id);
        if previous == id {
            return None;
        }
        if previous > id {
            return (!closing).then_some(Duplicate {
                older: id,
                newer: previous,
            });
        }
        self.callers.insert(key_id, id);
        let still_waits = self
            .connections
            .get(&previous)
            .is_some_and(|old| old.waiting > 0);
        still_waits.then_some(Duplicate {
            older: previous,
            newer: id,
        })
    }

    /// A call that subscribes its connection: updates go to `session` from here on.
    pub fn subscribe(&mut self, id: u64, session: &Arc<Session>) {
        self.activity += 1;
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.line == Line::Main
        {
            connection.subscribed = Some(Arc::clone(session));
            connection.active = self.activity;
        }
    }

    /// Connections that get an account's updates.
    pub fn receivers(&self, account: UserId, to: UpdatesTo) -> Vec<u64> {
        let Some(ids) = self.accounts.get(&account) else {
            return Vec::new();
        };
        let subscribed = ids
            .iter()
            .filter_map(|id| self.connections.get(id))
            .filter(|connection| connection.subscribed.is_some());
        match to {
            UpdatesTo::NewestLogin => subscribed
                .max_by_key(|one| one.active)
                .map(|one| one.id)
                .into_iter()
                .collect(),
            UpdatesTo::AllLogins => {
                let mut latest: HashMap<Option<i64>, &Connection> = HashMap::new();
                for one in subscribed {
                    let best = latest.entry(one.key_id).or_insert(one);
                    if one.active > best.active {
                        *best = one;
                    }
                }
                let mut ids: Vec<u64> = latest.values().map(|one| one.id).collect();
                ids.sort_unstable();
                ids
            }
        }
    }

    /// The connections that are open, of whomever.
    pub fn open_ids(&self) -> BTreeSet<u64> {
        self.connections.keys().copied().collect()
    }

    /// Closes the sockets of a bot, or all of them, and tells how many.
    pub fn reset(&self, account: Option<UserId>) -> u64 {
        let hit = self
            .connections
            .values()
            .filter(|one| account.is_none() || one.account == account);
        hit.map(|one| one.outbox.close(CloseReason::Reset)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(connections: &[(u64, i64, i64)]) -> Hub {
        let mut hub = Hub::default();
        for &(id, key_id, account) in connections {
            let (outbox, _queue) = Outbox::new(tokio_util::sync::CancellationToken::new());
            hub.open(id, Line::Main, outbox);
            hub.set_account(id, Some(UserId(account)));
            if let Some(connection) = hub.get_mut(id) {
                connection.key_id = Some(key_id);
            }
        }
        hub
    }

    #[test]
    fn a_reconnect_is_fine_and_calls_in_turn_are_not() {
        let mut hub = hub(&[(1, 9, 5), (2, 9, 5), (3, 8, 5)]);
        assert_eq!(hub.note_call(1, 9, false), None);
        assert_eq!(
            hub.note_call(3, 8, false),
            None,
            "another key is another login"
        );
        assert_eq!(hub.note_call(2, 9, false), None, "the newer one takes over");
        assert_eq!(
            hub.note_call(1, 9, true),
            None,
            "late bytes of a closed socket"
        );
        let duplicate = Some(Duplicate { older: 1, newer: 2 });
        assert_eq!(hub.note_call(1, 9, false), duplicate);
        hub.close(2);
        assert_eq!(hub.note_call(1, 9, false), None);
    }

    #[test]
    fn a_waiting_call_of_the_old_connection_is_in_parallel() {
        let mut hub = hub(&[(1, 9, 5), (2, 9, 5)]);
        hub.note_call(1, 9, false);
        if let Some(connection) = hub.get_mut(1) {
            connection.waiting = 1;
        }
        assert_eq!(
            hub.note_call(2, 9, false),
            Some(Duplicate { older: 1, newer: 2 })
        );
    }

    #[test]
    fn a_line_for_files_is_no_second_client_and_gets_no_updates() {
        let mut hub = hub(&[(1, 9, 5)]);
        let (outbox, _queue) = Outbox::new(tokio_util::sync::CancellationToken::new());
        hub.open(2, Line::Media, outbox);
        hub.set_account(2, Some(UserId(5)));
        for id in [1, 2, 1, 2] {
            assert_eq!(hub.note_call(id, 9, false), None);
            hub.subscribe(id, &Arc::new(Session::new(1)));
        }
        assert_eq!(hub.receivers(UserId(5), UpdatesTo::NewestLogin), [1]);
    }

    #[test]
    fn updates_go_where_the_doubt_says() {
        let mut hub = hub(&[(1, 9, 5), (2, 9, 5), (3, 8, 5), (4, 7, 6)]);
        assert_eq!(
            hub.receivers(UserId(5), UpdatesTo::NewestLogin),
            Vec::<u64>::new()
        );
        for id in [1, 3, 2] {
            hub.subscribe(id, &Arc::new(Session::new(1)));
        }
        assert_eq!(hub.receivers(UserId(5), UpdatesTo::NewestLogin), [2]);
        assert_eq!(hub.receivers(UserId(5), UpdatesTo::AllLogins), [2, 3]);
        if let Some(connection) = hub.get_mut(2) {
            connection.subscribed = None;
        }
        assert_eq!(hub.receivers(UserId(5), UpdatesTo::NewestLogin), [3]);
        hub.close(3);
        assert_eq!(hub.receivers(UserId(5), UpdatesTo::NewestLogin), [1]);
        assert_eq!(
            hub.receivers(UserId(1), UpdatesTo::NewestLogin),
            Vec::<u64>::new()
        );
    }
}
