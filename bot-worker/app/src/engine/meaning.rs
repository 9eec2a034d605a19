//! What an item is to the conversation that it meets, which is known only when that has been read.
//!
//! ```text
//! kept by this bot, and        it is
//! his last word                what he said
//! outdated                     shown where he stands, once a change of bots
//! too close to tell            a message: he is told that it was not taken, once, and where he stands
//!                              a press or an edit: what he did, since it says itself what it belongs to
//! kept for too long            he is told so too, unless he has gone on since
//! ```
//! Invariant: looked at again under the same change of bots, an item has the same identity.

use bot_worker_core::kept::{Age, unacted};
use bot_worker_core::{Dialogue, Event, event_of};
use shared_core::{Envelope, Incoming, IncomingKind, UpdateId};
use shared_io::redis::{Counter, Settles};

use super::Item;
use super::held::kept;
use crate::tenure::Tenure;

/// Tells that something was not taken from the other things that a member is told once a change of bots.
const NOT_TAKEN: u8 = 2;

/// The item's identity and what it means here; `None` when it means nothing.
pub fn meaning(
    tenure: &Tenure,
    item: &Item,
    envelope: &Envelope<Dialogue>,
) -> Option<(UpdateId, Event)> {
    match item {
        Item::Heard(incoming) => heard(incoming, &envelope.state),
        Item::Held(incoming, at) => match tenure.age(kept(incoming, *at), envelope) {
            Age::Latest => heard(incoming, &envelope.state),
            Age::Unknown => match incoming.what {
                IncomingKind::Message { .. } => not_taken(tenure, incoming, envelope),
                // They say themselves which prompt or message they belong to.
                _ => heard(incoming, &envelope.state),
            },
            // He came to this bot, maybe since it has shown everybody where he stands.
            Age::Outdated => where_he_stands(tenure, envelope),
        },
        Item::NotTaken(incoming, at) => match tenure.age(kept(incoming, *at), envelope) {
            Age::Latest | Age::Unknown => not_taken(tenure, incoming, envelope),
            Age::Outdated => None,
        },
        // He has begun something meanwhile.
        Item::Internal {
            event: Event::Invited { .. },
            ..
        } if envelope.state.is_open() => None,
        Item::Internal { event, id, .. } => {
            Some((UpdateId::Internal { event: *id }, event.clone()))
        }
        Item::Posted(posted) => Some((UpdateId::Told { event: posted.id }, posted.event.clone())),
        Item::Reprompt { served } if *served == Some(envelope.state.nonce()) => None,
        Item::Reprompt { .. } => where_he_stands(tenure, envelope),
    }
}

/// It is not acted on, and its member hears of that, once a change of bots. A message may have been kept twice: then the other copy was taken.
fn not_taken(
    tenure: &Tenure,
    incoming: &Incoming,
    envelope: &Envelope<Dialogue>,
) -> Option<(UpdateId, Event)> {
    let id = incoming.id()?;
    if envelope.marks.knows(&id) {
        return None;
    }
    Some(unacted(tenure.resumption(NOT_TAKEN)))
}

/// Once a change of bots, however often it is asked for.
fn where_he_stands(tenure: &Tenure, envelope: &Envelope<Dialogue>) -> Option<(UpdateId, Event)> {
    let event = tenure.resumption(0);
    let is_open = envelope.state.is_open();
    is_open.then_some((UpdateId::Internal { event }, Event::Resumed))
}

fn heard(incoming: &Incoming, dialogue: &Dialogue) -> Option<(UpdateId, Event)> {
    Some((incoming.id()?, event_of(incoming, dialogue)?))
}

/// What leaves its place with the commit itself.
pub fn settles_of(tenure: &Tenure, item: &Item, event: &Event) -> Option<Settles> {
    match item {
        Item::Held(_, at) | Item::NotTaken(_, at) if *event == Event::NotTaken => {
            Some(Settles::Held(tenure.context.lease.bot, *at))
        }
        Item::Internal { settles, .. } => settles.map(Settles::Outbox),
        Item::Posted(posted) => Some(posted.settles),
        Item::Heard(_) | Item::Held(..) | Item::NotTaken(..) | Item::Reprompt { .. } => None,
    }
}

pub fn counters_of(item: &Item, event: &Event, says_something: bool) -> Vec<(Counter, i64)> {
    match (item, event) {
        (Item::Reprompt { .. }, _) => vec![(Counter::ConversationsContinued, 1)],
        (_, Event::Invited { .. }) if says_something => vec![(Counter::Invited, 1)],
        (_, Event::FileLost { .. }) => vec![(Counter::FilesToResend, 1)],
        _ => Vec::new(),
    }
}
