//! What only the model knows, and the rules that nobody may ever break.
//!
//! ```text
//! rule                                                     where it is looked at
//! one epoch commits; a number is given once; no phase      each commit, each fence, each opening
//!   `open` without a passed test of that very epoch
//! an update is taken in once, and in its box's order       each commit
//! a cursor passes nothing that is neither taken in, kept   each move of a cursor, each settling of a kept message
//!   nor known to mean nothing
//! a reply leaves the outbox only with a known outcome      each settling
//! no two processes believe in one lease                    each renewal
//! no key in two connections that speak                     each call
//! ```
//! What can only be asked at the end (everybody served, nothing left, nothing shown twice unexplained) is in `check`. The first broken rule counts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use shared_core::{
    BotId, BoxId, ConversationKey, EntryId, EpochStamp, Holder, Incoming, MessageId, Nonce,
    OutboxEntry, OutboxKind, SmokeReport, UpdateId, WorkerId,
};

use crate::redis::State;
use crate::telegram::Telegram;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    StaleEpoch(EpochStamp),
    /// A leader's step was carried out for somebody who does not lead.
    StaleLeader(EpochStamp),
    /// A call left a process that does not hold the bot's lease.
    WithoutLease(BotId),
    EpochTwice(EpochStamp),
    OpenedUntested(EpochStamp),
    TakenTwice(ConversationKey, UpdateId),
    OutOfOrder(ConversationKey, UpdateId),
    /// A cursor passed it.
    Lost(BoxId, MessageId),
    /// A kept message was let go before it was taken in.
    LetGo(BotId, UpdateId),
    /// Out of the outbox, and no member has seen it.
    Unsent(EntryId),
    TwoHolders(BotId),
    KeyInTwo(BotId),
    /// Two updates' replies have one id.
    EntryIdTwice(EntryId),
    /// A committed reply is nowhere, and nobody has seen it.
    ReplyLost(EntryId),
    /// A bot says what another one composed about itself.
    ForeignWords(EntryId),
    /// More replies were shown twice than were said to be possible.
    ShownTwice {
        shown: u64,
        said: u64,
    },
    /// Someone in the middle of something has no live prompt and nothing that waits for him.
    Unserved(ConversationKey),
    /// Faults have stopped, and this has not come to rest within the bound.
    NotSettled(&'static str),
    Panic(String),
}

impl Wrong {
    /// The rule, without what it was broken with: a shorter history counts as the same failure if it breaks the same rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::StaleEpoch(_) => "one epoch commits",
            Self::StaleLeader(_) => "one leader writes",
            Self::WithoutLease(_) => "nothing is said without the lease",
            Self::EpochTwice(_) => "an epoch number is given once",
            Self::OpenedUntested(_) => "nothing is opened untested",
            Self::TakenTwice(..) => "an update is taken in once",
            Self::OutOfOrder(..) => "updates are taken in in order",
            Self::Lost(..) => "a cursor never skips",
            Self::LetGo(..) => "a kept message is let go once it is taken in",
            Self::Unsent(_) => "a reply is acknowledged once it is sent",
            Self::TwoHolders(_) => "no two holders of a connection",
            Self::KeyInTwo(_) => "no key in two connections",
            Self::ShownTwice { .. } => "no reply is shown twice unsaid",
            Self::EntryIdTwice(_) => "an entry's id is given once",
            Self::ReplyLost(_) => "no committed reply is lost",
            Self::ForeignWords(_) => "no bot says another's words",
            Self::Unserved(_) => "every open conversation ends served or parked",
            Self::NotSettled(_) => "convergence within a bound",
            Self::Panic(_) => "no panic",
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self:?}", self.rule())
    }
}

/// How a reply left the outbox without being moved elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    Sent,
    /// Another bot's words about itself, or an edit that a later one makes up for.
    Foreign,
}

/// What Telegram has shown of a reply.
#[derive(Debug, Clone, Default)]
struct Shown {
    times: u64,
    needless: bool,
}

#[derive(Debug, Default)]
pub struct Ghost {
    pub wrong: Option<Wrong>,
    epochs: BTreeMap<u64, Nonce>,
    /// Tests that were passed, in which epoch and by whom.
    tested: HashSet<(u64, BotId, WorkerId)>,
    waived: HashSet<UpdateId>,
    shown: HashMap<EntryId, Shown>,
    /// Which update each reply answers; what was committed as something to be shown.
    causes: HashMap<EntryId, (ConversationKey, UpdateId)>,
    owed: BTreeSet<EntryId>,
    /// Replies that were shown once more, and how many the product said may be.
    pub repeats: u64,
    pub said: u64,
    /// Redis was set back: what was sent may have come back into the outbox.
    pub set_back: bool,
    /// Then: conversations of which a reply was taken for sent because another message, whose word is lost, looks the same.
    pub mistaken: BTreeSet<ConversationKey>,
    /// Bots whose login was used again although somebody may have been connected with it: the supervisor said so.
    pub in_doubt: BTreeSet<BotId>,
    pub opened: u64,
    pub commits: u64,
    pub lost_keys: u64,
}

impl Ghost {
    pub fn fail(&mut self, wrong: Wrong) {
        self.wrong.get_or_insert(wrong);
    }

    /// An epoch begins.
    pub fn begins(&mut self, stamp: EpochStamp) {
        let known = self.epochs.insert(stamp.epoch.0, stamp.nonce);
        if known.is_some_and(|nonce| nonce != stamp.nonce) {
            self.fail(Wrong::EpochTwice(stamp));
        }
    }

    /// A holder's test is published.
    pub fn reports(&mut self, report: &SmokeReport) {
        if report.passed() {
            self.tested
                .insert((report.epoch.0, report.bot, report.worker.clone()));
        }
    }

    /// An epoch is opened for its holder.
    pub fn opened(&mut self, stamp: EpochStamp, by: Option<&Holder>) {
        self.opened += 1;
        let is_tested = by.is_some_and(|by| {
            self.tested
                .contains(&(stamp.epoch.0, by.bot, by.worker.clone()))
        });
        if !is_tested {
            self.fail(Wrong::OpenedUntested(stamp));
        }
    }

    /// A conversation takes an update in.
    pub fn takes(&mut self, key: &ConversationKey, before: &[UpdateId], update: &UpdateId) {
        self.commits += 1;
        if before.contains(update) {
            return self.fail(Wrong::TakenTwice(*key, *update));
        }
        let UpdateId::Message { r#box, message } = *update else {
            return;
        };
        let overtaken = before.iter().any(|known| {
            matches!(known, UpdateId::Message { r#box: other, message: later }
                if *other == r#box && *later > message)
        });
        if overtaken {
            self.fail(Wrong::OutOfOrder(*key, *update));
        }
    }

    /// A reply is committed; `update` is what it answers.
    pub fn commits(&mut self, entry: &OutboxEntry, update: Option<UpdateId>) {
        let Some(update) = update else { return };
        let cause = (entry.conversation, update);
        let known = self.causes.insert(entry.id, cause);
        if known.is_some_and(|known| known != cause) {
            self.fail(Wrong::EntryIdTwice(entry.id));
        }
        if matches!(entry.kind, OutboxKind::Say { .. }) {
            self.owed.insert(entry.id);
        }
    }

    /// Which committed reply nobody has seen although nothing holds it any more; `waits` knows what is parked or was refused.
    pub fn lost_reply(&self, waits: impl Fn(EntryId) -> bool) -> Option<EntryId> {
        let is_known = |entry: &EntryId| {
            self.shown
                .get(entry)
                .is_some_and(|shown| shown.times > 0 || shown.needless)
        };
        let mut owed = self.owed.iter();
        owed.find(|entry| !is_known(entry) && !waits(**entry))
            .copied()
    }

    /// This update means nothing to its conversation, or to a standby.
    pub fn waive(&mut self, update: Option<UpdateId>) {
        self.waived.extend(update);
    }

    /// A cursor passes what lies in `(from, to]` of its box.
    pub fn passes(&mut self, state: &State, telegram: &Telegram, r#box: BoxId, from: i32, to: i32) {
        for incoming in telegram.said_in(r#box, from, to) {
            let Some(id) = incoming.id() else { continue };
            if self.waived.contains(&id) || state.has_applied(&incoming.conversation(), &id) {
                continue;
            }
            let kept = match r#box {
                BoxId::Private(bot) => state
                    .held
                    .get(&bot)
                    .is_some_and(|held| held.values().any(|(kept, _)| kept.id() == Some(id))),
                BoxId::Channel(_) => false,
            };
            if !kept && let UpdateId::Message { message, .. } = id {
                return self.fail(Wrong::Lost(r#box, message));
            }
        }
    }

    /// The group's cursor begins here: what was said before belongs to nobody.
    pub fn seeded(&mut self, telegram: &Telegram, pts: i32) {
        let r#box = BoxId::Channel(crate::fixed::GROUP);
        let before: Vec<_> = telegram
            .said_in(r#box, 0, pts)
            .filter_map(Incoming::id)
            .collect();
        self.waived.extend(before);
    }

    /// Is it taken in, or known to mean nothing?
    pub fn is_handled(&self, state: &State, incoming: &Incoming) -> bool {
        incoming.id().is_none_or(|id| {
            self.waived.contains(&id) || state.has_applied(&incoming.conversation(), &id)
        })
    }

    /// A kept message is let go.
    pub fn lets_go(&mut self, state: &State, incoming: &Incoming) {
        if let (Some(id), BoxId::Private(bot)) = (incoming.id(), incoming.r#box)
            && !self.is_handled(state, incoming)
        {
            self.fail(Wrong::LetGo(bot, id));
        }
    }

    /// A member sees a reply; `entry` is none for what no outbox entry stands behind.
    pub fn shows(&mut self, entry: Option<EntryId>, is_foreign: bool) {
        let Some(entry) = entry else { return };
        if is_foreign {
            self.fail(Wrong::ForeignWords(entry));
        }
        let shown = self.shown.entry(entry).or_default();
        shown.times += 1;
        if shown.times > 1 {
            self.repeats += 1;
        }
    }

    pub fn is_shown(&self, entry: EntryId) -> bool {
        self.shown.get(&entry).is_some_and(|shown| shown.times > 0)
    }

    /// Nobody has to see it any more.
    pub fn needless(&mut self, entry: EntryId) {
        self.shown.entry(entry).or_default().needless = true;
    }

    /// A reply leaves the outbox.
    pub fn leaves(&mut self, entry: &OutboxEntry, how: Leaves) {
        let shown = self.shown.get(&entry.id);
        let known = shown.is_some_and(|shown| shown.times > 0 || shown.needless);
        if how == Leaves::Foreign {
            self.owed.remove(&entry.id);
        }
        let must_show = matches!(entry.kind, OutboxKind::Say { .. });
        // A Redis that was set back has lost the words of what was sent: an echo may then be taken for another reply that looks the same.
        if how == Leaves::Sent && must_show && !known {
            match self.set_back {
                true => drop(self.mistaken.insert(entry.conversation)),
                false => self.fail(Wrong::Unsent(entry.id)),
            }
        }
    }
}
