//! Telegram as the protocols meet it: boxes with a `pts` each, differences, logins that die when two connections use them, and sends that are shown
//! once per `random_id`.
//!
//! A bot's private chats are one box with one sequence of message ids; a group is one box for all bots. Updates are pushed to a bot's open connections
//! and may be lost, late, twice or out of order; presses have no `pts` and come live or never. How long a `random_id` is remembered (by the account
//! or by the login) is drawn for each history. Invariant: a box only grows.

mod people;
mod sending;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use shared_core::{
    BotId, BoxId, Echo, ErrorClass, Incoming, MemberId, MessageId, QueryId, SendTarget, SessionFate,
};

use crate::fixed::{BOTS, GROUP, bot_index};
use crate::ghost::{Ghost, Wrong};
use crate::sim::rng::Rng;
use crate::sim::wait::Bell;

pub use people::{Act, People, Place};
pub use sending::{Drawn, Say, buttons_of};

/// What Telegram refuses, or the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub ErrorClass);

pub const NETWORK: Refused = Refused(ErrorClass::Network);

/// What a process has sent when it ends still arrives, within this.
const LINGERS: u64 = 100;

/// One update of a box.
#[derive(Debug, Clone)]
pub enum What {
    Heard(Rc<Incoming>),
    /// A bot's own message; the others make nothing of it.
    Own(BotId, Echo),
}

#[derive(Debug, Clone)]
pub struct Update {
    pub r#box: BoxId,
    pub pts: i32,
    pub what: What,
}

/// What a connection brings.
#[derive(Debug, Clone)]
pub enum Pushed {
    Update(Update),
    Press(Rc<Incoming>),
}

/// The client's end of a connection.
#[derive(Default)]
pub struct Line {
    pub id: usize,
    pub inbox: RefCell<VecDeque<Pushed>>,
    /// Told of by Telegram, without being asked.
    pub fatal: Cell<Option<ErrorClass>>,
    pub lost: Cell<bool>,
    pub bell: Rc<Bell>,
}

struct Connection {
    bot: BotId,
    key: u64,
    host: usize,
    opened: u64,
    last_call: u64,
    open: bool,
    line: Rc<Line>,
}

#[derive(Debug, Default)]
struct Log {
    updates: Vec<Update>,
    next_message: i32,
}

pub struct Telegram {
    logs: [Log; BOTS.len() + 1],
    dead_keys: BTreeSet<u64>,
    connections: Vec<Connection>,
    random: HashMap<(u64, i64), Option<MessageId>>,
    /// Whether a `random_id` is forgotten with the login that used it.
    by_login: bool,
    pub revoked: [bool; BOTS.len()],
    silent_until: [u64; BOTS.len()],
    queries: i64,
    copies: i32,
    pub people: People,
}

fn log_of(r#box: BoxId) -> usize {
    match r#box {
        BoxId::Private(bot) => bot_index(bot),
        BoxId::Channel(_) => BOTS.len(),
    }
}

impl Telegram {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::of(seed, 99);
        Self {
            logs: std::array::from_fn(|_| Log {
                updates: Vec::new(),
                next_message: 1,
            }),
            dead_keys: BTreeSet::new(),
            connections: Vec::new(),
            random: HashMap::new(),
            by_login: rng.chance(50),
            revoked: [false; BOTS.len()],
            silent_until: [0; BOTS.len()],
            queries: 0,
            copies: 0,
            people: People::new(&mut rng),
        }
    }

    pub fn pts(&self, r#box: BoxId) -> i32 {
        let last = self.logs[log_of(r#box)].updates.last();
        last.map_or(1, |update| update.pts)
    }

    /// What members said in a box, in `(from, to]`.
    pub fn said_in(&self, r#box: BoxId, from: i32, to: i32) -> impl Iterator<Item = &Incoming> {
        let updates = self.logs[log_of(r#box)].updates.iter();
        let within = updates.filter(move |update| update.pts > from && update.pts <= to);
        within.filter_map(|update| match &update.what {
            What::Heard(incoming) => Some(&**incoming),
            What::Own(..) => None,
        })
    }

    /// A slice of a difference: at most `most` updates, where it ends, and whether that is all.
    pub fn difference(&self, r#box: BoxId, from: i32, most: usize) -> (Vec<Update>, i32, bool) {
        let updates = &self.logs[log_of(r#box)].updates;
        let start = updates.partition_point(|update| update.pts <= from);
        let slice: Vec<Update> = updates[start..].iter().take(most).cloned().collect();
        let end = slice.last().map_or(from, |update| update.pts);
        let is_all = start + slice.len() == updates.len();
        (slice, end, is_all)
    }

    fn next_message(&mut self, r#box: BoxId) -> MessageId {
        let log = &mut self.logs[log_of(r#box)];
        log.next_message += 1;
        MessageId(log.next_message - 1)
    }

    fn append(&mut self, r#box: BoxId, what: What) -> Update {
        let pts = self.pts(r#box) + 1;
        let update = Update { r#box, pts, what };
        self.logs[log_of(r#box)].updates.push(update.clone());
        update
    }

    pub fn next_query(&mut self) -> QueryId {
        self.queries += 1;
        QueryId(self.queries)
    }

    /// Connects; the key may have died.
    pub fn connect(
        &mut self,
        bot: BotId,
        key: u64,
        host: usize,
        now: u64,
        bell: Rc<Bell>,
    ) -> Result<Rc<Line>, Refused> {
        if self.revoked[bot_index(bot)] || self.dead_keys.contains(&key) {
            return Err(Refused(ErrorClass::SessionDead(SessionFate::Gone)));
        }
        let line = Rc::new(Line {
            id: self.connections.len(),
            bell,
            ..Line::default()
        });
        self.connections.push(Connection {
            bot,
            key,
            host,
            opened: now,
            last_call: now,
            open: false,
            line: Rc::clone(&line),
        });
        Ok(line)
    }

    /// The client knows of it; one whose answer was lost is given up by its client.
    pub fn adopt(&mut self, id: usize, now: u64) {
        if let Some(connection) = self.connections.get_mut(id) {
            (connection.open, connection.opened) = (true, now);
        }
    }

    /// A new login needs a token that lives.
    pub fn log_in(&mut self, bot: BotId) -> Result<(), Refused> {
        match self.revoked[bot_index(bot)] {
            true => Err(Refused(ErrorClass::TokenDead)),
            false => Ok(()),
        }
    }

    /// A call comes over this connection: does its session live? What comes late on one that was closed meanwhile is not heard.
    pub fn hears(
        &mut self,
        ghost: &mut Ghost,
        id: usize,
        asked: u64,
        now: u64,
    ) -> Result<BotId, Refused> {
        let Some(this) = self.connections.get_mut(id) else {
            return Err(NETWORK);
        };
        if !this.open && now - asked > LINGERS {
            return Err(NETWORK);
        }
        this.last_call = now;
        let (bot, key, opened, is_open) = (this.bot, this.key, this.opened, this.open);
        if self.revoked[bot_index(bot)] || self.dead_keys.contains(&key) {
            return Err(Refused(ErrorClass::SessionDead(SessionFate::Gone)));
        }
        // What was on its way when a connection was closed is no second user of its key.
        let mut others = self
            .connections
            .iter()
            .filter(|other| other.line.id != id && other.key == key);
        let in_two = is_open && others.any(|other| other.open && other.last_call > opened);
        if in_two {
            self.dead_keys.insert(key);
            ghost.lost_keys += 1;
            if !ghost.in_doubt.contains(&bot) {
                ghost.fail(Wrong::KeyInTwo(bot));
            }
            return Err(Refused(ErrorClass::SessionDead(SessionFate::Duplicated)));
        }
        Ok(bot)
    }

    /// The connections of a process that was stopped say that they are there.
    pub fn pings(&mut self, ghost: &mut Ghost, host: usize, now: u64) {
        let its = self
            .connections
            .iter()
            .filter(|it| it.open && it.host == host);
        let ids: Vec<usize> = its.map(|it| it.line.id).collect();
        for id in ids {
            // Its answer tells the client nothing that it does not hear with its next call.
            let _ = self.hears(ghost, id, now, now);
        }
    }

    /// Whatever this process has open for a bot.
    pub fn close_of(&mut self, host: usize, bot: BotId) {
        let its = self.connections.iter_mut();
        for connection in its.filter(|it| it.host == host && it.bot == bot) {
            connection.open = false;
        }
    }

    /// Connections break; nobody's session is over.
    pub fn drop_lines(&mut self, bot: BotId) {
        for connection in self
            .connections
            .iter_mut()
            .filter(|it| it.open && it.bot == bot)
        {
            connection.open = false;
            connection.line.lost.set(true);
            connection.line.bell.ring();
        }
    }

    /// Has the bot an open connection whose login lives?
    pub fn is_connected(&self, bot: BotId) -> bool {
        let mut its = self
            .connections
            .iter()
            .filter(|it| it.open && it.bot == bot);
        its.any(|it| !self.is_dead(bot, it.key))
    }

    pub fn is_dead(&self, bot: BotId, key: u64) -> bool {
        self.revoked[bot_index(bot)] || self.dead_keys.contains(&key)
    }

    /// A process has ended, and its connections with it.
    pub fn close_all_of(&mut self, host: usize) {
        for connection in self.connections.iter_mut().filter(|it| it.host == host) {
            connection.open = false;
        }
    }

    /// The token is revoked: every login of the bot is dead. Some sessions are told.
    pub fn revoke(&mut self, bot: BotId, tells: bool) {
        self.revoked[bot_index(bot)] = true;
        self.end_sessions(|connection| connection.bot == bot, tells);
    }

    /// One login dies, its bot lives.
    pub fn kill_key(&mut self, key: u64, tells: bool) {
        self.dead_keys.insert(key);
        self.end_sessions(|connection| connection.key == key, tells);
    }

    fn end_sessions(&mut self, which: impl Fn(&Connection) -> bool, tells: bool) {
        let ended = self
            .connections
            .iter_mut()
            .filter(|it| it.open && which(it));
        for connection in ended {
            connection.open = false;
            if tells {
                let fate = ErrorClass::SessionDead(SessionFate::Gone);
                connection.line.fatal.set(Some(fate));
                connection.line.bell.ring();
            }
        }
    }

    pub fn silence(&mut self, bot: BotId, until: u64) {
        self.silent_until[bot_index(bot)] = until;
    }

    pub fn is_silent(&self, bot: BotId, now: u64) -> bool {
        self.silent_until[bot_index(bot)] > now
    }

    pub fn heal(&mut self) {
        self.silent_until = [0; BOTS.len()];
    }

    /// Whom an update of this box is pushed to: line and host.
    pub fn listeners(&self, r#box: BoxId, now: u64) -> Vec<(Rc<Line>, usize)> {
        let hears = |bot: BotId| match r#box {
            BoxId::Private(own) => own == bot,
            BoxId::Channel(_) => true,
        };
        let open = self
            .connections
            .iter()
            .filter(|it| it.open && hears(it.bot));
        open.filter(|it| !self.is_silent(it.bot, now))
            .map(|it| (Rc::clone(&it.line), it.host))
            .collect()
    }

    pub fn has_started(&self, bot: BotId, member: MemberId) -> bool {
        self.people.has_started(bot, member)
    }
}

/// The box that a chat's messages are in, for this bot.
pub fn box_of(bot: BotId, target: SendTarget) -> BoxId {
    match target {
        SendTarget::Member(_) => BoxId::Private(bot),
        SendTarget::Channel(_) => BoxId::Channel(GROUP),
    }
}
