//! `sender/load.rs`: reading the outbox into memory, each entry once, of each chat a part, foreign ones left out.
//!
//! Invariant: what is read was committed under this epoch or before it.

use std::rc::Rc;

use bot_worker_core::in_doubt::{draws_anothers_anew, prompt_of};
use shared_core::{ConversationKey, OutboxEntry};

use super::deliver::out_of_reach;
use super::sender::Sender;
use super::tenure::{Item, Origin};
use crate::bug::Bug;
use crate::redis::Position;
use crate::sim::Away;

impl Sender {
    /// The first look: what stands in the outbox, and then the words of what was sent, since a sender before this one may settle late.
    pub async fn first_look(&mut self) -> Result<(), Away> {
        self.load().await?;
        self.read_words().await
    }

    async fn read_words(&mut self) -> Result<(), Away> {
        let (held, me) = (self.tenure.history(), self.tenure.bot.id());
        let words = self
            .tenure
            .sends
            .redis(held, move |redis, _| redis.live.told.get(&me).cloned());
        let words = words.await?;
        self.know(words);
        Ok(())
    }

    pub async fn load(&mut self) -> Result<(), Away> {
        self.refill().await?;
        for (position, entry) in self.page(self.after).await? {
            let before = self.after.replace(position);
            self.take_in(position, &entry, before);
        }
        self.drop_foreign().await
    }

    /// Read under the epoch: who has been fenced and does not know it yet must not see what the next holder commits.
    async fn page(
        &self,
        after: Option<Position>,
    ) -> Result<Vec<(Position, Rc<OutboxEntry>)>, Away> {
        let (held, stamp) = (self.tenure.history(), self.tenure.stamp);
        let page = self.tenure.sends.redis(held, move |redis, sim| {
            let may_read = redis.live.is_open_for(stamp) || sim.has(Bug::OutboxReadUnfenced);
            may_read.then(|| redis.outbox_after(after))
        });
        match page.await? {
            Some(page) => Ok(page),
            None => {
                self.tenure.end(None);
                Err(Away::Lost)
            }
        }
    }

    /// Chats of which a part was passed over and that have run dry.
    async fn refill(&mut self) -> Result<(), Away> {
        let queue = &self.queue;
        let Some(dry) = self.backlog.dry(|chat| queue.waiting(chat)) else {
            return Ok(());
        };
        let page = match self.page(dry.from).await {
            Ok(page) => page,
            Err(away) => {
                self.backlog.put_back(dry);
                return Err(away);
            }
        };
        let mut at = dry.from;
        for (position, entry) in page {
            if Some(position) > self.after {
                break;
            }
            let before = at.replace(position);
            if dry.wants(entry.target, position) {
                self.take_in(position, &entry, before);
            }
        }
        Ok(())
    }

    fn take_in(&mut self, position: Position, entry: &Rc<OutboxEntry>, before: Option<Position>) {
        let (me, sim) = (self.tenure.bot.id(), &self.tenure.sends.sim);
        if entry.by.is_some_and(|by| by != me) && !sim.has(Bug::ForeignPromptsSent) {
            self.foreign.push(position);
            return;
        }
        let followed = Some(self.tenure.resumed.at);
        if self.tenure.owes() && draws_anothers_anew(entry, me, followed, sim.unix()) {
            self.foreign.push(position);
            return;
        }
        if let Some((event, id)) = out_of_reach(&self.tenure, entry) {
            let settles = Some(position);
            let item = Item::Internal { event, id, settles };
            return self.tenure.push(entry.conversation, item, Origin::Own);
        }
        if let Some(served) = &mut self.served
            && let Some(prompt) = prompt_of(entry)
        {
            served.insert(entry.conversation, prompt);
        }
        for (position, superseded) in self.queue.supersede(entry) {
            self.tries.remove(&superseded.id);
            self.foreign.push(position);
        }
        let chat = entry.target;
        if self.backlog.takes(chat, self.queue.waiting(chat), before) {
            self.queue.push(position, (**entry).clone());
        }
    }

    pub fn tell_served(&mut self) {
        if let Some(served) = self.served.take() {
            self.tenure.served.borrow_mut().wait(served);
            self.tenure.has_turn.set(true);
        }
    }

    /// These prompts, of which it was told that this bot will show them, it does not.
    pub fn take_back(&self, prompts: Vec<(ConversationKey, u32)>) {
        if !self.tenure.owes() {
            return;
        }
        let conversations = prompts.iter().map(|(conversation, _)| *conversation);
        self.tenure.left_out.borrow_mut().extend(conversations);
        self.tenure.served.borrow_mut().were_gone(prompts);
    }

    async fn drop_foreign(&mut self) -> Result<(), Away> {
        if self.foreign.is_empty() {
            return Ok(());
        }
        let (stamp, held, foreign) = (
            self.tenure.stamp,
            self.tenure.history(),
            self.foreign.clone(),
        );
        let dropped = self.tenure.sends.redis(held, move |redis, sim| {
            redis.discard(&mut sim.ghost.borrow_mut(), stamp, &foreign)
        });
        dropped.await?;
        self.foreign.clear();
        Ok(())
    }
}
