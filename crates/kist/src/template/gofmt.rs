//! Go's `fmt`: how values print, and `printf`.

use super::datum::{Datum, Nil};

/// `%v`.
pub(super) fn plain(value: &Datum<'_>) -> String {
    let mut out = String::new();
    write_plain(&mut out, value, false);
    out
}

fn write_plain(out: &mut String, value: &Datum<'_>, names: bool) {
    match value {
        Datum::Missing | Datum::Nil(Nil::Pointer) => out.push_str("<nil>"),
        Datum::Nil(Nil::List) => out.push_str("[]"),
        Datum::Nil(Nil::Map) => out.push_str("map[]"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Int(value) => out.push_str(&value.to_string()),
        Datum::Float(value) => out.push_str(&general(*value, None)),
        Datum::Str(text) => out.push_str(text),
        Datum::List(items) => {
            out.push('[');
            write_each(out, items.iter(), |out, item| write_plain(out, item, names));
            out.push(']');
        }
        Datum::Map(entries) => {
            out.push_str("map[");
            write_each(out, entries.iter(), |out, (key, value)| {
                out.push_str(key);
                out.push(':');
                write_plain(out, value, names);
            });
            out.push(']');
        }
        Datum::Struct(fields) => {
            out.push('{');
            write_each(out, fields.iter(), |out, field| {
                if names {
                    out.push_str(field.name);
                    out.push(':');
                }
                write_plain(out, &field.value, names);
            });
            out.push('}');
        }
        Datum::Row(row) => {
            out.push_str("map[");
            write_each(out, row.names().iter(), |out, name| {
                out.push_str(name);
                out.push(':');
                write_plain(out, &row.field(name).map_or(Datum::Missing, |value| Datum::of_row(&value)), names);
            });
            out.push(']');
        }
    }
}

fn write_each<T>(out: &mut String, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(' ');
        }
        write(out, item);
    }
}

/// `print`: spaces only between operands of which neither is a string.
pub(super) fn sprint(args: &[Datum<'_>]) -> String {
    let mut out = String::new();
    let mut after_string = true;
    for arg in args {
        let is_string = matches!(arg, Datum::Str(_));
        if !after_string && !is_string {
            out.push(' ');
        }
        write_plain(&mut out, arg, false);
        after_string = is_string;
    }
    out
}

/// `println`.
pub(super) fn sprintln(args: &[Datum<'_>]) -> String {
    let words: Vec<String> = args.iter().map(plain).collect();
    words.join(" ") + "\n"
}

#[derive(Default, Clone, Copy)]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The widest padding and longest fraction `printf` writes. Go allows a million; Rust's formatter panics above 65535.
const MAX_WIDTH: usize = 60_000;

/// `printf`.
pub(super) fn sprintf(format: &str, args: &[Datum<'_>]) -> String {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "+-# 0".contains(*c)) {
            match flag {
                '+' => spec.plus = true,
                '-' => spec.minus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                _ => spec.zero = true,
            }
        }
        match count(&mut chars, args, &mut next) {
            Ok(width) => spec.width = width,
            Err(()) => out.push_str("%!(BADWIDTH)"),
        }
        if chars.next_if_eq(&'.').is_some() {
            match count(&mut chars, args, &mut next) {
                Ok(precision) => spec.precision = Some(precision.unwrap_or(0)),
                Err(()) => out.push_str("%!(BADPREC)"),
            }
        }
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        match args.get(next) {
            Some(arg) => out.push_str(&one(arg, verb, spec)),
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
        next += 1;
    }
    if next < args.len() {
        let rest: Vec<String> =
            args[next..]
                .iter()
                .map(|arg| {
                    if matches!(arg, Datum::Missing) {
                        plain(arg)
                    } else {
                        format!("{}={}", arg.type_name(), plain(arg))
                    }
                })
                .collect();
        out.push_str(&format!("%!(EXTRA {})", rest.join(", ")));
    }
    out
}

/// A width or precision: digits, or `*` from the arguments.
fn count(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    args: &[Datum<'_>],
    next: &mut usize,
) -> Result<Option<usize>, ()> {
    if chars.next_if_eq(&'*').is_some() {
        let arg = args.get(*next);
        *next += 1;
        let Some(Datum::Int(value)) = arg else { return Err(()) };
        return usize::try_from(*value).ok().filter(|n| *n <= MAX_WIDTH).map(Some).ok_or(());
    }
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let digit = usize::try_from(digit).map_err(|_| ())?;
        value = Some(value.unwrap_or(0usize).saturating_mul(10).saturating_add(digit));
    }
    if value.is_some_and(|n| n > MAX_WIDTH) { Err(()) } else { Ok(value) }
}

fn one(arg: &Datum<'_>, verb: char, spec: Spec) -> String {
    if verb == 'T' {
        return pad(arg.type_name(), spec);
    }
    if verb == 'v' && !matches!(arg, Datum::Int(_) | Datum::Float(_) | Datum::Str(_)) {
        let mut out = String::new();
        write_plain(&mut out, arg, spec.plus);
        return pad(out, spec);
    }
    match arg {
        Datum::List(items) => {
            let items: Vec<String> = items.iter().map(|item| one(item, verb, spec)).collect();
            format!("[{}]", items.join(" "))
        }
        Datum::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", one(&Datum::text(key), verb, spec), one(value, verb, spec)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
        Datum::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|field| one(&field.value, verb, spec)).collect();
            format!("{{{}}}", fields.join(" "))
        }
        Datum::Nil(Nil::List) => "[]".to_owned(),
        Datum::Nil(Nil::Map) => "map[]".to_owned(),
        Datum::Missing => format!("%!{verb}(<nil>)"),
        Datum::Bool(value) if verb == 't' => pad(value.to_string(), spec),
        Datum::Int(value) => int(*value, verb, spec).unwrap_or_else(|| bad(arg, verb, spec)),
        Datum::Float(value) => float(*value, verb, spec).unwrap_or_else(|| bad(arg, verb, spec)),
        Datum::Str(text) => string(text, verb, spec).unwrap_or_else(|| bad(arg, verb, spec)),
        Datum::Bool(_) | Datum::Nil(Nil::Pointer) | Datum::Row(_) => bad(arg, verb, spec),
    }
}

/// A verb that does not suit its value: the value in its plain form, padded as was asked.
fn bad(arg: &Datum<'_>, verb: char, spec: Spec) -> String {
    format!("%!{verb}({}={})", arg.type_name(), one(arg, 'v', spec))
}

fn int(value: i128, verb: char, spec: Spec) -> Option<String> {
    let size = value.unsigned_abs();
    let (prefix, digits) = match verb {
        'd' | 'v' => ("", size.to_string()),
        'x' => ("0x", format!("{size:x}")),
        'X' => ("0X", format!("{size:X}")),
        'o' => ("0", format!("{size:o}")),
        'O' => ("0o", format!("{size:o}")),
        'b' => ("0b", format!("{size:b}")),
        'c' | 'q' | 'U' => {
            let c = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            return Some(pad(
                match verb {
                    'c' => c.to_string(),
                    'q' => format!("'{}'", quote(&c.to_string()).trim_matches('"')),
                    _ if spec.sharp => format!("U+{size:04X} '{c}'"),
                    _ => format!("U+{size:04X}"),
                },
                spec,
            ));
        }
        _ => return None,
    };
    let sign = sign(value < 0, spec);
    let prefix = if spec.sharp || verb == 'O' { prefix } else { "" };
    let mut width = spec.precision.unwrap_or(0);
    if spec.zero && !spec.minus && spec.precision.is_none() {
        width = spec.width.unwrap_or(0).saturating_sub(sign.len());
    }
    Some(pad(format!("{sign}{prefix}{digits:0>width$}"), spec))
}

fn sign(negative: bool, spec: Spec) -> &'static str {
    match (negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn float(value: f64, verb: char, spec: Spec) -> Option<String> {
    let size = value.abs();
    let digits = match verb {
        'v' | 'g' => general(size, spec.precision),
        'G' => general(size, spec.precision).to_uppercase(),
        'f' | 'F' => format!("{size:.*}", spec.precision.unwrap_or(6)),
        'e' => exponent(&format!("{size:.*e}", spec.precision.unwrap_or(6))),
        'E' => exponent(&format!("{size:.*e}", spec.precision.unwrap_or(6))).to_uppercase(),
        _ => return None,
    };
    let sign = sign(value.is_sign_negative() && !value.is_nan(), spec);
    let zeros = if spec.zero && !spec.minus { spec.width.unwrap_or(0).saturating_sub(sign.len()) } else { 0 };
    Some(pad(format!("{sign}{digits:0>zeros$}"), spec))
}

/// Go's `%.{precision}g`; without precision the shortest form, which takes an exponent from a million on.
pub(crate) fn general(value: f64, precision: Option<usize>) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .to_owned();
    }
    let precision = precision.map(|digits| digits.max(1));
    let scientific = match precision {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let limit = precision.map_or(6, |digits| i32::try_from(digits).unwrap_or(i32::MAX));
    if power < -4 || power >= limit {
        return exponent(&format!("{mantissa}e{power}"));
    }
    let fraction = i32::try_from(mantissa.bytes().filter(u8::is_ascii_digit).count()).unwrap_or(i32::MAX) - 1 - power;
    format!("{value:.*}", usize::try_from(fraction).unwrap_or(0))
}

/// Rust's `1e7` to Go's `1e+07`.
fn exponent(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{mantissa}e{sign}{power:0>2}")
}

fn string(text: &str, verb: char, spec: Spec) -> Option<String> {
    let cut: String = match spec.precision {
        Some(len) if matches!(verb, 's' | 'v' | 'q') => text.chars().take(len).collect(),
        _ => text.to_owned(),
    };
    let bytes = || cut.bytes().take(spec.precision.unwrap_or(usize::MAX));
    Some(pad(
        match verb {
            's' => cut,
            'v' if spec.sharp => quote(&cut),
            'v' => cut,
            'q' if spec.sharp && !cut.contains('`') && !cut.contains(char::is_control) => format!("`{cut}`"),
            'q' => quote(&cut),
            'x' => bytes().map(|b| format!("{b:02x}")).collect(),
            'X' => bytes().map(|b| format!("{b:02X}")).collect(),
            _ => return None,
        },
        spec,
    ))
}

fn pad(text: String, spec: Spec) -> String {
    let width = spec.width.unwrap_or(0);
    if spec.minus { format!("{text:<width$}") } else { format!("{text:>width$}") }
}

/// Go's `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
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
            c if c.is_control() || (c.is_whitespace() && c != ' ') => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
