//! `kist version`.

use crate::cli::say;
use crate::verb::{Verb, Words};

/// `kist version`.
pub(crate) static VERSION: Verb = Verb {
    name: "version",
    aliases: &[],
    usage: "",
    about: "Show the kist version information",
    words: Words::None,
    flags: &[],
    run: |_, _| {
        say(&line());
        Ok(0)
    },
};

/// What `kist --version` prints.
pub(crate) fn line() -> String {
    format!("kist version {}", env!("CARGO_PKG_VERSION"))
}
