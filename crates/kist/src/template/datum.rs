//! The values a template sees.
//!
//! Go's templates tell a struct's field from a map's key, and a nil map from a nil pointer; JSON does not. So Docker's
//! structs are read into `Datum` by a serializer of their own (`typed.rs`), and JSON as received by [`Datum::raw`].

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::Row;

/// What is nil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nil {
    /// A pointer: prints `<nil>`, is null.
    Pointer,
    /// A slice: prints `[]`, has length 0.
    List,
    /// A map: prints `map[]`, has length 0.
    Map,
}

/// A value.
#[derive(Clone)]
pub(super) enum Datum<'a> {
    /// No value at all: an absent key, JSON's null. Prints `<no value>`.
    Missing,
    /// Go's nil of some type.
    Nil(Nil),
    /// `true`.
    Bool(bool),
    /// Any whole number.
    Int(i128),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(Rc<str>),
    /// A slice.
    List(Rc<[Datum<'a>]>),
    /// A map, sorted by key as Go prints and ranges it.
    Map(Rc<BTreeMap<String, Datum<'a>>>),
    /// A struct: its fields in order, each with whether JSON shows it.
    Struct(Rc<[Field<'a>]>),
    /// A line of a list, asked field by field.
    Row(&'a dyn Row),
}

/// One field of a struct.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// Its JSON name.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: Datum<'a>,
    /// Left out of JSON (`omitempty`).
    pub(super) omitted: bool,
}

/// Go names that JSON spells differently; Docker's users write either.
const GO_NAMES: [(&str, &str); 12] = [
    ("ID", "Id"),
    ("CPUShares", "CpuShares"),
    ("NanoCPUs", "NanoCpus"),
    ("CPUPeriod", "CpuPeriod"),
    ("CPUQuota", "CpuQuota"),
    ("CPURealtimePeriod", "CpuRealtimePeriod"),
    ("CPURealtimeRuntime", "CpuRealtimeRuntime"),
    ("CPUCount", "CpuCount"),
    ("CPUPercent", "CpuPercent"),
    ("DNS", "Dns"),
    ("DNSOptions", "DnsOptions"),
    ("DNSSearch", "DnsSearch"),
];

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}

impl<'a> Datum<'a> {
    /// JSON as Go decodes it into `any`.
    pub(super) fn raw(value: &Value) -> Datum<'a> {
        match value {
            Value::Null => Datum::Missing,
            Value::Bool(value) => Datum::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), ..) => Datum::Int(i128::from(int)),
                (None, Some(int), _) => Datum::Int(i128::from(int)),
                (None, None, float) => Datum::Float(float.unwrap_or_default()),
            },
            Value::String(text) => Datum::Str(text.as_str().into()),
            Value::Array(items) => Datum::List(items.iter().map(Datum::raw).collect()),
            Value::Object(entries) => {
                Datum::Map(Rc::new(entries.iter().map(|(key, value)| (key.clone(), Datum::raw(value))).collect()))
            }
        }
    }

    /// What a row gives: its null is a nil pointer.
    pub(super) fn of_row(value: &Value) -> Datum<'a> {
        if value.is_null() { Datum::Nil(Nil::Pointer) } else { Datum::raw(value) }
    }

    /// A string.
    pub(super) fn text(text: impl AsRef<str>) -> Datum<'a> {
        Datum::Str(text.as_ref().into())
    }

    /// What `if` makes of it.
    pub(super) fn truth(&self) -> bool {
        match self {
            Datum::Missing | Datum::Nil(_) => false,
            Datum::Bool(value) => *value,
            Datum::Int(value) => *value != 0,
            Datum::Float(value) => *value != 0.0,
            Datum::Str(text) => !text.is_empty(),
            Datum::List(items) => !items.is_empty(),
            Datum::Map(entries) => !entries.is_empty(),
            Datum::Struct(_) | Datum::Row(_) => true,
        }
    }

    /// The name of its Go type.
    pub(super) fn type_name(&self) -> String {
        match self {
            Datum::Missing => "<nil>".to_owned(),
            Datum::Nil(Nil::Pointer) => "*interface {}".to_owned(),
            Datum::Nil(Nil::List) => "[]string".to_owned(),
            Datum::Nil(Nil::Map) => "map[string]string".to_owned(),
            Datum::Bool(_) => "bool".to_owned(),
            Datum::Int(_) => "int".to_owned(),
            Datum::Float(_) => "float64".to_owned(),
            Datum::Str(_) => "string".to_owned(),
            Datum::List(_) => "[]interface {}".to_owned(),
            Datum::Map(_) => "map[string]interface {}".to_owned(),
            Datum::Struct(_) => "struct".to_owned(),
            Datum::Row(row) => row.type_name().to_owned(),
        }
    }

    /// A struct's field by its JSON or Go name.
    pub(super) fn struct_field(fields: &[Field<'a>], name: &str) -> Option<Datum<'a>> {
        let json = GO_NAMES.iter().find(|(go, _)| *go == name).map_or(name, |(_, json)| json);
        let found = fields.iter().find(|field| field.name == name || field.name == json);
        // Docker's newer structs have names in JSON that begin in lower case, which Go's cannot.
        let lower = || if name == "ID" { "id".to_owned() } else { lower_first(name) };
        let found = found.or_else(|| fields.iter().find(|field| field.name == lower()));
        found.map(|field| field.value.clone())
    }

    /// JSON text. Go escapes `<`, `>` and `&` only where a type marshals itself, as rows do.
    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Datum::Missing | Datum::Nil(_) => out.push_str("null"),
            Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Datum::Int(value) => out.push_str(&value.to_string()),
            Datum::Float(value) => out.push_str(&json_float(*value)),
            Datum::Str(text) => out.push_str(&json_string(text)),
            Datum::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    item.write_json(out);
                }
                out.push(']');
            }
            Datum::Map(entries) => write_object(out, entries.iter().map(|(key, value)| (key.as_str(), value))),
            Datum::Struct(fields) => {
                write_object(out, fields.iter().filter(|field| !field.omitted).map(|field| (field.name, &field.value)))
            }
            Datum::Row(row) => {
                let entries: BTreeMap<&str, Datum<'_>> =
                    row.names().iter().filter_map(|name| Some((*name, Datum::of_row(&row.field(name)?)))).collect();
                let mut plain = String::new();
                write_object(&mut plain, entries.iter().map(|(key, value)| (*key, value)));
                for c in plain.chars() {
                    match c {
                        '<' => out.push_str("\\u003c"),
                        '>' => out.push_str("\\u003e"),
                        '&' => out.push_str("\\u0026"),
                        c => out.push(c),
                    }
                }
            }
        }
    }
}

fn write_object<'d, 'a: 'd>(out: &mut String, entries: impl Iterator<Item = (&'d str, &'d Datum<'a>)>) {
    out.push('{');
    for (i, (key, value)) in entries.enumerate() {
        out.push_str(if i == 0 { "" } else { "," });
        out.push_str(&json_string(key));
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

/// Go's JSON writes an exponent only for the very small and the very large.
fn json_float(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

fn json_string(text: &str) -> String {
    // Go also escapes the two line separators that JavaScript would trip over.
    Value::from(text).to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}
