//! An instruction's line as keyword, flags and words. Which words there are depends on the keyword.

use serde_json::Value;

use super::ast::Escape;
use super::error::Fault;
use super::go;
use super::suggest::{Case, nearest};

/// All keywords.
pub(super) const INSTRUCTIONS: [&str; 18] = [
    "add",
    "arg",
    "cmd",
    "copy",
    "entrypoint",
    "env",
    "expose",
    "from",
    "healthcheck",
    "label",
    "maintainer",
    "onbuild",
    "run",
    "shell",
    "stopsignal",
    "user",
    "volume",
    "workdir",
];

/// The words of a line, each as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// In the case it is written in.
    pub(super) keyword: String,
    /// With their `--`.
    pub(super) flags: Vec<String>,
    /// For `ENV` and `LABEL` in threes: name, value, and `=` or nothing between them.
    pub(super) args: Vec<String>,
    /// Whether the words stand in a JSON array.
    pub(super) form: Form,
    /// `ONBUILD`'s instruction.
    pub(super) trigger: Option<Box<Line>>,
}

/// How words are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `["a", "b"]`
    Json,
    /// `a b`
    Plain,
}

impl Line {
    /// Reads a line with a keyword in it.
    pub(super) fn parse(line: &str, escape: Escape) -> Result<Line, Fault> {
        Line::parse_within(line, escape, 0)
    }

    fn parse_within(line: &str, escape: Escape, depth: usize) -> Result<Line, Fault> {
        let line = line.trim();
        let (keyword, rest) = split_space(line).unwrap_or((line, ""));
        let (flags, args) = split_flags(rest, escape);
        let args = args.trim();
        let mut parsed =
            Line { keyword: keyword.to_owned(), flags, args: Vec::new(), form: Form::Plain, trigger: None };
        match keyword.to_lowercase().as_str() {
            "add" | "copy" | "volume" => parsed.set(json(args)?, || words_at_spaces(args)),
            "cmd" | "entrypoint" | "run" | "shell" => parsed.set(json(args)?, || whole(args)),
            "env" => parsed.args = pairs(args, "ENV", escape)?,
            "label" => parsed.args = pairs(args, "LABEL", escape)?,
            "arg" => parsed.args = quoted_words(args, escape),
            "expose" | "from" => parsed.args = words_at_spaces(args),
            "maintainer" | "stopsignal" | "user" | "workdir" => parsed.args = whole(args),
            "healthcheck" if !args.is_empty() => {
                let (kind, command) = args.split_once(char::is_whitespace).unwrap_or((args, ""));
                let command = command.trim_start();
                parsed.set(json(command)?, || whole(command));
                parsed.args.insert(0, kind.to_owned());
            }
            // One level is what is allowed; the second is there to be refused.
            "onbuild" if !args.is_empty() && depth < 2 => {
                parsed.trigger = Some(Box::new(Line::parse_within(args, escape, depth + 1)?));
            }
            "onbuild" | "healthcheck" => {}
            _ => parsed.args = vec![String::new()],
        }
        Ok(parsed)
    }

    fn set(&mut self, json: Option<Vec<String>>, plain: impl FnOnce() -> Vec<String>) {
        (self.args, self.form) = match json {
            Some(words) => (words, Form::Json),
            None => (plain(), Form::Plain),
        };
    }

    /// Whether `<<` means something in it.
    pub(super) fn may_have_heredocs(&self) -> bool {
        let line = match &self.trigger {
            Some(trigger) => trigger,
            None => self,
        };
        let keyword = line.keyword.to_lowercase();
        // A misspelled one is read as what was meant, lest its heredoc be taken for instructions.
        let keyword = nearest(&keyword, INSTRUCTIONS, Case::Sensitive).unwrap_or(keyword);
        matches!(keyword.as_str(), "add" | "copy" | "run") && line.form == Form::Plain
    }
}

const SPACE: [char; 5] = ['\t', '\u{b}', '\u{c}', '\r', ' '];

/// What stands before and after the first space.
fn split_space(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.split_once(SPACE)?;
    Some((before, after.trim_start_matches(SPACE)))
}

fn whole(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

fn words_at_spaces(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some((word, behind)) = split_space(rest) {
        words.push(word.to_owned());
        rest = behind;
    }
    words.extend(whole(rest));
    words
}

/// The strings of a JSON array; none if it is no such thing.
fn json(text: &str) -> Result<Option<Vec<String>>, Fault> {
    let text = text.trim_start();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<Value>>(text) else { return Ok(None) };
    let strings = values.into_iter().map(|value| match value {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Fault::new("when using JSON array syntax, arrays must be comprised of strings only").about(text))
        }
    });
    strings.collect::<Result<_, _>>().map(Some)
}

/// The flags at the beginning, without quotes and escapes, and what follows them.
fn split_flags(text: &str, escape: Escape) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let (word, quoted, behind) = flag(rest, escape);
        if word == "--" && !behind.is_empty() {
            return (flags, behind);
        }
        if word != "--" && (quoted || !word.is_empty()) {
            flags.push(word);
        }
        rest = behind.trim_start();
    }
    (flags, rest)
}

/// A word without its quotes and escapes, whether there were quotes, and what follows.
fn flag(text: &str, escape: Escape) -> (String, bool, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut quoted = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            (c, None) if c.is_whitespace() => return (word, quoted, &text[at..]),
            ('\'' | '"', None) => (quote, quoted) = (Some(c), true),
            (c, Some(open)) if c == open => quote = None,
            (c, _) if c == escape.char() => word.extend(chars.next().map(|(_, c)| c)),
            (c, _) => word.push(c),
        }
    }
    (word, quoted, "")
}

/// Words with their quotes and escapes, which are taken away when they are expanded.
fn quoted_words(text: &str, escape: Escape) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            // Within single quotes nothing is escaped.
            (c, quote) if c == escape.char() && quote != Some('\'') => {
                if let Some(next) = chars.next() {
                    word.extend([c, next]);
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    words.extend(whole(&word));
    words
}

/// `name=value …`, or `name value`.
fn pairs(text: &str, keyword: &str, escape: Escape) -> Result<Vec<String>, Fault> {
    let words = quoted_words(text, escape);
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    if !first.contains('=') {
        let (name, value) =
            split_space(text).ok_or_else(|| Fault::new(format!("{keyword} must have two arguments")))?;
        return Ok(vec![name.to_owned(), value.to_owned(), String::new()]);
    }
    let mut args = Vec::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            let message =
                format!("Syntax error - can't find = in {}. Must be of the form: name=value", go::quote(&word));
            return Err(Fault::new(message).about(&word));
        };
        args.extend([name.to_owned(), value.to_owned(), "=".to_owned()]);
    }
    Ok(args)
}
