//! `/help`: the list of commands. The prompt that stands above it stays alive.

use crate::texts::Line;
use crate::turn::Turn;

pub(super) fn run(turn: &mut Turn<'_>) {
    turn.line(&Line::Help {});
}
