//! When a member is asked to press Start with the backups, and what he is shown.
//!
//! ```text
//! step ends with nothing open, in private, after /start, /help or the end of a conversation  ─▶ a good moment
//! good moment, and not invited for `reach.invite_again`  ─▶ the worker looks up which standbys he has not started
//! some  ─▶ Event::Invited  ─▶ one message with a link button each, behind all answers
//! ```
//! Invariants: never in a group, never in the middle of something (looked at once more when the event comes: he may have begun
//! meanwhile), at most once in the configured time. When he was last invited stands in his dialogue: it changes in the same commit as the
//! message that it is about, it needs no key of its own, and an ended conversation keeps it like its watermarks. A member without a
//! stored dialogue was never invited. It does not know who has started what: that is Redis' business and comes with the event.

use shared_core::{Button, Keyboard, PlaceKey, StartPayload, deep_link};

use crate::bound::{self, clip};
use crate::command::{self, Command, Parsed};
use crate::texts::Line;
use crate::turn::Turn;
use crate::{Context, Dialogue, Event};

/// Standbys that a member is invited to at once: those that would be next.
pub const AT_ONCE: usize = 2;

/// Has this step ended well, with nothing left to ask, in a chat whose member may be invited again?
pub(crate) fn is_good_moment(
    before: &Dialogue,
    after: &Dialogue,
    event: &Event,
    ctx: &Context<'_>,
) -> bool {
    let ended = before.is_open() || greets(event, ctx);
    ended && !after.is_open() && is_due(after, ctx)
}

fn is_due(dialogue: &Dialogue, ctx: &Context<'_>) -> bool {
    let long_ago = |at| ctx.now.since(at) >= ctx.invite_again_ms;
    ctx.key.place == PlaceKey::Private
        && ctx.invite_again_ms > 0
        && dialogue.invited.is_none_or(long_ago)
}

fn greets(event: &Event, ctx: &Context<'_>) -> bool {
    let Event::Said(said) = event else {
        return false;
    };
    matches!(
        command::parse(&said.text, ctx),
        Parsed::Known(Command::Start { .. } | Command::Help)
    )
}

/// Says it, if the moment is still good.
pub(crate) fn run(bots: &[String], turn: &mut Turn<'_>) {
    if turn.is_open() || !is_due(&turn.dialogue, turn.ctx) {
        return;
    }
    let rows: Vec<Vec<Button>> = bots
        .iter()
        .take(AT_ONCE)
        .filter_map(|bot| {
            let url = deep_link(bot, Some(StartPayload::BACKUP))?;
            let text = clip(&turn.text(&Line::InvitationButton { bot }), bound::LABEL);
            Some(vec![Button::Link { text, url }])
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    turn.dialogue.invited = Some(turn.ctx.now);
    turn.aside(turn.text(&Line::Invitation {}), Some(Keyboard(rows)));
}
