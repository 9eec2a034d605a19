//! One item on its way through one conversation: read, admitted, stepped, committed.
//!
//! ```text
//! his own doing ─▶ what is parked for him goes first
//! read (cache or Redis) ─▶ watermarks: duplicate? ─▶ done
//!                          └▶ step (pure) ─▶ commit ─▶ Done    ─▶ replies are in the outbox; presses are answered
//!                                                     ├ Stale   ─▶ read again: an earlier try of ours may have come through
//!                                                     ├ Gone    ─▶ done: what it settles was settled
//!                                                     ├ Fenced  ─▶ the epoch is over
//!                                                     ├ no answer ─▶ again, with backoff: the version tells whether it came through
//!                                                     └ damage   ─▶ given up after a few tries, said in the log by key; the value stays as it is
//! ```
//! Invariant: every path that settles an item has either committed it or knows that it needs no commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bot_worker_core::{Context, Dialogue, Event, Outbox, event_of, outbox_of, step};
use shared_core::{
    Admission, ConversationKey, Envelope, EventId, Incoming, PlaceKey, QueryId, UpdateId, entry_id,
};
use shared_io::clock;
use shared_io::redis::{Commit, Committed, Counter, EpochAnswer, OutboxPosition, StateError};
use shared_io::retry::{Backoff, RetryPolicy};
use tracing::{debug, error, warn};

use super::{Item, Origin};
use crate::tenure::Tenure;

/// How often damage is looked at before it is given up: it may be a read that was cut short.
const DAMAGED: u32 = 3;

/// Tells the event that a message was not taken from the effects that it might have had.
const NOT_TAKEN: u32 = u32::MAX - 2;

/// What became of an item.
pub struct Done {
    pub key: ConversationKey,
    pub origin: Origin,
    pub outcome: Outcome,
}

pub enum Outcome {
    Stands {
        envelope: Box<Envelope<Dialogue>>,
        /// Something was committed, so the member has or gets a live prompt.
        committed: bool,
        /// The step was a good moment to invite him; what it was the step of.
        invites: Option<UpdateId>,
    },
    /// The stored conversation is damaged: nothing was done, nobody else waits for it.
    GivenUp,
    /// The epoch is over.
    Fenced,
}

enum Try {
    Finished {
        envelope: Box<Envelope<Dialogue>>,
        committed: bool,
        invites: Option<UpdateId>,
    },
    Fenced,
    ReadAgain,
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
    let mut damaged = 0;
    let outcome = loop {
        let tried = match known.take() {
            Some(envelope) => attempt(&tenure, key, envelope, &item).await,
            None => match read(&tenure, &key).await {
                Ok(envelope) => attempt(&tenure, key, envelope, &item).await,
                Err(error) => Err(error),
            },
        };
        match tried {
            Ok(Try::Finished {
                envelope,
                committed,
                invites,
            }) => {
                break Outcome::Stands {
                    envelope,
                    committed,
                    invites,
                };
            }
            Ok(Try::Fenced) => {
                tenure.work.commits_refused.fetch_add(1, Ordering::Relaxed);
                break Outcome::Fenced;
            }
            Ok(Try::ReadAgain) => {}
            Err(error) => {
                warn!(conversation = %key, %error, "a conversation waits");
                // Only what is stored can be damaged; a Redis that refuses (full, read-only, no access) is waited for.
                damaged += u32::from(matches!(error, StateError::Unreadable { .. }));
                if damaged > DAMAGED {
                    error!(conversation = %key, %error, "given up: what is stored needs a look");
                    break Outcome::GivenUp;
                }
                let pause = backoff.next_delay().unwrap_or(Duration::from_millis(500));
                tokio::time::sleep(pause).await;
            }
        }
    };
    Done {
        key,
        origin,
        outcome,
    }
}

/// A damaged value is not overwritten: it may be a newer program's, or all that is left of somebody's work.
async fn read(tenure: &Tenure, key: &ConversationKey) -> Result<Envelope<Dialogue>, StateError> {
    let Some(stored) = tenure.context.state.conversation(key).await? else {
        return Ok(Envelope::default());
    };
    Envelope::decode(&stored).map_err(|damage| StateError::Unreadable {
        doing: format!("read conversation {key}"),
        why: damage.to_string(),
    })
}

/// Nothing was committed, and nothing needs to be.
fn as_it_was(envelope: Envelope<Dialogue>) -> Try {
    Try::Finished {
        envelope: Box::new(envelope),
        committed: false,
        invites: None,
    }
}

async fn attempt(
    tenure: &Arc<Tenure>,
    key: ConversationKey,
    envelope: Envelope<Dialogue>,
    item: &Item,
) -> Result<Try, StateError> {
    if shows_that_he_is_there(item, &key)
        && let EpochAnswer::Fenced { .. } = tenure.unpark(key.member).await?
    {
        return Ok(Try::Fenced);
    }
    let Some((update, event)) = meaning(tenure, item, &envelope) else {
        return Ok(as_it_was(envelope));
    };
    let mut next = envelope.clone();
    if next.marks.admit(&update) == Admission::Duplicate {
        tenure.work.count(tenure, Counter::Duplicates, 1);
        if let UpdateId::Press { query } = update {
            answer_press(tenure, query, None, false);
        }
        return Ok(as_it_was(envelope));
    }
    let now = clock::unix_now();
    let catalog = &tenure.context.catalog;
    let username = tenure.context.status.username();
    let stepped = step(
        &envelope.state,
        &event,
        &Context {
            pool: &tenure.context.pool,
            me_username: &username,
            previous_username: tenure.previous_username.as_deref(),
            pool_usernames: &tenure.usernames,
            texts: &tenure.context.shared.texts,
            catalog,
            now,
            invite_again_ms: tenure.context.invite_again_ms(),
            key,
        },
    );
    next.state = stepped.dialogue;
    next.version += 1;
    next.at = now;
    let outbox = outbox_of(
        stepped.effects,
        &tenure.context.pool,
        &key,
        &update,
        tenure.context.lease.bot,
        now,
    );
    let stored = match next.encode() {
        Ok(stored) => stored,
        // Plain data: it cannot fail; if it does, the member can say it again and nothing is half done.
        Err(fault) => {
            error!(conversation = %key, error = %fault, "a conversation could not be encoded");
            return Ok(as_it_was(envelope));
        }
    };
    let counters = counters_of(item, &event, !outbox.entries.is_empty());
    let committed = tenure
        .context
        .state
        .commit(&Commit {
            stamp: tenure.stamp,
            conversation: &key,
            expected_version: envelope.version,
            stored: &stored,
            open: stepped.open.then_some(now),
            outbox: &outbox.entries,
            records: &outbox.records,
            settles: settles_of(item),
            counters: &counters,
        })
        .await?;
    Ok(match committed {
        Committed::Done { .. } => {
            after_commit(tenure, outbox);
            Try::Finished {
                envelope: Box::new(next),
                committed: true,
                invites: stepped.invites.then_some(update),
            }
        }
        Committed::Gone => as_it_was(envelope),
        Committed::Stale { version } => {
            debug!(conversation = %key, version, "read again");
            // The commit of an earlier try came through: its replies are in the outbox.
            tenure.outbox.notify_one();
            tenure.records.notify_one();
            Try::ReadAgain
        }
        Committed::Fenced { .. } => Try::Fenced,
    })
}

/// His own doing in private: he can be written to, and what had to wait for that comes before the answer to it.
fn shows_that_he_is_there(item: &Item, key: &ConversationKey) -> bool {
    matches!(item, Item::Heard(_) | Item::Held(_)) && key.place == PlaceKey::Private
}

/// The item's identity and what it means here; `None` when it means nothing.
fn meaning(
    tenure: &Tenure,
    item: &Item,
    envelope: &Envelope<Dialogue>,
) -> Option<(UpdateId, Event)> {
    match item {
        Item::Heard(incoming) => heard(incoming, &envelope.state),
        Item::Held(incoming) if tenure.is_outdated(incoming.date, envelope.at) => None,
        Item::Held(incoming) => heard(incoming, &envelope.state),
        Item::NotTaken(incoming) if tenure.is_outdated(incoming.date, envelope.at) => None,
        Item::NotTaken(incoming) => {
            let of = entry_id(
                &tenure.context.pool,
                &incoming.conversation(),
                &incoming.id()?,
                NOT_TAKEN,
            );
            Some((
                UpdateId::Internal {
                    event: EventId(of.0),
                },
                Event::NotTaken,
            ))
        }
        // He has begun something meanwhile.
        Item::Internal {
            event: Event::Invited { .. },
            ..
        } if envelope.state.is_open() => None,
        Item::Internal { event, id, .. } => {
            Some((UpdateId::Internal { event: *id }, event.clone()))
        }
        Item::Reprompt => envelope.state.is_open().then(|| {
            (
                UpdateId::Internal {
                    event: tenure.resumption(0),
                },
                Event::Resumed,
            )
        }),
    }
}

fn heard(incoming: &Incoming, dialogue: &Dialogue) -> Option<(UpdateId, Event)> {
    Some((incoming.id()?, event_of(incoming, dialogue)?))
}

fn settles_of(item: &Item) -> Option<OutboxPosition> {
    match item {
        Item::Internal { settles, .. } => *settles,
        Item::Heard(_) | Item::Held(_) | Item::NotTaken(_) | Item::Reprompt => None,
    }
}

fn counters_of(item: &Item, event: &Event, says_something: bool) -> Vec<(Counter, i64)> {
    match (item, event) {
        (Item::Reprompt, _) => vec![(Counter::ConversationsContinued, 1)],
        (_, Event::Invited { .. }) if says_something => vec![(Counter::Invited, 1)],
        (_, Event::FileLost { .. }) => vec![(Counter::FilesToResend, 1)],
        _ => Vec::new(),
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
    for answer in outbox.answers {
        answer_press(tenure, answer.query, answer.text, answer.alert);
    }
}

/// Best effort: who gets no answer presses again.
fn answer_press(tenure: &Arc<Tenure>, query: QueryId, text: Option<String>, alert: bool) {
    if !tenure.may_send() {
        return;
    }
    let tenure = Arc::clone(tenure);
    tokio::spawn(async move {
        if let Err(error) = tenure
            .calls
            .answer_press(query, text.as_deref(), alert)
            .await
        {
            debug!(%query, %error, "a press was not answered");
        }
    });
}
