//! The functions a template may call: Go's built-in ones and Docker's.

use super::datum::{Datum, Nil};
use super::gofmt::{plain, sprint, sprintf, sprintln};

/// What a function takes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    /// Anything.
    Any,
    /// A string.
    Text,
    /// A whole number.
    Int,
}

/// What a function takes.
#[derive(Debug)]
pub(super) struct Signature {
    /// In order.
    pub(super) params: &'static [Param],
    /// Any number of further values.
    pub(super) variadic: bool,
}

/// Which of Docker's functions are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Functions {
    /// Those that work on values.
    Values,
    /// Those for a table's header: they leave the column's name as it is.
    Header,
}

/// Whether a template may call `name`.
pub(super) fn is_known(name: &str) -> bool {
    signature(name).is_some()
}

/// What `name` takes.
pub(super) fn signature(name: &str) -> Option<Signature> {
    use Param::{Any, Int, Text};
    let (params, variadic): (&'static [Param], bool) = match name {
        "and" | "or" | "eq" | "index" | "slice" => (&[Any], true),
        "not" | "len" | "json" => (&[Any], false),
        "ne" | "lt" | "le" | "gt" | "ge" => (&[Any, Any], false),
        "print" | "println" | "html" | "js" | "urlquery" => (&[], true),
        "printf" => (&[Text], true),
        "split" => (&[Text, Text], false),
        "join" => (&[Any, Text], false),
        "title" | "lower" | "upper" => (&[Text], false),
        "pad" => (&[Text, Int, Int], false),
        "truncate" => (&[Text, Int], false),
        _ => return None,
    };
    Some(Signature { params, variadic })
}

/// Calls `name`; the arguments fit its signature. `and` and `or` are the evaluator's, since they stop early.
pub(super) fn call<'a>(name: &str, args: &[Datum<'a>], functions: Functions) -> Result<Datum<'a>, String> {
    if functions == Functions::Header
        && matches!(name, "json" | "split" | "join" | "title" | "lower" | "upper" | "truncate")
    {
        return Ok(args.first().cloned().unwrap_or(Datum::Missing));
    }
    let int = |i: usize| if let Some(Datum::Int(value)) = args.get(i) { *value } else { 0 };
    let text = |i: usize| args.get(i).map(plain).unwrap_or_default();
    Ok(match name {
        "not" => Datum::Bool(!args.iter().all(Datum::truth)),
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => Datum::Bool(compare(name, args)?),
        "len" => Datum::Int(len(args)?),
        "index" => index(args)?,
        "slice" => slice(args)?,
        "print" => Datum::text(sprint(args)),
        "println" => Datum::text(sprintln(args)),
        "printf" => Datum::text(sprintf(&text(0), args.get(1..).unwrap_or_default())),
        "html" => Datum::text(escape_html(&printed(args))),
        "js" => Datum::text(escape_js(&printed(args))),
        "urlquery" => Datum::text(escape_query(&printed(args))),
        "json" => Datum::text(args.iter().map(Datum::json).collect::<String>()),
        "split" => split(&text(0), &text(1)),
        "join" => Datum::text(join(args, &text(1))?),
        "title" => Datum::text(title(&text(0))),
        "lower" => Datum::text(text(0).to_lowercase()),
        "upper" => Datum::text(text(0).to_uppercase()),
        "pad" => Datum::text(pad(&text(0), int(1), int(2))?),
        "truncate" => Datum::text(truncate(&text(0), int(1))?),
        other => return Err(format!("function {other:?} not defined")),
    })
}

/// One string stays itself; anything else prints as `print` does.
fn printed(args: &[Datum<'_>]) -> String {
    match args {
        [Datum::Str(text)] => text.to_string(),
        [Datum::Missing] => "<no value>".to_owned(),
        args => sprint(args),
    }
}

fn compare(name: &str, args: &[Datum<'_>]) -> Result<bool, String> {
    let [first, rest @ ..] = args else { return Err("missing argument for comparison".to_owned()) };
    if name == "eq" {
        if rest.is_empty() {
            return Err("missing argument for comparison".to_owned());
        }
        for other in rest {
            if equal(first, other)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let [second] = rest else { return Err("missing argument for comparison".to_owned()) };
    let less = |a: &Datum<'_>, b: &Datum<'_>| less(a, b);
    match name {
        "ne" => Ok(!equal(first, second)?),
        "lt" => less(first, second),
        "le" => Ok(less(first, second)? || equal(first, second)?),
        "gt" => Ok(!less(first, second)? && !equal(first, second)?),
        _ => Ok(!less(first, second)?),
    }
}

fn equal(a: &Datum<'_>, b: &Datum<'_>) -> Result<bool, String> {
    match (a, b) {
        (Datum::Bool(a), Datum::Bool(b)) => Ok(a == b),
        (Datum::Int(a), Datum::Int(b)) => Ok(a == b),
        (Datum::Float(a), Datum::Float(b)) => Ok(a == b),
        (Datum::Str(a), Datum::Str(b)) => Ok(a == b),
        (Datum::Missing | Datum::Nil(_), Datum::Missing | Datum::Nil(_)) => Ok(true),
        (Datum::Missing | Datum::Nil(_), _) | (_, Datum::Missing | Datum::Nil(_)) => Ok(false),
        (Datum::List(_) | Datum::Map(_) | Datum::Struct(_) | Datum::Row(_), _)
        | (_, Datum::List(_) | Datum::Map(_) | Datum::Struct(_) | Datum::Row(_))
            if is_basic(a) == is_basic(b) =>
        {
            Err(format!("non-comparable type {}: {}", plain(a), a.type_name()))
        }
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn is_basic(value: &Datum<'_>) -> bool {
    matches!(value, Datum::Bool(_) | Datum::Int(_) | Datum::Float(_) | Datum::Str(_))
}

fn less(a: &Datum<'_>, b: &Datum<'_>) -> Result<bool, String> {
    match (a, b) {
        (Datum::Int(a), Datum::Int(b)) => Ok(a < b),
        (Datum::Float(a), Datum::Float(b)) => Ok(a < b),
        (Datum::Str(a), Datum::Str(b)) => Ok(a < b),
        (a, b) if is_basic(a) && is_basic(b) && !matches!((a, b), (Datum::Bool(_), Datum::Bool(_))) => {
            Err("incompatible types for comparison".to_owned())
        }
        _ => Err("invalid type for comparison".to_owned()),
    }
}

fn len(args: &[Datum<'_>]) -> Result<i128, String> {
    let value = args.first().unwrap_or(&Datum::Missing);
    let len = match value {
        Datum::Str(text) => text.len(),
        Datum::List(items) => items.len(),
        Datum::Map(entries) => entries.len(),
        Datum::Nil(Nil::List | Nil::Map) => 0,
        Datum::Nil(Nil::Pointer) => return Err("len of nil pointer".to_owned()),
        Datum::Missing => return Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        Datum::Bool(_) | Datum::Int(_) | Datum::Float(_) | Datum::Struct(_) | Datum::Row(_) => {
            return Err(format!("len of type {}", value.type_name()));
        }
    };
    i128::try_from(len).map_err(|error| error.to_string())
}

fn index<'a>(args: &[Datum<'a>]) -> Result<Datum<'a>, String> {
    let [item, keys @ ..] = args else { return Err("index of untyped nil".to_owned()) };
    let mut item = item.clone();
    if matches!(item, Datum::Missing) {
        return Err("index of untyped nil".to_owned());
    }
    for key in keys {
        item = match &item {
            Datum::Missing => return Err("index of untyped nil".to_owned()),
            Datum::Nil(Nil::Pointer) => return Err("index of nil pointer".to_owned()),
            Datum::Nil(Nil::List) => return Err(format!("index out of range: {}", position(key)?)),
            Datum::Nil(Nil::Map) => Datum::text(map_key(key).map(|_| "")?),
            Datum::List(items) => match items.get(position(key)?) {
                Some(item) => item.clone(),
                None => return Err(format!("index out of range: {}", plain(key))),
            },
            Datum::Str(text) => match text.as_bytes().get(position(key)?) {
                Some(byte) => Datum::Int(i128::from(*byte)),
                None => return Err(format!("index out of range: {}", plain(key))),
            },
            Datum::Map(entries) => match entries.get(map_key(key)?) {
                Some(value) => value.clone(),
                None => absent(entries.values().next()),
            },
            Datum::Bool(_) | Datum::Int(_) | Datum::Float(_) | Datum::Struct(_) | Datum::Row(_) => {
                return Err(format!("can't index item of type {}", item.type_name()));
            }
        };
    }
    Ok(item)
}

/// What Go's map gives for a key it lacks: its element type's zero, known here from a neighbour.
fn absent<'a>(neighbour: Option<&Datum<'a>>) -> Datum<'a> {
    match neighbour {
        Some(Datum::Str(_)) => Datum::text(""),
        Some(Datum::Struct(_)) => Datum::Nil(Nil::Pointer),
        Some(Datum::Nil(nil)) => Datum::Nil(*nil),
        Some(Datum::List(_)) => Datum::Nil(Nil::List),
        _ => Datum::Missing,
    }
}

fn map_key<'k>(key: &'k Datum<'_>) -> Result<&'k str, String> {
    if let Datum::Str(text) = key {
        return Ok(text);
    }
    if matches!(key, Datum::Missing) {
        return Err("value is nil; should be of type string".to_owned());
    }
    Err(format!("value has type {}; should be string", key.type_name()))
}

fn position(key: &Datum<'_>) -> Result<usize, String> {
    if let Datum::Int(value) = key {
        return usize::try_from(*value).map_err(|_| format!("index out of range: {value}"));
    }
    if matches!(key, Datum::Missing) {
        return Err("cannot index slice/array with nil".to_owned());
    }
    Err(format!("cannot index slice/array with type {}", key.type_name()))
}

fn slice<'a>(args: &[Datum<'a>]) -> Result<Datum<'a>, String> {
    let [item, bounds @ ..] = args else { return Err("slice of untyped nil".to_owned()) };
    if matches!(item, Datum::Missing) {
        return Err("slice of untyped nil".to_owned());
    }
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let len = match item {
        Datum::Str(_) if bounds.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Datum::Str(text) => text.len(),
        Datum::List(items) => items.len(),
        Datum::Nil(Nil::List) => 0,
        Datum::Missing
        | Datum::Nil(Nil::Pointer | Nil::Map)
        | Datum::Bool(_)
        | Datum::Int(_)
        | Datum::Float(_)
        | Datum::Map(_)
        | Datum::Struct(_)
        | Datum::Row(_) => return Err(format!("can't slice item of type {}", item.type_name())),
    };
    let mut range = [0, len, len];
    for (i, bound) in bounds.iter().enumerate() {
        let at = position(bound)?;
        if at > len {
            return Err(format!("index out of range: {at}"));
        }
        range[i] = at;
    }
    let [from, to, _] = range;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if let Datum::Str(text) = item {
        return Ok(Datum::text(String::from_utf8_lossy(&text.as_bytes()[from..to])));
    }
    if let Datum::List(items) = item {
        return Ok(Datum::List(items[from..to].into()));
    }
    Ok(item.clone())
}

fn split<'a>(text: &str, separator: &str) -> Datum<'a> {
    if separator.is_empty() {
        return Datum::List(text.chars().map(|c| Datum::text(c.to_string())).collect());
    }
    Datum::List(text.split(separator).map(Datum::text).collect())
}

fn join(args: &[Datum<'_>], separator: &str) -> Result<String, String> {
    let list = args.first().unwrap_or(&Datum::Missing);
    let items = match list {
        Datum::Missing | Datum::Nil(Nil::List | Nil::Map) => Vec::new(),
        Datum::List(items) => items.iter().map(plain).collect(),
        Datum::Map(entries) => {
            let mut values: Vec<String> = entries.values().map(plain).collect();
            values.sort();
            values
        }
        Datum::Nil(Nil::Pointer)
        | Datum::Bool(_)
        | Datum::Int(_)
        | Datum::Float(_)
        | Datum::Str(_)
        | Datum::Struct(_)
        | Datum::Row(_) => return Err(format!("expected slice, got {}", list.type_name())),
    };
    Ok(items.join(separator))
}

/// Go's `strings.Title`: what stands behind neither a letter, a digit nor `_` is upper case.
fn title(text: &str) -> String {
    let mut previous = ' ';
    text.chars()
        .map(|c| {
            let starts =
                !(previous.is_alphanumeric() || previous == '_') && (previous.is_ascii() || previous.is_whitespace());
            previous = c;
            if starts { c.to_uppercase().next().unwrap_or(c) } else { c }
        })
        .collect()
}

/// The widest `pad` writes on either side.
const MAX_PAD: i128 = 1 << 16;

fn pad(text: &str, before: i128, after: i128) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    if before < 0 || after < 0 {
        return Err("strings: negative Repeat count".to_owned());
    }
    let spaces = |count: i128| " ".repeat(usize::try_from(count.min(MAX_PAD)).unwrap_or(0));
    Ok(spaces(before) + text + &spaces(after))
}

fn truncate(text: &str, len: i128) -> Result<String, String> {
    let len = usize::try_from(len).map_err(|_| format!("runtime error: slice bounds out of range [:{len}]"))?;
    let kept = text.as_bytes().get(..len).unwrap_or(text.as_bytes());
    Ok(String::from_utf8_lossy(kept).into_owned())
}

fn escape_html(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn escape_js(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(c);
            }
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn escape_query(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
