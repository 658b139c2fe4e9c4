//! `kist save`.

use std::io;

use engine::image::save::save;
use spec::platform::Platform;

use super::images::require;
use crate::cli::Cli;
use crate::report::Report;
use crate::terminal;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist save`.
pub(crate) static SAVE: Verb = Verb {
    name: "save",
    aliases: &["image save"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    words: Words::AtLeast(1),
    flags: &[&[
        short('o', "output", Takes::One("string"), "Write to a file, instead of STDOUT"),
        flag(
            "platform",
            Takes::One("string"),
            "Save only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let names: Vec<&str> = args.words().iter().map(String::as_str).collect();
    let platform = args.parsed(&SAVE, "platform", str::parse::<Platform>)?;
    let Some(path) = args.text("output") else {
        if terminal::stdout_is_terminal() {
            return Err(Report::plain("cowardly refusing to save to a terminal. Use the -o flag or redirect"));
        }
        let host = cli.host()?;
        require(&host, args.words(), platform.as_ref())?;
        save(&host, &names, io::stdout().lock())?;
        return Ok(0);
    };
    let host = cli.host()?;
    require(&host, args.words(), platform.as_ref())?;
    super::output::to_file(cli, path, "failed to save image", |file| Ok(save(&host, &names, file)?)).map(|()| 0)
}
