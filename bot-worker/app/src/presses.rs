//! Presses that this bot has heard and not answered yet, so that no member's client waits in vain because another bot took over.
//!
//! ```text
//! heard                      noted here, whoever takes it in
//! taken in, and answered     forgotten
//! taken in, not answered     the tenure ended in between: the answer is kept
//! not taken in               fenced before its commit, or a standby heard it
//! another bot answers        each gets the answer that it has; an empty one, where its conversation knows the press; a word, where it does not
//! ```
//! A press is no part of a difference: who does not hear it live never hears of it, and nobody but the bot whose button it is can answer it. Invariant:
//! whoever is given the word has pressed without effect. What an earlier epoch did not commit is not committed any more once another one is open, and
//! what was kept for this bot is taken out while that one is. Not here: presses of admins (`admin`); what a process takes with it when it is killed: those
//! time out, and people press again. Telegram takes the first answer only, so a second one does no harm.
//! Source: <https://core.telegram.org/bots/api#answercallbackquery>.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bot_worker_core::Dialogue;
use futures_util::StreamExt;
use shared_core::{Admission, BootMs, Envelope, EpochStamp, Incoming, QueryId, UpdateId};
use shared_io::clock;
use shared_io::redis::{EpochAnswer, StateError};
use shared_io::telegram::{Batch, Calls};
use tracing::debug;

use crate::active::HELD;
use crate::announce;
use crate::context::BotContext;
use crate::status::lock;

/// Telegram stops waiting for an answer after some ten seconds; later ones are refused.
const WAITS: Duration = Duration::from_secs(30);
/// More are not remembered: the oldest are left to time out.
const REMEMBERED: usize = 1_024;
/// Answered at once.
const AT_ONCE: usize = 16;
/// How long Redis may keep the session from everything else; what is not decided by then is decided later.
const DECIDES: Duration = Duration::from_millis(300);
/// How long the active bot's name is waited for.
const NAME: Duration = Duration::from_millis(300);

/// What becomes of a press.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Open,
    /// Its step is committed: what pops up, and whether in a window.
    Taken(Option<String>, bool),
    /// Nobody will take it in.
    TurnedAway,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Owed {
    query: QueryId,
    press: Incoming,
    since: BootMs,
    /// Telegram said to wait until then.
    not_before: BootMs,
    /// It may stand among the messages that are kept for this bot.
    kept: bool,
    fate: Fate,
}

#[derive(Debug, Default)]
pub struct Presses {
    owed: Mutex<VecDeque<Owed>>,
    /// Those who pressed were told that nothing comes of it.
    refused: Mutex<VecDeque<QueryId>>,
}

impl Presses {
    /// Before anybody takes them in. A difference may bring one again whose member was given the word: nobody is to take that in.
    pub fn hear(&self, batch: &mut Batch) {
        let refused = lock(&self.refused);
        let is_refused = |item: &Incoming| query_of(item).is_some_and(|it| refused.contains(&it));
        batch.items.retain(|item| !is_refused(item));
        for item in &batch.items {
            if let Some(query) = query_of(item) {
                self.note(query, item);
            }
        }
    }

    /// It is about to be kept for this bot's own activation.
    pub fn keeps(&self, press: &Incoming) {
        let mut owed = lock(&self.owed);
        let kept = owed.iter_mut();
        kept.filter(|it| Some(it.query) == query_of(press))
            .for_each(|it| it.kept = true);
    }

    fn note(&self, query: QueryId, press: &Incoming) {
        let mut owed = lock(&self.owed);
        if owed.iter().any(|it| it.query == query) {
            return;
        }
        if owed.len() >= REMEMBERED {
            owed.pop_front();
        }
        owed.push_back(Owed {
            query,
            press: press.clone(),
            since: clock::boot_now(),
            not_before: BootMs(0),
            kept: false,
            fate: Fate::Open,
        });
    }

    /// Its step is committed.
    pub fn taken(&self, query: QueryId, text: Option<String>, alert: bool) {
        let mut owed = lock(&self.owed);
        if let Some(it) = owed.iter_mut().find(|it| it.query == query) {
            it.fate = Fate::Taken(text, alert);
        }
    }

    /// What its step had to say, where Telegram is not known to have heard that: it may be delivered again meanwhile.
    pub fn said(&self, query: QueryId) -> Option<(Option<String>, bool)> {
        let owed = lock(&self.owed);
        let taken = owed.iter().find(|it| it.query == query)?;
        match &taken.fate {
            Fate::Taken(text, alert) => Some((text.clone(), *alert)),
            Fate::Open | Fate::TurnedAway => None,
        }
    }

    /// Telegram has heard the answer, or does not want it any more.
    pub fn answered(&self, query: QueryId) {
        lock(&self.owed).retain(|it| it.query != query);
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.owed).is_empty()
    }

    /// Nobody waits for what is old.
    fn waited_for(&self) -> MutexGuard<'_, VecDeque<Owed>> {
        let now = clock::boot_now();
        let mut owed = lock(&self.owed);
        owed.retain(|it| now.since(it.since) < WAITS);
        owed
    }

    /// Those of which nobody knows yet what becomes of them.
    fn open(&self) -> Vec<Owed> {
        let owed = self.waited_for();
        let open = owed.iter().filter(|it| it.fate == Fate::Open);
        open.cloned().collect()
    }

    fn turned_away(&self, query: QueryId) {
        let mut owed = lock(&self.owed);
        let mut open = owed.iter_mut().filter(|it| it.fate == Fate::Open);
        if let Some(it) = open.find(|it| it.query == query) {
            it.fate = Fate::TurnedAway;
            let mut refused = lock(&self.refused);
            if refused.len() >= REMEMBERED {
                refused.pop_front();
            }
            refused.push_back(query);
        }
    }

    fn take_decided(&self) -> Vec<Owed> {
        let now = clock::boot_now();
        let mut owed = self.waited_for();
        let is_due = |it: &Owed| it.fate != Fate::Open && it.not_before <= now;
        let (due, others) = owed.drain(..).partition(is_due);
        *owed = others;
        let due: VecDeque<Owed> = due;
        due.into()
    }
}

fn query_of(incoming: &Incoming) -> Option<QueryId> {
    match incoming.id()? {
        UpdateId::Press { query } => Some(query),
        _ => None,
    }
}

/// Another bot answers, in this epoch. Whatever is still open is decided: as long as that epoch is open, what was kept is taken out of its place, and
/// what no conversation knows by then none will ever know.
pub async fn decide(context: &BotContext, stamp: EpochStamp) {
    let open = context.presses.open();
    if open.is_empty() {
        return;
    }
    let decided = decide_open(context, stamp, open);
    match tokio::time::timeout(DECIDES, decided).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(bot = %context.lease.bot, %error, "presses wait"),
        Err(_) => debug!(bot = %context.lease.bot, "presses wait for Redis"),
    }
}

async fn decide_open(
    context: &BotContext,
    stamp: EpochStamp,
    open: Vec<Owed>,
) -> Result<(), StateError> {
    let (state, me) = (&context.state, context.lease.bot);
    let kept: HashSet<QueryId> = open
        .iter()
        .filter(|it| it.kept)
        .map(|it| it.query)
        .collect();
    let mut positions = Vec::new();
    if !kept.is_empty() {
        for (position, incoming) in state.held(me, HELD).await? {
            if query_of(&incoming).is_some_and(|query| kept.contains(&query)) {
                positions.push(position);
            }
        }
    }
    if let EpochAnswer::Fenced { .. } = state.held_settle(stamp, me, &positions).await? {
        return Ok(());
    }
    let keys: Vec<_> = open.iter().map(|it| it.press.conversation()).collect();
    let stored = state.conversations(&keys).await?;
    for (it, stored) in open.iter().zip(stored) {
        match knows(stored.as_deref(), &it.press) {
            // Who cannot read it must not say that nothing came of it.
            Some(true) | None => context.presses.taken(it.query, None, false),
            Some(false) => context.presses.turned_away(it.query),
        }
    }
    Ok(())
}

/// Answers what is decided.
pub async fn answer(context: Arc<BotContext>, calls: Calls) {
    let decided = context.presses.take_decided();
    if decided.is_empty() {
        return;
    }
    let active = active(&context).await;
    futures_util::stream::iter(decided)
        .for_each_concurrent(AT_ONCE, |it| {
            answer_one(&context, &calls, active.as_deref(), it)
        })
        .await;
}

async fn answer_one(context: &BotContext, calls: &Calls, active: Option<&str>, mut it: Owed) {
    let (text, alert) = match &it.fate {
        Fate::Taken(text, alert) => (text.clone(), *alert),
        Fate::TurnedAway | Fate::Open => {
            let word = context.shared.texts.standby_pressed(active);
            (Some(word), false)
        }
    };
    if let Err(error) = calls.answer_press(it.query, text.as_deref(), alert).await {
        debug!(query = %it.query, %error, "a press was not answered");
        if error.class.is_retryable() {
            let wait = Duration::from_secs(error.wait_s.unwrap_or(0).into());
            it.not_before = clock::boot_now().plus(wait);
            lock(&context.presses.owed).push_back(it);
        }
    }
}

/// The name of the bot that answers, if it is known soon.
async fn active(context: &BotContext) -> Option<String> {
    let name = async {
        let record = context.state.epoch().await.ok().flatten()?;
        announce::username(context, record.holder?.bot).await
    };
    tokio::time::timeout(NAME, name).await.ok().flatten()
}

/// Has its conversation taken this in, through whichever bot?
pub async fn was_taken(context: &BotContext, heard: &Incoming) -> Result<bool, StateError> {
    let stored = context.state.conversations(&[heard.conversation()]).await?;
    let stored = stored.into_iter().flatten().next();
    Ok(knows(stored.as_deref(), heard).unwrap_or(false))
}

/// `None`: a newer program wrote it, or nobody can read it.
fn knows(stored: Option<&str>, heard: &Incoming) -> Option<bool> {
    let (Some(text), Some(id)) = (stored, heard.id()) else {
        return Some(false);
    };
    let mut envelope = Envelope::<Dialogue>::decode(text).ok()?;
    Some(envelope.marks.admit(&id) == Admission::Duplicate)
}

#[cfg(test)]
mod tests {
    use shared_core::{BotId, BoxId, IncomingKind, MemberId, MessageId, Place, UnixMs};

    use super::*;

    fn press(query: i64) -> Incoming {
        Incoming {
            r#box: BoxId::Private(BotId(1)),
            place: Place::Private,
            member: MemberId(5),
            name: "Ada".into(),
            date: UnixMs(1),
            what: IncomingKind::Press {
                query: QueryId(query),
                message: MessageId(3),
                data: "1.Done".into(),
            },
        }
    }

    fn heard(queries: impl IntoIterator<Item = i64>) -> Presses {
        let presses = Presses::default();
        let mut batch = Batch {
            items: queries.into_iter().map(press).collect(),
            ..Batch::default()
        };
        batch.items.push(Incoming {
            what: IncomingKind::Stopped { stopped: true },
            ..press(0)
        });
        presses.hear(&mut batch);
        presses
    }

    fn queries(owed: &[Owed]) -> Vec<i64> {
        owed.iter().map(|it| it.query.0).collect()
    }

    #[test]
    fn each_press_is_owed_once_until_it_is_answered() {
        let presses = heard([1, 2, 2, 3]);
        assert_eq!(queries(&presses.open()), [1, 2, 3]);
        presses.answered(QueryId(2));
        presses.keeps(&press(3));
        let kept: Vec<bool> = presses.open().iter().map(|it| it.kept).collect();
        assert_eq!(kept, [false, true]);
        assert_eq!(queries(&presses.take_decided()), [0; 0]);
        assert!(!presses.is_empty());
    }

    #[test]
    fn what_is_taken_keeps_its_answer_and_nobody_is_turned_away_who_has_one() {
        let presses = heard([1, 2, 3]);
        presses.taken(QueryId(1), Some("Only the member".into()), true);
        let said = (Some("Only the member".to_owned()), true);
        assert_eq!(presses.said(QueryId(1)), Some(said), "delivered again");
        assert_eq!(presses.said(QueryId(2)), None);
        presses.turned_away(QueryId(1));
        presses.turned_away(QueryId(2));
        let decided = presses.take_decided();
        let fates: Vec<&Fate> = decided.iter().map(|it| &it.fate).collect();
        let answer = Fate::Taken(Some("Only the member".into()), true);
        assert_eq!(fates, [&answer, &Fate::TurnedAway]);
        assert_eq!(queries(&presses.open()), [3], "nobody knows yet");
    }

    #[test]
    fn what_was_turned_away_and_comes_again_is_heard_by_nobody() {
        let presses = heard([1, 2]);
        presses.turned_away(QueryId(1));
        let mut again = Batch {
            items: vec![press(1), press(2), press(3)],
            ..Batch::default()
        };
        presses.hear(&mut again);
        assert_eq!(again.items, [press(2), press(3)]);
        assert_eq!(queries(&presses.open()), [2, 3]);
    }

    #[test]
    fn a_conversation_that_nobody_can_read_may_know_every_press() {
        assert_eq!(knows(None, &press(1)), Some(false));
        assert_eq!(knows(Some("7\nnot an envelope"), &press(1)), None);
    }

    #[test]
    fn who_is_told_to_wait_waits() {
        let presses = heard([1]);
        presses.turned_away(QueryId(1));
        lock(&presses.owed)[0].not_before = clock::boot_now().plus(Duration::from_secs(60));
        assert_eq!(queries(&presses.take_decided()), [0; 0]);
        lock(&presses.owed)[0].not_before = BootMs(0);
        assert_eq!(queries(&presses.take_decided()), [1]);
    }

    #[test]
    fn of_too_many_the_oldest_are_left_to_time_out() {
        let many = i64::try_from(REMEMBERED).unwrap_or(i64::MAX);
        let presses = heard(1..=many + 2);
        let open = queries(&presses.open());
        assert_eq!((open.len(), open[0]), (REMEMBERED, 3));
    }
}
