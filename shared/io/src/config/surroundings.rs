//! The environment variables that a configuration may depend on, as a value, so that a test can say what they are.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Before settings; secrets have names of the operator's choice.
const SETTING: &str = "UNDERSTUDY__";

/// Environment variables by name. Their values may be secrets.
#[derive(Clone, Default)]
pub struct Surroundings(BTreeMap<String, String>);

impl Surroundings {
    /// What this process was started with; a variable that is not UTF-8 is left out.
    pub fn of_process() -> Self {
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(readable).collect())
    }

    pub fn empty() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// systemd's folder of credentials.
    pub(super) fn credentials(&self) -> Option<PathBuf> {
        self.get("CREDENTIALS_DIRECTORY").map(PathBuf::from)
    }

    /// Those that are settings, for the `config` crate.
    pub(super) fn settings(&self) -> HashMap<String, String> {
        let ours = self.0.iter().filter(|(name, _)| name.starts_with(SETTING));
        ours.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The variable that sets this key, if one does.
    pub(super) fn setter(&self, key: &str) -> Option<String> {
        let name = format!("{SETTING}{}", key.to_ascii_uppercase().replace('.', "__"));
        self.0.contains_key(&name).then_some(name)
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
