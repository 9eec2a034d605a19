//! `/resume`: shows again where the member stands, with buttons that are alive.

use shared_core::Priority;

use crate::texts::Line;
use crate::turn::Turn;

pub(super) fn run(turn: &mut Turn<'_>) {
    if turn.is_open() {
        turn.prompt_with_so_far(None, Priority::Answer);
    } else {
        turn.line(&Line::NothingOpen {});
    }
}
