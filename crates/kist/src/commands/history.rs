//! `kist history`.

use engine::image::history;
use spec::platform::Platform;

use super::images::require;
use super::listing::{self, Defaults, TABLE_FORMAT};
use crate::cli::{Cli, say};
use crate::report::Report;
use crate::template::Row;
use crate::verb::{Args, Takes, Verb, Words, flag, short};
use crate::wire::from_image;
use crate::wire::image_row::{HISTORY_COLUMNS, HISTORY_TABLE, HISTORY_TABLE_EXACT, Numbers};

/// `kist history`.
pub(crate) static HISTORY: Verb = Verb {
    name: "history",
    aliases: &["image history"],
    usage: "[OPTIONS] IMAGE",
    about: "Show the history of an image",
    words: Words::Exactly(1),
    flags: &[&[
        flag("format", Takes::One("string"), TABLE_FORMAT),
        short('H', "human", Takes::SwitchOn, "Print sizes and dates in human readable format"),
        flag("no-trunc", Takes::Switch, "Don't truncate output"),
        flag(
            "platform",
            Takes::One("string"),
            "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        short('q', "quiet", Takes::Switch, "Only show image IDs"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let numbers = if args.on("human") { Numbers::Human } else { Numbers::Exact };
    let table = match numbers {
        Numbers::Human => HISTORY_TABLE,
        Numbers::Exact => HISTORY_TABLE_EXACT,
    };
    let listing = listing::listing(
        args,
        &Defaults { table: table.to_owned(), raw: "raw".to_owned(), quiet: "{{.ID}}", raw_quiet: "{{.ID}}" },
    )?;
    let platform = args.parsed(&HISTORY, "platform", str::parse::<Platform>)?;
    let host = cli.host()?;
    require(&host, &args.words()[..1], platform.as_ref())?;
    let (id, steps) = history::history(&host, &args.words()[0])?;
    let reader = listing::reader(args);
    let rows = from_image::history(&id, steps, numbers, &reader);
    let rows: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
    say(&listing::render(&listing, HISTORY_COLUMNS, &rows)?);
    Ok(0)
}
