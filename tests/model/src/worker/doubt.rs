//! `sender/doubt.rs`: what may have been sent already is not sent again before the boxes have been heard.
//!
//! Real: `Ledger`. How many replies may be repeated is said to the model, which holds the product to it.

use std::collections::BTreeSet;
use std::rc::Rc;

use bot_worker_core::echo::{Ledger, Meaning, draws};
use bot_worker_core::in_doubt::prompt_of;
use shared_core::{BotId, Echo, OutboxEntry, SendTarget, Spent, Ticket, Told};

use super::sender::Sender;
use crate::bug::Bug;
use crate::redis::Position;
use crate::sim::Away;

const PATIENCE: u64 = 10_000;
const IN_FLIGHT: usize = 32;

/// How the sender stands to what it did not send itself.
#[derive(Default)]
pub struct Doubt {
    ledger: Ledger,
    since: Option<u64>,
    unexplained: Vec<(Ticket, Echo)>,
    explained: Vec<(Ticket, Option<Before>)>,
}

/// What has to be done before a message of ours may be passed.
#[derive(Debug, Clone, Copy)]
enum Before {
    Settled(Position),
    Spent(Spent),
}

impl Doubt {
    pub fn note(&mut self, told: Option<Told>) {
        if let Some(told) = told {
            self.ledger.note(told);
        }
    }
}

impl Sender {
    /// What is known of the bot's own messages.
    pub fn know(&mut self, words: Option<Rc<Vec<Told>>>) {
        self.doubt.ledger = Ledger::new(words.iter().flat_map(|words| words.iter().copied()));
    }

    /// Before anything is sent. `doubts`: bots whose senders did not say that they have ended.
    pub fn begin(&mut self, doubts: &BTreeSet<BotId>) {
        let me = self.tenure.bot.id();
        let was_me = doubts.contains(&me);
        let sim = &self.tenure.sends.sim;
        if (was_me || self.tenure.follows_itself())
            && !sim.has(Bug::NoDoubt)
            && let Some(stood) = self.tenure.stood
        {
            self.queue.doubt(stood);
            self.doubt.since = Some(sim.now());
            self.tenure.doubts_itself.set(true);
        }
        self.unended = doubts.iter().any(|bot| *bot != me);
    }

    /// What is in doubt and is said all the same may come twice.
    pub fn count_unended(&mut self) {
        if std::mem::take(&mut self.unended) {
            let waiting = self.queue.entries().count();
            self.may_be_repeated(waiting.max(self.shown_already()));
        }
    }

    /// The model sees what the product can only bound.
    pub fn shown_already(&self) -> usize {
        let ghost = self.tenure.sends.sim.ghost.borrow();
        let outbox = self.tenure.sends.sim.redis.borrow();
        outbox
            .live
            .outbox
            .values()
            .filter(|entry| ghost.is_shown(entry.id))
            .count()
    }

    fn may_be_repeated(&self, entries: usize) {
        let count = u64::try_from(entries.min(IN_FLIGHT)).unwrap_or(u64::MAX);
        self.tenure.sends.sim.ghost.borrow_mut().said += count;
    }

    /// Explains what was heard, lets go what is settled, and ends the doubt when its time has come.
    pub async fn look_at_echoes(&mut self) {
        let caught_up = self.tenure.caught_up.get();
        let heard = std::mem::take(&mut *self.tenure.heard.borrow_mut());
        self.doubt.unexplained.extend(heard);
        for (ticket, echo) in std::mem::take(&mut self.doubt.unexplained) {
            if self.queue.is_in_flight(echo.chat) {
                self.doubt.unexplained.push((ticket, echo));
            } else {
                let entry = self.explain(&echo);
                self.doubt.explained.push((ticket, entry));
            }
        }
        let tenure = Rc::clone(&self.tenure);
        let stands = |before: &Option<Before>| match before {
            None => false,
            Some(Before::Settled(at)) => tenure.is_unsettled(*at),
            Some(Before::Spent(spent)) => tenure.spent.borrow().contains(spent),
        };
        let (later, released): (Vec<_>, Vec<_>) = std::mem::take(&mut self.doubt.explained)
            .into_iter()
            .partition(|(_, entry)| stands(entry));
        self.doubt.explained = later;
        if !released.is_empty() {
            tenure.release(released.into_iter().map(|(ticket, _)| ticket));
        }
        self.end_doubt(caught_up).await;
    }

    /// What this message says, and what has to be done before it may be passed.
    fn explain(&mut self, echo: &Echo) -> Option<Before> {
        let (queue, tries) = (&self.queue, &self.tries);
        let may_be_sent = |position: &Position, entry: &OutboxEntry| {
            queue.is_doubtful(position, entry) || tries.get(&entry.id).is_some_and(|it| it.unknown)
        };
        let me = self.tenure.bot.id();
        let tells = |position: &Position, entry: &OutboxEntry| {
            may_be_sent(position, entry) || draws(me, echo, entry)
        };
        let doubtful: Vec<_> = queue
            .chat(echo.chat)
            .filter(|(position, entry)| tells(position, entry))
            .collect();
        let sim = &self.tenure.sends.sim;
        let entries: Vec<_> = doubtful.iter().map(|(_, entry)| *entry).collect();
        let meaning = self.doubt.ledger.explain(me, echo, &entries);
        sim.say(|| {
            format!(
                "{me} hears its own {}{}: {meaning:?}",
                echo.chat, echo.message
            )
        });
        match meaning {
            Meaning::Known(told) => self.tenure.unsettled(told).map(Before::Settled),
            Meaning::Spent(spent) => {
                self.tenure.spent.borrow_mut().push(spent);
                Some(Before::Spent(spent))
            }
            Meaning::Stranger => None,
            Meaning::Sent(at) => {
                let position = doubtful.get(at).map(|(position, _)| **position)?;
                let entry = self.queue.remove(echo.chat, &position)?;
                sim.say(|| format!("{me} finds {} sent", entry.id));
                self.tries.remove(&entry.id);
                let told = Told::Message(echo.chat, echo.message);
                self.tenure.is_sent(position, Some(told));
                Some(Before::Settled(position))
            }
        }
    }

    async fn end_doubt(&mut self, caught_up: bool) {
        let Some(since) = self.doubt.since else {
            return;
        };
        let is_late = self.tenure.sends.sim.now() - since >= PATIENCE;
        let all_heard = caught_up && self.doubt.unexplained.is_empty();
        if !all_heard && !is_late {
            return;
        }
        if self.drop_what_is_gone().await.is_err() {
            return;
        }
        self.doubt.since = None;
        self.tenure.doubts_itself.set(false);
        let left = self.queue.end_doubt();
        // Another bot that held the pool in between has moved the group's cursor over what this one said there.
        if left > 0 && (!all_heard || self.tenure.after_another) {
            self.may_be_repeated(left);
        }
    }

    /// What a worker that woke up has settled between the first look and the reading of the words is known by its word, and must not leave. It may have
    /// been another bot's: a prompt among them is not one that this bot will show.
    async fn drop_what_is_gone(&mut self) -> Result<(), Away> {
        let sim = Rc::clone(&self.tenure.sends.sim);
        let held = self.tenure.history();
        let entries = self.queue.entries();
        let doubtful: Vec<(SendTarget, Position)> = entries
            .filter(|(position, entry)| self.queue.is_doubtful(position, entry))
            .map(|(position, entry)| (entry.target, *position))
            .collect();
        let gone = self.tenure.sends.redis(held, move |redis, _| {
            let mut doubtful = doubtful;
            doubtful.retain(|(_, position)| !redis.live.outbox.contains_key(position));
            doubtful
        });
        let mut prompts = Vec::new();
        for (target, position) in gone.await? {
            if let Some(entry) = self.queue.remove(target, &position) {
                sim.say(|| format!("{} was settled by who sent it", entry.id));
                self.tries.remove(&entry.id);
                prompts.extend(prompt_of(&entry).map(|prompt| (entry.conversation, prompt)));
            }
        }
        self.take_back(prompts);
        Ok(())
    }

    /// When the doubt ends by itself.
    pub fn doubt_ends(&self) -> Option<u64> {
        self.doubt.since.map(|since| since + PATIENCE)
    }
}
