//! `.dockerignore`: which files of a context are seen (moby `patternmatcher`), and the patterns of `COPY` and `--exclude`.
//!
//! Paths here are relative, with `/` between names, and without `.` and `..`.
//!
//! Two quirks of moby's are not kept, both from its patterns being turned into regular expressions as text: `\d` is the letter `d` and
//! no digit, and `*` within brackets is a star.

mod glob;
#[cfg(test)]
mod tests;

use glob::{Glob, Stars};

/// A pattern nobody can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// An unfinished `[…]`, or a `\` at the end.
    #[error("syntax error in pattern {0:?}")]
    Syntax(String),
    /// `!` alone.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneExclamation,
}

/// Patterns in their order: of those that match a path the last decides.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    patterns: Vec<Pattern>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Pattern {
    /// Cleaned, without `!`.
    text: String,
    /// `!`: what matches is seen again.
    is_exception: bool,
    how: How,
}

/// How a pattern matches: most need no more than a comparison.
#[derive(Clone, Debug)]
enum How {
    Exact,
    /// `text/**`: what begins with `text/`.
    Prefix(String),
    /// `**text`: what ends with it.
    Suffix(String),
    Glob(Glob),
}

/// Which patterns match a directory or one above it: what is below needs not ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Above(Vec<bool>);

/// What a directory walk does with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is seen.
    Keep,
    /// It is not, but an exception may be below it if it is a directory.
    DropButLook,
    /// Neither it nor anything below it.
    Drop,
}

/// The patterns of a `.dockerignore`, or of a `<Dockerfile's name>.dockerignore`.
#[must_use]
pub fn read(text: &[u8]) -> Vec<String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        let pattern = line.trim();
        if line.starts_with('#') || pattern.is_empty() {
            return None;
        }
        let (not, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => ("!", pattern.trim()),
            None => ("", pattern),
        };
        let pattern = if pattern.is_empty() { String::new() } else { clean(pattern) };
        let relative = pattern.strip_prefix('/').filter(|rest| !rest.is_empty()).unwrap_or(&pattern);
        Some(format!("{not}{relative}"))
    };
    text.lines().filter_map(line).collect()
}

impl Patterns {
    /// From what [`read`] gave, or flags.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn new<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Patterns, PatternError> {
        let mut read = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim();
            if !pattern.is_empty() {
                read.push(Pattern::parse(&clean(pattern))?);
            }
        }
        Ok(Patterns { patterns: read })
    }

    /// Whether nothing is ever matched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether some begin with `!`.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exception)
    }

    /// The patterns that are no exceptions, as they are compared.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().filter(|pattern| !pattern.is_exception).map(|pattern| pattern.text.as_str())
    }

    /// Whether the path, or a directory above it, matches (`MatchesOrParentMatches`).
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let mut matched = false;
        for pattern in &self.patterns {
            if pattern.is_exception == matched && pattern.matches_or_above(path) {
                matched = !pattern.is_exception;
            }
        }
        matched
    }

    /// The same for a walk from the top, which has `above` from the directory that holds the path (`MatchesUsingParentResults`).
    #[must_use]
    pub fn walk(&self, path: &str, above: &Above) -> (Verdict, Above) {
        let mut matched = false;
        let mut decisive = 0;
        let mut here = vec![false; self.patterns.len()];
        for (i, pattern) in self.patterns.iter().enumerate() {
            let known = above.0.get(i).copied().unwrap_or(false);
            here[i] = known || (pattern.is_exception == matched && pattern.matches(path));
            if here[i] {
                matched = !pattern.is_exception;
                decisive = i;
            }
        }
        // Only an exception behind the pattern that decided can bring something below it back.
        let later = self.patterns.get(decisive..).unwrap_or_default();
        let verdict = match matched {
            false => Verdict::Keep,
            true if later.iter().any(|pattern| pattern.is_exception && pattern.may_match_below(path)) => {
                Verdict::DropButLook
            }
            true => Verdict::Drop,
        };
        (verdict, Above(here))
    }
}

impl Pattern {
    fn parse(cleaned: &str) -> Result<Pattern, PatternError> {
        let (text, is_exception) = match cleaned.strip_prefix('!') {
            Some("") => return Err(PatternError::LoneExclamation),
            Some(text) => (text, true),
            None => (cleaned, false),
        };
        let glob = Glob::parse(text, Stars::Deep)?;
        let plain = |text: &str| !text.contains(['*', '?', '[', ']', '\\']);
        let how = match (text.strip_prefix("**"), text.strip_suffix("**")) {
            _ if plain(text) => How::Exact,
            (Some(suffix), _) if plain(suffix) => How::Suffix(suffix.to_owned()),
            (_, Some(prefix)) if plain(prefix) => How::Prefix(prefix.to_owned()),
            _ => How::Glob(glob),
        };
        Ok(Pattern { text: text.to_owned(), is_exception, how })
    }

    fn matches(&self, path: &str) -> bool {
        match &self.how {
            How::Exact => path == self.text,
            How::Prefix(prefix) => path.starts_with(prefix),
            How::Suffix(suffix) => path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path),
            How::Glob(glob) => glob.matches(path),
        }
    }

    fn matches_or_above(&self, path: &str) -> bool {
        // As moby's `filepath.Dir` has it, `dir/` lies in `dir`.
        let above = path.rsplit_once('/').map_or(String::new(), |(above, _)| clean(above));
        let ends = above.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0).chain([above.len()]);
        self.matches(path) || (!above.is_empty() && ends.into_iter().any(|end| self.matches(&above[..end])))
    }

    /// Whether some path below `dir` could match.
    fn may_match_below(&self, dir: &str) -> bool {
        let dir = format!("{dir}/");
        match &self.how {
            How::Exact => self.text.starts_with(&dir),
            How::Prefix(prefix) => prefix.starts_with(&dir) || dir.starts_with(prefix),
            How::Suffix(_) => true,
            How::Glob(glob) => glob.may_go_on(&dir),
        }
    }
}

/// Whether a path matches a pattern of `COPY` (Go's `filepath.Match`): `*` and `?` stay within a name.
///
/// # Errors
/// The pattern cannot be read.
pub fn match_path(pattern: &str, path: &str) -> Result<bool, PatternError> {
    Ok(Glob::parse(pattern, Stars::InName)?.matches(path))
}

/// Go's `path.Clean`: the shortest path that means the same, `.` for none.
#[must_use]
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            ".." if rooted => {}
            name => names.push(name),
        }
    }
    match (rooted, names.join("/")) {
        (true, names) => format!("/{names}"),
        (false, names) if names.is_empty() => ".".to_owned(),
        (false, names) => names,
    }
}

/// The body of the fuzz target and of its property test: the first line is a path, the rest are patterns. Any patterns are read or refused,
/// and nothing is seen below a directory that is left out whole.
pub fn fuzz(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (path, patterns) = text.split_once('\n').unwrap_or((&text, ""));
    let path = clean(path);
    let _ = match_path(patterns, &path);
    let Ok(patterns) = Patterns::new(read(patterns.as_bytes())) else { return };
    let _ = patterns.matches(&path);
    let mut above = Above::default();
    let mut is_dropped = false;
    for end in path.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0).chain([path.len()]) {
        let (verdict, here) = patterns.walk(&path[..end], &above);
        assert!(!is_dropped || verdict != Verdict::Keep, "{path} is seen below what was left out");
        is_dropped |= verdict == Verdict::Drop;
        above = here;
    }
}
