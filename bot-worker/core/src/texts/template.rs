//! A text with placeholders, checked when it is read.
//!
//! Invariant: a `Template` names only holes it was given, and each of them at least once.

use std::fmt::{Display, Write};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("`{{{name}}}` is not one of its placeholders")]
    Unknown { name: String },
    #[error("the placeholder `{{{name}}}` does not appear")]
    Missing { name: &'static str },
    #[error("a `{{` is not closed")]
    Unclosed,
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
}

/// Longest text: a message has to hold it with everything that is filled in.
const LONGEST: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Words(String),
    Hole(usize),
}

impl Template {
    pub fn parse(text: &str, holes: &'static [&'static str]) -> Result<Self, TemplateError> {
        if text.trim().is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.len() > LONGEST {
            return Err(TemplateError::TooLong);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((words, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            let hole = holes.iter().position(|hole| *hole == name);
            let hole = hole.ok_or_else(|| TemplateError::Unknown { name: name.into() })?;
            pieces.extend([Piece::Words(words.into()), Piece::Hole(hole)]);
            rest = tail;
        }
        pieces.push(Piece::Words(rest.into()));
        for (at, name) in holes.iter().enumerate() {
            if !pieces.contains(&Piece::Hole(at)) {
                return Err(TemplateError::Missing { name });
            }
        }
        Ok(Self(pieces))
    }

    /// The text with its holes filled, in the order in which `parse` was given them.
    pub fn fill(&self, values: &[&dyn Display]) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Words(words) => text.push_str(words),
                Piece::Hole(at) => {
                    if let Some(value) = values.get(*at) {
                        // Writing to a String fails only if the value's own Display does; then the hole stays empty.
                        let _ = write!(text, "{value}");
                    }
                }
            }
        }
        text
    }
}
