//! What can be wrong with a configuration, each as one line: file, key, what is wrong; how to mend it.
//!
//! Invariant: no line repeats a value that was found where a secret may stand; serde and TOML like to quote what they
//! found, so their texts are taken apart here instead of being passed on.

use std::io;
use std::path::{Path, PathBuf};

use super::Surroundings;
use crate::telemetry::one_line;

/// One line for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}{problem}", file.display(), key_prefix(key))]
pub struct ConfigError {
    /// As it was given on the command line.
    pub file: PathBuf,
    /// Path of the key, empty when it is about the whole file.
    pub key: String,
    pub problem: Problem,
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "cannot be read ({0}); copy understudy.example.toml there, or name another file with --config"
    )]
    Unreadable(io::ErrorKind),
    #[error("{place}: {why}; mend that line")]
    Syntax { place: String, why: String },
    #[error("there is no such setting; remove it, or write one of these: {known}")]
    Unknown { known: String },
    #[error("is missing; add it as understudy.example.toml shows")]
    Missing,
    #[error("is {found} and has to be {expected}; understudy.example.toml shows it")]
    Kind { found: String, expected: String },
    #[error("{0}")]
    Value(String),
    #[error("{value} is out of range; write a number from {low} to {high}")]
    Range { value: u64, low: u64, high: u64 },
    #[error("{what}; {mend}")]
    Inconsistent { what: String, mend: String },
    #[error("`env:{name}`: that environment variable is not set; set it, or refer to `file:PATH`")]
    VariableMissing { name: String },
    #[error("`{}` cannot be read ({error}); write the secret into that file, mode 600", path.display())]
    SecretUnreadable { path: PathBuf, error: io::ErrorKind },
    #[error("`{path}` is open to every user of this machine (mode {mode:o}); run: chmod o-rwx '{path}'", path = path.display())]
    SecretExposed { path: PathBuf, mode: u32 },
    #[error("`{source_text}` is empty; write the secret there")]
    SecretEmpty { source_text: String },
    #[error(
        "`{source_text}` is longer than {limit} bytes; that is not a secret, look at what it refers to"
    )]
    SecretTooLong { source_text: String, limit: usize },
    #[error(
        "`credential:{name}`: $CREDENTIALS_DIRECTORY is not set; start under systemd with LoadCredential={name}:PATH, or refer to `file:PATH`"
    )]
    NoCredentials { name: String },
}

/// A problem and where it is, before it is known in which file.
#[derive(Debug)]
pub(super) struct Fault {
    key: String,
    setter: Option<String>,
    problem: Problem,
}

impl Fault {
    pub(super) fn at(key: impl Into<String>, problem: Problem) -> Self {
        Self {
            key: key.into(),
            setter: None,
            problem,
        }
    }

    pub(super) fn whole_file(problem: Problem) -> Self {
        Self::at("", problem)
    }

    pub(super) fn inconsistent(
        key: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        let (what, mend) = (what.into(), mend.into());
        Self::at(key, Problem::Inconsistent { what, mend })
    }

    pub(super) fn in_file(self, file: &Path) -> ConfigError {
        let file = match &self.setter {
            Some(variable) => PathBuf::from(format!("environment variable {variable}")),
            None => file.to_owned(),
        };
        ConfigError {
            file,
            key: self.key,
            problem: self.problem,
        }
    }
}

/// Is `value` within `low..=high`?
pub(super) fn in_range(key: &str, value: u64, low: u64, high: u64) -> Result<(), Fault> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Fault::at(key, Problem::Range { value, low, high }))
    }
}

/// Puts the `config` crate's error into our words.
pub(super) fn translate(error: ::config::ConfigError, surroundings: &Surroundings) -> Fault {
    use ::config::ConfigError as E;
    let mut fault = match error {
        E::NotFound(key) => Fault::at(key, Problem::Missing),
        E::FileParse { cause, .. } => Fault::whole_file(syntax(&cause.to_string())),
        E::Type {
            unexpected,
            expected,
            key,
            ..
        } => {
            let found = kind_of(&unexpected.to_string());
            let expected = expected.to_owned();
            Fault::at(key.unwrap_or_default(), Problem::Kind { found, expected })
        }
        E::At { error, key, .. } => {
            let mut inner = translate(*error, surroundings);
            let outer = key.unwrap_or_default();
            inner.key = match (outer.is_empty(), inner.key.is_empty()) {
                (true, _) => inner.key,
                (_, true) => outer,
                _ => format!("{outer}.{}", inner.key),
            };
            inner
        }
        E::Message(text) => message(&text),
        // Neither can come from a document that has been parsed; their texts are the crate's own words.
        other => Fault::whole_file(Problem::Value(one_line(&other.to_string()))),
    };
    fault.key = with_dots(&fault.key);
    fault.setter = surroundings.setter(&fault.key);
    fault
}

/// serde's own sentences, without the values in them; anything else is a text from this module's neighbours.
fn message(text: &str) -> Fault {
    if let Some((key, known)) = text
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
    {
        let known = known
            .trim_start_matches(", expected ")
            .trim_start_matches("one of ")
            .replace("` or `", ", ")
            .replace('`', "");
        return Fault::at(key, Problem::Unknown { known });
    }
    let foreign = ["invalid type: ", "invalid value: ", "invalid length "];
    for prefix in foreign {
        if let Some(rest) = text.strip_prefix(prefix) {
            let (found, expected) = rest
                .rsplit_once(", expected ")
                .unwrap_or((rest, "something else"));
            let expected = if expected.starts_with("struct ") {
                "a table".to_owned()
            } else {
                expected.to_owned()
            };
            let found = kind_of(found);
            return Fault::whole_file(Problem::Kind { found, expected });
        }
    }
    Fault::whole_file(Problem::Value(one_line(text)))
}

/// `string "hunter2"` is a string, whatever is in it.
fn kind_of(found: &str) -> String {
    let word = found.split(['"', '`']).next().unwrap_or_default().trim();
    match word {
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        "unit value" => "empty".to_owned(),
        "string" => "a text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "floating point" => "a number with a fraction".to_owned(),
        _ => "of another kind".to_owned(),
    }
}

/// TOML's report has the place in its first line and the reason in its last; between them it quotes the line.
fn syntax(report: &str) -> Problem {
    let lines = || {
        report
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let place = lines()
        .find_map(|line| line.strip_prefix("TOML parse error at "))
        .unwrap_or("not TOML");
    let why = lines().next_back().unwrap_or("it cannot be read");
    Problem::Syntax {
        place: place.to_owned(),
        why: why.to_owned(),
    }
}

/// The `config` crate leaves the dot out after an index.
fn with_dots(key: &str) -> String {
    let mut dotted = String::with_capacity(key.len() + 2);
    let mut after_index = false;
    for c in key.chars() {
        if after_index && c != '.' && c != '[' {
            dotted.push('.');
        }
        after_index = c == ']';
        dotted.push(c);
    }
    dotted
}
