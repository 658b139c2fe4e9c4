//! `kist cp`.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use engine::container::cp::{Copied, Copy, CopyError, Links, Owned, argument, from_container, to_container};

use crate::cli::{Cli, note};
use crate::report::Report;
use crate::terminal;
use crate::units::human_size_with;
use crate::verb::{Args, Takes, Verb, Words, short};

/// `kist cp`.
pub(crate) static CP: Verb = Verb {
    name: "cp",
    aliases: &["container cp"],
    usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tkist cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    about: "Copy files/folders between a container and the local filesystem",
    words: Words::Exactly(2),
    flags: &[&[
        short('a', "archive", Takes::Switch, "Archive mode (copy all uid/gid information)"),
        short('L', "follow-link", Takes::Switch, "Always follow symbol link in SRC_PATH"),
        short(
            'q',
            "quiet",
            Takes::Switch,
            "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
        ),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let [source, destination] = args.words() else { return Err(Report::plain("source can not be empty")) };
    for (word, what) in [(source, "source"), (destination, "destination")] {
        if word.is_empty() {
            return Err(Report::plain(format!("{what} can not be empty")));
        }
    }
    // Who has no terminal wants no lines.
    let quiet = if args.given("quiet") { args.on("quiet") } else { !terminal::stdout_is_terminal() };
    let links = if args.on("follow-link") { Links::Follow } else { Links::Keep };
    let owned = if args.on("archive") { Owned::ByArchive } else { Owned::ByUser };
    let copy = |container, inside, outside, passed| Copy {
        container,
        inside,
        outside,
        working_dir: cli.working_dir(),
        links,
        owned,
        passed,
    };
    let copied = match (argument(source), argument(destination)) {
        ((Some(_), _), (Some(_), _)) => return Err(Report::plain("copying between containers is not supported")),
        ((None, _), (None, _)) => return Err(Report::plain("must specify at least one container source")),
        ((Some(container), inside), (None, outside)) => {
            let mut progress = Progress::new("Copying from container - ", quiet || outside == "-");
            let mut passed = |bytes| progress.passed(bytes);
            let copied =
                from_container(&cli.host()?, copy(container, inside, outside, &mut passed), io::stdout().lock());
            progress.end();
            copied.map_err(report)?
        }
        ((None, outside), (Some(container), inside)) => {
            let mut progress = Progress::new("Copying to container - ", quiet);
            let mut passed = |bytes| progress.passed(bytes);
            let copied = to_container(&cli.host()?, copy(container, inside, outside, &mut passed), io::stdin());
            progress.end();
            Some(copied.map_err(report)?)
        }
    };
    if let (Some(Copied { bytes, to }), false) = (copied, quiet) {
        note(&format!("Successfully copied {} to {to}", size(bytes)));
    }
    Ok(0)
}

fn report(error: CopyError) -> Report {
    match error {
        CopyError::Local(text) => Report::plain(text),
        CopyError::Engine(error) => error.into(),
    }
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    human_size_with(bytes as f64, 3)
}

/// One line on a terminal, drawn anew while bytes pass (docker/cli `copyProgress`). The cursor stays visible: who is interrupted could not
/// bring it back.
struct Progress {
    header: &'static str,
    /// None: nobody looks.
    drawn: Option<Instant>,
}

const BETWEEN_DRAWINGS: Duration = Duration::from_millis(75);

impl Progress {
    fn new(header: &'static str, quiet: bool) -> Progress {
        let shown = !quiet && terminal::stderr_is_terminal();
        let progress = Progress { header, drawn: shown.then(Instant::now) };
        if shown {
            progress.write(&format!("{header}{}", size(0)));
        }
        progress
    }

    fn passed(&mut self, bytes: u64) {
        if let Some(drawn) = &mut self.drawn
            && drawn.elapsed() >= BETWEEN_DRAWINGS
        {
            *drawn = Instant::now();
            self.write(&format!("\x1b[{}G\x1b[K{}", self.header.len() + 1, size(bytes)));
        }
    }

    fn end(&mut self) {
        if self.drawn.take().is_some() {
            self.write("\r\x1b[2K");
        }
    }

    fn write(&self, text: &str) {
        // A terminal that is gone is no error of ours.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
