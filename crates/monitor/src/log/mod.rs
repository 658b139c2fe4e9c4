//! A container's log: lines of JSON as Docker's `json-file` writes them, in `log` and, turned over, `log.1` (newer), `log.2`, …
//!
//! ```text
//! {"log":"text\n","stream":"stdout","time":"2026-01-02T15:04:05.123456789Z"}
//! ```
//! A line of more than 16 KiB comes in pieces; all but the last lack the `\n`. Files are never shortened or overwritten: a reader that
//! holds one open can read it to its end and find the next by name. See docs/formats/log.md.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Entry, Query, Reader};
pub(crate) use write::Writer;

/// The current file.
const FILE: &str = "log";

fn file_name(age: u32) -> String {
    if age == 0 { FILE.into() } else { format!("{FILE}.{age}") }
}
