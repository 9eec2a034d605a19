//! `/cancel`: drops what is open, without asking, and says what that was, so that nothing typed is gone from the screen.

use crate::Context;
use crate::texts::Line;
use crate::turn::Turn;

pub(super) fn run(turn: &mut Turn<'_>) {
    match turn.dialogue.flow.take() {
        Some(flow) => turn.say(farewell(flow.so_far(turn.ctx), turn.ctx)),
        None => turn.line(&Line::NothingOpen {}),
    }
}

/// What is said when something is dropped, here or by a button.
pub(super) fn farewell(dropped: Vec<String>, ctx: &Context<'_>) -> String {
    if dropped.is_empty() {
        return ctx.texts.fill(&Line::CancelledEmpty {});
    }
    let mut lines = vec![ctx.texts.fill(&Line::Cancelled {})];
    lines.extend(dropped);
    lines.join("\n")
}
