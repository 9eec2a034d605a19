//! One item on its way through one conversation: read, taken in, committed.
//!
//! ```text
//! his own doing ─▶ what is parked for him goes first
//! read (cache or Redis) ─▶ take (pure: watermarks, step; draws over his own prompts alone, `prompts.rs`) ─▶ known, nothing to settle ─▶ done
//!  │                                                     └▶ commit ─▶ Done    ─▶ replies are in the outbox; presses are answered
//!  │                                                                ├ Stale   ─▶ read again, after a pause: an earlier try of ours may have come through
//!  │                                                                ├ Gone    ─▶ done: what it settles was settled
//!  │                                                                ├ Full    ─▶ again, and the step takes no record
//!  │                                                                ├ Fenced  ─▶ the epoch is over
//!  │                                                                └ no answer ─▶ again, with backoff: the version tells whether it came through
//!  └ cannot be read, or never committed to (`patience.rs`) ─▶ moved aside or left alone (`damage.rs`)
//! ```
//! Invariant: every path that settles an item has either committed it or knows that it needs no commit, or that its member is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bot_worker_core::{Dialogue, Event, Intake, Outbox, PressAnswer, Taken, read, take};
use shared_core::{
    ConversationKey, Envelope, EnvelopeError, PlaceKey, QueryId, TOMBSTONE_KEPT, UpdateId,
};
use shared_io::redis::{Commit, Committed, Counter, EpochAnswer, StateError, StoredConversation};
use shared_io::retry::{Backoff, RetryPolicy};
use tracing::{debug, error, warn};

use super::damage::{Aside, leave_alone, move_aside};
use super::meaning::{counters_of, meaning, settles_of};
use super::patience::{Hopeless, Patience, Verdict};
use super::{Item, Origin};
use crate::tenure::Tenure;

/// Answers to presses whose commit was not answered: if that came through, they are what its step had to say.
type Unsaid = Vec<PressAnswer>;

/// What became of an item.
pub struct Done {
    pub key: ConversationKey,
    pub origin: Origin,
    pub outcome: Outcome,
}

pub enum Outcome {
    Stands {
        envelope: Box<Envelope<Dialogue>>,
        /// The member's latest prompt is one of this bot's.
        serves: bool,
        /// The step was a good moment to invite him; what it was the step of.
        invites: Option<UpdateId>,
    },
    /// Nothing was done to what is stored, and nobody else waits for it.
    LeftAlone,
    /// The epoch is over.
    Fenced,
}

enum Try {
    Finished(Outcome),
    ReadAgain,
    /// A commit found this version.
    Stale(u64),
    /// A fresh conversation stands there for the item.
    StartedOver(Box<Envelope<Dialogue>>),
}

impl Try {
    fn stands(envelope: Envelope<Dialogue>, serves: bool) -> Self {
        Self::Finished(Outcome::Stands {
            envelope: Box::new(envelope),
            serves,
            invites: None,
        })
    }
}

pub async fn run(
    tenure: Arc<Tenure>,
    key: ConversationKey,
    cached: Option<Envelope<Dialogue>>,
    item: Item,
    origin: Origin,
) -> Done {
    let mut backoff = Backoff::new(RetryPolicy::forever(
        Duration::from_millis(20),
        Duration::from_millis(500),
    ));
    let mut known = cached;
    let mut patience = Patience::default();
    let mut unsaid = Vec::new();
    let outcome = loop {
        let verdict = patience.verdict();
        let tried = match (verdict, known.take()) {
            (Verdict::LeaveAlone(why), _) => {
                error!(conversation = %key, %why, "an item is given up");
                break Outcome::LeftAlone;
            }
            (Verdict::MoveAside(why), _) => {
                from_store(&tenure, key, &item, Some(why), &mut unsaid).await
            }
            (Verdict::GoOn, Some(envelope)) => {
                attempt(&tenure, key, envelope, &item, &mut unsaid).await
            }
            (Verdict::GoOn, None) => from_store(&tenure, key, &item, None, &mut unsaid).await,
        };
        match tried {
            Ok(Try::Finished(outcome)) => break outcome,
            Ok(Try::StartedOver(envelope)) => {
                patience.starts_over();
                known = Some(*envelope);
                continue;
            }
            Ok(Try::ReadAgain) => {}
            Ok(Try::Stale(version)) => patience.stale(version),
            Err(error) => {
                warn!(conversation = %key, %error, "a conversation waits");
                patience.failed(&error);
            }
        }
        let pause = backoff.next_delay().unwrap_or(Duration::from_millis(500));
        tokio::time::sleep(pause).await;
    };
    if matches!(outcome, Outcome::Fenced) {
        tenure.work.commits_refused.fetch_add(1, Ordering::Relaxed);
    }
    Done {
        key,
        origin,
        outcome,
    }
}

/// Goes on from what is stored. `hopeless`: it can be read, and no more than that; then it is treated as what cannot.
async fn from_store(
    tenure: &Arc<Tenure>,
    key: ConversationKey,
    item: &Item,
    hopeless: Option<Hopeless>,
    unsaid: &mut Unsaid,
) -> Result<Try, StateError> {
    let (raw, why) = match tenure.context.state.stored_conversation(&key).await? {
        StoredConversation::None if hopeless.is_some() => {
            return Ok(Try::StartedOver(Box::default()));
        }
        StoredConversation::None => {
            return attempt(tenure, key, Envelope::default(), item, unsaid).await;
        }
        StoredConversation::Text(text) => match (read(&text), hopeless) {
            (Ok(envelope), None) => return attempt(tenure, key, envelope, item, unsaid).await,
            (Ok(_), Some(why)) => (text.into_bytes(), why.to_string()),
            (Err(why), _) if why.is_newer() => {
                leave_alone(tenure, key, item, &why).await;
                return Ok(Try::Finished(Outcome::LeftAlone));
            }
            (Err(why), _) => (text.into_bytes(), why.to_string()),
        },
        StoredConversation::Damaged { raw, why } => (raw, why.to_string()),
    };
    Ok(match move_aside(tenure, key, item, &raw, &why).await? {
        Aside::Answered(envelope) => Try::stands(envelope, true),
        Aside::Fresh(envelope) => Try::StartedOver(Box::new(envelope)),
        Aside::ReadAgain => Try::ReadAgain,
        Aside::Fenced => Try::Finished(Outcome::Fenced),
    })
}

async fn attempt(
    tenure: &Arc<Tenure>,
    key: ConversationKey,
    envelope: Envelope<Dialogue>,
    item: &Item,
    unsaid: &mut Unsaid,
) -> Result<Try, StateError> {
    if may_be_written_to(item, &key)
        && let EpochAnswer::Fenced { .. } = tenure.unpark(key.member).await?
    {
        return Ok(Try::Finished(Outcome::Fenced));
    }
    let Some((update, event)) = meaning(tenure, item, &envelope) else {
        return Ok(Try::stands(envelope, false));
    };
    let (me, settles) = (tenure.context.lease.bot, settles_of(tenure, item, &event));
    let intake = tenure.in_context(key, |ctx| {
        take(&envelope, &update, &event, ctx, me, settles.is_some())
    });
    let mut taken = match intake {
        Ok(Intake::Taken(taken)) => *taken,
        Ok(Intake::Known) => {
            is_known(tenure, &update, std::mem::take(unsaid));
            return Ok(Try::stands(envelope, false));
        }
        Err(fault) => return Ok(cannot_be_written(key, envelope, &fault)),
    };
    if taken.known {
        is_known(tenure, &update, std::mem::take(unsaid));
    }
    tenure.prompts.keep_to_his_own(key, &mut taken).await;
    let committed = commit(tenure, key, envelope.version, &taken, item, &event).await;
    if committed.is_err() {
        *unsaid = std::mem::take(&mut taken.outbox.answers);
    }
    Ok(match committed? {
        Committed::Done { positions } => {
            let entries = &taken.outbox.entries;
            tenure.prompts.committed(key, entries, &positions);
            after_commit(tenure, taken.outbox);
            Try::Finished(Outcome::Stands {
                envelope: Box::new(taken.envelope),
                serves: taken.serves,
                invites: taken.invites.then_some(update),
            })
        }
        Committed::Gone => {
            tenure.outbox.notify_one();
            Try::stands(envelope, false)
        }
        Committed::Stale { version } => {
            debug!(conversation = %key, version, "read again");
            // The commit of an earlier try came through: what it led to is in its place.
            tenure.outbox.notify_one();
            tenure.records.notify_one();
            tenure.inbox.notify_one();
            Try::Stale(version)
        }
        Committed::Full => {
            warn!(conversation = %key, "not taken: too many records wait for the database");
            tenure.records_full.store(true, Ordering::Release);
            Try::ReadAgain
        }
        Committed::Fenced { .. } => Try::Finished(Outcome::Fenced),
    })
}

/// In private, his own doing, or what is shown to who can be written to: what had to wait for that comes before it, so that his latest message is the
/// one with live buttons.
fn may_be_written_to(item: &Item, key: &ConversationKey) -> bool {
    let is_there = matches!(
        item,
        Item::Heard(_) | Item::Held(..) | Item::Reprompt { .. }
    );
    is_there && key.place == PlaceKey::Private
}

/// Plain data: it cannot fail; if it does, the member can say it again and nothing is half done.
fn cannot_be_written(
    key: ConversationKey,
    envelope: Envelope<Dialogue>,
    fault: &EnvelopeError,
) -> Try {
    error!(conversation = %key, error = %fault, "a conversation could not be encoded");
    Try::stands(envelope, false)
}

async fn commit(
    tenure: &Tenure,
    key: ConversationKey,
    expected_version: u64,
    taken: &Taken,
    item: &Item,
    event: &Event,
) -> Result<Committed, StateError> {
    let counters = match taken.known {
        true => Vec::new(),
        false => counters_of(item, event, !taken.outbox.entries.is_empty()),
    };
    let commit = Commit {
        stamp: tenure.stamp,
        conversation: &key,
        expected_version,
        stored: &taken.stored,
        open: taken.open,
        active: taken.active,
        // When he was last invited is to be known for as long as it matters.
        keep: TOMBSTONE_KEPT.max(Duration::from_millis(tenure.context.invite_again_ms())),
        outbox: &taken.outbox.entries,
        records: &taken.outbox.records,
        records_at_most: tenure.context.shared.config.database.max_waiting_records,
        told: &taken.outbox.told,
        settles: settles_of(tenure, item, event),
        counters: &counters,
    };
    tenure.context.state.commit(&commit).await
}

fn is_known(tenure: &Arc<Tenure>, update: &UpdateId, unsaid: Unsaid) {
    tenure.work.count(tenure, Counter::Duplicates, 1);
    match update {
        UpdateId::Press { query } if unsaid.is_empty() => {
            let said = tenure.context.presses.said(*query);
            let (text, alert) = said.unwrap_or_default();
            answer_press(tenure, *query, text, alert);
        }
        _ => say(tenure, unsaid),
    }
}

fn say(tenure: &Arc<Tenure>, answers: Unsaid) {
    for answer in answers {
        answer_press(tenure, answer.query, answer.text, answer.alert);
    }
}

fn after_commit(tenure: &Arc<Tenure>, outbox: Outbox) {
    tenure.work.commits.fetch_add(1, Ordering::Relaxed);
    tenure.context.tail.committed();
    if !outbox.entries.is_empty() {
        tenure.outbox.notify_one();
    }
    if !outbox.records.is_empty() {
        tenure.records.notify_one();
    }
    if !outbox.told.is_empty() {
        tenure.inbox.notify_one();
    }
    say(tenure, outbox.answers);
}

/// Where it cannot be given any more, it is owed (`presses.rs`).
fn answer_press(tenure: &Arc<Tenure>, query: QueryId, text: Option<String>, alert: bool) {
    let presses = Arc::clone(&tenure.context.presses);
    presses.taken(query, text.clone(), alert);
    if !tenure.may_send() {
        return;
    }
    let tenure = Arc::clone(tenure);
    tokio::spawn(async move {
        let given = tenure.calls.answer_press(query, text.as_deref(), alert);
        match given.await {
            Err(error) if error.class.is_retryable() => {
                debug!(%query, %error, "a press is not answered yet");
            }
            Err(error) => {
                debug!(%query, %error, "a press was not answered");
                presses.answered(query);
            }
            Ok(()) => presses.answered(query),
        }
    });
}
