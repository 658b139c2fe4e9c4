//! Questions to whoever sits at the terminal.

use std::io;

use rustix::io::{Errno, read};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::print;
use crate::report::Report;

/// Whether what is typed is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// A name.
    Shown,
    /// A password.
    Hidden,
}

/// Asks for one line; empty when nothing is typed, or no more comes.
///
/// # Errors
/// The terminal's; interrupted, the silent exit code of a program that was.
pub(crate) fn ask(question: &str, echo: Echo) -> Result<String, Report> {
    let failed = |e| Report::plain(format!("reading from the terminal: {e}"));
    // Before the question: what is typed as soon as it is there must not be seen.
    let hidden = match echo {
        Echo::Shown => None,
        Echo::Hidden => Some(Hidden::enter().map_err(failed)?),
    };
    print(question);
    let line = line();
    if hidden.is_some() {
        print("\n");
    }
    match line.map_err(failed)? {
        Some(line) => Ok(line.trim().to_owned()),
        None => Err(Report::silent(130)),
    }
}

/// The terminal without echo; as it was again when dropped. Keys do not become signals meanwhile: one would leave a terminal on which
/// nobody sees what he types.
struct Hidden(Termios);

impl Hidden {
    fn enter() -> io::Result<Hidden> {
        let old = tcgetattr(stdin())?;
        let mut hidden = old.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(stdin(), OptionalActions::Now, &hidden)?;
        Ok(Hidden(old))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing better can be done on the way out.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.0);
    }
}

/// A line; none when interrupted. Byte by byte: what is typed ahead belongs to the next question.
fn line() -> io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        match read(stdin(), &mut byte) {
            Ok(0) => break,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
        }
        match edit(&mut line, byte[0]) {
            Typed::More => {}
            Typed::End => break,
            Typed::Interrupt => return Ok(None),
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    More,
    End,
    Interrupt,
}

/// The few keys that everybody's terminal has, while it does not see to them itself.
fn edit(line: &mut Vec<u8>, byte: u8) -> Typed {
    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;
    const ERASE_LINE: u8 = 0x15;
    const QUIT: u8 = 0x1c;
    match byte {
        b'\n' | b'\r' | END => return Typed::End,
        INTERRUPT | QUIT => return Typed::Interrupt,
        ERASE_LINE => line.clear(),
        0x08 | 0x7f => {
            // One character, which may be several bytes.
            while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
        }
        byte => line.push(byte),
    }
    Typed::More
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_line_can_be_corrected() {
        let typed = |keys: &str| {
            let mut line = Vec::new();
            let last = keys.bytes().map(|byte| edit(&mut line, byte)).find(|typed| *typed != Typed::More);
            (String::from_utf8(line).unwrap(), last)
        };
        assert_eq!(typed("secret\n"), ("secret".to_owned(), Some(Typed::End)));
        assert_eq!(typed("oops\x15s\u{fc}\x7fo\x08\u{20ac}\r"), ("s\u{20ac}".to_owned(), Some(Typed::End)));
        assert_eq!(typed("\x7f\x7fa\x04"), ("a".to_owned(), Some(Typed::End)));
        assert_eq!(typed("secret\x03").1, Some(Typed::Interrupt));
    }
}
