//! Errors as people read them: Docker's line first, then cause and remedy on the lines below.

use std::fmt::Write as _;

use engine::Error;

/// What goes to standard error before the program ends, and its exit code.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) code: Code,
}

/// How an error ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// 125 for `run`, 1 for all else.
    Usage,
    /// 1, or what `run` makes of the text: 125, 126, 127.
    Engine,
    /// This one.
    Exactly(u8),
}

impl Report {
    /// The command line makes no sense.
    pub(crate) fn usage(text: String) -> Report {
        Report { text, code: Code::Usage }
    }

    /// A line of the client's own, without the daemon's prefix.
    pub(crate) fn plain(text: impl Into<String>) -> Report {
        Report { text: text.into(), code: Code::Engine }
    }

    /// Nothing to say: what went wrong was already printed.
    pub(crate) fn silent(code: u8) -> Report {
        Report { text: String::new(), code: Code::Exactly(code) }
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Report {
        Report { text: format!("Error response from daemon: {}", explain(&error)), code: Code::Engine }
    }
}

/// The sentence, what caused it, and what to do about it.
pub(crate) fn explain(error: &Error) -> String {
    let mut text = chain(error);
    for remedy in error.remedies() {
        let _ = write!(text, "\n  {remedy}");
    }
    text
}

/// The sentence and what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    plain_words(&text)
}

/// The kernel's errors as Go prints them, which scripts look for and exit codes follow: in lower case, without their number.
pub(crate) fn plain_words(text: &str) -> String {
    let plain = |part: &str| match part.rsplit_once(" (os error ") {
        Some((words, _)) => {
            let mut letters = words.chars();
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
        None => part.to_owned(),
    };
    text.split(": ").map(plain).collect::<Vec<_>>().join(": ")
}

/// Docker's rule for `run`, `create` and `start`: the exit code follows from the words (docker/cli `toStatusError`).
pub(crate) fn start_code(text: &str) -> u8 {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["executable file not found", "no such file or directory", "system cannot find the file specified"]) {
        127
    } else if has(&["permission denied", "is a directory"]) {
        126
    } else {
        125
    }
}
