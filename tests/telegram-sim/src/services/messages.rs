//! `messages.*`, by what is done: `send`, `forward`, `change` (edit, delete, answer a press), `read`, `groups`; for people `dialogs`, `history`
//! and `buttons`; `content` checks what is sent.

pub(crate) mod buttons;
pub(crate) mod change;
pub(crate) mod content;
pub(crate) mod dialogs;
pub(crate) mod forward;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod read;
pub(crate) mod send;
