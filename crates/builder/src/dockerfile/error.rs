//! What is wrong in a Dockerfile, and where.

use std::fmt;

use super::ast::Span;

/// What is wrong with one instruction, one word, one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In BuildKit's words.
    pub message: String,
    /// What was probably meant.
    pub meant: Option<String>,
    /// The part of the instruction that is wrong, as it is written, if it is not all of it.
    pub about: Option<String>,
}

impl Fault {
    /// Of this message.
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), meant: None, about: None }
    }

    /// The same, about this part of the instruction, unless it says one already.
    #[must_use]
    pub fn about(self, part: &str) -> Fault {
        Fault { about: self.about.or_else(|| Some(part.to_owned())), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.meant {
            Some(meant) => write!(f, " (did you mean {meant}?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// A fault with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub fault: Fault,
    /// The instruction.
    pub span: Span,
    /// The part of it that is wrong: within one line, and not empty unless the text is.
    pub at: Span,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span.first_line {
            0 => write!(f, "{}", self.fault),
            line => write!(f, "dockerfile parse error on line {line}: {}", self.fault),
        }
    }
}

impl Mistake {
    /// The column of [`Mistake::at`] in its line, in characters, from 1.
    #[must_use]
    pub fn column(&self, text: &[u8]) -> usize {
        self.before(text).chars().count() + 1
    }

    /// What stands before it in its line.
    fn before(&self, text: &[u8]) -> String {
        let start = self.at.start.min(text.len());
        let line = text[..start].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        String::from_utf8_lossy(&text[line..start]).into_owned()
    }

    /// The lines around it as BuildKit frames them, with a mark under what is wrong, and then what it is.
    #[must_use]
    pub fn show(&self, file: &str, text: &[u8]) -> String {
        if self.span.first_line == 0 {
            return format!("{self}\n");
        }
        let lines = [(self.span.first_line, self.span.last_line)];
        let end = self.at.end.min(text.len());
        let width = String::from_utf8_lossy(&text[self.at.start.min(end)..end]).chars().count().max(1);
        let indent: String = self.before(text).chars().map(|c| if c == '\t' { c } else { ' ' }).collect();
        let mark = (self.at.first_line, indent + &"^".repeat(width));
        format!("{}{self}\n", frame(file, text, &lines, Some(&mark)))
    }
}

/// All that is wrong with a file; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.0.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Lines of a file, those in `marked` with `>>>` before them, and some around them (BuildKit's `errdefs.Source.Print`). `under` is put
/// under the line of its number.
#[must_use]
pub fn frame(file: &str, text: &[u8], marked: &[(u32, u32)], under: Option<&(u32, String)>) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let ranges = || marked.iter().map(|&(first, last)| (first, last.max(first)));
    let (Some(first), Some(last)) = (ranges().map(|(first, _)| first).min(), ranges().map(|(_, last)| last).max())
    else {
        return String::new();
    };
    if first < 1 || first > count {
        return String::new();
    }
    let (mut start, mut end) = (first, last.min(count));
    let pad = if start == end { 4 } else { 2 };
    let mut padded = 0;
    while padded < pad {
        if start > 1 {
            start -= 1;
            padded += 1;
        }
        if end != count {
            end += 1;
            padded += 1;
        }
        padded += 1;
    }
    let rule = "--------------------\n";
    let mut out = format!("{file}:{first}\n{rule}");
    for number in start..=end {
        let line = lines.get(usize::try_from(number).map_or(0, |number| number - 1)).unwrap_or(&"");
        let mark = if ranges().any(|(first, last)| (first..=last).contains(&number)) { ">>>" } else { "   " };
        out.push_str(&format!(" {number:>3} | {mark} {}\n", line.trim_end_matches('\r')));
        if let Some((_, under)) = under.filter(|(under, _)| *under == number) {
            out.push_str(&format!("     |     {under}\n"));
        }
    }
    out + rule
}
