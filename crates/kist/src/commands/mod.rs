//! All verbs, one file each, and how a command line finds its own.

mod attach;
mod df;
mod each;
mod exec;
mod history;
mod images;
mod import;
mod info;
mod inspect;
mod kill;
mod listing;
mod load;
mod logs;
mod pause;
mod prune;
mod ps;
mod rename;
mod rm;
mod rmi;
pub(crate) mod run;
mod save;
mod start;
mod stop;
mod system;
mod tag;
mod update;
pub(crate) mod version;
mod wait;

use std::fmt::Write as _;

use crate::report::Report;
use crate::verb::Verb;

/// Where a command line leads.
pub(crate) enum Found<'a> {
    /// To a verb and what follows it.
    Verb(&'static Verb, &'a [String]),
    /// To a text.
    Help(String),
    /// Nowhere.
    Unknown(Report),
}

/// All verbs, in the order of the help text.
static VERBS: &[&Verb] = &[
    &run::RUN,
    &exec::EXEC,
    &ps::PS,
    &images::IMAGES,
    &version::VERSION,
    &info::INFO,
    &attach::ATTACH,
    &run::CREATE,
    &history::HISTORY,
    &import::IMPORT,
    &inspect::INSPECT,
    &kill::KILL,
    &load::LOAD,
    &logs::LOGS,
    &pause::PAUSE,
    &rename::RENAME,
    &stop::RESTART,
    &rm::RM,
    &rmi::RMI,
    &save::SAVE,
    &start::START,
    &stop::STOP,
    &tag::TAG,
    &pause::UNPAUSE,
    &update::UPDATE,
    &wait::WAIT,
    &inspect::CONTAINER_INSPECT,
    &inspect::IMAGE_INSPECT,
    &prune::CONTAINER_PRUNE,
    &prune::IMAGE_PRUNE,
    &prune::SYSTEM_PRUNE,
    &df::SYSTEM_DF,
    &system::SYSTEM_CHECK,
    &system::SYSTEM_START,
];

/// Shown first in the help text.
const COMMON: &[&str] = &["run", "exec", "ps", "images", "load", "version", "info"];

/// Words that begin two-word verbs.
const GROUPS: &[(&str, &str)] =
    &[("container", "Manage containers"), ("image", "Manage images"), ("system", "Manage kist")];

/// What Docker has and kist has not yet.
const NOT_YET: &[&str] = &[
    "build",
    "builder",
    "buildx",
    "checkpoint",
    "commit",
    "compose",
    "config",
    "context",
    "cp",
    "diff",
    "events",
    "export",
    "login",
    "logout",
    "manifest",
    "network",
    "node",
    "plugin",
    "port",
    "pull",
    "push",
    "search",
    "secret",
    "service",
    "stack",
    "stats",
    "swarm",
    "top",
    "trust",
    "volume",
];

/// A file that the user named cannot be opened; Go's words.
fn opening(path: &str, error: &std::io::Error) -> Report {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Report::plain(format!("open {path}: {why}"))
}

/// The verb behind these words.
pub(crate) fn find(words: &[String]) -> Found<'_> {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    match plain.as_slice() {
        [] | ["-h" | "--help", ..] | ["help"] => Found::Help(help()),
        ["help", ..] => match find(&words[1..]) {
            Found::Verb(verb, _) => Found::Help(verb.help(80)),
            other => other,
        },
        [group] | [group, "-h" | "--help"] if is_group(group) => Found::Help(group_help(group)),
        [first, second, ..] if is_group(first) => match by_name(&format!("{first} {second}")) {
            Some(verb) => Found::Verb(verb, &words[2..]),
            None if NOT_YET.contains(second) => not_yet(&format!("{first} {second}")),
            None => unknown(&format!("{first} {second}"), first),
        },
        [first, ..] => match by_name(first) {
            Some(verb) => Found::Verb(verb, &words[1..]),
            None if NOT_YET.contains(first) => not_yet(first),
            None => unknown(first, ""),
        },
    }
}

fn is_group(word: &str) -> bool {
    GROUPS.iter().any(|(name, _)| *name == word)
}

fn by_name(name: &str) -> Option<&'static Verb> {
    VERBS.iter().copied().find(|verb| verb.name == name || verb.aliases.contains(&name))
}

fn not_yet<'a>(name: &str) -> Found<'a> {
    Found::Unknown(Report::plain(format!(
        "kist: 'kist {name}' is not there yet\n\nRun 'kist --help' for what there is"
    )))
}

fn unknown<'a>(name: &str, group: &str) -> Found<'a> {
    let see = if group.is_empty() { String::new() } else { format!(" {group}") };
    Found::Unknown(Report::usage(format!(
        "kist: unknown command: kist {name}\n\nRun 'kist{see} --help' for more information"
    )))
}

fn section(text: &mut String, title: &str, lines: &[(&str, &str)]) {
    if lines.is_empty() {
        return;
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{title}:");
    for (name, about) in lines {
        let _ = writeln!(text, "  {name:width$}   {about}");
    }
}

fn help() -> String {
    let mut text = "Usage:  kist [OPTIONS] COMMAND\n\nA container engine without a daemon\n".to_owned();
    let one_word = || VERBS.iter().filter(|verb| !verb.name.contains(' '));
    let common: Vec<(&str, &str)> =
        COMMON.iter().filter_map(|name| by_name(name)).map(|verb| (verb.name, verb.about)).collect();
    section(&mut text, "Common Commands", &common);
    section(&mut text, "Management Commands", GROUPS);
    let mut others: Vec<(&str, &str)> =
        one_word().filter(|verb| !COMMON.contains(&verb.name)).map(|verb| (verb.name, verb.about)).collect();
    others.sort_unstable();
    section(&mut text, "Commands", &others);
    let globals = [
        ("    --root string", "Directory of images and containers (default \"/var/lib/kist\", env KIST_ROOT)"),
        ("    --run-root string", "Directory of running state (default \"/run/kist\", env KIST_RUN_ROOT)"),
        ("-v, --version", "Print version information and quit"),
    ];
    section(&mut text, "Global Options", &globals);
    text.push_str("\nRun 'kist COMMAND --help' for more information on a command.\n");
    text
}

fn group_help(group: &str) -> String {
    let about = GROUPS.iter().find(|(name, _)| *name == group).map_or("", |(_, about)| about);
    let mut text = format!("Usage:  kist {group} COMMAND\n\n{about}\n");
    let of_group = |name: &'static str| name.strip_prefix(group)?.strip_prefix(' ');
    let mut lines: Vec<(&str, &str)> = VERBS
        .iter()
        .filter_map(|verb| {
            Some((std::iter::once(&verb.name).chain(verb.aliases).find_map(|name| of_group(name))?, verb.about))
        })
        .collect();
    lines.sort_unstable();
    section(&mut text, "Commands", &lines);
    let _ = write!(text, "\nRun 'kist {group} COMMAND --help' for more information on a command.\n");
    text
}
