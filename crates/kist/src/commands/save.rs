//! `kist save`.

use std::fs::{self, File};
use std::io;

use engine::image::save::save;

use crate::cli::Cli;
use crate::report::Report;
use crate::terminal;
use crate::verb::{Args, Takes, Verb, Words, short};

/// `kist save`.
pub(crate) static SAVE: Verb = Verb {
    name: "save",
    aliases: &["image save"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    words: Words::AtLeast(1),
    flags: &[&[short('o', "output", Takes::One("string"), "Write to a file, instead of STDOUT")]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let names: Vec<&str> = args.words().iter().map(String::as_str).collect();
    let Some(path) = args.text("output") else {
        if terminal::stdout_is_terminal() {
            return Err(Report::plain("cowardly refusing to save to a terminal. Use the -o flag or redirect"));
        }
        save(&cli.host()?, &names, io::stdout().lock())?;
        return Ok(0);
    };
    let target = cli.working_dir().join(path);
    let failed = |e: io::Error| Report::plain(format!("failed to save image: {path}: {e}"));
    if let Ok(found) = fs::symlink_metadata(&target)
        && found.is_dir()
    {
        return Err(Report::plain(format!(
            "failed to save image: invalid output path: {path:?} must not be a directory"
        )));
    }
    if !target.parent().is_some_and(std::path::Path::is_dir) {
        return Err(Report::plain(format!(
            "failed to save image: invalid output path: directory {:?} does not exist",
            target.parent().unwrap_or(&target)
        )));
    }
    let host = cli.host()?;
    // A device or a pipe is written to; a file comes whole or not at all.
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        save(&host, &names, File::options().write(true).open(&target).map_err(failed)?)?;
        return Ok(0);
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = target.with_file_name(name);
    let written = File::create(&temporary)
        .map_err(failed)
        .and_then(|file| Ok(save(&host, &names, file)?))
        .and_then(|()| fs::rename(&temporary, &target).map_err(failed));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written.map(|()| 0)
}
