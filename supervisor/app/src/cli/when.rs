//! A time for a person: UTC, to the millisecond.
//!
//! Source of the calendar: RFC 3339, and Howard Hinnant's `civil_from_days`
//! (<https://howardhinnant.github.io/date_algorithms.html>), which is exact for the proleptic Gregorian calendar.

use shared_core::UnixMs;

const DAY_MS: i64 = 86_400_000;

/// `2026-11-21T01:02:03.004Z`.
pub fn utc(at: UnixMs) -> String {
    let (days, rest) = (at.0.div_euclid(DAY_MS), at.0.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Year, month and day, from days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(utc(UnixMs(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(UnixMs(-1)), "1969-12-31T23:59:59.999Z");
        assert_eq!(utc(UnixMs(951_782_400_000)), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(UnixMs(1_795_222_923_004)), "2026-11-21T01:02:03.004Z");
    }
}
