//! `kist stats`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::thread::sleep;
use std::time::Duration;

use engine::container::stats::{self, Reading};
use engine::container::{View, find, list};
use engine::{Error, Host};
use spec::id::ContainerId;

use super::listing::{self, TABLE_FORMAT};
use crate::cli::{Cli, say};
use crate::report::{Report, explain};
use crate::template::{Listing, Row};
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::container_row::Width;
use crate::wire::stats_row::{COLUMNS, StatsRow, TABLE, Use};

/// `kist stats`.
pub(crate) static STATS: Verb = Verb {
    name: "stats",
    aliases: &["container stats"],
    usage: "[OPTIONS] [CONTAINER...]",
    about: "Display a live stream of container(s) resource usage statistics",
    words: Words::AtLeast(0),
    flags: &[&[
        short('a', "all", Takes::Switch, "Show all containers (default shows just running)"),
        flag("format", Takes::One("string"), TABLE_FORMAT),
        flag("no-stream", Takes::Switch, "Disable streaming stats and only pull the first result"),
        flag("no-trunc", Takes::Switch, "Do not truncate output"),
    ]],
    run,
};

/// Between two readings, as with Docker.
const PERIOD: Duration = Duration::from_secs(1);

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let format = match args.text("format") {
        None | Some("table") => TABLE,
        Some(format) => format,
    };
    let listing = Listing::parse(format).map_err(listing::refused)?;
    let host = cli.host()?;
    let width = if args.on("no-trunc") { Width::Full } else { Width::Short };
    let mut watched = Watched::new(&host, args, width)?;
    watched.read(&host);
    loop {
        // A percentage is of the time between two readings.
        sleep(PERIOD);
        watched.refresh(&host)?;
        let rows = watched.read(&host);
        let shown: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
        if args.on("no-stream") {
            if !shown.is_empty() {
                say(&listing::render(&listing, COLUMNS, &shown)?);
            }
            return Ok(0);
        }
        let frame = frame(&listing::render(&listing, COLUMNS, &shown)?);
        let mut out = std::io::stdout().lock();
        if out.write_all(frame.as_bytes()).and_then(|()| out.flush()).is_err() {
            // Nobody looks any more.
            return Ok(0);
        }
    }
}

/// Over what is there: each line clears its own rest, the end what is below.
fn frame(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| format!("{line}\x1b[K\n")).collect();
    format!("\x1b[H{}\x1b[J", lines.concat())
}

/// The containers that are looked at, in the order in which they came.
struct Watched {
    which: Which,
    width: Width,
    /// What the user calls each; else its ID.
    containers: Vec<(String, ContainerId)>,
    /// As they were read last.
    last: BTreeMap<ContainerId, Reading>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those the user named.
    Named,
    /// All that run.
    Running,
    /// All.
    All,
}

impl Watched {
    fn new(host: &Host, args: &Args, width: Width) -> Result<Watched, Report> {
        let (mut containers, mut failed) = (Vec::<(String, ContainerId)>::new(), Vec::new());
        for typed in args.words() {
            match find(host, typed) {
                Ok(_) if containers.iter().any(|(known, _)| known == typed) => {}
                Ok(id) => containers.push((typed.clone(), id)),
                Err(error) => failed.push(format!("Error response from daemon: {}", explain(&error))),
            }
        }
        if !failed.is_empty() {
            return Err(Report::plain(failed.join("\n")));
        }
        let which = match (args.words().is_empty(), args.on("all")) {
            (false, _) => Which::Named,
            (true, true) => Which::All,
            (true, false) => Which::Running,
        };
        let mut watched = Watched { which, width, containers, last: BTreeMap::new() };
        watched.refresh(host)?;
        Ok(watched)
    }

    /// Takes up those that came and drops those that went, unless the user named some.
    fn refresh(&mut self, host: &Host) -> Result<(), Error> {
        let mut views = match self.which {
            Which::Named => return Ok(()),
            Which::Running => list::running(host)?,
            Which::All => list::list(host)?,
        };
        self.containers.retain(|(_, id)| views.iter().any(|view| view.config.id == *id));
        views.retain(|view| !self.containers.iter().any(|(_, id)| *id == view.config.id));
        self.containers.extend(views.into_iter().map(|view| (view.config.id.to_string(), view.config.id)));
        Ok(())
    }

    /// Reads all of them once more.
    fn read(&mut self, host: &Host) -> Vec<StatsRow> {
        let mut readings = BTreeMap::new();
        let mut rows = Vec::new();
        for (typed, id) in &self.containers {
            let view = list::view(host, id);
            let used = view.as_ref().map_or(Use::Unknown, |view| {
                let used = used(host, view, self.last.get(id));
                if let Use::Some { reading, .. } = used {
                    readings.insert(id.clone(), reading);
                }
                used
            });
            rows.push(StatsRow {
                container: typed.clone(),
                id: id.to_string(),
                name: view.map(|view| view.name).unwrap_or_default(),
                used,
                width: self.width,
            });
        }
        self.last = readings;
        rows
    }
}

fn used(host: &Host, view: &View, last: Option<&Reading>) -> Use {
    match stats::read(host, view) {
        Ok(Some(reading)) => {
            // What has just started has no earlier reading.
            Use::Some { reading, cpu_percent: last.map_or(0.0, |last| reading.cpu_percent(last)) }
        }
        Ok(None) => Use::Nothing,
        Err(_) => Use::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_leaves_nothing_of_the_one_before() {
        assert_eq!(frame("A\nb\n"), "\x1b[HA\x1b[K\nb\x1b[K\n\x1b[K\n\x1b[J");
    }
}
