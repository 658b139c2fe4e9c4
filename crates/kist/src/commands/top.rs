//! `kist top`: the words of `ps`, answered from `/proc`.

use std::collections::BTreeMap;
use std::fs;

use engine::container::find;
use engine::container::top::{Process, top};
use engine::system::facts::memory_bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::{Cli, say};
use crate::report::Report;
use crate::table::align_at_least;
use crate::verb::{Args, Verb, Words};
use crate::wire::process_row::{COLUMNS, Column, Machine, column};

/// `kist top`.
pub(crate) static TOP: Verb = Verb {
    name: "top",
    aliases: &["container top"],
    usage: "CONTAINER [ps OPTIONS]",
    about: "Display the running processes of a container",
    words: Words::Command(1),
    flags: &[],
    run,
};

/// As wide as Docker makes the columns.
const MIN_WIDTH: usize = 20;

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let (container, options) = args.words().split_first().expect("the verb wants one word");
    let columns = columns(options).map_err(|why| Report::plain(format!("Error response from daemon: {why}")))?;
    let host = cli.host()?;
    let id = find(&host, container)?;
    let processes = top(&host, &id)?;
    say(&table(&columns, &processes, &machine()));
    Ok(0)
}

fn table(columns: &[Shown], processes: &[Process], machine: &Machine) -> String {
    let titles: Vec<&str> = columns.iter().map(|shown| shown.title.as_str()).collect();
    let mut text = titles.join("\t") + "\n";
    for process in processes {
        let cells = columns.iter().map(|shown| {
            let cell = shown.column.show(process, machine);
            // Docker parts the words of `ps` and joins them again.
            cell.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        });
        text.push_str(&(cells.collect::<Vec<_>>().join("\t") + "\n"));
    }
    align_at_least(MIN_WIDTH, &text)
}

/// The host, whose users the processes are to the kernel.
fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let stat = read("/proc/stat");
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    Machine {
        users: names(&read("/etc/passwd")),
        groups: names(&read("/etc/group")),
        boot_s: boot.unwrap_or(0),
        now: Timestamp::now(),
        zone: TimeZone::system(),
        ticks: rustix::param::clock_ticks_per_second().max(1),
        memory_bytes: memory_bytes(),
    }
}

/// Names by numbers, of passwd(5) and group(5): the first of each number counts.
fn names(text: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(_), Some(Ok(id))) = (fields.next(), fields.next(), fields.next().map(str::parse)) {
            names.entry(id).or_insert_with(|| name.to_owned());
        }
    }
    names
}

/// A column under a title.
#[derive(Clone)]
struct Shown {
    column: &'static Column,
    title: String,
}

/// `name` or `name=TITLE`.
fn shown(field: &str) -> Result<Shown, String> {
    let (name, title) = field.split_once('=').map_or((field, None), |(name, title)| (name, Some(title)));
    let found = column(name).ok_or_else(|| {
        let known: Vec<&str> = COLUMNS.iter().flat_map(|column| column.names).copied().collect();
        format!("ps: error: unknown user-defined format specifier \"{name}\": known are {}", known.join(", "))
    })?;
    // The words differ, the column is one.
    let own = match name {
        "cmd" => "CMD",
        "sess" | "session" => "SESS",
        "uname" => "USER",
        "euser" => "EUSER",
        "euid" => "EUID",
        "egroup" => "EGROUP",
        "egid" => "EGID",
        "tgid" => "TGID",
        "pgrp" => "PGRP",
        "ucmd" => "CMD",
        "tty" | "tt" => "TT",
        "rsz" => "RSZ",
        "thcount" => "THCNT",
        "start_time" => "START",
        _ => found.title,
    };
    Ok(Shown { column: found, title: title.unwrap_or(own).to_owned() })
}

/// Columns as `-f`, `u` and no option at all show them, with the titles of these.
fn style(fields: &str) -> Result<Vec<Shown>, String> {
    fields.split(' ').map(shown).collect()
}

const FULL: &str = "user=UID pid ppid c stime tname time cmd";
const USER: &str = "user pid %cpu %mem vsz rss tname stat start_time bsdtime=TIME args";
const PLAIN: &str = "pid tname time comm=CMD";
const BSD: &str = "pid tname stat bsdtime=TIME args";

/// What the words after the container ask for.
fn columns(options: &[String]) -> Result<Vec<Shown>, String> {
    if options.is_empty() {
        return style(FULL);
    }
    let mut listed: Vec<Shown> = Vec::new();
    let (mut full, mut user, mut bsd) = (false, false, false);
    // Docker makes one text of them, and words of that.
    let joined = options.join(" ");
    let mut words = joined.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            match name {
                "format" => listed.extend(list(value.or_else(|| words.next()))?),
                _ => return Err(unknown(word)),
            }
            continue;
        }
        let is_bsd = !word.starts_with('-');
        let letters = word.trim_start_matches('-');
        for (at, letter) in letters.char_indices() {
            match letter {
                // Which processes: a container's are all shown, whatever is asked.
                'e' | 'A' | 'a' | 'd' if !is_bsd => {}
                'a' | 'x' if is_bsd => bsd = true,
                'w' => {}
                'f' if !is_bsd => full = true,
                'u' if is_bsd => user = true,
                'o' => {
                    let rest = &letters[at + 1..];
                    listed.extend(list(if rest.is_empty() { words.next() } else { Some(rest) })?);
                    break;
                }
                _ => return Err(unknown(word)),
            }
        }
    }
    let chosen = match (listed.is_empty(), user, full, bsd) {
        (false, ..) => listed,
        (true, true, ..) => style(USER)?,
        (true, false, true, _) => style(FULL)?,
        (true, false, false, true) => style(BSD)?,
        (true, false, false, false) => style(PLAIN)?,
    };
    if let Some(liar) = chosen.iter().find(|shown| shown.title.starts_with("PID") && shown.column.title != "PID") {
        let name = liar.column.names[0];
        return Err(format!("specifying \"{name}={}\" is not allowed", liar.title));
    }
    // Without it Docker does not know whose line it is.
    if chosen.iter().any(|shown| shown.title == "PID") {
        Ok(chosen)
    } else {
        Err("Couldn't find PID field in ps output".to_owned())
    }
}

fn list(fields: Option<&str>) -> Result<Vec<Shown>, String> {
    let fields = fields.ok_or("ps: error: format specification must follow -o")?;
    // A title is all that follows, commas too.
    let mut found = Vec::new();
    let mut rest = fields;
    while !rest.is_empty() {
        let end = rest.find([',', '=']).unwrap_or(rest.len());
        let end = if rest[end..].starts_with('=') { rest.len() } else { end };
        found.push(shown(&rest[..end])?);
        rest = rest[end..].trim_start_matches(',');
    }
    Ok(found)
}

fn unknown(word: &str) -> String {
    format!(
        "ps: error: unsupported option {word:?}: kist answers from /proc and knows -e -A -a -d -f -w, a u x w, and -o FIELD[=TITLE][,FIELD...] (also o, --format)"
    )
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(options: &str, expected: Expect) {
        let options: Vec<String> = options.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let text = match columns(&options) {
            Ok(columns) => columns.iter().map(|shown| shown.title.clone()).collect::<Vec<_>>().join(" "),
            Err(why) => why,
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn words_of_ps_choose_the_columns() {
        check("", expect!["UID PID PPID C STIME TTY TIME CMD"]);
        check("-ef", expect!["UID PID PPID C STIME TTY TIME CMD"]);
        check("aux", expect!["USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"]);
        check("ax", expect!["PID TTY STAT TIME COMMAND"]);
        check("-e", expect!["PID TTY TIME CMD"]);
        check("-eo pid,comm", expect!["PID COMMAND"]);
        check("-o pid -o args,etime", expect!["PID COMMAND ELAPSED"]);
        check("-opid,user=WHO", expect!["PID WHO"]);
        check("o pid,cmd", expect!["PID CMD"]);
        check("--format pid,nlwp", expect!["PID NLWP"]);
    }

    #[test]
    fn what_is_not_known_is_said_so() {
        check("-o comm", expect!["Couldn't find PID field in ps output"]);
        check("-o pid,comm=PID", expect![[r#"specifying "comm=PID" is not allowed"#]]);
        check(
            "-L",
            expect![[
                r#"ps: error: unsupported option "-L": kist answers from /proc and knows -e -A -a -d -f -w, a u x w, and -o FIELD[=TITLE][,FIELD...] (also o, --format)"#
            ]],
        );
        check(
            "--forest",
            expect![[
                r#"ps: error: unsupported option "--forest": kist answers from /proc and knows -e -A -a -d -f -w, a u x w, and -o FIELD[=TITLE][,FIELD...] (also o, --format)"#
            ]],
        );
        check("-o", expect!["ps: error: format specification must follow -o"]);
        let unknown = columns(&["-o".to_owned(), "pid,nope".to_owned()]).err().unwrap();
        assert!(unknown.starts_with("ps: error: unknown user-defined format specifier \"nope\": known are pid, tgid"));
    }

    #[test]
    fn a_number_has_its_first_name() {
        let names = names("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbad\nweb:x:33:33::/:\n");
        assert_eq!(names, [(0, "root".to_owned()), (33, "web".to_owned())].into());
    }
}
