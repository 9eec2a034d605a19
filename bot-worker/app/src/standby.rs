//! What a standby does with what it hears: it notes who can be reached through it, keeps private messages for its own activation, and
//! tells who writes to it which bot is active.
//!
//! Invariant: the private cursor moves in the same script that keeps the messages before it, so a kill between the two cannot lose
//! one. Group updates are not its business: the pool's cursors belong to the active bot. Hints to members are best effort, once a member and active bot.

use std::sync::Arc;
use std::time::Duration;

use bot_worker_core::Dialogue;
use shared_core::{
    Admission, BootMs, Envelope, ErrorClass, Incoming, IncomingKind, MemberId, Place, SendTarget,
    StartPayload, UpdateId, entry_id, random_id,
};
use shared_io::clock;
use shared_io::redis::{LeaseAnswer, PrivateChange, PrivateCursor, StateError};
use shared_io::telegram::{Batch, Calls, Say};
use tokio::task::JoinSet;
use tracing::debug;

use crate::announce;
use crate::context::BotContext;
use crate::echoes;
use crate::guard::Tenancy;

/// Hints in flight at once; more are not given, the member asks again.
const HINTS: usize = 16;
/// So long a hint that Redis does not remember is not given again.
const HINT_AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum StandbyError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the login lease is not ours any more ({0:?})")]
    Lease(LeaseAnswer),
}

pub struct Standby {
    context: Arc<BotContext>,
    tenancy: Tenancy,
    calls: Calls,
    /// Each gives its member when Redis remembers it.
    hints: JoinSet<Option<MemberId>>,
    /// Those on their way, and those that only we remember.
    hinted: Vec<(MemberId, BootMs)>,
}

impl Standby {
    pub fn new(context: Arc<BotContext>, tenancy: Tenancy, calls: Calls) -> Self {
        Self {
            context,
            tenancy,
            calls,
            hints: JoinSet::new(),
            hinted: Vec::new(),
        }
    }

    /// Commits the batch under the lease. An error means that nothing of it was committed. Who `stands_by` tells members who answers;
    /// a bot that may be about to answer itself (nobody does, or it is being tested) keeps everything for that moment.
    /// `answered_last`: no other bot has since, so what waits in the outbox may be what this one is heard to have said. What another one found in
    /// doubt it has said again and settled.
    pub async fn take(
        &mut self,
        batch: Batch,
        stands_by: bool,
        answered_last: bool,
    ) -> Result<(), StandbyError> {
        let mut change = PrivateChange {
            cursor: batch.private_after.as_ref().map(|after| PrivateCursor {
                pts: after.pts,
                qts: after.qts,
                date: after.date,
            }),
            ..PrivateChange::default()
        };
        if !stands_by && answered_last && !batch.echoes.is_empty() {
            // Before the cursor passes them; while another bot answers, what it has waiting is its own business.
            echoes::settle(&self.context, &batch.echoes).await?;
        }
        let mut to_hint = Vec::new();
        for incoming in batch
            .items
            .into_iter()
            .filter(|item| item.place == Place::Private)
        {
            match &incoming.what {
                IncomingKind::Stopped { stopped: true } => stops(&mut change, incoming.member),
                IncomingKind::Stopped { stopped: false } => starts(&mut change, incoming.member),
                // A standby's keyboards are of an earlier epoch: nobody waits for what they would do.
                IncomingKind::Press { .. } if stands_by => {}
                IncomingKind::Press { .. } => change.hold.push(incoming),
                IncomingKind::Message { text, .. } => {
                    starts(&mut change, incoming.member);
                    let payload = StartPayload::of_start(text);
                    if payload == Some(StartPayload::BACKUP) {
                        change.invited.push(incoming.member);
                    }
                    // Who came for an upload asks for something, like any other message does.
                    let asks = payload == Some(StartPayload::UPLOAD);
                    let only_opens_the_chat = stands_by && is_start(text) && !asks;
                    if stands_by {
                        to_hint.push(incoming.clone());
                    }
                    if !only_opens_the_chat {
                        change.hold.push(incoming);
                    }
                }
                IncomingKind::Edit { .. } => change.hold.push(incoming),
            }
        }
        let nothing = change.cursor.is_none()
            && change.started.is_empty()
            && change.stopped.is_empty()
            && change.hold.is_empty();
        if nothing {
            return Ok(());
        }
        let answer = self
            .context
            .state
            .commit_private(&self.context.lease, &change)
            .await?;
        if answer != LeaseAnswer::Held {
            return Err(StandbyError::Lease(answer));
        }
        if !change.started.is_empty() || !change.stopped.is_empty() {
            let reach = self.context.state.reach(self.context.lease.bot).await?;
            self.context.status.reach(reach);
        }
        for incoming in to_hint {
            self.hint(incoming);
        }
        Ok(())
    }

    /// Tells the member who answers. The random id follows from his message, so a replay says it once.
    fn hint(&mut self, to: Incoming) {
        while let Some(given) = self.hints.try_join_next() {
            if let Ok(Some(remembered)) = given {
                self.hinted.retain(|(member, _)| *member != remembered);
            }
        }
        let now = clock::boot_now();
        self.hinted.retain(|(_, at)| now.since(*at) < HINT_AGAIN);
        let again = self.hinted.iter().any(|(member, _)| *member == to.member);
        if again || self.hints.len() >= HINTS || !self.context.cell.holds(self.tenancy) {
            return;
        }
        self.hinted.push((to.member, now));
        let (context, calls) = (Arc::clone(&self.context), self.calls.clone());
        self.hints.spawn(async move {
            match say_who_answers(&context, &calls, &to).await {
                Ok(remembered) => remembered.then_some(to.member),
                Err(error) => {
                    debug!(bot = %context.lease.bot, member = %to.member, %error, "no hint given");
                    None
                }
            }
        });
    }
}

/// Did this bot take the message in before it became a standby? Then its member is answered, or shown where he stands with it.
async fn was_taken(context: &BotContext, message: &Incoming) -> Result<bool, StateError> {
    let key = message.conversation();
    let stored = context.state.conversations(&[key]).await?;
    let envelope = stored
        .into_iter()
        .flatten()
        .next()
        .and_then(|text| Envelope::<Dialogue>::decode(&text).ok());
    let known = envelope.zip(message.id());
    Ok(known.is_some_and(|(mut envelope, id)| envelope.marks.admit(&id) == Admission::Duplicate))
}

/// True when Redis remembers that he was told, or there is nothing to tell him.
async fn say_who_answers(
    context: &BotContext,
    calls: &Calls,
    to: &Incoming,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    if was_taken(context, to).await? {
        return Ok(true);
    }
    let (me, now) = (context.lease.bot, clock::unix_now());
    let record = context.state.epoch().await?;
    let active = record
        .and_then(|record| record.holder)
        .map(|holder| holder.bot);
    let username = match active {
        Some(bot) if context.state.was_hinted(me, to.member, bot, now).await? => return Ok(true),
        Some(bot) => announce::username(context, bot).await,
        None => None,
    };
    let link = username.as_deref().map(|name| context.link_to(name));
    let named = username.as_deref().zip(link.as_deref());
    let text = context.shared.texts.standby(named);
    let keyboard = username
        .as_deref()
        .and_then(|name| context.go_on_keyboard(name));
    let update: UpdateId = to.id().ok_or("an update without an identity")?;
    let entry = entry_id(&context.pool, &to.conversation(), &update, u32::MAX);
    let say = Say {
        text: &text,
        keyboard: keyboard.as_ref(),
        reply_to: None,
        random_id: random_id(entry, context.lease.bot, 0),
        silent: true,
    };
    match calls.say(SendTarget::Member(to.member), &say).await {
        Ok(_) => {}
        Err(error) if error.class == ErrorClass::SentAlready => {}
        Err(error) => return Err(error.into()),
    }
    // Who answers was not known: told again when it is.
    let Some(bot) = active.filter(|_| username.is_some()) else {
        return Ok(false);
    };
    context.state.note_hint(me, to.member, bot, now).await?;
    Ok(true)
}

fn is_start(text: &str) -> bool {
    text.split_whitespace()
        .next()
        .is_some_and(|word| word == "/start")
}

/// The last word counts: one difference may tell that he blocked the bot and that he came back.
fn starts(change: &mut PrivateChange, member: MemberId) {
    change.stopped.retain(|stopped| *stopped != member);
    change.started.push(member);
}

fn stops(change: &mut PrivateChange, member: MemberId) {
    change.started.retain(|started| *started != member);
    change.invited.retain(|invited| *invited != member);
    change.stopped.push(member);
}
