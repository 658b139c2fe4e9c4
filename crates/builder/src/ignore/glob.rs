//! Patterns with stars, as parts, matched by keeping all places where a match may be: no pattern is slow.

use super::PatternError;

/// What `**` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stars {
    /// Any number of directories.
    Deep,
    /// The same as one star.
    InName,
}

#[derive(Clone, Debug)]
pub(super) struct Glob {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Char(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `**` at the end: all that follows.
    Rest,
    /// `**/` or `**`: nothing, or the next part.
    MaybeDirs,
    /// Something that ends with `/`.
    Dirs,
    /// `[a-z]`; whether it is negated.
    Class(Vec<(char, char)>, bool),
}

impl Glob {
    pub(super) fn parse(pattern: &str, stars: Stars) -> Result<Glob, PatternError> {
        let wrong = || PatternError::Syntax(pattern.to_owned());
        let mut parts = Vec::new();
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            let part = match c {
                '*' if stars == Stars::Deep && rest.starts_with('*') => {
                    rest = &rest[1..];
                    rest = rest.strip_prefix('/').unwrap_or(rest);
                    if rest.is_empty() {
                        Part::Rest
                    } else {
                        parts.push(Part::MaybeDirs);
                        Part::Dirs
                    }
                }
                '*' => Part::Star,
                '?' => Part::Any,
                '\\' => {
                    let c = rest.chars().next().ok_or_else(wrong)?;
                    rest = &rest[c.len_utf8()..];
                    Part::Char(c)
                }
                '[' => {
                    let (class, behind) = class(rest).ok_or_else(wrong)?;
                    rest = behind;
                    class
                }
                c => Part::Char(c),
            };
            parts.push(part);
        }
        Ok(Glob { parts })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.places(path).is_some_and(|places| places.last() == Some(&true))
    }

    /// Whether something that begins with `start` may match.
    pub(super) fn may_go_on(&self, start: &str) -> bool {
        self.places(start).is_some()
    }

    /// Where in the pattern one may be after all of `path`; none if nowhere.
    fn places(&self, path: &str) -> Option<Vec<bool>> {
        let mut places = vec![false; self.parts.len() + 1];
        places[0] = true;
        self.skip_empty(&mut places);
        let mut next = vec![false; places.len()];
        for c in path.chars() {
            next.fill(false);
            for (i, part) in self.parts.iter().enumerate().filter(|(i, _)| places[*i]) {
                match part {
                    Part::Char(want) => next[i + 1] |= *want == c,
                    Part::Any => next[i + 1] |= c != '/',
                    Part::Star => next[i] |= c != '/',
                    Part::Rest => next[i] = true,
                    Part::MaybeDirs => {}
                    Part::Dirs => {
                        next[i] = true;
                        next[i + 1] |= c == '/';
                    }
                    Part::Class(ranges, negated) => {
                        next[i + 1] |= ranges.iter().any(|(low, high)| (low..=high).contains(&&c)) != *negated;
                    }
                }
            }
            self.skip_empty(&mut next);
            std::mem::swap(&mut places, &mut next);
            if !places.contains(&true) {
                return None;
            }
        }
        Some(places)
    }

    /// Stars may be nothing.
    fn skip_empty(&self, places: &mut [bool]) {
        for (i, part) in self.parts.iter().enumerate() {
            match part {
                Part::Star | Part::Rest => places[i + 1] |= places[i],
                Part::MaybeDirs => {
                    places[i + 1] |= places[i];
                    places[i + 2] |= places[i];
                }
                Part::Char(_) | Part::Any | Part::Dirs | Part::Class(..) => {}
            }
        }
    }
}

/// The class behind `[`, and what follows it. As in Go it holds something, and `-` and `]` are escaped.
fn class(text: &str) -> Option<(Part, &str)> {
    let (negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        if let (Some(behind), false) = (rest.strip_prefix(']'), ranges.is_empty()) {
            return Some((Part::Class(ranges, negated), behind));
        }
        let (low, behind) = class_char(rest)?;
        let (high, behind) = match behind.strip_prefix('-') {
            Some(behind) => class_char(behind)?,
            None => (low, behind),
        };
        if low > high {
            return None;
        }
        ranges.push((low, high));
        rest = behind;
    }
}

fn class_char(text: &str) -> Option<(char, &str)> {
    let text = match text.strip_prefix('\\') {
        Some(escaped) => escaped,
        None if text.starts_with(['-', ']']) => return None,
        None => text,
    };
    let c = text.chars().next()?;
    Some((c, &text[c.len_utf8()..])).filter(|(_, rest)| !rest.is_empty())
}
