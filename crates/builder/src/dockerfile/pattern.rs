//! Patterns in `${name#pattern}` and its like: `*` and `?`, neither of which matches a line's end.

use super::error::Fault;

/// Cells of the table that says from where what matches; each is a byte.
const MAX_CELLS: usize = 16 << 20;

/// Which match of several is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stars {
    /// Each star takes as little as it can.
    Shortest,
    /// Each star takes as much as it can.
    Longest,
}

/// A pattern, read.
pub(super) struct Pattern {
    /// As written, for messages.
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Star,
    Any,
    Char(char),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Pattern, Fault> {
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            parts.push(match c {
                '*' => Part::Star,
                '?' => Part::Any,
                // `}` and `/` were escaped only to stand inside of `${}`.
                '\\' if matches!(rest.peek(), Some('}' | '/')) => continue,
                '\\' => match rest.next() {
                    Some(c @ ('*' | '?' | '\\')) => Part::Char(c),
                    c => {
                        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                        return Err(Fault::new(format!(
                            "invalid pattern ({text}) in substitution: invalid escape '\\{c}'"
                        )));
                    }
                },
                c => Part::Char(c),
            });
        }
        Ok(Pattern { text: text.to_owned(), parts })
    }

    /// The value without what matches at its beginning.
    pub(super) fn trim_prefix(&self, value: &str, stars: Stars) -> Result<String, Fault> {
        let chars: Vec<char> = value.chars().collect();
        let end = self.table(&chars)?.end(&self.parts, 0, stars).unwrap_or(0);
        Ok(chars[end..].iter().collect())
    }

    /// The value without what matches at its end: the same with both turned round.
    pub(super) fn trim_suffix(mut self, value: &str, stars: Stars) -> Result<String, Fault> {
        self.parts.reverse();
        let chars: Vec<char> = value.chars().rev().collect();
        let end = self.table(&chars)?.end(&self.parts, 0, stars).unwrap_or(0);
        Ok(chars[end..].iter().rev().collect())
    }

    /// The value with the first or all matches replaced.
    pub(super) fn replace(&self, value: &str, with: &str, all: bool, max_bytes: usize) -> Result<String, Fault> {
        let chars: Vec<char> = value.chars().collect();
        let table = self.table(&chars)?;
        let mut out = String::new();
        let mut at = 0;
        let mut last_end = None;
        while at <= chars.len() {
            // An empty match right after another is none.
            let end = table.end(&self.parts, at, Stars::Longest).filter(|&end| end > at || last_end != Some(at));
            if let Some(end) = end {
                out.push_str(with);
                if !all {
                    out.extend(&chars[end..]);
                    return Ok(out);
                }
                last_end = Some(end);
            }
            match end {
                Some(end) if end > at => at = end,
                _ => {
                    out.extend(chars.get(at));
                    at += 1;
                }
            }
            if out.len() > max_bytes {
                return Err(Fault::new(format!("it becomes longer than {max_bytes} bytes")));
            }
        }
        Ok(out)
    }

    /// From which place each rest of the pattern matches.
    fn table(&self, chars: &[char]) -> Result<Table, Fault> {
        let width = chars.len() + 1;
        let rows = self.parts.len() + 1;
        if width.saturating_mul(rows) > MAX_CELLS {
            return Err(Fault::new(format!(
                "invalid pattern ({}) in substitution: it is too long for its value",
                self.text
            )));
        }
        let mut matches = vec![true; width * rows];
        for row in (0..self.parts.len()).rev() {
            for at in (0..width).rev() {
                let next = |at: usize| matches[(row + 1) * width + at];
                let here = chars.get(at).copied().filter(|&c| c != '\n' || self.parts[row] == Part::Char('\n'));
                matches[row * width + at] = match (self.parts[row], here) {
                    (Part::Star, Some(_)) => next(at) || matches[row * width + at + 1],
                    (Part::Star, None) => next(at),
                    (Part::Any, Some(_)) => next(at + 1),
                    (Part::Char(want), Some(c)) => want == c && next(at + 1),
                    (Part::Any | Part::Char(_), None) => false,
                };
            }
        }
        Ok(Table { matches, width, line_ends: chars.iter().map(|&c| c == '\n').collect() })
    }
}

struct Table {
    matches: Vec<bool>,
    width: usize,
    line_ends: Vec<bool>,
}

impl Table {
    fn at(&self, row: usize, at: usize) -> bool {
        self.matches[row * self.width + at]
    }

    /// Where the match that begins at `start` ends.
    fn end(&self, parts: &[Part], start: usize, stars: Stars) -> Option<usize> {
        if !self.at(0, start) {
            return None;
        }
        let mut at = start;
        for (row, part) in parts.iter().enumerate() {
            if *part != Part::Star {
                at += 1;
                continue;
            }
            let line_end = (at..self.width - 1).find(|&i| self.line_ends[i]).unwrap_or(self.width - 1);
            let fits = |&end: &usize| self.at(row + 1, end);
            at = match stars {
                Stars::Shortest => (at..=line_end).find(fits)?,
                Stars::Longest => (at..=line_end).rev().find(fits)?,
            };
        }
        Some(at)
    }
}
