//! A verb of the command line: its flags as one table, from which the parser, the help text and the completions are made.
//!
//! Parsing is clap's; the words are Docker's (spf13/pflag and docker/cli), because scripts match them.

use std::fmt::Write as _;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::report::Report;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing, or `=true` and `=false`; off by default.
    Switch,
    /// The same, on by default.
    SwitchOn,
    /// One value; the word is how the help names it. The last one counts.
    One(&'static str),
    /// Any number of values.
    List(&'static str),
}

/// One flag.
pub(crate) struct Flag {
    /// `--long`.
    pub(crate) long: &'static str,
    /// `-s`.
    pub(crate) short: Option<char>,
    /// What follows.
    pub(crate) takes: Takes,
    /// One line of help; empty: not shown.
    pub(crate) help: &'static str,
}

/// A flag without a short form.
pub(crate) const fn flag(long: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { long, short: None, takes, help }
}

/// A flag with a short form.
pub(crate) const fn short(short: char, long: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { long, short: Some(short), takes, help }
}

/// How many words may follow the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// None.
    None,
    /// Exactly so many.
    Exactly(usize),
    /// So many or more.
    AtLeast(usize),
    /// At most so many.
    AtMost(usize),
    /// From so many to so many.
    Between(usize, usize),
    /// At least so many, and flags end at the first word: what follows belongs to a command inside the container.
    Command(usize),
}

/// A verb.
pub(crate) struct Verb {
    /// As typed: `run`, `image ls`.
    pub(crate) name: &'static str,
    /// Other spellings, as typed.
    pub(crate) aliases: &'static [&'static str],
    /// What follows the name in the usage line.
    pub(crate) usage: &'static str,
    /// One line.
    pub(crate) about: &'static str,
    /// How many words.
    pub(crate) words: Words,
    /// Its flags.
    pub(crate) flags: &'static [&'static [Flag]],
    /// What it does; answers the exit code.
    pub(crate) run: fn(&crate::cli::Cli, &Args) -> Result<u8, Report>,
}

/// What was typed behind a verb.
pub(crate) struct Args {
    matches: ArgMatches,
    words: Vec<String>,
}

impl Args {
    /// Whether a switch is on.
    pub(crate) fn on(&self, long: &str) -> bool {
        self.one(long).is_some_and(|value| is_true(value).unwrap_or(false))
    }

    /// A flag's value.
    pub(crate) fn one(&self, long: &str) -> Option<&str> {
        self.matches.get_many::<String>(long).and_then(Iterator::last).map(String::as_str)
    }

    /// A flag's value, if it is not empty.
    pub(crate) fn text(&self, long: &str) -> Option<&str> {
        self.one(long).filter(|text| !text.is_empty())
    }

    /// All values of a flag.
    pub(crate) fn list(&self, long: &str) -> Vec<&str> {
        self.matches.get_many::<String>(long).unwrap_or_default().map(String::as_str).collect()
    }

    /// Whether the user wrote the flag.
    pub(crate) fn given(&self, long: &str) -> bool {
        self.matches.value_source(long) == Some(clap::parser::ValueSource::CommandLine)
    }

    /// The words behind the flags.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// A flag's value as `parse` reads it, or Docker's line about why it cannot.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &self,
        verb: &Verb,
        long: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Report> {
        self.text(long).map(|text| parse(text).map_err(|why| verb.bad_value(long, text, &why))).transpose()
    }

    /// The same for each value of a list.
    pub(crate) fn parsed_list<T, E: std::fmt::Display>(
        &self,
        verb: &Verb,
        long: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, Report> {
        self.list(long).into_iter().map(|text| parse(text).map_err(|why| verb.bad_value(long, text, &why))).collect()
    }
}

/// Go's strconv.ParseBool.
pub(crate) fn is_true(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

impl Verb {
    /// Reads what follows the verb's name; none when help was asked for.
    pub(crate) fn parse(&self, typed: &[String]) -> Result<Option<Args>, Report> {
        let (flags, words) = typed.split_at(self.first_word(typed));
        let words = words.strip_prefix(&["--".to_owned()]).unwrap_or(words);
        let matches = match self.command().try_get_matches_from(flags) {
            Ok(matches) => matches,
            Err(error) if error.kind() == ErrorKind::DisplayHelp => return Ok(None),
            Err(error) => return Err(self.refusal(&error)),
        };
        let words: Vec<String> = matches.get_many::<String>(WORDS).unwrap_or_default().chain(words).cloned().collect();
        for flag in self.all_flags().filter(|flag| matches!(flag.takes, Takes::Switch | Takes::SwitchOn)) {
            for text in matches.get_many::<String>(flag.long).unwrap_or_default() {
                if is_true(text).is_none() {
                    return Err(self.bad_value(
                        flag.long,
                        text,
                        &format!("strconv.ParseBool: parsing {text:?}: invalid syntax"),
                    ));
                }
            }
        }
        self.count(words.len())?;
        Ok(Some(Args { matches, words }))
    }

    /// Where the flags end and a command inside the container begins; behind all where the verb takes none. Clap cannot say: a word that
    /// may begin with a hyphen makes it take `-m64m` for one.
    fn first_word(&self, typed: &[String]) -> usize {
        if !matches!(self.words, Words::Command(_)) {
            return typed.len();
        }
        let takes_value =
            |flag: Option<&Flag>| flag.is_some_and(|flag| matches!(flag.takes, Takes::One(_) | Takes::List(_)));
        let mut at = 0;
        while let Some(word) = typed.get(at) {
            let value_follows = match (word.strip_prefix("--"), word.strip_prefix('-')) {
                (Some(""), _) => return at,
                (Some(long), _) => takes_value(self.all_flags().find(|flag| flag.long == long)),
                (None, None | Some("")) => return at,
                (None, Some(letters)) => {
                    let of = |letter| self.all_flags().find(|flag| flag.short == Some(letter));
                    // The first that takes a value takes the rest of the word, or the next word where nothing is left.
                    let found = letters.char_indices().find(|(_, letter)| takes_value(of(*letter)));
                    found.is_some_and(|(place, letter)| place + letter.len_utf8() == letters.len())
                }
            };
            at += if value_follows { 2 } else { 1 };
        }
        typed.len()
    }

    fn all_flags(&self) -> impl Iterator<Item = &Flag> {
        self.flags.iter().copied().flatten()
    }

    /// The parser, also for completions and man pages.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.name)
            .about(self.about)
            .no_binary_name(true)
            .disable_help_flag(true)
            .args_override_self(true)
            .arg(Arg::new("help").long("help").action(ArgAction::Help).hide(true));
        if self.all_flags().all(|flag| flag.short != Some('h')) {
            command = command.arg(Arg::new("short help").short('h').action(ArgAction::Help).hide(true));
        }
        for flag in self.all_flags() {
            let mut arg = Arg::new(flag.long).long(flag.long).help(flag.help).value_parser(ValueParser::string());
            if let Some(letter) = flag.short {
                arg = arg.short(letter);
            }
            let switch = |arg: Arg, default: &'static str| {
                arg.action(ArgAction::Set)
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
                    .default_value(default)
            };
            command = command.arg(match flag.takes {
                Takes::Switch => switch(arg, "false"),
                Takes::SwitchOn => switch(arg, "true"),
                Takes::One(word) => arg.action(ArgAction::Set).value_name(word).allow_hyphen_values(true),
                Takes::List(word) => arg.action(ArgAction::Append).value_name(word).allow_hyphen_values(true),
            });
        }
        let words = Arg::new(WORDS).num_args(0..).value_parser(ValueParser::string());
        command.arg(words)
    }

    fn count(&self, words: usize) -> Result<(), Report> {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let wrong = match self.words {
            Words::None if words > 0 => "accepts no arguments".to_owned(),
            Words::Exactly(n) if words != n => format!("requires {n} argument{}", s(n)),
            Words::AtLeast(n) | Words::Command(n) if words < n => format!("requires at least {n} argument{}", s(n)),
            Words::AtMost(n) if words > n => format!("requires at most {n} argument{}", s(n)),
            Words::Between(a, b) if words < a || words > b => {
                format!("requires at least {a} and at most {b} argument{}", s(b))
            }
            Words::None
            | Words::Exactly(_)
            | Words::AtLeast(_)
            | Words::Command(_)
            | Words::AtMost(_)
            | Words::Between(..) => {
                return Ok(());
            }
        };
        let see = if self.words == Words::None { "Run" } else { "See" };
        Err(self.usage_error(&format!("kist: 'kist {}' {wrong}", self.name), see))
    }

    /// `invalid argument "x" for "-m, --memory" flag: why`.
    pub(crate) fn bad_value(&self, long: &str, text: &str, why: &dyn std::fmt::Display) -> Report {
        let short = self.all_flags().find(|flag| flag.long == long).and_then(|flag| flag.short);
        let name = short.map_or_else(|| format!("--{long}"), |letter| format!("-{letter}, --{long}"));
        self.usage_error(&format!("invalid argument {text:?} for {name:?} flag: {why}"), "Run")
    }

    fn refusal(&self, error: &clap::Error) -> Report {
        let context = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => text.split([' ', '=']).next().unwrap_or_default().to_owned(),
            Some(_) | None => String::new(),
        };
        let typed = context(ContextKind::InvalidArg);
        let text = match (error.kind(), typed.strip_prefix("--"), typed.strip_prefix('-')) {
            (ErrorKind::UnknownArgument, Some(long), _) => format!("unknown flag: --{long}"),
            (ErrorKind::UnknownArgument, None, Some(letter)) => {
                format!("unknown shorthand flag: '{letter}' in -{letter}")
            }
            (ErrorKind::InvalidValue | ErrorKind::NoEquals, Some(_), _) => format!("flag needs an argument: {typed}"),
            _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        };
        self.usage_error(&text, "Run")
    }

    fn usage_error(&self, text: &str, see: &str) -> Report {
        Report::usage(format!(
            "{text}\n\nUsage:  kist {} {}\n\n{see} 'kist {} --help' for more information",
            self.name, self.usage, self.name
        ))
    }

    /// The help text, as Docker's looks.
    pub(crate) fn help(&self, width: usize) -> String {
        let mut text = format!("Usage:  kist {} {}\n\n{}\n", self.name, self.usage, self.about);
        if !self.aliases.is_empty() {
            let all: Vec<String> = self.aliases.iter().map(|alias| format!("kist {alias}")).collect();
            let _ = write!(text, "\nAliases:\n  {}, kist {}\n", all.join(", "), self.name);
        }
        let mut flags: Vec<&Flag> = self.all_flags().filter(|flag| !flag.help.is_empty()).collect();
        if flags.is_empty() {
            return text;
        }
        flags.sort_by_key(|flag| flag.long);
        text.push_str("\nOptions:\n");
        let left = |flag: &Flag| {
            let letter = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
            let word = match flag.takes {
                Takes::Switch | Takes::SwitchOn => String::new(),
                Takes::One(word) | Takes::List(word) => format!(" {word}"),
            };
            format!("  {letter}--{}{word}", flag.long)
        };
        let column = flags.iter().map(|flag| left(flag).len()).max().unwrap_or_default() + 3;
        for flag in flags {
            let mut help = flag.help.to_owned();
            if flag.takes == Takes::SwitchOn {
                help.push_str(" (default true)");
            }
            let lines = wrap(&help, width.saturating_sub(column).max(24));
            for (n, line) in lines.iter().enumerate() {
                let _ = writeln!(text, "{:column$}{line}", if n == 0 { left(flag) } else { String::new() });
            }
        }
        text
    }
}

const WORDS: &str = "words behind the flags";

fn wrap(text: &str, width: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| wrap_line(line, width)).collect()
}

fn wrap_line(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}
