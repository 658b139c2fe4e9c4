//! Moments in UTC, printed as Go's RFC3339Nano does: nanoseconds without trailing zeros, `Z` for the zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const NS: i64 = 1_000_000_000;

/// Nanoseconds since 1970-01-01T00:00:00Z (until the year 2262).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(i64);

/// The text is not RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {0:?}: it is not as in 2006-01-02T15:04:05Z")]
pub struct TimeError(String);

impl Time {
    /// From nanoseconds since 1970.
    #[must_use]
    pub fn from_ns(ns: i64) -> Time {
        Time(ns)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn ns(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(NS)
    }

    /// Nanoseconds from `earlier` to this; negative when it is later.
    #[must_use]
    pub fn since_ns(self, earlier: Time) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// With all nine digits of the second, as `logs --timestamps` prints.
    #[must_use]
    pub fn fixed(self) -> String {
        let (year, month, day) = civil(self.seconds().div_euclid(86_400));
        let second = self.seconds().rem_euclid(86_400);
        let (h, m, s, ns) = (second / 3600, second / 60 % 60, second % 60, self.0.rem_euclid(NS));
        format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ns:09}Z")
    }
}

/// Days since 1970 to a date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = self.fixed();
        let short = fixed.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
        write!(f, "{short}Z")
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Time, TimeError> {
        parse(text).ok_or_else(|| TimeError(text.into()))
    }
}

fn parse(text: &str) -> Option<Time> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let mark = |at: usize, marks: &[u8]| text.as_bytes().get(at).is_some_and(|b| marks.contains(b));
    if !(mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (h, m, s) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || h > 23 || m > 59 || s > 60 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut ns = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let nine: String = fraction[..len].chars().chain("000000000".chars()).take(9).collect();
        ns = if len == 0 { return None } else { nine.parse().ok()? };
        rest = &fraction[len..];
    }
    let offset_s = match rest.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let at = text.len() - 5;
            let value = number(at, at + 2)? * 3600 + number(at + 3, at + 5)? * 60;
            if *sign == b'-' { -value } else { value }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + h * 3600 + m * 60 + s - offset_s;
    Some(Time(seconds.checked_mul(NS)?.checked_add(ns)?))
}

impl TryFrom<String> for Time {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Time, TimeError> {
        text.parse()
    }
}

impl From<Time> for String {
    fn from(time: Time) -> String {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_go_prints_it() {
        let check = |text: &str, is: &str| assert_eq!(text.parse::<Time>().unwrap().to_string(), is);
        check("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
        check("2024-02-29T23:59:59.120000000+01:30", "2024-02-29T22:29:59.12Z");
        check("1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.000000001Z");
        for bad in
            ["", "now", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "9999-01-01T00:00:00Z"]
        {
            assert!(bad.parse::<Time>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ns in any::<i64>()) {
            let time = Time::from_ns(ns);
            if time.ns() > 0 { prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time); }
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}") { let _ = text.parse::<Time>(); }
    }
}
