//! `/start [payload]`: the first word with a bot, and what links (`t.me/<bot>?start=<payload>`) lead to.
//!
//! Whatever is open stays open and is shown again: after a switch this is how a member comes to a bot he has not met. One reply, always.
//! The payload is a hint, never authority: who the member is, Telegram vouches for, and nothing but his own dialogue is ever looked at.
//! Whatever stands in it, an unknown one is a plain greeting.
//!
//! ```text
//! payload    something open                    nothing open
//! go         where we stand, and the prompt    welcome
//! upload     welcome, and the prompt           welcome, and an upload is opened
//! else       welcome, and the prompt           welcome
//! ```

use shared_core::{Priority, StartPayload};

use super::upload;
use crate::texts::Line;
use crate::turn::Turn;

pub(super) fn run(payload: &str, turn: &mut Turn<'_>) {
    let bot = turn.ctx.me_username;
    let payload = StartPayload::parse(payload);
    if turn.is_open() && payload == Some(StartPayload::GO_ON) {
        return turn.prompt_with_so_far(None, Priority::Answer);
    }
    if !turn.is_open() && payload != Some(StartPayload::UPLOAD) {
        return turn.line(&Line::Welcome { bot: &bot });
    }
    let welcome = turn.text(&Line::Welcome { bot: &bot });
    if turn.is_open() {
        turn.prompt(Some(welcome));
    } else {
        upload::open(turn, Some(welcome));
    }
}
