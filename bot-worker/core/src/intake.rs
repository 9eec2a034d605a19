//! One update on its way into a stored conversation: admitted, stepped, and made ready to be committed.
//!
//! ```text
//! the update                                  what is to be committed
//! is new                                      the step's state, marks, replies, records, words to others
//! is known, and nothing is to be settled      nothing
//! is known, and something is to be settled    the state as it is: only what brought the update again leaves its place
//! makes the conversation longer than allowed  the state as it was, and a line to the member
//! meets a value that nobody can read          a fresh conversation with what marks can be saved, and a line to the member
//! ```
//! Invariants: what is committed never exceeds `LARGEST_STORED`, unless it is shorter than what stands there; the update is among the marks of
//! whatever is committed; a conversation in which nothing is open keeps no more than a tombstone's marks. Only what the member does himself counts
//! as his activity. What a press is to draw over is a wish until [`Taken::draw_only`] has looked at whose message
//! that is: a step cannot know it.
//!
//! About duplicates after damage: the update that meets the damage is not applied but answered with the line, and becomes the highest known one
//! of its box, so nothing before it can come again either. What may be lost is what the member said last, and the line says that.

use shared_core::{
    Admission, BotId, BoxId, EntryId, Envelope, EnvelopeError, EventId, LARGEST_STORED,
    LARGEST_VERSION, MessageId, OutboxEntry, OutboxKind, PlaceKey, Salvaged, UnixMs, UpdateId,
    entry_id,
};

use crate::dialogue::{FORMAT, Speaker};
use crate::step::{refuse, speaker_of};
use crate::texts::Line;
use crate::turn::Turn;
use crate::{Context, Dialogue, Effect, Event, Outbox, Step, outbox_of, step};

/// What becomes of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intake {
    /// It was taken in before, and nothing is to be committed.
    Known,
    Taken(Box<Taken>),
}

/// A commit that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub envelope: Envelope<Dialogue>,
    /// The envelope's stored form.
    pub stored: String,
    /// When the member was last active, if he is in the middle of something.
    pub open: Option<UnixMs>,
    /// That is just now.
    pub active: bool,
    pub outbox: Outbox,
    /// The update had been taken in before; only what it settles is of use.
    pub known: bool,
    /// The member's latest prompt is one of this bot's from here on.
    pub serves: bool,
    /// A good moment to invite him to the backups.
    pub invites: bool,
}

impl Taken {
    /// The messages that are to be drawn over.
    pub fn edited(&self) -> impl Iterator<Item = (BoxId, MessageId)> {
        let entries = self.outbox.entries.iter();
        entries.filter_map(|entry| match entry.kind {
            OutboxKind::Edit { r#box, message, .. } => Some((r#box, message)),
            OutboxKind::Say { .. } | OutboxKind::StoreFile { .. } => None,
        })
    }

    /// Leaves alone what is not the member's own prompt: which message a press was under is for its client to say, as is the button, so in a
    /// group it may be another member's prompt or an announcement. What was to be drawn there is said; what was to close it is of no use elsewhere.
    pub fn draw_only(&mut self, is_his: impl Fn(BoxId, MessageId) -> bool) {
        let place = self.outbox.entries.first().map(|it| it.conversation.place);
        let speaker = self.envelope.state.speaker.as_ref();
        let quote = speaker.filter(|_| matches!(place, Some(PlaceKey::Group(_))));
        let quote = quote.and_then(|speaker| speaker.message.whole());
        let draw = |entry: &mut OutboxEntry| {
            let OutboxKind::Edit {
                r#box,
                message,
                text,
                keyboard,
            } = &mut entry.kind
            else {
                return true;
            };
            if is_his(*r#box, *message) {
                return true;
            }
            if keyboard.is_none() {
                return false;
            }
            entry.kind = OutboxKind::Say {
                text: std::mem::take(text),
                keyboard: keyboard.take(),
                reply_to: quote,
            };
            true
        };
        self.outbox.entries.retain_mut(draw);
    }
}

/// Reads a stored conversation. What a newer program wrote is told apart from what nobody can read.
pub fn read(stored: &str) -> Result<Envelope<Dialogue>, EnvelopeError> {
    Envelope::decode(stored).map_err(|error| {
        let found = Salvaged::from(stored.as_bytes()).state_format;
        let known = u16::from(FORMAT);
        match found.filter(|found| *found > known) {
            Some(found) => EnvelopeError::TooNew { found, known },
            None => error,
        }
    })
}

/// Takes an update in. `settles`: it was brought by something that leaves its place with the commit.
pub fn take(
    envelope: &Envelope<Dialogue>,
    update: &UpdateId,
    event: &Event,
    ctx: &Context<'_>,
    me: BotId,
    settles: bool,
) -> Result<Intake, EnvelopeError> {
    let mut next = envelope.clone();
    let known = next.marks.admit(update) == Admission::Duplicate;
    if known && !settles {
        return Ok(Intake::Known);
    }
    // It ends where no envelope that was read is: there the commit is refused, and nothing breaks off.
    next.version = next.version.saturating_add(1);
    let mut after = next.clone();
    let stepped = match known {
        true => Step::unchanged(&envelope.state),
        false => step(&envelope.state, event, ctx),
    };
    if !known && event.is_activity() && ctx.key.place == PlaceKey::Private {
        after.marks.stepped_in(BoxId::Private(me));
    }
    let mut taken = finish(envelope, after, stepped, update, event, ctx, me)?;
    if taken.stored.len() > LARGEST_STORED && taken.stored.len() > envelope.encode()?.len() {
        let stepped = refuse(&envelope.state, event, ctx);
        taken = finish(envelope, next, stepped, update, event, ctx, me)?;
    }
    taken.known = known;
    taken.serves &= !known;
    Ok(Intake::Taken(Box::new(taken)))
}

pub(crate) fn finish(
    before: &Envelope<Dialogue>,
    mut next: Envelope<Dialogue>,
    stepped: Step,
    update: &UpdateId,
    event: &Event,
    ctx: &Context<'_>,
    me: BotId,
) -> Result<Taken, EnvelopeError> {
    // That he is shown where he stands is no step of his: what he wrote before answers the same question still, what another bot's time has
    // outdated stays outdated, and his silence goes on. What is opened for him begins now, whoever caused it.
    // What was taken in before ended his silence then.
    let known = before.marks.knows(update);
    let active = !known && (event.is_activity() || (stepped.open && !before.state.is_open()));
    if active {
        next.at = ctx.now;
    }
    let prompts = stepped.dialogue.nonce != before.state.nonce;
    if prompts {
        next.marks.prompted();
    }
    if !stepped.open {
        next.marks.rest();
    }
    next.state = stepped.dialogue;
    let outbox = outbox_of(stepped.effects, ctx.pool, &ctx.key, update, me, ctx.now);
    // What is merely said (the list of commands) leaves him with the prompt that he had, and so does a press of an old button, which is only
    // answered: after a switch that prompt is another bot's. One that is redrawn was pressed with this bot.
    let is_redrawn = outbox.entries.iter().any(|entry| {
        matches!(
            &entry.kind,
            OutboxKind::Edit {
                keyboard: Some(_),
                ..
            }
        )
    });
    let serves = prompts || (!event.is_from_elsewhere() && (is_redrawn || !stepped.open));
    Ok(Taken {
        stored: next.encode()?,
        open: stepped.open.then_some(next.at),
        active,
        envelope: next,
        outbox,
        known: false,
        serves,
        invites: stepped.invites,
    })
}

/// What takes the place of a conversation that nobody can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    pub envelope: Envelope<Dialogue>,
    /// The envelope's stored form.
    pub stored: String,
    /// Names the quarantine of the old value.
    pub id: EntryId,
    /// A line to the member, where he is to hear of it.
    pub outbox: Outbox,
}

/// Starts a conversation over. `update` is what met the damage; `taken` is the member's event with it, which counts as answered.
pub fn start_over(
    salvaged: Salvaged,
    update: &UpdateId,
    taken: Option<&Event>,
    says_so: bool,
    ctx: &Context<'_>,
    me: BotId,
) -> Result<Fresh, EnvelopeError> {
    let id = entry_id(ctx.pool, &ctx.key, update, u32::MAX);
    // Where not even the version could be saved: more than any count of commits, so that copies of the conversation take it for the newer one.
    let unknown = u64::try_from(ctx.now.0 / 1000).unwrap_or(0);
    let version = match salvaged.version {
        // What takes its place has to be readable itself.
        known @ 1..LARGEST_VERSION => known + 1,
        _ => unknown.clamp(1, LARGEST_VERSION),
    };
    let mut envelope = Envelope {
        version,
        marks: salvaged.marks,
        // Where somebody else met the damage he has not been active; then nothing that he wrote before is outdated by it.
        at: taken.map_or(UnixMs(0), |_| ctx.now),
        ..Envelope::<Dialogue>::default()
    };
    if taken.is_some() {
        // Whether it was known does not matter: it is answered with the line.
        let _ = envelope.marks.admit(update);
        if ctx.key.place == PlaceKey::Private {
            envelope.marks.stepped_in(BoxId::Private(me));
        }
    }
    envelope.marks.rest();
    let mut effects = Vec::new();
    if says_so {
        let mut turn = Turn::new(&Dialogue::default(), ctx);
        turn.dialogue.speaker = taken.and_then(|event| speaker_of(event, ctx));
        turn.line(&Line::Unreadable {});
        effects = turn.finish().1;
    }
    let cause = UpdateId::Internal {
        event: EventId(id.0),
    };
    Ok(Fresh {
        stored: envelope.encode()?,
        envelope,
        id,
        outbox: outbox_of(effects, ctx.pool, &ctx.key, &cause, me, ctx.now),
    })
}

/// What a member is told whose conversation a newer program wrote: nothing of it is touched.
pub fn not_yet(update: &UpdateId, event: Option<&Event>, ctx: &Context<'_>, me: BotId) -> Outbox {
    let speaker: Option<Speaker> = event.and_then(|event| speaker_of(event, ctx));
    let mut turn = Turn::new(&Dialogue::default(), ctx);
    turn.dialogue.speaker = speaker;
    turn.line(&Line::Newer {});
    let effects: Vec<Effect> = turn.finish().1;
    outbox_of(effects, ctx.pool, &ctx.key, update, me, ctx.now)
}
