//! Verbs that do one thing to each thing named.

use std::fmt::Display;

use crate::cli::{note, say};
use crate::report::Report;

/// Does it to each, echoes each that went well as it was typed, tells each error, and ends with 1 if there was any.
pub(crate) fn each(names: &[String], act: impl FnMut(&str) -> Result<(), Report>) -> Result<u8, Report> {
    each_then(names, act, |_| None::<String>)
}

/// The same with a last line about those that failed.
pub(crate) fn each_then<T: Display>(
    names: &[String],
    mut act: impl FnMut(&str) -> Result<(), Report>,
    summary: impl FnOnce(&[&str]) -> Option<T>,
) -> Result<u8, Report> {
    let act = |name: &str| act(name).map(|()| Done::Said);
    each_done(names, act, summary)
}

/// What there is to say of one that went well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Its name.
    Said,
    /// Nothing: there was nothing to do.
    Silent,
}

/// The same for a verb that may have nothing to say.
pub(crate) fn each_done<T: Display>(
    names: &[String],
    mut act: impl FnMut(&str) -> Result<Done, Report>,
    summary: impl FnOnce(&[&str]) -> Option<T>,
) -> Result<u8, Report> {
    let mut failed = Vec::new();
    for name in names {
        match act(name) {
            Ok(Done::Said) => say(name),
            Ok(Done::Silent) => {}
            Err(report) => {
                note(&report.text);
                failed.push(name.as_str());
            }
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    if let Some(line) = summary(&failed) {
        note(&line.to_string());
    }
    Err(Report::silent(1))
}
