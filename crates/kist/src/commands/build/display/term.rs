//! The last lines that a command wrote, as a small terminal would show them: enough of one for carriage returns, and escape sequences
//! are left out.

use std::collections::VecDeque;

use super::columns;

/// Nobody has wider terminals.
const WIDEST: usize = 1000;

/// The lines.
#[derive(Debug)]
pub(super) struct Term {
    lines: VecDeque<String>,
    height: usize,
    column: usize,
    escape: Escape,
    /// How much was written.
    pub(super) bytes: usize,
    /// How often it was shown.
    pub(super) shown: usize,
}

/// Where in an escape sequence the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    No,
    Begun,
    Control,
    Command,
}

impl Term {
    pub(super) fn new(height: usize) -> Term {
        Term {
            lines: VecDeque::from([String::new()]),
            height: height.max(1),
            column: 0,
            escape: Escape::No,
            bytes: 0,
            shown: 0,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        for letter in String::from_utf8_lossy(bytes).chars() {
            match (self.escape, letter) {
                (Escape::No, '\u{1b}') => self.escape = Escape::Begun,
                (Escape::No, '\n') => self.next_line(),
                (Escape::No, '\r') => self.column = 0,
                (Escape::No, '\t') => self.put(' '),
                (Escape::No, letter) if letter.is_control() => {}
                (Escape::No, letter) => self.put(letter),
                (Escape::Begun, '[') => self.escape = Escape::Control,
                (Escape::Begun, ']') => self.escape = Escape::Command,
                (Escape::Control, '@'..='~') | (Escape::Command, '\u{7}' | '\u{1b}' | '\n') | (Escape::Begun, _) => {
                    self.escape = Escape::No;
                }
                (Escape::Control | Escape::Command, _) => {}
            }
        }
    }

    fn next_line(&mut self) {
        self.column = 0;
        self.lines.push_back(String::new());
        while self.lines.len() > self.height + 1 {
            self.lines.pop_front();
        }
    }

    fn put(&mut self, letter: char) {
        let (width, Some(line)) = (columns::of(letter), self.lines.back_mut()) else { return };
        if self.column + width > WIDEST {
            return;
        }
        // With the marks on the letter before.
        let at = skip(line, self.column);
        let end = at + if width == 0 { 0 } else { skip(&line[at..], width) };
        let left = columns::width(&line[at..end]).saturating_sub(width);
        line.replace_range(at..end, &format!("{letter}{}", " ".repeat(left)));
        self.column += width;
    }

    /// Those that are not empty, no wider than this.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let full = self.lines.iter().filter(|line| !line.trim().is_empty());
        let lines: Vec<String> = full.map(|line| columns::cut(line, width).to_owned()).collect();
        lines[lines.len().saturating_sub(self.height)..].to_vec()
    }
}

/// Where in a text so many columns end.
fn skip(text: &str, columns: usize) -> usize {
    let mut passed = 0;
    let next = text.char_indices().find(|(_, letter)| {
        let width = columns::of(*letter);
        let is_next = passed >= columns && width > 0;
        passed += width;
        is_next
    });
    next.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_what_a_terminal_shows() {
        let mut term = Term::new(2);
        term.write(b"one\ntwo\nthree 1%\rthree 99%\n\x1b[31mred\x1b[0m\x1b]0;title\x07 end");
        assert_eq!(term.lines(80), ["three 99%", "red end"]);
        assert_eq!(term.lines(3), ["thr", "red"]);
    }

    #[test]
    fn columns_are_written_over_and_not_letters() {
        let check = |written: &str, is: &str| {
            let mut term = Term::new(1);
            term.write(written.as_bytes());
            assert_eq!(term.lines(80), [is], "{written:?}");
        };
        check("日本語\rab", "ab本語");
        check("日本語\ra", "a 本語");
        check("abcd\r日", "日cd");
        check("e\u{301}x\rab", "ab");
        check("e\u{301}x\re\u{300}", "e\u{300}x");
    }
}
