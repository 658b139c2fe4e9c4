//! `kist buildx history`: what builds there were.

use engine::build::history::{Past, find, list, remove};

use super::display::trace::seconds;
use crate::cli::say;
use crate::report::Report;
use crate::table::align;
use crate::units::human_duration;
use crate::verb::{Args, Takes, Verb, Words, flag};

/// `kist buildx history ls`.
pub(crate) static HISTORY_LS: Verb = Verb {
    name: "buildx history ls",
    aliases: &["builder history ls"],
    usage: "[OPTIONS]",
    about: "List build records",
    words: Words::None,
    flags: &[&[flag("no-trunc", Takes::Switch, "Don't truncate output")]],
    run: |cli, _| {
        let mut text = "BUILD ID\tNAME\tSTATUS\tCREATED AT\tDURATION".to_owned();
        for past in list(&cli.host()?)? {
            let ns = super::display::trace::now().since_ns(past.started).max(0);
            let ago = human_duration(std::time::Duration::from_nanos(ns.cast_unsigned()));
            text.push_str(&format!("\n{}\t{}\t{}\t{ago} ago\t{}", past.id, past.name, status(&past), took(&past)));
        }
        say(&align(&text));
        Ok(0)
    },
};

/// `kist buildx history inspect`.
pub(crate) static HISTORY_INSPECT: Verb = Verb {
    name: "buildx history inspect",
    aliases: &["builder history inspect"],
    usage: "[REF]",
    about: "Inspect a build record",
    words: Words::AtMost(1),
    flags: &[],
    run: |cli, args| {
        let past = one(&find(&cli.host()?, typed(args))?);
        say(&past);
        Ok(0)
    },
};

/// `kist buildx history logs`.
pub(crate) static HISTORY_LOGS: Verb = Verb {
    name: "buildx history logs",
    aliases: &["builder history logs"],
    usage: "[OPTIONS] [REF]",
    about: "Print the logs of a build record",
    words: Words::AtMost(1),
    flags: &[&[flag("progress", Takes::One("string"), "")]],
    run: |cli, args| {
        say(&find(&cli.host()?, typed(args))?.log);
        Ok(0)
    },
};

/// `kist buildx history rm`.
pub(crate) static HISTORY_RM: Verb = Verb {
    name: "buildx history rm",
    aliases: &["builder history rm"],
    usage: "[OPTIONS] [REF...]",
    about: "Remove build records",
    words: Words::AtLeast(0),
    flags: &[&[flag("all", Takes::Switch, "Remove all build records")]],
    run: |cli, args| -> Result<u8, Report> {
        let host = cli.host()?;
        match (args.on("all"), args.words()) {
            (true, []) => list(&host)?.iter().try_for_each(|past| remove(&host, &past.id))?,
            (false, words @ [_, ..]) => {
                for word in words {
                    remove(&host, &find(&host, Some(word))?.id)?;
                }
            }
            (true, [_, ..]) => return Err(Report::plain("ERROR: cannot specify refs when using --all")),
            (false, []) => return Err(Report::plain("ERROR: rm requires at least one argument")),
        }
        Ok(0)
    },
};

fn typed(args: &Args) -> Option<&str> {
    args.words().first().map(String::as_str)
}

fn status(past: &Past) -> &'static str {
    match past.error.as_deref() {
        None => "Completed",
        Some(error) if error.ends_with("context canceled") => "Canceled",
        Some(_) => "Error",
    }
}

fn took(past: &Past) -> String {
    format!("{:.1}s", seconds(past.started, past.completed))
}

fn one(past: &Past) -> String {
    let (steps, cached) = past.steps;
    let mut text = format!("Name:\t{}\nContext:\t{}\n", past.name, past.context);
    if !past.tags.is_empty() {
        text.push_str(&format!("Tags:\t{}\n", past.tags.join(", ")));
    }
    text.push_str(&format!("Started:\t{}\nDuration:\t{}\nBuild Steps:\t{steps}", past.started, took(past)));
    let share = cached.saturating_mul(100).checked_div(steps).unwrap_or_default();
    text.push_str(&format!(" ({share}% cached)\nStatus:\t{}", status(past)));
    if let Some(error) = &past.error {
        text.push_str(&format!("\nError:\t{error}"));
    }
    align(&text)
}
