//! The manual pages in `docs/man` and the completions in `completions`: made from the table of verbs, checked in, and compared here with
//! what is checked in. `UPDATE_EXPECT=1 cargo test -p kist generated` writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;
use expect_test::ExpectFile;

use crate::commands::{GLOBALS, GROUPS, VERBS};
use crate::verb::Verb;

const ABOUT: &str = "A container engine without a daemon";

/// The files of one directory, by name.
type Files = BTreeMap<String, String>;

#[test]
fn manual_pages_are_those_of_the_verbs() {
    let mut pages = Files::new();
    let whole = kist().override_usage("kist [OPTIONS] COMMAND").subcommands(VERBS.iter().map(|verb| documented(verb)));
    pages.insert("kist.1".to_owned(), page("kist", whole));
    for verb in VERBS {
        let name = page_name(verb);
        pages.insert(format!("{name}.1"), page(&name, documented(verb)));
    }
    check("docs/man", &pages);
}

#[test]
fn completions_are_those_of_the_verbs() {
    let mut files = Files::new();
    for (shell, name) in [(Shell::Bash, "kist.bash"), (Shell::Zsh, "_kist"), (Shell::Fish, "kist.fish")] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut tree(), "kist", &mut text);
        files.insert(name.to_owned(), String::from_utf8(text).unwrap());
    }
    check("completions", &files);
}

/// Compares each file, and that there is no other.
fn check(dir: &str, files: &Files) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !sources.is_dir() {
        testkit::skip!("the sources are not on this machine");
    }
    let dir = sources.join("../..").join(dir);
    std::fs::create_dir_all(&dir).unwrap();
    for (name, text) in files {
        ExpectFile { path: PathBuf::from(&dir).join(name), position: file!() }.assert_eq(text);
    }
    let entries = std::fs::read_dir(&dir).unwrap();
    let there: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, files.keys().cloned().collect(), "files in {}", dir.display());
}

/// `kist` with the flags before the verb.
fn kist() -> Command {
    let globals = GLOBALS.iter().map(|(flag, help)| {
        let (names, value) = flag.split_once(" string").map_or((*flag, None), |(names, _)| (names, Some("string")));
        let (short, long) = names.split_once("--").unwrap();
        let mut arg = Arg::new(long).long(long).help(*help);
        arg = match value {
            Some(value) => arg.value_name(value),
            None => arg.action(ArgAction::SetTrue),
        };
        arg.short(short.trim().strip_prefix('-').and_then(|letter| letter.chars().next()))
    });
    Command::new("kist").about(ABOUT).disable_help_flag(true).disable_help_subcommand(true).args(globals)
}

/// A verb's flags as people read them: a switch takes no value, and what the help hides is hidden.
fn plain(verb: &Verb) -> Command {
    verb.command().no_binary_name(false).mut_args(|arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        if arg.is_positional() || matches!(arg.get_action(), ArgAction::Help) {
            return arg;
        }
        let on = arg.get_default_values().iter().any(|value| value == "true");
        let switch = arg.is_require_equals_set();
        let arg = arg.hide(help.is_empty());
        if switch {
            let help = if on { format!("{help} (default true)") } else { help };
            let plain = Arg::new(arg.get_id().clone()).action(ArgAction::SetTrue).help(help).hide(arg.is_hide_set());
            return plain.long(arg.get_long().map(str::to_owned).map(leak)).short(arg.get_short());
        }
        arg
    })
}

fn documented(verb: &Verb) -> Command {
    let mut text = verb.about.to_owned();
    if !verb.aliases.is_empty() {
        let spellings: Vec<String> = verb.aliases.iter().map(|alias| format!("kist {alias}")).collect();
        text = format!("{text}.\n\nAlso spelled {}.", spellings.join(", "));
    }
    plain(verb)
        .mut_args(|arg| if arg.is_positional() { arg.hide(true) } else { arg })
        .name(leak(verb.name.replace(' ', "-")))
        .display_name(page_name(verb))
        .long_about(text)
        .override_usage(format!("kist {} {}", verb.name, verb.usage))
}

fn page_name(verb: &Verb) -> String {
    format!("kist-{}", verb.name.replace(' ', "-"))
}

fn page(name: &str, command: Command) -> String {
    let mut text = Vec::new();
    // An empty date would be no argument at all, and what follows would move into its place.
    let man = clap_mangen::Man::new(command).title(name).date(" ").source("kist").manual("kist");
    man.render(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// All spellings of all verbs, below `kist` and below the groups.
fn tree() -> Command {
    let spelled = |group: Option<&str>| {
        let mut commands = Vec::new();
        for verb in VERBS {
            for name in std::iter::once(&verb.name).chain(verb.aliases) {
                let (before, last) = name.rsplit_once(' ').map_or((None, *name), |(before, last)| (Some(before), last));
                if before == group {
                    commands.push(plain(verb).name(last));
                }
            }
        }
        commands
    };
    let groups = GROUPS.iter().map(|(name, about)| Command::new(*name).about(*about).subcommands(spelled(Some(name))));
    let groups = groups.map(|group| group.disable_help_subcommand(true));
    kist().subcommands(spelled(None)).subcommands(groups)
}

/// clap keeps names for as long as the program lives.
fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
