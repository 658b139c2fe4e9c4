//! Words with variables, quotes and escapes, much as a shell reads them (BuildKit's `shell.Lex`).

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use super::ast::{Escape, Word};
use super::error::Fault;
use super::expand::Expand;
use super::go;
use super::pattern::{Pattern, Stars};

/// `${a:-${b:-…}}` so deep and no deeper: each level is a call.
const MAX_DEPTH: usize = 64;

/// What one word may become. Variables that hold each other twice double with each line.
const MAX_BYTES: usize = 4 << 20;

/// Where values are.
pub trait Env {
    /// The value of a variable.
    fn value(&self, name: &str) -> Option<&str>;
}

/// Nothing is set.
#[derive(Clone, Copy, Debug)]
pub struct NoEnv;

impl Env for NoEnv {
    fn value(&self, _: &str) -> Option<&str> {
        None
    }
}

/// How words are read.
#[derive(Clone, Copy, Debug)]
pub struct Lexer {
    /// What takes a character its meaning.
    pub escape: Escape,
    /// What quotes do.
    pub quotes: Quotes,
    /// Whether escapes stay in the result.
    pub escapes: Keep,
    /// Whether variables without a value stay as they are written.
    pub unset: Keep,
}

/// What quotes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// They hold words together and are gone afterwards.
    Removed,
    /// They hold words together and stay.
    Kept,
    /// They are characters like any other.
    Plain,
}

/// Whether something stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// What became of a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// As one.
    pub text: String,
    /// Divided at spaces that are not quoted.
    pub words: Vec<String>,
    /// Variables that have a value.
    pub used: BTreeSet<String>,
    /// Variables that have none.
    pub unset: BTreeSet<String>,
}

impl Lexer {
    /// As instructions' words are read.
    #[must_use]
    pub fn new(escape: Escape) -> Lexer {
        Lexer { escape, quotes: Quotes::Removed, escapes: Keep::No, unset: Keep::No }
    }

    /// Puts values in.
    ///
    /// # Errors
    /// The syntax; `${name:?why}` without a value; it is too large.
    pub fn expand(&self, word: &str, env: &dyn Env) -> Result<Expansion, Fault> {
        let mut reading =
            Reading { lexer: *self, rest: word.chars().peekable(), env, depth: 0, seen: Expansion::default() };
        match reading.until(None, self.escapes) {
            Ok((text, words)) => Ok(Expansion { text, words, ..reading.seen }),
            Err(fault) => Err(Fault::new(format!("failed to process {}: {fault}", go::quote(word)))),
        }
    }
}

/// An expander for instructions, which notes what was used.
#[derive(Debug)]
pub struct Variables<'a, E: Env> {
    /// The file's.
    pub escape: Escape,
    /// Where values are.
    pub env: &'a E,
    /// Variables that had a value.
    pub used: BTreeSet<String>,
    /// Variables that had none.
    pub unset: BTreeSet<String>,
}

impl<'a, E: Env> Variables<'a, E> {
    /// With nothing used yet.
    pub fn new(escape: Escape, env: &'a E) -> Variables<'a, E> {
        Variables { escape, env, used: BTreeSet::new(), unset: BTreeSet::new() }
    }

    fn read(&mut self, lexer: Lexer, word: &Word) -> Result<Expansion, Fault> {
        let expansion = lexer.expand(&word.0, self.env)?;
        self.used.extend(expansion.used.iter().cloned());
        self.unset.extend(expansion.unset.iter().cloned());
        Ok(expansion)
    }
}

impl<E: Env> Expand for Variables<'_, E> {
    fn word(&mut self, word: &Word) -> Result<String, Fault> {
        Ok(self.read(Lexer::new(self.escape), word)?.text)
    }

    fn words(&mut self, word: &Word) -> Result<Vec<String>, Fault> {
        Ok(self.read(Lexer::new(self.escape), word)?.words)
    }

    fn content(&mut self, content: &Word) -> Result<String, Fault> {
        Ok(self.read(Lexer { quotes: Quotes::Plain, ..Lexer::new(Escape::Backslash) }, content)?.text)
    }
}

/// A word that is being read.
struct Reading<'a> {
    lexer: Lexer,
    rest: Peekable<Chars<'a>>,
    env: &'a dyn Env,
    depth: usize,
    seen: Expansion,
}

/// The words found so far.
#[derive(Default)]
struct Splitter {
    words: Vec<String>,
    word: String,
}

impl Splitter {
    /// A character that divides if it is a space.
    fn push(&mut self, c: char) {
        if !c.is_whitespace() {
            self.word.push(c);
        } else if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

impl Reading<'_> {
    fn escape(&self) -> char {
        self.lexer.escape.char()
    }

    /// Reads until `stop`, which is taken too, or to the end.
    fn until(&mut self, stop: Option<char>, escapes: Keep) -> Result<(String, Vec<String>), Fault> {
        let mut text = String::new();
        let mut words = Splitter::default();
        while let Some(&c) = self.rest.peek() {
            if stop == Some(c) {
                self.rest.next();
                return Ok((text, words.finish()));
            }
            let quotes = self.lexer.quotes != Quotes::Plain;
            match c {
                '$' => {
                    let value = self.dollar()?;
                    value.chars().for_each(|c| words.push(c));
                    text.push_str(&value);
                }
                '<' => self.less_than(&mut text, &mut words),
                '\'' | '"' if quotes => {
                    self.rest.next();
                    let inside = if c == '"' { self.double_quoted(escapes)? } else { self.single_quoted()? };
                    let inside = if self.lexer.quotes == Quotes::Kept { format!("{c}{inside}{c}") } else { inside };
                    words.word.push_str(&inside);
                    text.push_str(&inside);
                }
                c => {
                    self.rest.next();
                    self.plain(c, escapes, &mut text, &mut words);
                }
            }
            if text.len() > MAX_BYTES {
                return Err(Fault::new(format!("it becomes longer than {MAX_BYTES} bytes")));
            }
        }
        match stop {
            Some(stop) => Err(Fault::new(format!("unexpected end of statement while looking for matching {stop}"))),
            None => Ok((text, words.finish())),
        }
    }

    fn plain(&mut self, c: char, escapes: Keep, text: &mut String, words: &mut Splitter) {
        if c != self.escape() {
            words.push(c);
            text.push(c);
            return;
        }
        if escapes == Keep::Yes {
            words.word.push(c);
            text.push(c);
        }
        // At the end it is gone.
        if let Some(c) = self.rest.next() {
            words.word.push(c);
            text.push(c);
        }
    }

    fn single_quoted(&mut self) -> Result<String, Fault> {
        let mut text = String::new();
        for c in self.rest.by_ref() {
            if c == '\'' {
                return Ok(text);
            }
            text.push(c);
        }
        Err(Fault::new("unexpected end of statement while looking for matching single-quote"))
    }

    fn double_quoted(&mut self, escapes: Keep) -> Result<String, Fault> {
        let mut text = String::new();
        while let Some(&c) = self.rest.peek() {
            if c == '$' {
                text.push_str(&self.dollar()?);
                continue;
            }
            self.rest.next();
            if c == '"' {
                return Ok(text);
            }
            if c != self.escape() {
                text.push(c);
                continue;
            }
            if escapes == Keep::Yes {
                text.push(c);
            }
            match self.rest.peek().copied() {
                None => {}
                Some(next) if next == '"' || next == '$' || next == self.escape() => {
                    self.rest.next();
                    text.push(next);
                }
                Some(_) => text.push(c),
            }
        }
        Err(Fault::new("unexpected end of statement while looking for matching double-quote"))
    }

    /// The word of a heredoc may stand apart from `<<`, and belongs to it.
    fn less_than(&mut self, text: &mut String, words: &mut Splitter) {
        self.rest.next();
        let mut found = String::from("<");
        if self.rest.next_if_eq(&'<').is_some() {
            found.push('<');
            while let Some(space) = self.rest.next_if(|&c| matches!(c, ' ' | '\t' | '\r')) {
                found.push(space);
            }
        }
        words.word.push_str(&found);
        text.push_str(&found);
    }

    fn dollar(&mut self) -> Result<String, Fault> {
        self.rest.next();
        if self.rest.next_if_eq(&'{').is_none() {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.value(&name) {
                None if self.lexer.unset == Keep::Yes => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        match self.rest.peek() {
            None => return Err(Fault::new("syntax error: missing '}'")),
            Some('{' | '}' | ':') => return Err(Fault::new("syntax error: bad substitution")),
            Some(_) => {}
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::new("syntax error: substitutions are nested too deeply"));
        }
        let value = self.braced();
        self.depth -= 1;
        value
    }

    /// After `${`.
    fn braced(&mut self) -> Result<String, Fault> {
        let name = self.name();
        let modifier = self.rest.next();
        match modifier {
            Some('}') => Ok(match self.value(&name) {
                None if self.lexer.unset == Keep::Yes => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some(':') => match self.rest.next() {
                Some(c @ ('-' | '+' | '?')) => self.conditional(&name, Null::IsUnset, c),
                Some(c @ ('#' | '%')) => Err(unsupported(&format!(":{c}"))),
                c => {
                    let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                    self.closed('}', Keep::No)?;
                    Err(unsupported(&format!(":{c}")))
                }
            },
            Some(c @ ('-' | '+' | '?')) => self.conditional(&name, Null::IsSet, c),
            Some(c @ ('#' | '%')) => self.trimmed(&name, c),
            Some('/') => self.replaced(&name),
            c => Err(unsupported(&c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string())),
        }
    }

    fn conditional(&mut self, name: &str, null: Null, operator: char) -> Result<String, Fault> {
        let word = self.closed('}', Keep::No)?;
        let value = self.value(name);
        if value.is_none() && self.lexer.unset == Keep::Yes {
            let colon = if null == Null::IsUnset { ":" } else { "" };
            return Ok(format!("${{{name}{colon}{operator}{word}}}"));
        }
        let missing = match &value {
            None => Some("is not allowed to be unset"),
            Some(value) if value.is_empty() && null == Null::IsUnset => Some("is not allowed to be empty"),
            Some(_) => None,
        };
        let value = value.unwrap_or_default();
        match (operator, missing) {
            ('+', None) | ('-', Some(_)) => Ok(word),
            ('+', Some(_)) => Ok(String::new()),
            ('?', Some(why)) => Err(Fault::new(format!("{name}: {}", if word.is_empty() { why } else { &word }))),
            _ => Ok(value),
        }
    }

    fn trimmed(&mut self, name: &str, operator: char) -> Result<String, Fault> {
        let word = self.closed('}', Keep::Yes)?;
        let value = self.value(name);
        if value.is_none() && self.lexer.unset == Keep::Yes {
            return Ok(format!("${{{name}{operator}{word}}}"));
        }
        let value = value.unwrap_or_default();
        let (word, stars) = match word.strip_prefix(operator) {
            Some(word) => (word, Stars::Longest),
            None => (word.as_str(), Stars::Shortest),
        };
        let pattern = Pattern::parse(word)?;
        if operator == '#' { pattern.trim_prefix(&value, stars) } else { pattern.trim_suffix(&value, stars) }
    }

    fn replaced(&mut self, name: &str) -> Result<String, Fault> {
        let all = self.rest.next_if_eq(&'/').is_some();
        let pattern = self.closed('/', Keep::Yes)?;
        let with = self.closed('}', Keep::Yes)?;
        let value = self.value(name);
        if value.is_none() && self.lexer.unset == Keep::Yes {
            return Ok(format!("${{{name}/{pattern}/{with}}}"));
        }
        let value = value.unwrap_or_default();
        Pattern::parse(&pattern)?.replace(&value, &with, all, MAX_BYTES)
    }

    /// What stands before `stop` within braces.
    fn closed(&mut self, stop: char, escapes: Keep) -> Result<String, Fault> {
        match self.until(Some(stop), escapes) {
            Ok((word, _)) => Ok(word),
            Err(_) if self.rest.peek().is_none() => Err(Fault::new(match stop {
                '/' => "syntax error: missing '/' in ${}",
                _ => "syntax error: missing '}'",
            })),
            Err(fault) => Err(fault),
        }
    }

    /// Letters, digits and `_`; a number; one special character; or nothing.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let Some(&first) = self.rest.peek() else { return name };
        if first.is_numeric() {
            while let Some(c) = self.rest.next_if(|c| c.is_numeric()) {
                name.push(c);
            }
        } else if matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
            self.rest.next();
            name.push(first);
        } else {
            while let Some(c) = self.rest.next_if(|&c| c.is_alphanumeric() || c == '_') {
                name.push(c);
            }
        }
        name
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = self.env.value(name);
        let seen = if value.is_some() { &mut self.seen.used } else { &mut self.seen.unset };
        seen.insert(name.to_owned());
        value.map(str::to_owned)
    }
}

/// Whether an empty value counts as none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    IsUnset,
    IsSet,
}

fn unsupported(modifier: &str) -> Fault {
    Fault::new(format!("unsupported modifier ({modifier}) in substitution"))
}
