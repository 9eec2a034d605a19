//! Times between a person and the program: shown in UTC to the millisecond, taken with an offset or as a span from here on.
//!
//! Source of the formats: RFC 3339 for moments, jiff's friendly format for spans (<https://docs.rs/jiff/latest/jiff/fmt/friendly/>).
//! Deliberately absent: local time, which no two machines of a deployment need to share.

use jiff::{SignedDuration, Timestamp};
use shared_core::UnixMs;

/// `2026-11-21T01:02:03.004Z`.
pub fn utc(at: UnixMs) -> String {
    match Timestamp::from_millisecond(at.0) {
        Ok(moment) => format!("{moment:.3}"),
        // Some ten thousand years away: a clock or a row that is wrong.
        Err(_) => format!("{} ms after 1970", at.0),
    }
}

/// A moment: `2026-11-21T01:02Z`, `2026-11-21T03:02+02:00`, or `+90m` from `now` on.
pub fn moment(text: &str, now: UnixMs) -> Result<UnixMs, String> {
    let text = text.trim();
    let found = match text.strip_prefix('+') {
        Some(span) => span
            .parse::<SignedDuration>()
            .ok()
            .filter(|span| !span.is_negative())
            .and_then(|span| i64::try_from(span.as_millis()).ok())
            .and_then(|span| now.0.checked_add(span)),
        None => text
            .parse::<Timestamp>()
            .ok()
            .map(|moment| moment.as_millisecond()),
    };
    found.map(UnixMs).ok_or_else(|| {
        format!("`{text}` is no time: write it like 2026-12-01T03:00Z, with Z or an offset, or like +90m")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(utc(UnixMs(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(UnixMs(-1)), "1969-12-31T23:59:59.999Z");
        assert_eq!(utc(UnixMs(951_782_400_000)), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(UnixMs(1_795_222_923_004)), "2026-11-21T01:02:03.004Z");
        assert_eq!(utc(UnixMs(i64::MAX)), format!("{} ms after 1970", i64::MAX));
    }

    #[test]
    fn a_moment_is_taken_with_an_offset_or_from_here_on() {
        let now = UnixMs(1_000);
        let read = |text| moment(text, now).map(|at| at.0);
        assert_eq!(read("1970-01-01T00:00:05Z"), Ok(5_000));
        assert_eq!(read("1970-01-01T02:00+02:00"), Ok(0));
        assert_eq!(read("+90m"), Ok(5_401_000));
        assert_eq!(read("+1h 30m"), Ok(5_401_000));
        for wrong in [
            "",
            "noon",
            "03:00",
            "2026-12-01T03:00",
            "+",
            "+x",
            "+-5m",
            "90m",
            "+99999999999999h",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains("write it like"), "{wrong}: {error}");
        }
    }
}
