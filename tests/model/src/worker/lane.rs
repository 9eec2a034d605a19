//! `engine/lane.rs`: one item on its way through one conversation: read, taken in, committed.
//!
//! Real: `read`, `take`, `event_of`, `Envelope`, `Watermarks` inside it. Invariant: every path that settles an item has committed it or knows that it
//! needs no commit.

use std::rc::Rc;

use bot_worker_core::kept::{Age, unacted};
use bot_worker_core::{Dialogue, Event, Intake, Taken, event_of, read, take};
use shared_core::{
    ConversationKey, EntryId, Envelope, EventId, Incoming, IncomingKind, OutboxKind, PlaceKey,
    UpdateId, Watermarks,
};

use super::tenure::{Item, Tenure};
use crate::bug::Bug;
use crate::redis::{Commit, Committed, Settles};
use crate::sim::Away;

/// Tells that something was not taken from being shown where one stands.
const NOT_TAKEN: u8 = 2;

pub enum Outcome {
    Stands {
        envelope: Box<Envelope<Dialogue>>,
        /// The member's latest prompt is one of this bot's.
        serves: bool,
    },
    Fenced,
}

enum Try {
    Finished(Outcome),
    ReadAgain,
}

fn stands(envelope: Envelope<Dialogue>, serves: bool) -> Try {
    let envelope = Box::new(envelope);
    Try::Finished(Outcome::Stands { envelope, serves })
}

pub async fn run(
    tenure: &Rc<Tenure>,
    key: ConversationKey,
    cached: Option<Envelope<Dialogue>>,
    item: &Item,
) -> Outcome {
    let mut known = cached;
    let mut pause = 20;
    loop {
        let tried = match known.take() {
            Some(envelope) => attempt(tenure, key, envelope, item).await,
            None => from_store(tenure, key, item).await,
        };
        match tried {
            Ok(Try::Finished(outcome)) => return outcome,
            Ok(Try::ReadAgain) => {}
            Err(_) => {
                tenure.engine.sleep(pause).await;
                pause = (pause * 2).min(500);
            }
        }
    }
}

async fn from_store(tenure: &Rc<Tenure>, key: ConversationKey, item: &Item) -> Result<Try, Away> {
    let stored = tenure.engine.redis(tenure.history(), move |redis, _| {
        redis
            .live
            .conversations
            .get(&key)
            .map(|stored| Rc::clone(&stored.text))
    });
    let envelope = match stored.await? {
        None => Envelope::default(),
        Some(text) => match read(&text) {
            Ok(envelope) => envelope,
            // What the product wrote itself can always be read.
            Err(error) => panic!("a stored conversation cannot be read: {error}"),
        },
    };
    attempt(tenure, key, envelope, item).await
}

async fn attempt(
    tenure: &Rc<Tenure>,
    key: ConversationKey,
    mut envelope: Envelope<Dialogue>,
    item: &Item,
) -> Result<Try, Away> {
    let sim = &tenure.engine.sim;
    let his_own = matches!(item, Item::Heard(_) | Item::Held(..)) && key.place == PlaceKey::Private;
    if his_own && !sim.has(Bug::NeverUnparked) && !tenure.unpark(key.member).await? {
        return Ok(Try::Finished(Outcome::Fenced));
    }
    let Some((update, event)) = meaning(tenure, item, &envelope) else {
        return Ok(stands(envelope, false));
    };
    if sim.has(Bug::NoWatermarks) {
        envelope.marks = Watermarks::default();
    }
    let (me, settles) = (tenure.bot.id(), settles_of(tenure, item, &event));
    let intake = tenure.in_context(key, |ctx| {
        take(&envelope, &update, &event, ctx, me, settles.is_some())
    });
    let mut taken = match intake {
        Ok(Intake::Taken(taken)) => *taken,
        Ok(Intake::Known) => return Ok(stands(envelope, false)),
        Err(error) => panic!("a conversation cannot be written: {error}"),
    };
    if sim.has(Bug::EntryIdFromVersion) {
        rename(&mut taken);
    }
    if sim.has(Bug::MarksNotKept) && !taken.known {
        unmark(&mut taken, &envelope);
    }
    let version = envelope.version;
    Ok(
        match commit(
            tenure,
            key,
            version,
            &taken,
            settles,
            &update,
            matches!(event, Event::Resumed | Event::NotTaken),
        )
        .await?
        {
            Committed::Done => {
                if !taken.outbox.entries.is_empty() {
                    tenure.sender_bell.ring();
                }
                stands(taken.envelope, taken.serves)
            }
            Committed::Gone => stands(envelope, false),
            Committed::Stale => {
                tenure.sender_bell.ring();
                Try::ReadAgain
            }
            Committed::Fenced => Try::Finished(Outcome::Fenced),
        },
    )
}

async fn commit(
    tenure: &Rc<Tenure>,
    key: ConversationKey,
    expected: u64,
    taken: &Taken,
    settles: Option<Settles>,
    update: &UpdateId,
    only_shows: bool,
) -> Result<Committed, Away> {
    let sim = &tenure.engine.sim;
    sim.say(|| {
        let replies = taken.outbox.entries.iter().map(|entry| match &entry.kind {
            OutboxKind::Say { text, .. } => {
                let line = text.lines().last().unwrap_or_default();
                format!(" {} {line:?}", entry.id)
            }
            OutboxKind::Edit { .. } | OutboxKind::StoreFile { .. } => format!(" {}", entry.id),
        });
        format!(
            "{} commits {update} of {key} in {}{}",
            tenure.bot.id(),
            tenure.stamp,
            replies.collect::<String>()
        )
    });
    let entries = taken.outbox.entries.iter().cloned().map(Rc::new);
    let commit = Commit {
        stamp: tenure.stamp,
        key,
        expected,
        version: taken.envelope.version,
        text: Rc::from(taken.stored.as_str()),
        open: taken.open,
        entries: entries.collect(),
        settles,
        // Being shown where one stands comes again in a conversation that was ended and begun anew since: its marks are gone, and no harm is done.
        update: (!taken.known && !only_shows).then_some(*update),
        bug: sim.bug,
    };
    if sim.has(Bug::RepliesAfterState) {
        return commit_in_two(tenure, commit).await;
    }
    let committing = tenure.engine.redis(tenure.history(), move |redis, sim| {
        redis.commit(&mut sim.ghost.borrow_mut(), commit)
    });
    committing.await
}

/// The bug: the state first, its replies by another script.
async fn commit_in_two(tenure: &Rc<Tenure>, mut commit: Commit) -> Result<Committed, Away> {
    let entries = std::mem::take(&mut commit.entries);
    let stamp = commit.stamp;
    let first = tenure.engine.redis(tenure.history(), move |redis, sim| {
        redis.commit(&mut sim.ghost.borrow_mut(), commit)
    });
    let committed = first.await?;
    if committed == Committed::Done {
        let second = tenure.engine.redis(tenure.history(), move |redis, _| {
            redis.enqueue(stamp, entries);
        });
        let _ = second.await;
    }
    Ok(committed)
}

/// The item's identity and what it means here; `None` when it means nothing.
fn meaning(
    tenure: &Rc<Tenure>,
    item: &Item,
    envelope: &Envelope<Dialogue>,
) -> Option<(UpdateId, Event)> {
    let heard = |incoming: &Incoming| match event_of(incoming, &envelope.state) {
        Some(event) => Some((incoming.id()?, event)),
        None => {
            waive(tenure, incoming);
            None
        }
    };
    match item {
        Item::Heard(incoming) => heard(incoming),
        Item::Held(incoming, kept, _) => match tenure.age(*kept, envelope) {
            Age::Latest => heard(incoming),
            Age::Unknown => match incoming.what {
                IncomingKind::Message { .. } => not_taken(tenure, incoming, envelope),
                _ => heard(incoming),
            },
            Age::Outdated => {
                waive(tenure, incoming);
                where_he_stands(tenure, envelope)
            }
        },
        Item::Internal { event, id, .. } => {
            Some((UpdateId::Internal { event: *id }, event.clone()))
        }
        Item::Reprompt { served } if *served == Some(envelope.state.nonce()) => None,
        Item::Reprompt { .. } => where_he_stands(tenure, envelope),
    }
}

/// It ends without effect, rightly.
fn waive(tenure: &Rc<Tenure>, incoming: &Incoming) {
    let sim = &tenure.engine.sim;
    sim.ghost.borrow_mut().waive(incoming.id());
}

/// It is not acted on, and its member hears of that, unless its other copy was taken.
fn not_taken(
    tenure: &Rc<Tenure>,
    incoming: &Incoming,
    envelope: &Envelope<Dialogue>,
) -> Option<(UpdateId, Event)> {
    let id = incoming.id()?;
    if envelope.marks.knows(&id) {
        return None;
    }
    waive(tenure, incoming);
    let EventId(mut event) = tenure.resumption();
    event[7] = NOT_TAKEN;
    Some(unacted(EventId(event)))
}

fn where_he_stands(
    tenure: &Rc<Tenure>,
    envelope: &Envelope<Dialogue>,
) -> Option<(UpdateId, Event)> {
    let event = tenure.resumption();
    let is_open = envelope.state.is_open();
    is_open.then_some((UpdateId::Internal { event }, Event::Resumed))
}

fn settles_of(tenure: &Tenure, item: &Item, event: &Event) -> Option<Settles> {
    match item {
        Item::Held(_, _, at) if *event == Event::NotTaken => {
            Some(Settles::Held(tenure.bot.id(), *at))
        }
        Item::Internal { settles, .. } => settles.map(Settles::Outbox),
        Item::Heard(_) | Item::Held(..) | Item::Reprompt { .. } => None,
    }
}

/// The bug: a reply's id follows from how many commits there were, which a Redis that was set back gives again.
fn rename(taken: &mut Taken) {
    for (index, entry) in (0u8..).zip(&mut taken.outbox.entries) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&taken.envelope.version.to_be_bytes());
        id[8] = u8::try_from(entry.conversation.member.0).unwrap_or(0);
        id[9] = index;
        id[10] = u8::from(entry.conversation.place == PlaceKey::Private);
        entry.id = EntryId(id);
    }
}

/// The bug: the state is kept without the marks of what it has taken in.
fn unmark(taken: &mut Taken, before: &Envelope<Dialogue>) {
    taken.envelope.marks = before.marks.clone();
    if let Ok(stored) = taken.envelope.encode() {
        taken.stored = stored;
    }
}
