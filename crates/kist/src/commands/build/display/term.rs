//! The last lines that a command wrote, as a small terminal would show them: enough of one for carriage returns, and escape sequences
//! are left out.

use std::collections::VecDeque;

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
        let Some(line) = self.lines.back_mut() else { return };
        if self.column >= WIDEST {
            return;
        }
        match line.char_indices().nth(self.column) {
            Some((at, old)) => line.replace_range(at..at + old.len_utf8(), letter.encode_utf8(&mut [0; 4])),
            None => line.push(letter),
        }
        self.column += 1;
    }

    /// Those that are not empty, no wider than this.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let full = self.lines.iter().filter(|line| !line.trim().is_empty());
        let lines: Vec<String> = full.map(|line| line.chars().take(width).collect()).collect();
        lines[lines.len().saturating_sub(self.height)..].to_vec()
    }
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
}
