//! The environment as a layer of the configuration: `UNDERSTUDY__SECTION__KEY`.
//!
//! A variable is a text, whatever it says. One that writes a whole number the plain way is handed on as that number, so that a
//! *text in the file* can be refused where a number belongs. Invariant: what is handed on as a number reads the same when a text is
//! wanted after all.

use ::config::{ConfigError, Environment, Map, Source, Value, ValueKind};

use super::Surroundings;

#[derive(Debug, Clone)]
pub(super) struct Variables(Environment);

impl Variables {
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        let variables = Environment::with_prefix("UNDERSTUDY")
            .prefix_separator("__")
            .separator("__")
            .ignore_empty(true)
            .source(Some(surroundings.settings()));
        Self(variables)
    }
}

impl Source for Variables {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut variables = self.0.collect()?;
        for value in variables.values_mut() {
            if let ValueKind::String(text) = &value.kind
                && let Some(number) = plain_number(text)
            {
                value.kind = ValueKind::I64(number);
            }
        }
        Ok(variables)
    }
}

/// `12`, and neither `012` nor `+12`, which are other texts than the number's.
fn plain_number(text: &str) -> Option<i64> {
    let number: i64 = text.trim().parse().ok()?;
    (number.to_string() == text.trim()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_the_same_is_a_number() {
        for (text, number) in [
            ("12", Some(12)),
            (" 12 ", Some(12)),
            ("-3", Some(-3)),
            ("012", None),
            ("+12", None),
            ("1.5", None),
            ("many", None),
            ("", None),
        ] {
            assert_eq!(plain_number(text), number, "{text:?}");
        }
    }
}
