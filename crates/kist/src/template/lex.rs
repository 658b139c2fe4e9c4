//! Splits a template into tokens: Go's `text/template/parse/lex.go`, same tokens and same error texts.
//!
//! The result always ends with `Eof` or with `Error`, so the parser never runs off its end.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ends the input.
    Eof,
    /// Ends the input with a fault; the text says which.
    Error,
    /// Text outside `{{ }}`.
    Text,
    /// `{{`.
    LeftDelim,
    /// `}}`.
    RightDelim,
    /// A run of white space inside an action.
    Space,
    /// `=`.
    Assign,
    /// `:=`.
    Declare,
    /// `|`.
    Pipe,
    /// `(`.
    LeftParen,
    /// `)`.
    RightParen,
    /// Any other printable character, of which only `,` has a meaning.
    Char,
    /// `'x'`.
    CharConstant,
    /// `"text"`.
    Str,
    /// `` `text` ``.
    RawStr,
    /// `12`, `0x1f`, `1.5`.
    Number,
    /// `true` or `false`.
    Bool,
    /// `.`.
    Dot,
    /// `.Name`.
    Field,
    /// `$` or `$name`.
    Variable,
    /// A function's name.
    Identifier,
    /// `if`, `range`, `end` and their kin.
    Keyword,
}

/// A piece of the template and where it starts.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Its text as written, or the fault.
    pub(super) text: String,
    /// Byte offset in the template.
    pub(super) pos: usize,
    /// Line, from 1.
    pub(super) line: usize,
}

const KEYWORDS: [&str; 11] =
    ["block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"];

/// Splits `input`; the last token is `Eof` or `Error`.
pub(super) fn tokens(input: &str) -> Vec<Token> {
    let mut lexer = Lexer { input, pos: 0, start: 0, parens: 0, tokens: Vec::new() };
    if let Err(fault) = lexer.run() {
        let line = lexer.line_at(lexer.start);
        lexer.tokens.push(Token { kind: Kind::Error, text: fault, pos: lexer.start, line });
    }
    lexer.tokens
}

struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    start: usize,
    parens: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), String> {
        loop {
            let rest = self.rest();
            let Some(found) = rest.find("{{") else {
                self.pos = self.input.len();
                self.emit_text(self.pos);
                self.start = self.pos;
                self.emit(Kind::Eof);
                return Ok(());
            };
            let delim = self.pos + found;
            let trims = has_left_trim(&self.input[delim + 2..]);
            let mut end = delim;
            if trims {
                end = self.start + self.input[self.start..delim].trim_end_matches(is_space).len();
            }
            self.emit_text(end);
            self.start = delim;
            self.pos = delim + 2;
            self.action(trims)?;
        }
    }

    /// From just behind `{{` to just behind `}}`.
    fn action(&mut self, trims: bool) -> Result<(), String> {
        let marker = if trims { 2 } else { 0 };
        if self.input[self.pos + marker..].starts_with("/*") {
            self.pos += marker;
            return self.comment();
        }
        self.emit(Kind::LeftDelim);
        self.pos += marker;
        self.start = self.pos;
        self.parens = 0;
        loop {
            if let Some(trim) = self.right_delim() {
                if self.parens > 0 {
                    return Err("unclosed left paren".to_owned());
                }
                self.close(trim);
                return Ok(());
            }
            self.inside()?;
        }
    }

    fn comment(&mut self) -> Result<(), String> {
        let Some(end) = self.rest().find("*/") else {
            return Err("unclosed comment".to_owned());
        };
        self.pos += end + 2;
        let Some(trim) = self.right_delim() else {
            return Err("comment ends before closing delimiter".to_owned());
        };
        self.skip_close(trim);
        Ok(())
    }

    /// Whether `}}` is next; `Some(true)` when it is ` -}}`.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        let mut bytes = rest.bytes();
        let trims = bytes.next().is_some_and(|b| is_space(char::from(b))) && bytes.next() == Some(b'-');
        if trims && rest[2..].starts_with("}}") {
            return Some(true);
        }
        rest.starts_with("}}").then_some(false)
    }

    fn close(&mut self, trim: bool) {
        if trim {
            self.pos += 2;
            self.start = self.pos;
        }
        self.pos += 2;
        self.emit(Kind::RightDelim);
        self.trim_after(trim);
    }

    fn skip_close(&mut self, trim: bool) {
        self.pos += if trim { 4 } else { 2 };
        self.trim_after(trim);
    }

    fn trim_after(&mut self, trim: bool) {
        if trim {
            let rest = self.rest();
            self.pos += rest.len() - rest.trim_start_matches(is_space).len();
        }
        self.start = self.pos;
    }

    fn inside(&mut self) -> Result<(), String> {
        let Some(c) = self.next() else {
            return Err("unclosed action".to_owned());
        };
        match c {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return Err("expected :=".to_owned());
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::Str, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant")?,
            '`' => {
                let Some(end) = self.rest().find('`') else {
                    return Err("unterminated raw quoted string".to_owned());
                };
                self.pos += end + 1;
                self.emit(Kind::RawStr);
            }
            '$' => self.name(Kind::Variable, Kind::Variable)?,
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => self.name(Kind::Dot, Kind::Field)?,
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = self.start;
                self.number()?;
            }
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen);
            }
            ')' => {
                self.parens = self.parens.checked_sub(1).ok_or("unexpected right paren")?;
                self.emit(Kind::RightParen);
            }
            c if is_alphanumeric(c) => self.identifier()?,
            c if c.is_ascii_graphic() => self.emit(Kind::Char),
            c => return Err(format!("unrecognized character in action: {}", code_point(c))),
        }
        Ok(())
    }

    /// White space up to, but not including, the space of ` -}}`.
    fn space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.pos += 1;
        }
        if self.rest().starts_with("-}}") {
            self.pos -= 1;
        }
        if self.pos > self.start {
            self.emit(Kind::Space);
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, fault: &str) -> Result<(), String> {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|c| c != '\n') => {
                    self.next();
                }
                None | Some('\n' | '\\') => return Err(fault.to_owned()),
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    /// Behind a `.` or `$`: alone it is `bare`, with a name it is `named`.
    fn name(&mut self, bare: Kind, named: Kind) -> Result<(), String> {
        if self.at_terminator() {
            self.emit(bare);
            return Ok(());
        }
        self.skip_alphanumeric()?;
        self.emit(named);
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), String> {
        self.skip_alphanumeric()?;
        let word = &self.input[self.start..self.pos];
        self.emit(match word {
            "true" | "false" => Kind::Bool,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        });
        Ok(())
    }

    fn skip_alphanumeric(&mut self) -> Result<(), String> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        match self.peek() {
            Some(c) if !self.at_terminator() => Err(format!("bad character {}", code_point(c))),
            _ => Ok(()),
        }
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with("}}"),
        }
    }

    fn number(&mut self) -> Result<(), String> {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(".") {
            while self.accept(digits) {}
        }
        if digits == "0123456789_" && self.accept("eE") {
            self.accept("+-");
            while self.accept("0123456789_") {}
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return Err(format!("bad number syntax: {:?}", &self.input[self.start..self.pos]));
        }
        self.emit(Kind::Number);
        Ok(())
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.pos += 1;
        }
        found
    }

    fn emit_text(&mut self, end: usize) {
        if end > self.start {
            let line = self.line_at(self.start);
            let text = self.input[self.start..end].to_owned();
            self.tokens.push(Token { kind: Kind::Text, text, pos: self.start, line });
        }
    }

    fn emit(&mut self, kind: Kind) {
        let line = self.line_at(self.start);
        let text = self.input[self.start..self.pos].to_owned();
        self.tokens.push(Token { kind, text, pos: self.start, line });
        self.start = self.pos;
    }

    fn line_at(&self, pos: usize) -> usize {
        1 + self.input[..pos].matches('\n').count()
    }

    fn rest(&self) -> &'a str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }
}

fn has_left_trim(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Go's `%#U`.
fn code_point(c: char) -> String {
    if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { format!("U+{:04X} '{c}'", u32::from(c)) }
}
