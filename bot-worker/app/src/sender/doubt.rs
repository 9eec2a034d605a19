//! What may have been sent already is not sent again before the boxes have been heard: `random_id`s may be forgotten with the login that used them.
//!
//! ```text
//! the sender begins                             what stood in the outbox is doubtful, if this bot answered last; it waits, others leave
//! a message of ours is heard                    it is explained: a doubtful reply that it was is settled, all else is let go
//! all is heard: every box is fetched anew       what is still doubtful, and still stands in the outbox, was not sent: it leaves. Anew, because what a process
//!                                               has sent when it is killed may arrive after this one has connected, and live updates get lost
//! the one before settles it after all           a worker that wakes up may, when this one has read it: it is known by its word, or gone, and does not leave
//! not heard within [`PATIENCE`], or not all     it leaves all the same, and may be repeated: counted
//! ```
//! The same for one send of this very sender whose answer was lost: its chat waits until every box has been fetched anew.
//!
//! Another bot cannot hear what the one before it said. It does not wait; of what a sender that was killed or gave up may have had on its way it leaves out
//! what it shows anyhow (`bot-worker-core`, `in_doubt`), and the rest is counted.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bot_worker_core::echo::{Ledger, Meaning, draws};
use bot_worker_core::in_doubt::{InDoubt, prompt_of};
use shared_core::{BootMs, Echo, OutboxEntry, SendTarget, Spent, Ticket, Told};
use shared_io::clock;
use shared_io::redis::{Counter, OutboxPosition, SendsInDoubt, StateError};
use tracing::{debug, info, warn};

use super::turn::Taken;
use super::{IN_FLIGHT, Sender};
use crate::status::lock;
use crate::tenure::Left;

/// A difference that takes longer is being refused, or waited for by order.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the sender stands to what it did not send itself.
pub(super) struct Doubt {
    ledger: Ledger,
    is_read: bool,
    /// Since when there is something doubtful; `None` when there is not.
    since: Option<BootMs>,
    /// The round of listening in which all of it will have been heard.
    round: u64,
    /// What was heard and cannot be explained before a call is answered.
    unexplained: Vec<(Ticket, Echo)>,
    /// What is explained, and what has to be done in Redis before the cursor may pass it.
    explained: Vec<(Ticket, Option<Before>)>,
}

/// What has to be done before a message of ours may be passed: whoever comes next would take it for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The entry that it was is out of the outbox.
    Settled(OutboxPosition),
    /// The word without an id that it was acknowledged with is spent.
    Spent(Spent),
}

impl Doubt {
    pub(super) fn none() -> Self {
        Self {
            ledger: Ledger::default(),
            is_read: false,
            since: None,
            round: 0,
            unexplained: Vec::new(),
            explained: Vec::new(),
        }
    }

    /// Is it known what was acknowledged before?
    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    /// Is there something of which the boxes have not told yet?
    pub(super) fn is_open(&self) -> bool {
        self.since.is_some()
    }

    pub(super) fn note(&mut self, told: Option<Told>) {
        if let Some(told) = told {
            self.ledger.note(told);
        }
    }
}

impl Sender {
    /// Before anything is sent.
    pub(super) fn begin(&mut self, taken: &Taken) {
        let me = self.tenure.context.lease.bot;
        let stood = self.tenure.stood;
        if (taken.is_of(me) || self.tenure.follows_itself())
            && let Some(stood) = stood
        {
            self.queue.doubt(stood);
            self.doubt.since = Some(clock::boot_now());
            self.tenure.doubts_itself.store(true, Ordering::Release);
            self.doubt.round = self.tenure.echoes.ask();
            *lock(&self.tenure.left) = Left::Something;
        }
        self.forget_what_was_missed();
        let of_others = taken.of_others(me);
        self.unended = !of_others.is_empty();
        self.in_doubt = stood
            .filter(|_| self.unended)
            .map(|stood| in_doubt(&of_others, stood));
        *lock(&self.tenure.inherited_doubt) = of_others;
    }

    /// The words of what was acknowledged before, once: after the first look into the outbox. What is settled between the two is known by its word;
    /// read the other way round, its entry would be gone and its word unknown, and the next reply that looks the same would be taken for it.
    pub(super) async fn read_words(&mut self) -> Result<(), StateError> {
        if !std::mem::replace(&mut self.doubt.is_read, true) {
            let me = self.tenure.context.lease.bot;
            let told = self.tenure.context.state.told(me).await;
            self.doubt.is_read = told.is_ok();
            self.doubt.ledger = Ledger::new(told?);
        }
        Ok(())
    }

    /// After the first look into the outbox: what is in doubt and is said all the same may come twice. Of one chat that may be several: what was answered
    /// and not yet settled when their sender was stopped, and the one that it had handed to its connection.
    pub(super) fn count_unended(&mut self) {
        if std::mem::take(&mut self.unended) {
            lock(&self.tenure.inherited_doubt).clear();
            let in_doubt = self.in_doubt.as_ref();
            let waiting = self.queue.entries();
            let covered = waiting.filter(|(at, _)| in_doubt.is_none_or(|it| it.covers(at)));
            let covered = covered.count();
            self.may_be_repeated(covered);
        }
    }

    /// What Telegram would not give out matters as long as something is in doubt.
    fn forget_what_was_missed(&self) {
        if !self.doubt.is_open() {
            let missed = &self.tenure.context.missed_some;
            missed.store(false, Ordering::Release);
        }
    }

    /// No more than a sender can have said and not settled: whoever is cut off from Redis alone says on until its lease is over.
    fn may_be_repeated(&self, entries: usize) {
        let config = &self.tenure.context.shared.config;
        let seconds = config.timing.lease_ttl.as_secs() + 1;
        let rate = u64::from(config.rates.bulk_per_second);
        let unanswered = u64::try_from(IN_FLIGHT).unwrap_or(u64::MAX);
        let most = unanswered + u64::from(config.rates.bulk_burst) + rate * seconds;
        let count = u64::try_from(entries).unwrap_or(u64::MAX).min(most);
        if count > 0 {
            let work = &self.tenure.work;
            work.count(&self.tenure, Counter::MaybeRepeated, count);
        }
    }

    /// Telegram may have taken what was just sent to this chat: nothing more before that has been heard, and not before `pause` is over.
    pub(super) fn hear_first(&mut self, chat: SendTarget, pause: Duration) {
        let round = self.tenure.echoes.ask();
        let now = clock::boot_now();
        self.pacer.hold(chat, now.plus(PATIENCE));
        self.is_leaving(chat);
        self.unheard.push((chat, round, now.plus(pause)));
    }

    /// Something leaves for this chat: what was asked about before says nothing of it.
    pub(super) fn is_leaving(&mut self, chat: SendTarget) {
        self.unheard.retain(|(held, _, _)| *held != chat);
    }

    /// What was asked about has been heard and explained: what still waits there was not sent. Where not everything could be heard it leaves all the
    /// same, stays in doubt for whoever comes next, and is counted.
    fn release_heard(&mut self, answered: u64) {
        let is_incomplete = self.tenure.echoes.is_incomplete();
        let mut in_doubt = 0;
        let unheard = std::mem::take(&mut self.unheard);
        let (heard, waiting): (Vec<_>, Vec<_>) = unheard
            .into_iter()
            .partition(|(_, round, _)| *round <= answered);
        self.unheard = waiting;
        for (chat, _, from) in heard {
            self.pacer.release(chat, from);
            for (_, entry) in self.queue.chat(chat) {
                if let Some(tries) = self.tries.get_mut(&entry.id) {
                    in_doubt += usize::from(tries.unknown && is_incomplete);
                    tries.unknown &= is_incomplete;
                }
            }
        }
        self.may_be_repeated(in_doubt);
    }

    /// Explains what was heard, lets go what is settled, and ends the doubt when its time has come.
    pub(super) async fn look_at_echoes(&mut self) {
        // Read before what was heard is taken: nothing may come in between.
        let caught_up = self.tenure.echoes.is_caught_up();
        let answered = self.tenure.echoes.answered();
        self.doubt
            .unexplained
            .extend(self.tenure.echoes.take_heard());
        for (ticket, echo) in std::mem::take(&mut self.doubt.unexplained) {
            if self.queue.is_in_flight(echo.chat) {
                self.doubt.unexplained.push((ticket, echo));
            } else {
                let before = self.explain(&echo);
                self.doubt.explained.push((ticket, before));
            }
        }
        let tenure = &self.tenure;
        let stands = |before: &Option<Before>| match *before {
            None => false,
            Some(Before::Settled(at)) => tenure.is_unsettled(at),
            Some(Before::Spent(spent)) => tenure.is_unspent(spent),
        };
        let (later, released): (Vec<_>, Vec<_>) = std::mem::take(&mut self.doubt.explained)
            .into_iter()
            .partition(|(_, entry)| stands(entry));
        self.doubt.explained = later;
        if !released.is_empty() {
            tenure
                .echoes
                .release(released.into_iter().map(|(it, _)| it));
        }
        self.end_doubt(caught_up && answered >= self.doubt.round)
            .await;
        self.release_heard(answered);
    }

    /// What this message says, and what has to be done before it may be passed.
    fn explain(&mut self, echo: &Echo) -> Option<Before> {
        let (queue, tries) = (&self.queue, &self.tries);
        let may_be_sent = |position, entry: &OutboxEntry| {
            queue.is_doubtful(position, entry) || tries.get(&entry.id).is_some_and(|it| it.unknown)
        };
        let me = self.tenure.context.lease.bot;
        // A later edit may have taken the place of the doubtful one.
        let tells = |position, entry| may_be_sent(position, entry) || draws(me, echo, entry);
        let doubtful: Vec<_> = queue
            .chat(echo.chat)
            .filter(|(position, entry)| tells(position, entry))
            .collect();
        let entries: Vec<_> = doubtful.iter().map(|(_, entry)| *entry).collect();
        match self.doubt.ledger.explain(me, echo, &entries) {
            Meaning::Known(told) => self.tenure.unsettled(told).map(Before::Settled),
            Meaning::Spent(spent) => {
                self.tenure.is_spent(spent);
                Some(Before::Spent(spent))
            }
            Meaning::Stranger => None,
            Meaning::Sent(at) => {
                let position = doubtful.get(at).map(|(position, _)| **position)?;
                let entry = self.queue.remove(echo.chat, &position)?;
                self.tries.remove(&entry.id);
                info!(entry = %entry.id, conversation = %entry.conversation, "found sent");
                let told = Told::Message(echo.chat, echo.message);
                self.tenure.is_sent(position, Some(told));
                let work = &self.tenure.work;
                work.count(&self.tenure, Counter::FoundSent, 1);
                Some(Before::Settled(position))
            }
        }
    }

    async fn end_doubt(&mut self, heard: bool) {
        let Some(since) = self.doubt.since else {
            return;
        };
        let is_late = clock::boot_now().since(since) >= PATIENCE;
        // What a call holds up may still be one of the doubtful.
        let all_heard = heard && self.doubt.unexplained.is_empty();
        if !all_heard && !is_late {
            return;
        }
        if let Err(error) = self.drop_what_is_gone().await {
            debug!(%error, "the doubt lasts on");
            return;
        }
        self.doubt.since = None;
        self.tenure.doubts_itself.store(false, Ordering::Release);
        let left = self.queue.end_doubt();
        self.forget_what_was_missed();
        // Another bot that held the pool in between has moved the group's cursor over what this one said there.
        let unheard = self.tenure.echoes.is_incomplete() || self.tenure.after_another();
        if left > 0 && (!all_heard || unheard) {
            warn!(
                left,
                "what was sent before is not all known; replies may be repeated"
            );
            self.may_be_repeated(left);
        }
    }

    /// A worker that slept and woke up hears that its sends were taken, and settles them, also when this sender has read them. A message of one that was
    /// settled before the words were read is known by its word and explains nothing here any more; left in the queue, it would be said again. It may have
    /// been another bot's: a prompt among them is not one that this bot will show.
    async fn drop_what_is_gone(&mut self) -> Result<(), StateError> {
        let entries = self.queue.entries();
        let doubtful: Vec<(SendTarget, OutboxPosition)> = entries
            .filter(|(position, entry)| self.queue.is_doubtful(position, entry))
            .map(|(position, entry)| (entry.target, *position))
            .collect();
        let positions: Vec<OutboxPosition> = doubtful.iter().map(|(_, at)| *at).collect();
        let gone = self.tenure.context.state.outbox_gone(&positions).await?;
        let gone: BTreeSet<OutboxPosition> = gone.into_iter().collect();
        let mut prompts = Vec::new();
        for (target, position) in doubtful.into_iter().filter(|(_, at)| gone.contains(at)) {
            if let Some(entry) = self.queue.remove(target, &position) {
                info!(entry = %entry.id, "settled by who sent it");
                self.tries.remove(&entry.id);
                prompts.extend(prompt_of(&entry).map(|prompt| (entry.conversation, prompt)));
            }
        }
        self.take_back(prompts).await;
        Ok(())
    }
}

/// What other bots left, seen as one doubt. What was committed since they ended is nobody's before: found in doubt once more, it would be left out and not
/// be shown again.
fn in_doubt(left: &[SendsInDoubt], stood: OutboxPosition) -> InDoubt<OutboxPosition> {
    let end = |doubt: &SendsInDoubt| {
        let noted = doubt.up_to.as_ref().and_then(|at| at.parse().ok());
        noted.map_or(stood, |noted: OutboxPosition| noted.min(stood))
    };
    let up_to = left.iter().map(end).max().unwrap_or(stood);
    let positions = |doubt: &SendsInDoubt| -> Vec<OutboxPosition> {
        let entries = doubt.entries.iter();
        entries.filter_map(|at| at.parse().ok()).collect()
    };
    let each: Vec<_> = left.iter().map(positions).collect();
    // One that could not say which leaves whatever stood there.
    let among = match each.iter().any(Vec::is_empty) {
        true => Vec::new(),
        false => each.concat(),
    };
    InDoubt::new(up_to, among, clock::unix_now())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use shared_core::BotId;

    fn left(bot: i64, entries: &[&str], up_to: Option<&str>) -> SendsInDoubt {
        SendsInDoubt {
            bot: BotId(bot),
            entries: entries.iter().map(ToString::to_string).collect(),
            up_to: up_to.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn what_several_bots_left_is_one_doubt() {
        let at = |text: &str| -> OutboxPosition { text.parse().unwrap() };
        let all = ["3-0", "5-0", "7-0", "9-0"].map(at);
        let covered = |left: &[SendsInDoubt]| {
            let doubt = in_doubt(left, at("8-0"));
            all.map(|at| doubt.covers(&at))
        };
        let known = left(1, &["3-0"], Some("5-0"));
        let other = left(2, &["7-0"], Some("7-0"));
        assert_eq!(
            covered(std::slice::from_ref(&known)),
            [true, false, false, false]
        );
        assert_eq!(covered(&[known.clone(), other]), [true, false, true, false]);
        let whatever = left(2, &[], Some("5-0"));
        assert_eq!(
            covered(&[known.clone(), whatever]),
            [true, true, false, false]
        );
        let unbounded = left(2, &[], None);
        assert_eq!(covered(&[known, unbounded]), [true, true, true, false]);
    }
}
