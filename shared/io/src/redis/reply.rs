//! What a script answers: a word that says how it went, and what belongs to it.

use ::redis::{FromRedisValue, ParsingError, Value, from_redis_value};

use super::error::{Op, StateError};

pub(super) struct Reply {
    pub word: String,
    rest: std::vec::IntoIter<Value>,
}

impl FromRedisValue for Reply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let parts: Vec<Value> = from_redis_value(value)?;
        let mut rest = parts.into_iter();
        let word = from_redis_value(rest.next().unwrap_or_default())?;
        Ok(Self { word, rest })
    }
}

impl Reply {
    /// The next part of the answer.
    pub fn take<T: FromRedisValue>(&mut self, op: Op<'_>) -> Result<T, StateError> {
        let value = self.rest.next().unwrap_or_default();
        from_redis_value(value).map_err(|_| {
            StateError::unreadable(op, "a script's answer has another form than expected")
        })
    }

    /// For the word that no script says.
    pub fn unexpected(&self, op: Op<'_>) -> StateError {
        StateError::unreadable(op, format!("a script answered `{}`", self.word))
    }
}
