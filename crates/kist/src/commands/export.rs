//! `kist export`.

use std::io;

use engine::container::export::export;
use engine::container::find;

use crate::cli::Cli;
use crate::report::Report;
use crate::terminal;
use crate::verb::{Args, Takes, Verb, Words, short};

/// `kist export`.
pub(crate) static EXPORT: Verb = Verb {
    name: "export",
    aliases: &["container export"],
    usage: "[OPTIONS] CONTAINER",
    about: "Export a container's filesystem as a tar archive",
    words: Words::Exactly(1),
    flags: &[&[short('o', "output", Takes::One("string"), "Write to a file, instead of STDOUT")]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let name = &args.words()[0];
    let Some(path) = args.text("output") else {
        if terminal::stdout_is_terminal() {
            return Err(Report::plain("cowardly refusing to save to a terminal. Use the -o flag or redirect"));
        }
        let host = cli.host()?;
        export(&host, &find(&host, name)?, name, io::stdout().lock())?;
        return Ok(0);
    };
    let host = cli.host()?;
    let id = find(&host, name)?;
    super::output::to_file(cli, path, "failed to export container", |file| Ok(export(&host, &id, name, file)?))
        .map(|()| 0)
}
