//! What happens, as JSON: BuildKit's `client.SolveStatus`, a document a line.

use builder::progress::{Log, Progress, Status, Vertex, Warning};
use serde_json::{Value, json};
use spec::time::Time;

/// Keeps nothing.
pub(super) struct Raw;

impl Raw {
    /// One thing that happened.
    #[expect(clippy::unused_self, reason = "the other pens have something to keep")]
    pub(super) fn line(&self, event: &Progress) -> String {
        let document = match event {
            Progress::Vertex(vertex) => json!({"vertexes": [of_vertex(vertex)]}),
            Progress::Status(status) => json!({"statuses": [of_status(status)]}),
            Progress::Log(log) => json!({"logs": [of_log(log)]}),
            Progress::Warning(warning) => json!({"warnings": [of_warning(warning)]}),
        };
        format!("{document}\n")
    }
}

fn time(time: Option<Time>) -> Option<String> {
    time.map(|time| time.to_string())
}

/// Without what is not said.
fn sparse(value: Value) -> Value {
    let empty = |value: &Value| {
        value.is_null() || value == &json!(false) || value == &json!("") || value.as_array().is_some_and(Vec::is_empty)
    };
    let Value::Object(map) = value else { return value };
    Value::Object(map.into_iter().filter(|(_, value)| !empty(value)).collect())
}

fn of_vertex(vertex: &Vertex) -> Value {
    sparse(json!({
        "digest": vertex.digest.to_string(),
        "inputs": vertex.inputs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "name": vertex.name,
        "started": time(vertex.started),
        "completed": time(vertex.completed),
        "cached": vertex.cached,
        "error": vertex.error,
    }))
}

fn of_status(status: &Status) -> Value {
    let mut value = sparse(json!({
        "id": status.id,
        "vertex": status.vertex.to_string(),
        "timestamp": status.at.to_string(),
        "started": time(status.started),
        "completed": time(status.completed),
    }));
    value["current"] = json!(status.current);
    if status.total > 0 {
        value["total"] = json!(status.total);
    }
    value
}

fn of_log(log: &Log) -> Value {
    json!({
        "vertex": log.vertex.to_string(),
        "stream": log.stream,
        "data": base64(&log.bytes),
        "timestamp": log.at.to_string(),
    })
}

/// As BuildKit writes it, with the rule's description as detail.
pub(crate) fn of_warning(warning: &Warning) -> Value {
    let (file, text) = &warning.source;
    let position = |line: u32| json!({"line": line});
    let range = |(from, to): &(u32, u32)| json!({"start": position(*from), "end": position(*to)});
    json!({
        "vertex": warning.vertex.to_string(),
        "level": 1,
        "short": base64(warning.short.as_bytes()),
        "detail": [base64(warning.description.as_bytes())],
        "url": warning.url,
        "sourceInfo": {"filename": file, "data": base64(text), "language": "Dockerfile"},
        "range": warning.lines.iter().map(range).collect::<Vec<_>>(),
    })
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(three.get(at).copied().unwrap_or_default()));
        let bits = a << 16 | b << 8 | c;
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = usize::try_from(bits >> shift & 63).map_or(b'=', |letter| LETTERS[letter]);
            text.push(char::from(if at <= three.len() { letter } else { b'=' }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_the_usual() {
        let check = |text: &str, wanted: &str| assert_eq!(base64(text.as_bytes()), wanted);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foobar", "Zm9vYmFy");
    }
}
