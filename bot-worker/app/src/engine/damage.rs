//! What is stored and cannot be read, or never committed to: moved aside, or left alone.
//!
//! ```text
//! what stands there            what follows                                          the member hears
//! nothing that can be read,    into quarantine, a fresh conversation in its place,   that his last step could not be read and how to go on,
//! far too long, or what no     an event for the operator                             if something was open or he said something
//! commit can follow
//! a newer program's            stays as it is; what met it is not acted on           that he should try again later, once in [`AGAIN`]
//! ```
//! Invariants: nothing is overwritten that is not kept; what meets the damage is never applied twice (`bot-worker-core::intake` argues it).

use std::sync::Arc;
use std::time::Duration;

use bot_worker_core::{Dialogue, Event, event_of, not_yet, start_over};
use shared_core::{ConversationKey, Envelope, EnvelopeError, Incoming, Record, Salvaged, UpdateId};
use shared_io::clock;
use shared_io::redis::{EpochAnswer, MovedAside, Quarantine, Settles, StateError};
use tracing::{error, warn};

use super::{Item, Posted};
use crate::status::lock;
use crate::tenure::Tenure;

/// How often a member is told that a newer program is waited for.
const AGAIN: Duration = Duration::from_secs(3600);
/// A timer whose conversation is left alone is due again after this time.
const PUT_OFF: Duration = Duration::from_secs(3600);
/// Members who are known to have been told; beyond it the memory starts anew and a few are told twice.
const KNOWN: usize = 10_000;

/// What follows from a value that cannot be read.
pub enum Aside {
    /// A fresh conversation stands there, and the item is answered.
    Answered(Envelope<Dialogue>),
    /// A fresh conversation stands there for the item.
    Fresh(Envelope<Dialogue>),
    ReadAgain,
    Fenced,
}

/// Moves the value aside. `why` never holds what is in it.
pub async fn move_aside(
    tenure: &Arc<Tenure>,
    key: ConversationKey,
    item: &Item,
    raw: &[u8],
    why: &str,
) -> Result<Aside, StateError> {
    let state = &tenure.context.state;
    let was_open = state.open_since(&key).await?.is_some();
    let update = identity(tenure, item);
    let said = members(item).and_then(|incoming| event_of(incoming, &Dialogue::default()));
    // Its member did this: it is answered with the line. What comes from elsewhere is for whoever stands there.
    let is_the_members = members(item).is_some();
    let says_so = was_open || said.is_some();
    let me = tenure.context.lease.bot;
    let fresh = tenure.in_context(key, |ctx| {
        let taken = is_the_members.then(|| said.clone().unwrap_or(Event::Resumed));
        start_over(
            Salvaged::from(raw),
            &update,
            taken.as_ref(),
            says_so,
            ctx,
            me,
        )
    });
    let fresh = fresh.map_err(|error| StateError::Unreadable {
        doing: format!("start conversation {key} over"),
        why: error.to_string(),
    })?;
    let at = fresh.envelope.at;
    let record = Record::Quarantined {
        id: fresh.id,
        conversation: key,
        why: why.to_owned(),
        at,
    };
    let moved = state
        .quarantine(&Quarantine {
            stamp: tenure.stamp,
            conversation: &key,
            seen_bytes: raw.len(),
            id: fresh.id,
            why,
            at,
            fresh: &fresh.stored,
            outbox: &fresh.outbox.entries,
            records: &[record],
        })
        .await?;
    match moved {
        EpochAnswer::Done(MovedAside::Done) => {}
        EpochAnswer::Done(MovedAside::Moved) => return Ok(Aside::ReadAgain),
        EpochAnswer::Fenced { .. } => return Ok(Aside::Fenced),
    }
    error!(conversation = %key, quarantine = %fresh.id, why, "a conversation could not be read and was moved aside");
    tenure.context.tail.committed();
    tenure.outbox.notify_one();
    tenure.records.notify_one();
    Ok(
        match is_the_members || matches!(item, Item::Reprompt { .. }) {
            true => Aside::Answered(fresh.envelope),
            false => Aside::Fresh(fresh.envelope),
        },
    )
}

/// Leaves the value alone and says so, now and then.
pub async fn leave_alone(
    tenure: &Arc<Tenure>,
    key: ConversationKey,
    item: &Item,
    why: &EnvelopeError,
) {
    warn!(conversation = %key, error = %why, "a conversation is left as it is");
    if let Item::Posted(Posted {
        settles: Settles::Timer(timer),
        ..
    }) = item
    {
        let put_off = tenure
            .context
            .state
            .put_off_timer(tenure.stamp, timer, PUT_OFF);
        if let Err(error) = put_off.await {
            warn!(%error, "a timer is not put off yet");
        }
    }
    let said = members(item).and_then(|incoming| event_of(incoming, &Dialogue::default()));
    let Some(event) = said else { return };
    if !is_to_be_told(tenure, key) {
        return;
    }
    let (update, me) = (identity(tenure, item), tenure.context.lease.bot);
    let outbox = tenure.in_context(key, |ctx| not_yet(&update, Some(&event), ctx, me));
    let state = &tenure.context.state;
    match state.enqueue(tenure.stamp, &outbox.entries).await {
        Ok(_) => tenure.outbox.notify_one(),
        // He is told with his next message.
        Err(error) => {
            warn!(conversation = %key, %error, "a member is not told yet");
            lock(&tenure.told_newer).remove(&key);
        }
    }
}

fn is_to_be_told(tenure: &Tenure, key: ConversationKey) -> bool {
    let now = clock::boot_now();
    let mut told = lock(&tenure.told_newer);
    if told.get(&key).is_some_and(|last| now.since(*last) < AGAIN) {
        return false;
    }
    if told.len() >= KNOWN {
        told.clear();
    }
    told.insert(key, now);
    true
}

fn members(item: &Item) -> Option<&Incoming> {
    match item {
        Item::Heard(incoming) | Item::Held(incoming, _) | Item::NotTaken(incoming, _) => {
            Some(incoming)
        }
        Item::Internal { .. } | Item::Posted(_) | Item::Reprompt { .. } => None,
    }
}

/// The item's identity, whatever the conversation is.
fn identity(tenure: &Tenure, item: &Item) -> UpdateId {
    let resumption = UpdateId::Internal {
        event: tenure.resumption(0),
    };
    match item {
        Item::Heard(incoming) | Item::Held(incoming, _) | Item::NotTaken(incoming, _) => {
            incoming.id().unwrap_or(resumption)
        }
        Item::Internal { id, .. } => UpdateId::Internal { event: *id },
        Item::Posted(posted) => UpdateId::Told { event: posted.id },
        Item::Reprompt { .. } => resumption,
    }
}
