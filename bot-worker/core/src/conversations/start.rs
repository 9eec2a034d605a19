//! `/start [payload]`: the first word with a bot, and what links (`t.me/<bot>?start=<payload>`) lead to.
//!
//! Whatever is open stays open and is shown again: after a switch this is how a member comes to a bot he has not met. One reply, always.
//! The payload is a hint, never authority: who the member is, Telegram vouches for. An unknown one is a plain greeting.

use super::upload;
use crate::texts::Line;
use crate::turn::Turn;

/// The payload that opens an upload at once.
const UPLOAD: &str = "upload";

pub(super) fn run(payload: &str, turn: &mut Turn<'_>) {
    let bot = turn.ctx.me_username;
    if !turn.is_open() && payload != UPLOAD {
        return turn.line(&Line::Welcome { bot: &bot });
    }
    let welcome = turn.text(&Line::Welcome { bot: &bot });
    if turn.is_open() {
        turn.prompt(Some(welcome));
    } else {
        upload::open(turn, Some(welcome));
    }
}
