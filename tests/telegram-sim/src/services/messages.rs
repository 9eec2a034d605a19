//! `messages.*`, by what is done: `send`, `forward`, `change` (edit, delete, answer a press), `read`; `content` checks what is sent.

pub(crate) mod change;
pub(crate) mod content;
pub(crate) mod forward;
pub(crate) mod read;
pub(crate) mod send;
