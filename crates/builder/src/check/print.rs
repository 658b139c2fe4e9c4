//! Reports in BuildKit's text and JSON.

use base64::Engine as _;
use serde::Serialize;

use super::{Failure, Lines, Report};
use crate::dockerfile::error::frame;

/// The file a report is about.
#[derive(Clone, Copy, Debug)]
pub struct ReportedSource<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a [u8],
}

/// Where something is said, as protobuf's structs become JSON: each line a range.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Location {
    ranges: Vec<Range>,
}

#[derive(Clone, Debug, Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Clone, Debug, Serialize)]
struct Position {
    line: u32,
}

impl Location {
    pub(super) fn of((first, last): Lines) -> Location {
        let range = |line| Range { start: Position { line }, end: Position { line } };
        Location { ranges: (first..=last.max(first)).map(range).collect() }
    }

    pub(super) fn first_line(&self) -> u32 {
        self.ranges.first().map_or(0, |range| range.start.line)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonReport<'a> {
    warnings: Option<Vec<JsonWarning<'a>>>,
    sources: [JsonSource<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    build_error: Option<JsonFailure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonWarning<'a> {
    rule_name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    detail: &'a str,
    location: Location,
}

#[derive(Serialize)]
struct JsonSource<'a> {
    filename: &'a str,
    data: String,
    language: &'static str,
}

#[derive(Serialize)]
struct JsonFailure<'a> {
    message: &'a str,
    location: Location,
}

impl Report {
    /// Each finding with its lines (BuildKit's `PrintLintViolations`).
    #[must_use]
    pub fn text(&self, source: ReportedSource<'_>) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            let url = match finding.rule.url() {
                url if url.is_empty() => url,
                url => format!(" - {url}"),
            };
            out += &format!("\nWARNING: {}{url}\n{}\n", finding.rule.name(), finding.detail);
            out += &frame(source.name, source.text, &[finding.lines], None);
        }
        out
    }

    /// As `--call=check,format=json` prints it, without the line's end.
    #[must_use]
    pub fn json(&self, source: ReportedSource<'_>) -> String {
        let warnings = self.findings.iter().map(|finding| JsonWarning {
            rule_name: finding.rule.name(),
            description: finding.rule.description(),
            url: finding.rule.url(),
            detail: &finding.detail,
            location: Location::of(finding.lines),
        });
        let failure = self.failure.as_ref().map(|failure| JsonFailure {
            message: &failure.message,
            location: Location { ranges: failure.lines.iter().flat_map(|&lines| Location::of(lines).ranges).collect() },
        });
        json(&JsonReport {
            warnings: (!self.findings.is_empty()).then(|| warnings.collect()),
            sources: [JsonSource { filename: source.name, data: json_bytes(source.text), language: "Dockerfile" }],
            build_error: failure,
        })
    }
}

impl Failure {
    /// The message and its lines, in the manner of findings.
    #[must_use]
    pub fn text(&self, source: ReportedSource<'_>) -> String {
        format!("{}\n{}", self.message, frame(source.name, source.text, &self.lines, None))
    }
}

/// What `docker build --check` says in all; the second is for standard error, and what the command fails with.
#[must_use]
pub fn complete(report: &Report, source: ReportedSource<'_>) -> (String, Option<String>) {
    let mut out = match report.findings.len() {
        0 if report.failure.is_none() => "Check complete, no warnings found.\n".to_owned(),
        0 => String::new(),
        1 => "Check complete, 1 warning has been found!\n".to_owned(),
        count => format!("Check complete, {count} warnings have been found!\n"),
    };
    out += &report.text(source);
    let failure = report.failure.as_ref().map(|failure| failure.text(source));
    if failure.is_some() && !report.findings.is_empty() {
        out.push('\n');
    }
    (out, failure)
}

impl super::Outline {
    /// As `--call=outline,format=json` prints it.
    #[must_use]
    pub fn json(&self) -> String {
        json(self)
    }
}

impl super::Targets {
    /// As `--call=targets,format=json` prints it.
    #[must_use]
    pub fn json(&self) -> String {
        json(self)
    }
}

fn json(value: &impl Serialize) -> String {
    // Go writes `<`, `>` and `&` as escapes, lest a browser reads them.
    let text = serde_json::to_string_pretty(value).expect("strings and numbers alone are always written");
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Bytes as Go's JSON has them.
pub(super) fn json_bytes(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Rows in columns, each as wide as its widest cell and `padding` (Go's `tabwriter`).
pub(super) fn columns(rows: &[Vec<String>], padding: usize) -> String {
    let mut out = String::new();
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            out += cell;
            if i + 1 < row.len() {
                let width =
                    rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0);
                out += &" ".repeat(width + padding - cell.chars().count());
            }
        }
        out.push('\n');
    }
    out
}
