//! What a check found: a verdict, a line, and how to mend it.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
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
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    pub line: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    pub fn ok(check: &'static str, line: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, line.into(), None)
    }

    pub fn warn(check: &'static str, line: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, line.into(), Some(remedy.into()))
    }

    pub fn fail(check: &'static str, line: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, line.into(), Some(remedy.into()))
    }

    pub fn fixed(check: &'static str, line: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fixed, line.into(), None)
    }

    pub fn unknown(
        check: &'static str,
        line: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Unknown, line.into(), Some(remedy.into()))
    }

    fn new(check: &'static str, verdict: Verdict, line: String, remedy: Option<String>) -> Self {
        Self {
            check,
            verdict,
            line,
            remedy,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
            Verdict::Fixed => "fixed",
            Verdict::Unknown => "?",
        };
        write!(f, "{mark:<6}{:<18}{}", self.check, self.line)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}
