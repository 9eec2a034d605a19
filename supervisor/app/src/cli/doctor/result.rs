//! What a check came to: a grade, a line, and how to mend it.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    Ok,
    /// It works, and is not as it should be.
    Warn,
    Fail,
    /// It was not right and has been mended.
    Fixed,
    /// It cannot be found out now.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    pub check: &'static str,
    #[serde(rename = "verdict")]
    pub grade: Grade,
    pub line: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl CheckResult {
    pub fn ok(check: &'static str, line: impl Into<String>) -> Self {
        Self::new(check, Grade::Ok, line.into(), None)
    }

    pub fn warn(check: &'static str, line: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Grade::Warn, line.into(), Some(remedy.into()))
    }

    pub fn fail(check: &'static str, line: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Grade::Fail, line.into(), Some(remedy.into()))
    }

    pub fn fixed(check: &'static str, line: impl Into<String>) -> Self {
        Self::new(check, Grade::Fixed, line.into(), None)
    }

    pub fn unknown(
        check: &'static str,
        line: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, Grade::Unknown, line.into(), Some(remedy.into()))
    }

    fn new(check: &'static str, grade: Grade, line: String, remedy: Option<String>) -> Self {
        Self {
            check,
            grade,
            line,
            remedy,
        }
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.grade {
            Grade::Ok => "ok",
            Grade::Warn => "warn",
            Grade::Fail => "FAIL",
            Grade::Fixed => "fixed",
            Grade::Unknown => "?",
        };
        write!(f, "{mark:<6}{:<18}{}", self.check, self.line)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}
