//! The state of one member's dialogue, as it is stored inside `shared_core::Envelope`.
//!
//! Stored form: JSON with one-letter fields, because there is one of these per member. The field `v` is the format; reading goes
//! through [`Stored`], which lifts what an older program wrote to what this one works with and refuses what a newer one wrote (a
//! program that was rolled back must not drop fields that it does not know). How to change the format: raise [`FORMAT`], give `Stored` the
//! old shape as an optional field, lift it in `upgrade`, and add a text of the old format to `tests/stored.rs`.

use serde::{Deserialize, Serialize};
use shared_core::{BoxId, MessageAt, MessageId, Remembers, UnixMs};

use crate::conversations::Flow;

/// The format that this program writes.
pub(crate) const FORMAT: u8 = 3;

/// One member's dialogue. The default is a member who has never talked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Dialogue {
    #[serde(rename = "v")]
    format: u8,
    /// Numbers the prompts; a button of any but the latest is dead. The first of a dialogue is the time in seconds: prompts come slower than
    /// that, so a dialogue that was forgotten and begins again does not bring an old button back to life.
    #[serde(rename = "n")]
    pub(crate) nonce: u32,
    /// Numbers the files that were ever sent to the storage channel, so that a late answer never meets another file. Begins as `nonce` does.
    #[serde(rename = "k", skip_serializing_if = "is_zero")]
    pub(crate) files: u32,
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    pub(crate) flow: Option<Flow>,
    /// In a group, while something is open: whom to address and what to quote.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    pub(crate) speaker: Option<Speaker>,
    /// When he was last asked to press Start with the backups; since format 2.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none")]
    pub(crate) invited: Option<UnixMs>,
}

/// The member as he last spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Speaker {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "m")]
    pub message: MessageAt,
}

impl Default for Dialogue {
    fn default() -> Self {
        Self {
            format: FORMAT,
            nonce: 0,
            files: 0,
            flow: None,
            speaker: None,
            invited: None,
        }
    }
}

impl Dialogue {
    pub(crate) fn next_nonce(&mut self, now: UnixMs) {
        self.nonce = following(self.nonce, now);
    }

    /// Of the latest prompt: buttons of any other one are old.
    pub fn nonce(&self) -> u32 {
        self.nonce
    }

    /// Whether the member is in the middle of something.
    pub fn is_open(&self) -> bool {
        self.flow.is_some()
    }

    /// Whether an edit of this message changes something here.
    pub(crate) fn listens_to_edit(&self, r#box: BoxId, message: MessageId) -> bool {
        self.flow
            .as_ref()
            .is_some_and(|flow| flow.listens_to_edit((r#box, message)))
    }
}

impl Remembers for Dialogue {
    fn each_message(&mut self, visit: &mut dyn FnMut(&mut MessageAt)) {
        if let Some(flow) = &mut self.flow {
            flow.each_message(visit);
        }
        if let Some(speaker) = &mut self.speaker {
            visit(&mut speaker.message);
        }
    }
}

/// What is wrong with a stored dialogue. Never says what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored dialogue has format {found}, this program reads 1 to {FORMAT}")]
struct FormatError {
    found: u8,
}

/// Every shape that was ever stored.
#[derive(Deserialize)]
struct Stored {
    v: u8,
    n: u32,
    #[serde(default)]
    k: u32,
    o: Option<Flow>,
    w: Option<Speaker>,
    i: Option<UnixMs>,
}

impl TryFrom<Stored> for Dialogue {
    type Error = FormatError;

    fn try_from(stored: Stored) -> Result<Self, FormatError> {
        upgrade(stored)
    }
}

fn upgrade(stored: Stored) -> Result<Dialogue, FormatError> {
    match stored.v {
        // Until format 2 a text and its message were an object, which is read as well as a pair.
        1..=3 => Ok(Dialogue {
            format: FORMAT,
            nonce: stored.n,
            files: stored.k,
            flow: stored.o,
            speaker: stored.w,
            // Format 1 has no such field.
            invited: stored.i,
        }),
        found => Err(FormatError { found }),
    }
}

/// The number after this one; the first is the time in seconds.
pub(crate) fn following(number: u32, now: UnixMs) -> u32 {
    match number {
        // Seconds fit until the year 2106, and wrap around then like the count does.
        0 => u32::try_from(now.0.div_euclid(1000) & i64::from(u32::MAX))
            .map_or(1, |first| first.max(1)),
        last => last.wrapping_add(1),
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
