//! Title and description: texts with a rule for their length.
//!
//! Each remembers the message it came from, because an edit of that message is a correction. A title is one line; a description
//! keeps its lines and is shown as one.

use serde::{Deserialize, Serialize, Serializer};
use shared_core::MessageAt;

use super::{MessageRef, Reaction, Stage, Upload};
use crate::Context;
use crate::bound::one_line;
use crate::texts::Line;

/// Stored as a pair; the names are of formats 1 and 2, which had an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Field {
    #[serde(rename = "t")]
    pub text: String,
    #[serde(rename = "m")]
    pub message: MessageAt,
}

impl Field {
    fn new(text: String, message: MessageRef) -> Self {
        let message = message.into();
        Self { text, message }
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.text, &self.message).serialize(serializer)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Title,
    Description,
}

/// How much of a description is repeated when it is accepted.
const EXCERPT: usize = 200;

impl FieldKind {
    /// Fewest and most characters.
    pub fn bounds(self) -> (usize, usize) {
        match self {
            Self::Title => (3, 120),
            Self::Description => (10, 2000),
        }
    }

    /// The text as it is kept, or its length if it breaks the rule.
    fn read(self, text: &str) -> Result<String, usize> {
        let kept = match self {
            Self::Title => one_line(text),
            Self::Description => {
                let lines = text.trim().lines().map(str::trim_end);
                lines.collect::<Vec<_>>().join("\n")
            }
        };
        let kept: String = kept
            .chars()
            .filter(|c| !c.is_control() || *c == '\n')
            .collect();
        let (min, max) = self.bounds();
        match kept.chars().count() {
            length if (min..=max).contains(&length) => Ok(kept),
            length => Err(length),
        }
    }

    fn rule(self, length: usize, ctx: &Context<'_>) -> String {
        let (min, max) = self.bounds();
        let (min, max, length) = (&min, &max, &length);
        ctx.texts.fill(&match self {
            Self::Title => Line::BadTitle { min, max, length },
            Self::Description => Line::BadDescription { min, max, length },
        })
    }

    fn accepted(self, text: &str, ctx: &Context<'_>) -> String {
        let shown = excerpt(text);
        ctx.texts.fill(&match self {
            Self::Title => Line::AcceptedTitle { title: &shown },
            Self::Description => Line::AcceptedDescription {
                description: &shown,
            },
        })
    }
}

/// The beginning of a text, in one line.
pub(super) fn excerpt(text: &str) -> String {
    one_line(text).chars().take(EXCERPT).collect()
}

impl Upload {
    pub(super) fn take_text(
        mut self,
        kind: FieldKind,
        text: &str,
        message: MessageRef,
        ctx: &Context<'_>,
    ) -> Reaction<Self> {
        match kind.read(text) {
            Ok(text) => {
                let lead = kind.accepted(&text, ctx);
                *self.field(kind) = Some(Field::new(text, message));
                self.advance();
                Reaction::prompt(self, lead)
            }
            Err(length) => {
                self.refused = Some(message.into());
                Reaction::prompt(self, kind.rule(length, ctx))
            }
        }
    }

    pub(super) fn has_refused(&self, message: MessageRef) -> bool {
        self.refused.is_some_and(|refused| refused == message)
    }

    /// Keeps what was entered before, when the step is taken again.
    pub(super) fn keep_text(mut self, kind: FieldKind, ctx: &Context<'_>) -> Reaction<Self> {
        match self.field(kind) {
            Some(field) => {
                let lead = kind.accepted(&field.text, ctx);
                self.advance();
                Reaction::prompt(self, lead)
            }
            None => self.stale(ctx),
        }
    }

    pub(super) fn take_edit(
        mut self,
        text: &str,
        message: MessageRef,
        ctx: &Context<'_>,
    ) -> Reaction<Self> {
        let accepted = [FieldKind::Title, FieldKind::Description]
            .into_iter()
            .find(|kind| {
                let field = self.field(*kind).as_ref();
                field.is_some_and(|field| field.message == message)
            });
        match (accepted, self.stage) {
            (Some(kind), _) => self.correct(kind, text, message, ctx),
            (None, _) if !self.has_refused(message) => Reaction::ignore(self),
            (None, Stage::Title) => self.take_text(FieldKind::Title, text, message, ctx),
            (None, Stage::Description) => {
                self.take_text(FieldKind::Description, text, message, ctx)
            }
            (None, _) => Reaction::ignore(self),
        }
    }

    /// The message that a field came from says something else.
    fn correct(
        mut self,
        kind: FieldKind,
        text: &str,
        message: MessageRef,
        ctx: &Context<'_>,
    ) -> Reaction<Self> {
        let field = self.field(kind);
        match kind.read(text) {
            Ok(text) if field.as_ref().is_some_and(|field| field.text == text) => {
                Reaction::ignore(self)
            }
            Ok(text) => {
                let lead = kind.accepted(&text, ctx);
                *field = Some(Field::new(text, message));
                Reaction::prompt(self, lead)
            }
            Err(length) => {
                let rule = kind.rule(length, ctx);
                let lead = ctx.texts.fill(&Line::BadEdit { rule: &rule });
                Reaction::prompt(self, lead)
            }
        }
    }

    fn field(&mut self, kind: FieldKind) -> &mut Option<Field> {
        match kind {
            FieldKind::Title => &mut self.title,
            FieldKind::Description => &mut self.description,
        }
    }
}
