//! `-o FILE`: what is written there comes whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::cli::Cli;
use crate::report::Report;

/// Gives `write` the file that the user named. `failing` begins the line that says what was wrong with it.
pub(super) fn to_file(
    cli: &Cli,
    path: &str,
    failing: &str,
    write: impl FnOnce(File) -> Result<(), Report>,
) -> Result<(), Report> {
    let target = cli.working_dir().join(path);
    let failed = |e: io::Error| Report::plain(format!("{failing}: {path}: {e}"));
    if let Ok(found) = fs::symlink_metadata(&target)
        && found.is_dir()
    {
        return Err(Report::plain(format!("{failing}: invalid output path: {path:?} must not be a directory")));
    }
    if !target.parent().is_some_and(Path::is_dir) {
        return Err(Report::plain(format!(
            "{failing}: invalid output path: directory {:?} does not exist",
            target.parent().unwrap_or(&target)
        )));
    }
    // A device or a pipe is written to.
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        return write(File::options().write(true).open(&target).map_err(failed)?);
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = target.with_file_name(name);
    let written = File::create(&temporary)
        .map_err(failed)
        .and_then(write)
        .and_then(|()| fs::rename(&temporary, &target).map_err(failed));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}
