//! Lets the members talk: pulls the simulator's log, shows each member what he received, and carries out what he does next.
//!
//! One task owns all members; calls to the simulator run beside it and come back as [`Done`]. Invariant: an entry of a member's ledger
//! stands before the call that sends it leaves, so an answer can never be earlier than its question. It judges nothing.
//!
//! `inbox` is what comes in, `acts` what goes out, `parked` who has to come by himself, `pace` how fast, `strike` when the faults land, `blow` on whom and how.

mod acts;
mod blow;
mod inbox;
pub mod pace;
mod parked;
mod strike;

pub use blow::{Hands, Target};

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::clock::unix_ms;
use crate::control::{Answer, Chat, Control, ControlError, Page, Sent, Viewed};
use crate::course::Hold;
use crate::fault::{BlowPlan, Blows, FaultKind};
use crate::member::{Member, Parking};
use crate::scene::Scene;
use crate::view::{Tone, View};
use pace::Pace;

/// Kinds of the log that the members live by.
const KINDS: &str = "message_sent,message_edited,fault_fired,connection_closed,flood_wait";
const POLL_MS: u64 = 1_000;
const TICK: Duration = Duration::from_millis(15);
/// Nobody received anything for so long: it is over, whatever is missing.
const STALL_MS: i64 = 45_000;

/// A call to the simulator that came back.
enum Done {
    Sent {
        member: usize,
        entry: usize,
        result: Result<Sent, ControlError>,
    },
    Pressed {
        member: usize,
        entry: usize,
        result: Result<Answer, ControlError>,
    },
    Viewed {
        member: usize,
        chat: Chat,
        edited: Option<i64>,
        result: Result<Vec<Viewed>, ControlError>,
    },
    Started {
        result: Result<Sent, ControlError>,
    },
    /// Our signal left at this time.
    Struck {
        plan: BlowPlan,
        bot: i64,
        at_ms: i64,
    },
    /// There was nobody to strike.
    Missed {
        kind: FaultKind,
    },
    Failed {
        error: anyhow::Error,
    },
    Nothing,
}

pub struct Driver {
    control: Control,
    pub members: Vec<Member>,
    group: i64,
    bots: Vec<(i64, String)>,
    by_id: HashMap<i64, usize>,
    by_name: HashMap<String, usize>,
    /// Last message that was shown to a member, by chat; the group's is shown to all at once.
    seen: HashMap<(usize, Chat), i64>,
    /// Where the members' own messages stand in the log.
    logged: HashMap<(usize, i64), u64>,
    /// No act before this time, by member.
    not_before: Vec<i64>,
    pace: Pace,
    rng: ChaCha8Rng,
    tasks: JoinSet<Done>,
    pages: mpsc::Receiver<Result<Page, ControlError>>,
    /// From the simulator's clock to the wall clock.
    offset_ms: i64,
    /// Members who are yet to start a standby.
    starts: VecDeque<(usize, i64)>,
    /// Members who start only the active bot.
    unreached: Vec<usize>,
    /// Numbers of those who pressed Start with the new bot by themselves.
    pub parked: Vec<usize>,
    /// Numbers of those who waited to the end and were called up then.
    pub waited: Vec<usize>,
    /// The bot that the last announcement in the group leads to, and with which payload.
    announced: Option<(i64, Option<String>)>,
    /// Those that landed.
    pub blows: Option<Blows>,
    /// The second one, when it found nobody.
    pub missed: Option<FaultKind>,
    /// Whether a member's message in private is unanswered at this moment.
    somebody_waits: watch::Sender<bool>,
    /// Is to land.
    pending: Option<BlowPlan>,
    pub flood_waits: u64,
    last_progress_ms: i64,
    heard_since_fault: usize,
}

impl Driver {
    pub fn new(control: Control, scene: &Scene, reach_percent: u32, seed: u64) -> Self {
        let members = scene.members.clone();
        let (sender, pages) = mpsc::channel(64);
        let mut tasks = JoinSet::new();
        tasks.spawn(inbox::poll(control.clone(), sender));
        let mut driver = Self {
            group: scene.group,
            bots: scene
                .bots
                .iter()
                .map(|bot| (bot.id, scene.username(bot.id)))
                .collect(),
            by_id: members
                .iter()
                .enumerate()
                .map(|(at, member)| (member.id, at))
                .collect(),
            by_name: members
                .iter()
                .enumerate()
                .map(|(at, member)| (member.name.clone(), at))
                .collect(),
            seen: HashMap::new(),
            logged: HashMap::new(),
            not_before: vec![0; members.len()],
            pace: Pace::default(),
            rng: ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            tasks,
            pages,
            offset_ms: 0,
            starts: VecDeque::new(),
            unreached: Vec::new(),
            parked: Vec::new(),
            waited: Vec::new(),
            announced: None,
            blows: None,
            missed: None,
            somebody_waits: watch::Sender::new(false),
            pending: None,
            flood_waits: 0,
            last_progress_ms: unix_ms(),
            heard_since_fault: 0,
            control,
            members,
        };
        driver.plan_warm_up(scene, reach_percent);
        driver
    }

    /// How many members start the standbys ahead of time; a standby must know of so many.
    pub fn reached(&self) -> usize {
        let private = self
            .members
            .iter()
            .filter(|member| member.is_private())
            .count();
        private - self.unreached.len()
    }

    /// Until every member stands where he is to stand when the fault lands.
    pub async fn warm_up(&mut self, view: &mut View) -> Result<()> {
        let total = self.members.len();
        let deadline = unix_ms() + 60_000 + 800 * i64::try_from(total).unwrap_or(0);
        let mut told = unix_ms();
        loop {
            let in_place = self
                .members
                .iter()
                .filter(|member| member.is_in_place())
                .count();
            if in_place == total && self.starts.is_empty() {
                return Ok(());
            }
            let now = unix_ms();
            if now - told > 5_000 {
                told = now;
                view.line(
                    Tone::Quiet,
                    &format!("{in_place} of {total} members are in the middle of their uploads"),
                );
            }
            if now > deadline || now - self.last_progress_ms > STALL_MS {
                let waits = self.members.iter().find(|member| !member.is_in_place());
                let who = waits.map(|member| {
                    let waits = member
                        .ledger
                        .waiting()
                        .map(|entry| format!("{:?}", entry.input));
                    format!(
                        "{} waits for the answer to {}",
                        member.name,
                        waits.unwrap_or_else(|| "nothing".into())
                    )
                });
                anyhow::bail!(
                    "the warm-up got stuck with {in_place} of {total} in place: {}",
                    who.unwrap_or_default()
                );
            }
            self.turn(view).await?;
        }
    }

    /// Until every upload is at its end, or nothing moves any more.
    pub async fn finish(&mut self, view: &mut View) -> Result<()> {
        let total = self.members.len();
        let mut told = unix_ms();
        loop {
            let done = self
                .members
                .iter()
                .filter(|member| member.is_done() || member.parking == Parking::Waits)
                .count();
            let now = unix_ms();
            if done == total || now - self.last_progress_ms > STALL_MS {
                return Ok(());
            }
            if now - told > 5_000 {
                told = now;
                view.line(
                    Tone::Quiet,
                    &format!("{done} of {total} uploads are at their end"),
                );
            }
            self.turn(view).await?;
        }
    }

    /// Hears what still comes, for so long.
    pub async fn listen(&mut self, how_long: Duration, view: &mut View) -> Result<()> {
        let until = unix_ms() + i64::try_from(how_long.as_millis()).unwrap_or(0);
        while unix_ms() < until {
            self.turn(view).await?;
        }
        Ok(())
    }

    /// One thing that happened, and what the members do upon it.
    async fn turn(&mut self, view: &mut View) -> Result<()> {
        tokio::select! {
            page = self.pages.recv() => {
                let page = page.context("the event log ended")?;
                self.take_page(page.context("the event log cannot be read")?, view);
            }
            Some(done) = self.tasks.join_next() => {
                self.take_done(done.context("a task of the driver failed")?, view)?;
            }
            () = tokio::time::sleep(TICK) => {}
        }
        self.act_all(unix_ms());
        let waits = self.members.iter().any(waits_for_an_answer);
        self.somebody_waits.send_replace(waits);
        Ok(())
    }

    fn plan_warm_up(&mut self, scene: &Scene, reach_percent: u32) {
        let standbys: Vec<i64> = scene.bots.iter().skip(1).map(|bot| bot.id).collect();
        let private: Vec<usize> = (0..self.members.len())
            .filter(|at| self.members[*at].is_private())
            .collect();
        let reached = (private.len() * reach_percent as usize).div_ceil(100);
        for (rank, at) in private.into_iter().enumerate() {
            if rank < reached {
                self.starts.extend(standbys.iter().map(|bot| (at, *bot)));
            } else {
                self.unreached.push(at);
            }
        }
        for at in 0..self.members.len() {
            let hold = Hold::draw(&mut self.rng, &self.members[at].intention);
            self.members[at].hold = Some(hold);
        }
    }
}

/// Telegram took a message of his in private, which can be answered at once, and nobody answered it.
fn waits_for_an_answer(member: &Member) -> bool {
    let waiting = member.ledger.waiting();
    member.is_private()
        && waiting.is_some_and(|entry| {
            let at_once = !entry.input.is_press() && !entry.input.goes_through_a_channel();
            at_once && entry.message.is_some()
        })
}
