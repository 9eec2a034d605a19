//! The words of the conversations: every sentence a member reads is in a file, none is in the code.
//!
//! A file is flat TOML, key = text with `{placeholders}`. [`Texts::parse`] refuses a file with a missing or an unknown key, or a text
//! whose placeholders are not exactly the key's, so that whatever parses can be filled in without looking again. What the keys are is
//! in `texts/line.rs`.

use std::collections::BTreeMap;

mod line;
pub(crate) mod template;

pub(crate) use line::Line;

use crate::bound::{self, clip};
use line::KEYS;
use template::Template;
pub use template::TemplateError;

const ENGLISH: &str = include_str!("../texts/en.toml");

/// One language.
#[derive(Debug, Clone)]
pub struct Texts {
    /// In the order of `KEYS`, one each.
    templates: Vec<Template>,
}

#[derive(Debug, thiserror::Error)]
pub enum TextsError {
    #[error("the texts are not a flat TOML table of strings")]
    Form(#[source] toml::de::Error),
    #[error("the texts lack the key `{key}`")]
    Missing { key: &'static str },
    #[error("the texts have the unknown key `{key}`")]
    Unknown { key: String },
    #[error("the text `{key}` cannot be used")]
    Template {
        key: &'static str,
        #[source]
        source: TemplateError,
    },
}

impl Texts {
    /// The texts that come with the program.
    pub fn english() -> Result<Self, TextsError> {
        Self::parse(ENGLISH)
    }

    pub fn parse(file: &str) -> Result<Self, TextsError> {
        let templates = templates(file, KEYS)?;
        Ok(Self { templates })
    }

    /// What a standby says to who writes to it, with the active bot's username, and a link that leads to it, if there is one.
    pub fn standby(&self, active: Option<(&str, &str)>) -> String {
        match active {
            Some((active, link)) => self.fill(&Line::Standby {
                active: &active,
                link: &link,
            }),
            None => self.fill(&Line::StandbyUnknown {}),
        }
    }

    /// What pops up over a press that reaches a standby.
    pub fn standby_pressed(&self, active: Option<&str>) -> String {
        match active {
            Some(active) => self.fill(&Line::StandbyPressed { active: &active }),
            None => self.fill(&Line::StandbyPressedUnknown {}),
        }
    }

    /// What a group is told after a switch, with the usernames of both bots and a link that leads to the one that answers.
    pub fn announcement(&self, new: &str, old: Option<&str>, link: &str) -> String {
        match old {
            Some(old) => self.fill(&Line::Announcement {
                old: &old,
                new: &new,
                link: &link,
            }),
            None => self.fill(&Line::AnnouncementUnknown {
                new: &new,
                link: &link,
            }),
        }
    }

    /// What an announcement becomes that is not true any more and cannot be taken away.
    pub fn announcement_over(&self, new: Option<&str>) -> String {
        match new {
            Some(new) => self.fill(&Line::AnnouncementOver { new: &new }),
            None => self.fill(&Line::AnnouncementOverUnknown {}),
        }
    }

    /// The label of a button that leads to this bot.
    pub fn go_on_button(&self, bot: &str) -> String {
        clip(&self.fill(&Line::GoOnButton { bot: &bot }), bound::LABEL)
    }

    pub(crate) fn fill(&self, line: &Line<'_>) -> String {
        let (at, values) = line.parts();
        // `parse` makes one template for each key, and `at` is the key's place among them.
        self.templates[at].fill(&values)
    }
}

/// One template for each key, in their order, out of a file that has exactly these keys.
pub(crate) fn templates(
    file: &str,
    keys: &'static [(&'static str, &'static [&'static str])],
) -> Result<Vec<Template>, TextsError> {
    let mut given: BTreeMap<String, String> = toml::from_str(file).map_err(TextsError::Form)?;
    let templates = keys
        .iter()
        .map(|(key, holes)| {
            let text = given.remove(*key).ok_or(TextsError::Missing { key })?;
            Template::parse(&text, holes).map_err(|source| TextsError::Template { key, source })
        })
        .collect::<Result<Vec<_>, _>>()?;
    match given.into_keys().next() {
        Some(key) => Err(TextsError::Unknown { key }),
        None => Ok(templates),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(file: &str) -> String {
        let error = Texts::parse(file).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    }

    #[test]
    fn the_english_texts_have_every_key_with_its_placeholders() {
        let texts = Texts::english().unwrap();
        assert_eq!(texts.templates.len(), KEYS.len());
    }

    #[test]
    fn a_file_that_could_not_be_filled_in_is_refused() {
        let without = |key: &str| -> String {
            let lines = ENGLISH
                .lines()
                .filter(|line| !line.starts_with(&format!("{key} =")));
            lines.collect::<Vec<_>>().join("\n")
        };
        let rest = without("accepted_title");
        assert!(refusal(&rest).contains("lack the key `accepted_title`"));
        for (line, reason) in [
            (
                "accepted_title = \"✓ {titel}\"",
                "`{titel}` is not one of its placeholders",
            ),
            ("accepted_title = \"✓\"", "`{title}` does not appear"),
            ("accepted_title = \"✓ {title\"", "a `{` is not closed"),
            ("accepted_title = \"\"", "is empty"),
            ("accepted_title = 5", "not a flat TOML table"),
        ] {
            let refused = refusal(&format!("{rest}\n{line}\n"));
            assert!(refused.contains(reason), "{line}: {refused}");
        }
        let more = format!("{ENGLISH}\nfarewell = \"Bye\"\n");
        assert!(refusal(&more).contains("unknown key `farewell`"));
    }
}
