//! `kist diff`.

use std::fmt::Write as _;

use engine::container::diff::diff;
use engine::container::find;
use store::ChangeKind;

use crate::cli::{Cli, say};
use crate::report::Report;
use crate::verb::{Args, Verb, Words};

/// `kist diff`.
pub(crate) static DIFF: Verb = Verb {
    name: "diff",
    aliases: &["container diff"],
    usage: "CONTAINER",
    about: "Inspect changes to files or directories on a container's filesystem",
    words: Words::Exactly(1),
    flags: &[],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let host = cli.host()?;
    let mut text = String::new();
    for change in diff(&host, &find(&host, &args.words()[0])?)? {
        let letter = match change.kind {
            ChangeKind::Added => 'A',
            ChangeKind::Changed => 'C',
            ChangeKind::Deleted => 'D',
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{letter} {}", change.path.display());
    }
    say(&text);
    Ok(0)
}
