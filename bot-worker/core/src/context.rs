//! What a step may look at besides the dialogue and the event.
//!
//! Invariant: everything that differs between two runs (time, names, configuration) is in here, so a step is a function of its
//! arguments. The catalog is taken from the configuration; [`Catalog::validate`] is for whoever loads it.

use std::collections::BTreeSet;
use std::time::Duration;

use shared_core::{ChannelId, ConversationKey, MemberId, PoolId, UnixMs};

use crate::Texts;
use crate::button::NameHash;

#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub pool: &'a PoolId,
    /// The bot that answers, without the `@`.
    pub me_username: &'a str,
    /// The bot that answered before it, if there was a switch and its name is known.
    pub previous_username: Option<&'a str>,
    /// All bots of the pool: a command or a mention that names any of them is meant for us.
    pub pool_usernames: &'a [String],
    pub texts: &'a Texts,
    pub catalog: &'a Catalog,
    pub now: UnixMs,
    /// So long after an invitation to the backups comes the next one; 0: there are none.
    pub invite_again_ms: u64,
    /// Too many courses wait for the database: none is taken now.
    pub records_full: bool,
    pub key: ConversationKey,
}

/// What an upload may consist of and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub categories: Vec<String>,
    pub tags: Vec<String>,
    /// A course has 0 to this many files; at least 1, so that the step that asks for files can take one.
    pub max_files: u32,
    pub max_file_bytes: u64,
    /// The channel that keeps the files.
    pub storage: ChannelId,
    /// The channel in which courses are announced.
    pub broadcast: Option<ChannelId>,
    /// Who says nothing for this long in the middle of an upload is reminded.
    pub remind_after: Option<Duration>,
    /// Who hears in private of each course that is handed in.
    pub told_of_courses: Vec<MemberId>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    #[error("the upload catalog has no category")]
    NoCategory,
    #[error("the upload catalog has {count} {what}, a keyboard holds {NAMES} at most")]
    TooMany { what: &'static str, count: usize },
    #[error("`{name}` in the upload catalog must have 1 to {NAME} characters in one line")]
    Name { name: String },
    #[error("`{name}` is twice in the upload catalog, or too like another name to tell them apart")]
    Twice { name: String },
    #[error("an upload must allow 1 to {FILES} files, not {max_files}")]
    Files { max_files: u32 },
    #[error("an upload must allow files of at least one byte")]
    Bytes,
}

/// Telegram shows at most 100 buttons; the steps' own buttons need some.
const NAMES: usize = 90;
/// Longest category or tag: what a button shows on a phone.
const NAME: usize = 40;
/// Most files: their names have to fit into one review card and one stored conversation.
const FILES: u32 = 50;

impl Catalog {
    /// Says what in the catalog the conversations could not work with.
    pub fn validate(&self) -> Result<(), CatalogError> {
        if self.categories.is_empty() {
            return Err(CatalogError::NoCategory);
        }
        check_names("categories", &self.categories)?;
        check_names("tags", &self.tags)?;
        if !(1..=FILES).contains(&self.max_files) {
            return Err(CatalogError::Files {
                max_files: self.max_files,
            });
        }
        if self.max_file_bytes == 0 {
            return Err(CatalogError::Bytes);
        }
        Ok(())
    }
}

fn check_names(what: &'static str, names: &[String]) -> Result<(), CatalogError> {
    if names.len() > NAMES {
        return Err(CatalogError::TooMany {
            what,
            count: names.len(),
        });
    }
    let mut seen = BTreeSet::new();
    for name in names {
        let fits = (1..=NAME).contains(&name.chars().count())
            && crate::bound::one_line(name) == *name
            && !name.chars().any(char::is_control);
        if !fits {
            return Err(CatalogError::Name { name: name.clone() });
        }
        if !seen.insert(NameHash::of(name)) {
            return Err(CatalogError::Twice { name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        Catalog {
            categories: vec!["Art".into(), "Music".into()],
            tags: vec!["free".into()],
            max_files: 10,
            max_file_bytes: 1,
            storage: ChannelId(1),
            broadcast: None,
            remind_after: None,
            told_of_courses: Vec::new(),
        }
    }

    #[test]
    fn a_catalog_that_could_not_work_is_refused_with_its_reason() {
        assert_eq!(catalog().validate(), Ok(()));
        type Spoil = fn(&mut Catalog);
        let table: [(Spoil, &str); 7] = [
            (|c| c.categories.clear(), "has no category"),
            (|c| c.tags = vec!["x".into(); 91], "91 tags"),
            (|c| c.tags.push(String::new()), "1 to 40 characters"),
            (|c| c.tags.push("a\nb".into()), "in one line"),
            (|c| c.categories.push("Art".into()), "`Art` is twice"),
            (|c| c.max_files = 0, "1 to 50 files, not 0"),
            (|c| c.max_file_bytes = 0, "at least one byte"),
        ];
        for (spoil, reason) in table {
            let mut catalog = catalog();
            spoil(&mut catalog);
            let error = catalog.validate().map_err(|error| error.to_string());
            assert!(
                error.as_ref().is_err_and(|error| error.contains(reason)),
                "{error:?} should say {reason:?}"
            );
        }
    }
}
