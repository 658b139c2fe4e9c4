//! Sizes, durations and short names as Docker writes and reads them (docker/go-units, Go's `time.Duration`).

use std::time::Duration;

use crate::table::{char_width, display_width};
use crate::template::gofmt::{general, quote};

const DECIMAL: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BINARY: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/// `12.34MB`: decimal, four significant digits.
pub(crate) fn human_size(bytes: f64) -> String {
    human_size_with(bytes, 4)
}

/// `12.3MB`: decimal, `digits` significant digits. The columns of `ps` and `images` use three.
pub(crate) fn human_size_with(bytes: f64, digits: usize) -> String {
    scaled(bytes, 1000.0, &DECIMAL, digits)
}

/// `11.77MiB`: binary, four significant digits.
pub(crate) fn bytes_size(bytes: f64) -> String {
    scaled(bytes, 1024.0, &BINARY, 4)
}

fn scaled(bytes: f64, base: f64, units: &[&str; 9], digits: usize) -> String {
    let mut size = bytes;
    let mut unit = 0;
    while size >= base && unit < units.len() - 1 {
        size /= base;
        unit += 1;
    }
    format!("{}{}", general(size, Some(digits)), units[unit])
}

/// `About a minute`, `3 hours`: what stands before ` ago` and behind `Up `.
pub(crate) fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let minutes = seconds / 60;
    // Hours are rounded from here on, except in years.
    let hours = (duration.as_secs_f64() / 3600.0 + 0.5).floor();
    let hours = Duration::try_from_secs_f64(hours).map_or(u64::MAX, |hours| hours.as_secs());
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (_, _, ..48) => format!("{hours} hours"),
        (_, _, ..336) => format!("{} days", hours / 24),
        (_, _, ..1440) => format!("{} weeks", hours / 24 / 7),
        (_, _, ..17520) => format!("{} months", hours / 24 / 30),
        (..) => format!("{} years", minutes / 60 / 24 / 365),
    }
}

/// A size that cannot be read; go-units' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SizeError {
    /// No number, or a negative one.
    #[error("invalid size: '{0}'")]
    Size(String),
    /// An unknown unit.
    #[error("invalid suffix: '{0}'")]
    Suffix(String),
    /// Digits that are no number.
    #[error("strconv.ParseFloat: parsing {}: invalid syntax", quote(.0))]
    Number(String),
}

/// `512m`, `2GiB`: binary whatever the spelling.
pub(crate) fn ram_in_bytes(text: &str) -> Result<i64, SizeError> {
    let (number, suffix) = match text.split_once(' ') {
        Some(parts) => parts,
        None => match text.rfind(|c: char| c.is_ascii_digit() || c == '.') {
            Some(last) => text.split_at(last + 1),
            None => return Err(SizeError::Size(text.to_owned())),
        },
    };
    let size: f64 = number.parse().map_err(|_| SizeError::Number(number.to_owned()))?;
    if size < 0.0 {
        return Err(SizeError::Size(text.to_owned()));
    }
    if suffix.len() > 3 {
        return Err(SizeError::Suffix(suffix.to_owned()));
    }
    let lower = suffix.to_lowercase();
    let power = match lower.as_str() {
        "" | "b" => 0,
        unit => {
            let power = unit.chars().next().and_then(|c| "kmgtp".find(c));
            match (power, unit.get(1..)) {
                (Some(power), Some("" | "b" | "ib")) => power + 1,
                _ => return Err(SizeError::Suffix(lower)),
            }
        }
    };
    let bytes = (0..power).fold(size, |size, _| size * 1024.0);
    Ok(whole(bytes))
}

/// Go's `int64(f)`, except that what does not fit becomes the greatest.
fn whole(value: f64) -> i64 {
    format!("{:.0}", value.trunc()).parse().unwrap_or(i64::MAX)
}

/// A duration that cannot be read; Go's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// Not a duration.
    #[error("time: invalid duration {}", quote(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    NoUnit(String),
    /// An unknown unit.
    #[error("time: unknown unit {} in duration {}", quote(.0), quote(.1))]
    Unit(String, String),
}

const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// `1h2m3.5s` to nanoseconds; Go's `time.ParseDuration`.
pub(crate) fn parse_duration(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(number_len);
        let (int, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (int.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let unit_len = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, after) = behind.split_at(unit_len);
        if unit.is_empty() {
            return Err(DurationError::NoUnit(text.to_owned()));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::Unit(unit.to_owned(), text.to_owned()));
        };
        let int: i64 = if int.is_empty() { 0 } else { int.parse().map_err(|_| invalid())? };
        total += i128::from(int) * scale;
        // Eighteen digits are finer than a nanosecond in any unit, and fit with room.
        let digits = &fraction[..fraction.len().min(18)];
        if let Ok(value) = digits.parse::<i128>() {
            total += value * scale / digits.chars().fold(1i128, |power, _| power * 10);
        }
        rest = after;
    }
    i64::try_from(sign * total).map_err(|_| invalid())
}

/// Cuts `text` to `width` columns, the last being `…` when something was cut; Docker's `Ellipsis`.
pub(crate) fn ellipsis(text: &str, width: usize) -> String {
    if width <= 1 {
        return text.chars().take(width).collect();
    }
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += char_width(*c);
            used < width
        })
        .collect();
    kept + "…"
}

/// An id as tables show it: without its algorithm, twelve characters.
pub(crate) fn short_id(id: &str) -> &str {
    let hex = id.split_once(':').map_or(id, |(_, hex)| hex);
    hex.char_indices().nth(12).map_or(hex, |(end, _)| &hex[..end])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    use super::*;

    /// Nanoseconds as Go prints them: `1h2m3.5s`, `1.5ms`, `0s`.
    fn format_duration(nanos: i64) -> String {
        let size = nanos.unsigned_abs();
        let sign = if nanos < 0 { "-" } else { "" };
        let below_a_second = match size {
            0 => return "0s".to_owned(),
            1..1_000 => Some((1, "ns")),
            1_000..1_000_000 => Some((1_000, "µs")),
            1_000_000..1_000_000_000 => Some((1_000_000, "ms")),
            _ => None,
        };
        if let Some((unit, name)) = below_a_second {
            return format!("{sign}{}{name}", decimal(size, unit));
        }
        let (minutes, nanos) = (size / 60_000_000_000, size % 60_000_000_000);
        let seconds = decimal(nanos, 1_000_000_000);
        match (minutes / 60, minutes % 60) {
            (0, 0) => format!("{sign}{seconds}s"),
            (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
            (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
        }
    }

    /// `size / unit`, a fraction without trailing zeros; `unit` is a power of ten.
    fn decimal(size: u64, unit: u64) -> String {
        let fraction = size % unit;
        let digits = unit.ilog10();
        let digits = usize::try_from(digits).unwrap_or(0);
        let text = format!("{}.{fraction:0digits$}", size / unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    fn lines<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
        items.into_iter().map(|item| format!("{item}\n")).collect()
    }

    fn either<T: std::fmt::Display, E: std::fmt::Display>(result: Result<T, E>) -> String {
        result.map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    #[test]
    fn sizes_have_four_digits_or_three() {
        let sizes = [0.0, 1.0, 999.0, 1000.0, 1024.0, 12_345.0, 999_950.0, 1e6, 34_850_000_000.0, 3.42e18];
        expect![[r#"
            0B 0B 0B
            1B 1B 1B
            999B 999B 999B
            1kB 1kB 1000B
            1.024kB 1.02kB 1KiB
            12.35kB 12.3kB 12.06KiB
            1000kB 1e+03kB 976.5KiB
            1MB 1MB 976.6KiB
            34.85GB 34.9GB 32.46GiB
            3.42EB 3.42EB 2.966EiB
        "#]]
        .assert_eq(&lines(
            sizes.map(|size| format!("{} {} {}", human_size(size), human_size_with(size, 3), bytes_size(size))),
        ));
    }

    #[test]
    fn sizes_are_read_as_go_units_reads_them() {
        let texts = [
            "32",
            "32b",
            "32B",
            "32k",
            "32Kb",
            "32 kib",
            "32.5mB",
            "1 g",
            "3p",
            "",
            "hello",
            "-32",
            "32.3.4",
            "32bb",
            "32kilo",
            "32ki",
            "32x",
            "6.",
            ".5k",
            "1e3",
            " 32",
            "99999999999p",
        ];
        expect![[r#"
            32
            32
            32
            32768
            32768
            32768
            34078720
            1073741824
            3377699720527872
            invalid size: ''
            invalid size: 'hello'
            invalid size: '-32'
            strconv.ParseFloat: parsing "32.3.4": invalid syntax
            invalid suffix: 'bb'
            invalid suffix: 'kilo'
            invalid suffix: 'ki'
            invalid suffix: 'x'
            6
            512
            1000
            strconv.ParseFloat: parsing "": invalid syntax
            9223372036854775807
        "#]]
        .assert_eq(&lines(texts.map(|text| either(ram_in_bytes(text)))));
    }

    #[test]
    fn durations_are_told_in_words() {
        let (minute, hour, day) = (60, 3600, 86400);
        let seconds = [
            0,
            1,
            45,
            60,
            89,
            2 * minute,
            59 * minute,
            hour,
            hour + 29 * minute,
            hour + 30 * minute,
            47 * hour,
            48 * hour,
            13 * day,
            14 * day,
            59 * day,
            60 * day,
            729 * day,
            730 * day,
            5000 * day,
        ];
        expect![[r#"
            Less than a second
            1 second
            45 seconds
            About a minute
            About a minute
            2 minutes
            59 minutes
            About an hour
            About an hour
            2 hours
            47 hours
            2 days
            13 days
            2 weeks
            8 weeks
            2 months
            24 months
            2 years
            13 years
        "#]]
        .assert_eq(&lines(seconds.map(|s| human_duration(Duration::from_secs(s)))));
    }

    #[test]
    fn go_durations() {
        let texts = [
            "0",
            "0s",
            "1h2m3.5s",
            "-1.5h",
            "+5s",
            "1.5ms",
            "2us",
            "3µs",
            "100ns",
            ".5s",
            "1.s",
            "1h 2m",
            "",
            "-",
            "5",
            "3x",
            ".s",
            "1.2.3s",
            "99999999999h",
            "0.000000001s",
        ];
        expect![[r#"
            0s
            0s
            1h2m3.5s
            -1h30m0s
            5s
            1.5ms
            2µs
            3µs
            100ns
            500ms
            1s
            time: unknown unit "h " in duration "1h 2m"
            time: invalid duration ""
            time: invalid duration "-"
            time: missing unit in duration "5"
            time: unknown unit "x" in duration "3x"
            time: invalid duration ".s"
            time: invalid duration "1.2.3s"
            time: invalid duration "99999999999h"
            1ns
        "#]]
        .assert_eq(&lines(texts.map(|text| either(parse_duration(text).map(format_duration)))));
    }

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        let cases = [("", 5), ("short", 5), ("longer", 5), ("longer", 1), ("longer", 0), ("名前名前", 5), ("é́té", 10)];
        expect![[r#"
            ||
            |short|
            |long…|
            |l|
            ||
            |名前…|
            |é́té|
        "#]]
        .assert_eq(&lines(cases.map(|(text, width)| format!("|{}|", ellipsis(text, width)))));
    }

    #[test]
    fn ids_are_cut_to_twelve() {
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("abc"), "abc");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_duration_reads_back(nanos in any::<i64>()) {
            prop_assert_eq!(parse_duration(&format_duration(nanos)), Ok(nanos));
        }

        #[test]
        fn nothing_panics(text in ".{0,20}", size in any::<f64>(), width in 0usize..30) {
            let _ = (parse_duration(&text), ram_in_bytes(&text), ellipsis(&text, width));
            let _ = (human_size(size), bytes_size(size), short_id(&text).len());
        }
    }
}
