//! Lets everybody talk: pulls the simulator's log, shows each person what he received, and carries out what he does next.
//!
//! One task owns all of them; calls to the simulator run beside it and come back as [`Done`]. Invariant, as in the sandbox's driver: an entry
//! of the ledger stands before the call that sends it leaves. It judges nothing and knows nothing of the faults.

mod inbox;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::clock::unix_ms;
use sandbox::control::{Answer, Chat, Content, Control, ControlError, Page, Sent, Viewed};
use sandbox::course::Input;
use sandbox::driver::pace::Pace;
use sandbox::member::{Act, Place};
use sandbox::scene::Scene;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::person::Person;
use crate::stage::{CHANNEL_PER_SECOND, PRIVATE_PER_SECOND};

const TICK: Duration = Duration::from_millis(10);
const THINK_MS: std::ops::Range<i64> = 250..900;
const THINK_BRIEFLY_MS: i64 = 150;
/// Nobody received anything for so long after the storm: it is over, whatever is missing.
const STALL_MS: i64 = 90_000;
/// A second answer that comes late is heard as well.
const LISTENS_ON: Duration = Duration::from_secs(3);

/// A call that came back.
enum Done {
    Sent {
        person: usize,
        entry: usize,
        result: Result<Sent, ControlError>,
    },
    Pressed {
        person: usize,
        entry: usize,
        result: Result<Answer, ControlError>,
    },
    Viewed {
        person: usize,
        chat: Chat,
        edited: Option<i64>,
        result: Result<Vec<Viewed>, ControlError>,
    },
    Started(Result<Sent, ControlError>),
}

/// What the crowd tells while it talks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    pub updates: usize,
    pub waiting: usize,
    /// Every bot was started by everybody.
    pub is_warm: bool,
}

pub struct Crowd {
    control: Control,
    pub people: Vec<Person>,
    group: i64,
    bots: HashSet<i64>,
    by_id: HashMap<i64, usize>,
    by_name: HashMap<String, usize>,
    /// Last message that was shown to somebody, by chat; the group's is shown to all at once.
    seen: HashMap<(usize, Chat), i64>,
    /// Which edit of a message was shown last: looks that overlap may come back in another order.
    versions: HashMap<(usize, Chat, i64), i64>,
    not_before: Vec<i64>,
    pace: Pace,
    rng: ChaCha8Rng,
    tasks: JoinSet<Done>,
    pages: mpsc::Receiver<Result<Page, ControlError>>,
    poll: tokio::task::JoinHandle<()>,
    offset_ms: i64,
    /// Standbys that are yet to be started.
    starts: Vec<(usize, i64)>,
    starting: usize,
    /// The bot that talked last, and since when it is that one.
    speaks: Option<(i64, i64)>,
    updates: usize,
    last_heard_ms: i64,
    told: watch::Sender<Told>,
}

impl Crowd {
    pub fn new(control: Control, scene: &Scene, seed: u64) -> Self {
        let (sender, pages) = mpsc::channel(64);
        let poll = tokio::spawn(inbox::poll(control.clone(), sender));
        let members = scene.members.iter().cloned();
        let people: Vec<Person> = members.map(|member| Person::new(member, seed)).collect();
        let private = (0..people.len()).filter(|at| people[*at].member.is_private());
        let standbys: Vec<i64> = scene.bots.iter().skip(1).map(|bot| bot.id).collect();
        let starts = private.flat_map(|at| standbys.iter().map(move |bot| (at, *bot)));
        Self {
            starts: starts.collect(),
            group: scene.group,
            bots: scene.bots.iter().map(|bot| bot.id).collect(),
            by_id: (0..)
                .zip(&people)
                .map(|(at, one)| (one.member.id, at))
                .collect(),
            by_name: (0..)
                .zip(&people)
                .map(|(at, one)| (one.member.name.clone(), at))
                .collect(),
            seen: HashMap::new(),
            versions: HashMap::new(),
            not_before: vec![0; people.len()],
            pace: Pace::new(PRIVATE_PER_SECOND, CHANNEL_PER_SECOND),
            rng: ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            tasks: JoinSet::new(),
            pages,
            poll,
            offset_ms: 0,
            starting: 0,
            speaks: None,
            updates: 0,
            last_heard_ms: unix_ms(),
            told: watch::Sender::new(Told::default()),
            control,
            people,
        }
    }

    pub fn told(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    /// The wall clock's time of one of the simulator's.
    pub fn unix_ms(&self, at_ms: i64) -> i64 {
        at_ms + self.offset_ms
    }

    /// Until `over` says so.
    pub async fn talk(&mut self, mut over: watch::Receiver<bool>) -> Result<()> {
        while !*over.borrow_and_update() {
            self.turn().await?;
        }
        Ok(())
    }

    /// Everybody comes to his end: no more faults, one last question each. Then they listen on for a while.
    pub async fn finish(&mut self) -> Result<()> {
        self.people.iter_mut().for_each(Person::close);
        self.last_heard_ms = unix_ms();
        while !self.people.iter().all(Person::is_at_his_end) {
            if unix_ms() - self.last_heard_ms > STALL_MS {
                break;
            }
            self.turn().await?;
        }
        let until = Instant::now() + LISTENS_ON;
        while Instant::now() < until {
            self.turn().await?;
        }
        Ok(())
    }

    /// What happens in one tick, and what is done upon it.
    async fn turn(&mut self) -> Result<()> {
        let tick = tokio::time::sleep(TICK);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                biased;
                () = &mut tick => break,
                page = self.pages.recv() => {
                    let page = page.context("the event log ended")?;
                    self.take_page(page.context("the event log cannot be read")?)?;
                }
                Some(done) = self.tasks.join_next() => {
                    self.take_done(done.context("a task of the crowd failed")?)?;
                }
            }
        }
        self.act(unix_ms());
        self.told.send_replace(Told {
            updates: self.updates,
            waiting: self.people.iter().filter(|one| one.is_waiting()).count(),
            is_warm: self.starts.is_empty() && self.starting == 0,
        });
        Ok(())
    }

    fn act(&mut self, now: i64) {
        self.start_standbys(now);
        for at in 0..self.people.len() {
            if self.not_before[at] > now {
                continue;
            }
            if self.people[at].is_waiting() {
                self.people[at].lose_patience(now, self.speaks);
                continue;
            }
            let Some(input) = self.people[at].wants() else {
                continue;
            };
            if self.people[at].member.act(&input).is_none() {
                self.people[at].member.asks_for_prompt();
                self.not_before[at] = now + THINK_MS.end;
            } else if self.pace.admit(&self.people[at].member, &input, now) {
                self.carry_out(at, input, now);
            }
        }
    }

    /// He needs a moment before his next act.
    fn think(&mut self, at: usize, now: i64) {
        self.people[at].think();
        self.not_before[at] = now + self.rng.random_range(THINK_MS);
    }

    fn carry_out(&mut self, at: usize, input: Input, now: i64) {
        let Some(act) = self.people[at].member.act(&input) else {
            return;
        };
        let entry = self.people[at].begin(input, now);
        self.updates += 1;
        self.not_before[at] = now + THINK_BRIEFLY_MS;
        let member = &self.people[at].member;
        let (control, id, bot) = (self.control.clone(), member.id, member.bot);
        let chat = match member.place {
            Place::Private => Chat::Bot(bot),
            Place::Group(group) => Chat::Channel(group),
        };
        self.tasks.spawn(async move {
            let person = at;
            let result = match act {
                Act::Start { bot, payload } => control.start(id, bot, payload).await,
                Act::Say { text, reply_to } => {
                    control.send(id, chat, &Content::Text(text), reply_to).await
                }
                Act::SendFile { name, reply_to } => {
                    let file = Content::Document { name, bytes: 2_000 };
                    control.send(id, chat, &file, reply_to).await
                }
                Act::Press { bot, message, data } => {
                    let chat = match chat {
                        Chat::Bot(_) => Chat::Bot(bot),
                        group @ Chat::Channel(_) => group,
                    };
                    let result = control.press(id, chat, message, &data).await;
                    return Done::Pressed {
                        person,
                        entry,
                        result,
                    };
                }
            };
            Done::Sent {
                person,
                entry,
                result,
            }
        });
    }

    fn start_standbys(&mut self, now: i64) {
        while self.starting < 16 && self.pace.starts.has(now) {
            let Some((at, bot)) = self.starts.pop() else {
                return;
            };
            self.pace.starts.take();
            self.starting += 1;
            let (control, id) = (self.control.clone(), self.people[at].member.id);
            self.tasks
                .spawn(async move { Done::Started(control.start(id, bot, None).await) });
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.poll.abort();
    }
}
