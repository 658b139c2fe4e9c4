//! Values as Go's standard library reads and prints them: BuildKit's messages and limits are Go's.

use super::error::Fault;

/// `strconv.Quote`, for messages.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() || c == '\u{feff}' || (c.is_whitespace() && c != ' ') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// `strconv.ParseInt(text, 10, 32)`.
pub(super) fn parse_int32(text: &str) -> Result<i32, Fault> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let why = if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        "invalid syntax"
    } else {
        match text.parse() {
            Ok(number) => return Ok(number),
            Err(_) => "value out of range",
        }
    };
    Err(Fault::new(format!("strconv.ParseInt: parsing {}: {why}", quote(text))))
}

/// `strconv.ParseUint(text, radix, 32)`.
pub(super) fn parse_uint32(text: &str, radix: u32) -> Option<u32> {
    // Rust takes a sign, Go does not.
    if text.starts_with('+') { None } else { u32::from_str_radix(text, radix).ok() }
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

/// `time.ParseDuration`, in nanoseconds.
pub(super) fn parse_duration_ns(text: &str) -> Result<i64, Fault> {
    let invalid = || Fault::new(format!("time: invalid duration {}", quote(text)));
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
        let (number, behind) =
            rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let (unit, after) =
            behind.split_at(behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len()));
        if unit.is_empty() {
            return Err(Fault::new(format!("time: missing unit in duration {}", quote(text))));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(Fault::new(format!("time: unknown unit {} in duration {}", quote(unit), quote(text))));
        };
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        // Eighteen digits are finer than a nanosecond in any unit, and fit with room.
        let digits = &fraction[..fraction.len().min(18)];
        let part =
            digits.parse::<i128>().map_or(0, |value| value * scale / digits.bytes().fold(1, |power, _| power * 10));
        total = total.saturating_add(i128::from(whole) * scale + part);
        rest = after;
    }
    i64::try_from(sign * total).map_err(|_| invalid())
}

/// `units.RAMInBytes`: `64m`, `1.5 GiB`.
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let number = if text[last..].starts_with(' ') { &text[..last] } else { &text[..=last] };
    let suffix = text[last + 1..].to_ascii_lowercase();
    let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)?;
    let mut letters = suffix.chars();
    let power = match letters.next() {
        None => 0,
        Some('b') if suffix.len() == 1 => 0,
        Some(letter) if matches!(letters.as_str(), "" | "b" | "ib") => 10 * ("kmgtp".find(letter)? + 1),
        Some(_) => return None,
    };
    let bytes = number * f64::from(u32::try_from(power).ok()?).exp2();
    // A float becomes an integer by `as` alone; it is positive, and what is too large becomes the largest.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (bytes < 9e18).then_some(bytes as u64)
}

/// The fields of one line of comma separated values (`csvvalue.Fields`).
pub(super) fn csv_fields(text: &str) -> Result<Vec<String>, Fault> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let column = text.len() - rest.len() + 1;
        let wrong = |at: usize, why: &str| Fault::new(format!("parse error on line 1, column {}: {why}", column + at));
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, behind) = rest.split_once(',').map_or((rest, None), |(field, behind)| (field, Some(behind)));
            if let Some(at) = field.find('"') {
                return Err(wrong(at, "bare \" in non-quoted field"));
            }
            fields.push(field.to_owned());
            match behind {
                Some(behind) => rest = behind,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        let mut inside = quoted;
        loop {
            let Some((part, behind)) = inside.split_once('"') else {
                return Err(wrong(rest.len(), "extraneous or missing \" in quoted-field"));
            };
            field.push_str(part);
            inside = behind;
            match inside.strip_prefix('"') {
                Some(behind) => inside = behind,
                None => break,
            }
            field.push('"');
        }
        fields.push(field);
        match inside.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if inside.is_empty() => return Ok(fields),
            None => return Err(wrong(rest.len() - inside.len(), "extraneous or missing \" in quoted-field")),
        }
    }
}
