//! The text as statements: one instruction each, its continuation lines joined, with the comments above and the heredocs below it.

use super::ast::{Directive, Directives, Escape, Heredoc, Span};
use super::error::{Fault, Mistake};
use super::heredoc;
use super::line::Line;
use super::parse::MAX_MISTAKES;

/// The longest line, as BuildKit has it.
const MAX_LINE_BYTES: usize = 65_535;

/// An instruction's text and words.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) line: Line,
    pub(super) text: Joined,
    pub(super) comments: Vec<String>,
    pub(super) heredocs: Vec<Heredoc>,
    pub(super) span: Span,
}

/// Lines made one, knowing where each part came from.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub(super) text: String,
    /// Where a part begins in `text`; where it begins in the file and how long it is there; its line.
    parts: Vec<(usize, usize, usize, u32)>,
}

impl Joined {
    fn push(&mut self, bytes: &[u8], start: usize, line: u32) {
        self.parts.push((self.text.len(), start, bytes.len(), line));
        self.text.push_str(&String::from_utf8_lossy(bytes));
    }

    /// Where in the file `part` of the text stands; its first line only. Without a part, or if it is not found: the keyword.
    pub(super) fn place(&self, part: Option<&str>) -> Span {
        let found = part.filter(|part| !part.is_empty()).and_then(|part| Some((self.text.find(part)?, part.len())));
        let keyword = || (0, self.text.find(char::is_whitespace).unwrap_or(self.text.len()));
        let (at, len) = found.unwrap_or_else(keyword);
        let index = self.parts.partition_point(|(begin, ..)| *begin <= at).saturating_sub(1);
        let Some(&(begin, start, bytes, line)) = self.parts.get(index) else {
            return Span { start: 0, end: 0, first_line: 1, last_line: 1 };
        };
        // Bytes that are not UTF-8 became longer in the text: then the place is only near.
        let from = start + (at - begin).min(bytes);
        Span { start: from, end: (from + len).min(start + bytes), first_line: line, last_line: line }
    }
}

/// All of a file. Mistakes do not end the reading.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) directives: Directives,
    pub(super) statements: Vec<Statement>,
    pub(super) empty_continuations: Vec<u32>,
    pub(super) mistakes: Vec<Mistake>,
}

/// A line with its end.
#[derive(Clone, Copy)]
struct Raw<'a> {
    bytes: &'a [u8],
    start: usize,
    number: u32,
}

impl<'a> Raw<'a> {
    fn trimmed(self) -> Raw<'a> {
        let space = self.bytes.len() - trim_space(self.bytes).len();
        Raw { bytes: &self.bytes[space..], start: self.start + space, ..self }
    }

    fn without_end(self) -> Raw<'a> {
        let end = self.bytes.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |at| at + 1);
        Raw { bytes: &self.bytes[..end], ..self }
    }

    fn is_comment(self) -> bool {
        trim_space(self.bytes).starts_with(b"#")
    }

    fn end(self) -> usize {
        self.start + self.bytes.len()
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    number: u32,
    /// Directives may still come.
    at_top: bool,
    /// The first line is `#!…`: below it BuildKit heeds all directives but `escape`.
    has_shebang: bool,
    source: Source,
}

/// Reads a file.
pub(super) fn read(text: &[u8]) -> Source {
    let source = Source {
        directives: Directives { syntax: None, escape: Escape::default(), escape_line: None, check: None },
        statements: Vec::new(),
        empty_continuations: Vec::new(),
        mistakes: Vec::new(),
    };
    let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut reader = Reader { text, at, number: 0, at_top: true, has_shebang: false, source };
    let mut comments = Vec::new();
    while reader.source.mistakes.len() < MAX_MISTAKES {
        let Some(raw) = reader.next() else { break };
        if raw.is_comment() {
            reader.comment(raw, &mut comments);
        } else if !trim_space(raw.bytes).is_empty() {
            reader.at_top = false;
            let comments = std::mem::take(&mut comments);
            reader.statement(raw, comments);
        } else {
            reader.at_top = false;
        }
    }
    reader.source
}

impl<'a> Reader<'a> {
    /// The next line. One that is too long is a mistake and the end.
    fn next(&mut self) -> Option<Raw<'a>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let len = rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |at| at + 1);
        let raw = Raw { bytes: &rest[..len], start: self.at, number: self.number.saturating_add(1) };
        if raw.bytes.strip_suffix(b"\n").unwrap_or(raw.bytes).len() > MAX_LINE_BYTES {
            let span = Span { start: raw.start, end: raw.start + 1, first_line: raw.number, last_line: raw.number };
            let fault = Fault::new(format!("dockerfile line greater than max allowed size of {MAX_LINE_BYTES}"));
            self.source.mistakes.push(Mistake { fault, span, at: span });
            self.at = self.text.len();
            return None;
        }
        self.at = raw.end();
        self.number = raw.number;
        Some(raw)
    }

    fn comment(&mut self, raw: Raw<'_>, comments: &mut Vec<String>) {
        // An indented comment keeps its `#`, and so describes nothing: BuildKit cuts one byte, whatever it is.
        let comment = String::from_utf8_lossy(&raw.bytes[1..]).trim().to_owned();
        if raw.number == 1 && raw.bytes.starts_with(b"#!") {
            self.has_shebang = true;
            return;
        }
        if self.at_top {
            match self.directive(raw.trimmed().without_end()) {
                Ok(true) => return,
                Ok(false) => self.at_top = false,
                Err(fault) => {
                    let line = raw.trimmed().without_end();
                    let span =
                        Span { start: line.start, end: line.end(), first_line: line.number, last_line: line.number };
                    self.source.mistakes.push(Mistake { fault, span, at: span });
                    return;
                }
            }
        }
        if comment.is_empty() {
            comments.clear();
        } else {
            comments.push(comment);
        }
    }

    /// Whether a line at the top is a directive, which is noted.
    fn directive(&mut self, raw: Raw<'_>) -> Result<bool, Fault> {
        let line = String::from_utf8_lossy(raw.bytes);
        let Some((name, value)) = directive(line.strip_prefix('#').unwrap_or(&line)) else { return Ok(false) };
        let directives = &mut self.source.directives;
        let again = |name: &str| Err(Fault::new(format!("only one {name} parser directive can be used")));
        let said = Directive { value: value.to_owned(), line: raw.number };
        match name.to_lowercase().as_str() {
            "syntax" if directives.syntax.is_some() => return again("syntax"),
            "syntax" => directives.syntax = Some(said),
            "check" if directives.check.is_some() => return again("check"),
            "check" => directives.check = Some(said),
            "escape" if self.has_shebang => {}
            "escape" if directives.escape_line.is_some() => return again("escape"),
            "escape" => {
                directives.escape_line = Some(raw.number);
                directives.escape = match value {
                    "\\" => Escape::Backslash,
                    "`" => Escape::Backtick,
                    _ => return Err(Fault::new(format!("invalid escape token '{value}' does not match ` or \\"))),
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// An instruction that begins with `first`.
    fn statement(&mut self, first: Raw<'a>, comments: Vec<String>) {
        let escape = self.source.directives.escape;
        let first = first.trimmed().without_end();
        let mut text = Joined::default();
        let (part, mut more) = continued(first.bytes, escape);
        text.push(part, first.start, first.number);
        let mut end = first.end();
        let mut empty = false;
        while more {
            let Some(raw) = self.next() else { break };
            if raw.is_comment() {
                continue;
            }
            if trim_space(raw.bytes).is_empty() {
                empty = true;
                continue;
            }
            let raw = raw.without_end();
            let (part, again) = continued(raw.bytes, escape);
            text.push(part, raw.start, raw.number);
            end = raw.end();
            more = again;
        }
        if empty {
            self.source.empty_continuations.push(self.number);
        }
        let mut span = Span { start: first.start, end, first_line: first.number, last_line: self.number };
        if text.text.trim().is_empty() {
            // A lone escape character.
            return self.mistake(Fault::new("unknown instruction: "), span, &text);
        }
        match Line::parse(&text.text, escape).and_then(|line| Ok((self.heredocs(&line, &text.text)?, line))) {
            Ok((heredocs, line)) => {
                if !heredocs.is_empty() {
                    (span.end, span.last_line) = (self.at, self.number);
                }
                self.source.statements.push(Statement { line, text, comments, heredocs, span });
            }
            Err(fault) => self.mistake(fault, span, &text),
        }
    }

    fn mistake(&mut self, fault: Fault, span: Span, text: &Joined) {
        let at = text.place(fault.about.as_deref());
        self.source.mistakes.push(Mistake { fault, span, at });
    }

    /// The heredocs that `line` opens; their lines are read.
    fn heredocs(&mut self, line: &Line, text: &str) -> Result<Vec<Heredoc>, Fault> {
        if !text.contains("<<") || !line.may_have_heredocs() {
            return Ok(Vec::new());
        }
        let mut found = heredoc::opened(text)?;
        for heredoc in &mut found {
            let mut content = Vec::new();
            loop {
                let Some(raw) = self.next() else {
                    return Err(Fault::new("unterminated heredoc").about(&heredoc.name));
                };
                let line = raw.without_end().bytes;
                let tabs = if heredoc.chomp { line.iter().take_while(|&&b| b == b'\t').count() } else { 0 };
                if &line[tabs..] == heredoc.name.as_bytes() {
                    break;
                }
                content.extend_from_slice(raw.bytes);
            }
            heredoc.content = String::from_utf8_lossy(&content).into_owned();
        }
        Ok(found)
    }
}

/// `name = value`, as directives are written.
pub(crate) fn directive(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.trim_start().split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim());
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric()) && !value.is_empty();
    fits.then_some((name, value))
}

/// A line without the escape character at its end, and whether there is one: not escaped itself, and only spaces behind it.
fn continued(line: &[u8], escape: Escape) -> (&[u8], bool) {
    let is_escape = |b: &u8| char::from(*b) == escape.char();
    let end = line.iter().rposition(|b| !matches!(b, b' ' | b'\t')).map_or(0, |at| at + 1);
    match &line[..end] {
        [before @ .., last] if is_escape(last) && !before.last().is_some_and(is_escape) => (before, true),
        _ => (line, false),
    }
}

/// Without the space at its beginning, as Go's `unicode.IsSpace` sees it.
fn trim_space(bytes: &[u8]) -> &[u8] {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    &bytes[text.len() - text.trim_start().len()..]
}
