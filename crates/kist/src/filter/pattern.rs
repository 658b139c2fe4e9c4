//! The regular expressions people write in `--filter name=`: literals, `.`, `^`, `$`, `*`, `+`, `?`, `|`, groups,
//! classes and `\d \w \s`. Counted repeats and flags are not among them.
//!
//! An NFA run over all its states at once, as in Go's own engine: time is the pattern's length times the text's.

/// A parsed pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    program: Vec<Act>,
}

#[derive(Debug)]
enum Act {
    Char(Class),
    Split(usize, usize),
    Jump(usize),
    Start,
    End,
    Match,
}

#[derive(Debug, Clone)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn contains(&self, c: char) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != self.negated
    }
}

/// How deep groups may nest.
const MAX_DEPTH: usize = 100;

impl Pattern {
    /// Nothing when `text` is not such an expression.
    pub(super) fn parse(text: &str) -> Option<Pattern> {
        let mut parser = Parser { chars: text.chars().peekable(), depth: 0 };
        let mut program = parser.alternatives()?;
        if parser.chars.next().is_some() {
            return None;
        }
        program.push(Act::Match);
        Some(Pattern { program })
    }

    /// Whether it matches anywhere in `text`.
    pub(super) fn finds(&self, text: &str) -> bool {
        let mut states = Vec::new();
        let mut rest = text.chars();
        let mut at_start = true;
        loop {
            let c = rest.next();
            let mut seen = vec![false; self.program.len()];
            let mut live = Vec::new();
            // A match may start anywhere.
            states.push(0);
            while let Some(state) = states.pop() {
                if std::mem::replace(&mut seen[state], true) {
                    continue;
                }
                match &self.program[state] {
                    Act::Match => return true,
                    Act::Char(class) => live.push((state, class)),
                    Act::Split(a, b) => states.extend([*a, *b]),
                    Act::Jump(to) => states.push(*to),
                    Act::Start if at_start => states.push(state + 1),
                    Act::End if c.is_none() => states.push(state + 1),
                    Act::Start | Act::End => {}
                }
            }
            let Some(c) = c else { return false };
            states = live.into_iter().filter(|(_, class)| class.contains(c)).map(|(state, _)| state + 1).collect();
            at_start = false;
        }
    }
}

struct Parser<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    depth: usize,
}

impl Parser<'_> {
    /// Programs are relocatable: jumps are shifted when one is put behind another.
    fn alternatives(&mut self) -> Option<Vec<Act>> {
        let mut whole = self.sequence()?;
        while self.chars.next_if_eq(&'|').is_some() {
            let other = self.sequence()?;
            let mut joined = vec![Act::Split(1, whole.len() + 2)];
            append(&mut joined, whole);
            joined.push(Act::Jump(joined.len() + 1 + other.len()));
            append(&mut joined, other);
            whole = joined;
        }
        Some(whole)
    }

    fn sequence(&mut self) -> Option<Vec<Act>> {
        let mut whole = Vec::new();
        while let Some(c) = self.chars.next_if(|c| !matches!(c, '|' | ')')) {
            let mut atom = match c {
                '^' => vec![Act::Start],
                '$' => vec![Act::End],
                '.' => vec![Act::Char(Class { negated: true, ranges: vec![('\n', '\n')] })],
                '[' => vec![Act::Char(self.class()?)],
                '(' => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return None;
                    }
                    if self.chars.next_if_eq(&'?').is_some() && self.chars.next() != Some(':') {
                        return None;
                    }
                    let group = self.alternatives()?;
                    self.depth -= 1;
                    self.chars.next_if_eq(&')')?;
                    group
                }
                '\\' => vec![Act::Char(escape(self.chars.next()?)?)],
                '*' | '+' | '?' | '{' => return None,
                c => vec![Act::Char(Class { negated: false, ranges: vec![(c, c)] })],
            };
            if let Some(repeat) = self.chars.next_if(|c| matches!(c, '*' | '+' | '?')) {
                // A lazy repeat finds in the same texts.
                self.chars.next_if_eq(&'?');
                atom = repeated(atom, repeat);
            }
            append(&mut whole, atom);
        }
        Some(whole)
    }

    fn class(&mut self) -> Option<Class> {
        let negated = self.chars.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        loop {
            let first = self.chars.next()?;
            if first == ']' && !ranges.is_empty() {
                return Some(Class { negated, ranges });
            }
            if first == '\\' {
                let class = escape(self.chars.next()?)?;
                if class.negated {
                    return None;
                }
                ranges.extend(class.ranges);
                continue;
            }
            if self.chars.next_if_eq(&'-').is_none() {
                ranges.push((first, first));
                continue;
            }
            match self.chars.next()? {
                ']' => {
                    ranges.extend([(first, first), ('-', '-')]);
                    return Some(Class { negated, ranges });
                }
                last if first <= last && last != '\\' => ranges.push((first, last)),
                _ => return None,
            }
        }
    }
}

fn repeated(atom: Vec<Act>, repeat: char) -> Vec<Act> {
    let len = atom.len();
    let mut out = Vec::new();
    if repeat == '+' {
        append(&mut out, atom);
        out.push(Act::Split(0, len + 1));
        return out;
    }
    out.push(Act::Split(1, if repeat == '*' { len + 2 } else { len + 1 }));
    append(&mut out, atom);
    if repeat == '*' {
        out.push(Act::Jump(0));
    }
    out
}

fn append(program: &mut Vec<Act>, tail: Vec<Act>) {
    let shift = program.len();
    program.extend(tail.into_iter().map(|act| match act {
        Act::Split(a, b) => Act::Split(a + shift, b + shift),
        Act::Jump(to) => Act::Jump(to + shift),
        Act::Char(_) | Act::Start | Act::End | Act::Match => act,
    }));
}

fn escape(c: char) -> Option<Class> {
    let ranges = match c.to_ascii_lowercase() {
        'd' => vec![('0', '9')],
        'w' => vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        's' => vec![('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')],
        _ if c.is_ascii_punctuation() => return Some(Class { negated: false, ranges: vec![(c, c)] }),
        _ => return None,
    };
    Some(Class { negated: c.is_ascii_uppercase(), ranges })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, proptest};

    use super::Pattern;

    fn check(pattern: &str, hits: &[&str], misses: &[&str]) {
        let parsed = Pattern::parse(pattern).unwrap();
        for text in hits {
            assert!(parsed.finds(text), "{pattern} in {text}");
        }
        for text in misses {
            assert!(!parsed.finds(text), "{pattern} not in {text}");
        }
    }

    #[test]
    fn patterns_find() {
        check("web", &["web", "my-web-1"], &["we"]);
        check("^web$", &["web"], &["web1", "aweb"]);
        check("^/?web[0-9]+$", &["web1", "/web23"], &["web", "web1a"]);
        check("a.*b", &["ab", "xaxxbx"], &["ba"]);
        check("^(web|db)_(1|2)$", &["web_1", "db_2"], &["web_3", "dbdb"]);
        check("a|b|", &["", "x"], &[]);
        check("x(ab)*y", &["xy", "xababy"], &["xaby1"[..3].as_ref()]);
        check("[^a-c]$", &["d", "ad"], &["a", ""]);
        check(r"^\d\w\.\S$", &["1a.x"], &["aa.x", "1a.  "]);
        check("[a-]", &["-", "a"], &["b"]);
        check("^(?:a?)+$", &["", "aaa"], &["b"]);
        check("(a*)*b", &["b", "aab"], &["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"]);
    }

    #[test]
    fn what_is_no_pattern_is_none() {
        for text in ["(", ")", "[", "[]", "*a", "a**", "\\", "(?i)a", "[b-a]", r"\q"] {
            assert!(Pattern::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_panics(pattern in r"[ab.*+?|()\[\]^$\\-]{0,12}", text in "[ab]{0,8}") {
            if let Some(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.finds(&text);
            }
        }
    }
}
