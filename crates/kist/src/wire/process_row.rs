//! What `ps` says of a process: its columns, by the names its `-o` takes, with procps's look.

use std::collections::BTreeMap;

use engine::container::top::Process;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What the columns are computed from besides the process.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// The host's names of users.
    pub(crate) users: BTreeMap<u32, String>,
    /// The host's names of groups.
    pub(crate) groups: BTreeMap<u32, String>,
    /// When it started, in seconds since 1970.
    pub(crate) boot_s: i64,
    /// Now.
    pub(crate) now: Timestamp,
    /// The reader's time zone.
    pub(crate) zone: TimeZone,
    /// Ticks in a second.
    pub(crate) ticks: u64,
    /// Its memory.
    pub(crate) memory_bytes: u64,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// All its names; the first is the common one.
    pub(crate) names: &'static [&'static str],
    /// What stands above it.
    pub(crate) title: &'static str,
    show: fn(&Process, &Machine) -> String,
}

/// All columns.
pub(crate) const COLUMNS: &[Column] = &[
    Column { names: &["pid", "tgid"], title: "PID", show: |p, _| p.pid.to_string() },
    Column { names: &["ppid"], title: "PPID", show: |p, _| p.ppid.to_string() },
    Column { names: &["pgid", "pgrp"], title: "PGID", show: |p, _| p.pgid.to_string() },
    Column { names: &["sid", "sess", "session"], title: "SID", show: |p, _| p.session.to_string() },
    Column { names: &["user", "euser", "uname"], title: "USER", show: |p, m| called(&m.users, p.uids[1]) },
    Column { names: &["ruser"], title: "RUSER", show: |p, m| called(&m.users, p.uids[0]) },
    Column { names: &["uid", "euid"], title: "UID", show: |p, _| p.uids[1].to_string() },
    Column { names: &["ruid"], title: "RUID", show: |p, _| p.uids[0].to_string() },
    Column { names: &["group", "egroup"], title: "GROUP", show: |p, m| called(&m.groups, p.gids[1]) },
    Column { names: &["rgroup"], title: "RGROUP", show: |p, m| called(&m.groups, p.gids[0]) },
    Column { names: &["gid", "egid"], title: "GID", show: |p, _| p.gids[1].to_string() },
    Column { names: &["rgid"], title: "RGID", show: |p, _| p.gids[0].to_string() },
    Column { names: &["comm", "ucmd", "ucomm"], title: "COMMAND", show: |p, _| printable(&p.comm) },
    Column { names: &["args", "cmd", "command"], title: "COMMAND", show: |p, _| command(p) },
    Column { names: &["%cpu", "pcpu"], title: "%CPU", show: |p, m| tenths(cpu_permille(p, m)) },
    Column { names: &["c"], title: "C", show: |p, m| (cpu_permille(p, m) / 10).min(99).to_string() },
    Column { names: &["%mem", "pmem"], title: "%MEM", show: |p, m| tenths(mem_permille(p, m)) },
    Column { names: &["rss", "rssize", "rsz"], title: "RSS", show: |p, _| (p.resident_bytes / 1024).to_string() },
    Column { names: &["vsz", "vsize"], title: "VSZ", show: |p, _| (p.virtual_bytes / 1024).to_string() },
    Column { names: &["stat"], title: "STAT", show: |p, _| state(p) },
    Column { names: &["s", "state"], title: "S", show: |p, _| p.state.to_string() },
    Column { names: &["time", "cputime"], title: "TIME", show: |p, m| clock(p.cpu_ticks / m.ticks) },
    Column { names: &["bsdtime"], title: "TIME", show: |p, m| minutes(p.cpu_ticks / m.ticks) },
    Column { names: &["etime"], title: "ELAPSED", show: |p, m| elapsed(age_s(p, m)) },
    Column { names: &["etimes"], title: "ELAPSED", show: |p, m| age_s(p, m).to_string() },
    Column { names: &["stime", "start_time"], title: "STIME", show: |p, m| began(p, m) },
    Column { names: &["start"], title: "STARTED", show: |p, m| began_exactly(p, m) },
    Column { names: &["lstart"], title: "STARTED", show: |p, m| moment(p, m, "%a %b %e %H:%M:%S %Y") },
    Column { names: &["tty", "tt", "tname"], title: "TTY", show: |p, _| terminal(p.tty) },
    Column { names: &["nlwp", "thcount"], title: "NLWP", show: |p, _| p.threads.to_string() },
    Column { names: &["ni", "nice"], title: "NI", show: |p, _| p.nice.to_string() },
    Column { names: &["pri"], title: "PRI", show: |p, _| (39 - p.priority).to_string() },
    Column { names: &["psr"], title: "PSR", show: |p, _| p.processor.to_string() },
];

/// The column that goes by this name.
pub(crate) fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.names.contains(&name))
}

impl Column {
    /// What stands in it for a process.
    pub(crate) fn show(&self, process: &Process, machine: &Machine) -> String {
        (self.show)(process, machine)
    }
}

/// Eight characters, as wide as `ps` makes the column; what is longer ends in `+`.
fn called(names: &BTreeMap<u32, String>, id: u32) -> String {
    let Some(name) = names.get(&id) else { return id.to_string() };
    if name.chars().count() <= 8 { printable(name) } else { name.chars().take(7).chain(['+']).collect() }
}

/// What a process says of itself may move the cursor; as with `ps`, that becomes `?`.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn command(process: &Process) -> String {
    let zombie = if process.state == 'Z' { " <defunct>" } else { "" };
    match process.args.as_slice() {
        [] => format!("[{}]{zombie}", printable(&process.comm)),
        args => printable(&args.join(" ")),
    }
}

fn age_s(process: &Process, machine: &Machine) -> u64 {
    let started = machine.boot_s.saturating_add_unsigned(process.start_ticks / machine.ticks);
    u64::try_from(machine.now.as_second().saturating_sub(started)).unwrap_or(0)
}

fn cpu_permille(process: &Process, machine: &Machine) -> u64 {
    let used_ms = process.cpu_ticks.saturating_mul(1000) / machine.ticks;
    used_ms.checked_div(age_s(process, machine)).unwrap_or(0)
}

fn mem_permille(process: &Process, machine: &Machine) -> u64 {
    process.resident_bytes.saturating_mul(1000).checked_div(machine.memory_bytes).unwrap_or(0).min(999)
}

fn tenths(permille: u64) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

fn state(process: &Process) -> String {
    let mut text = process.state.to_string();
    let marks = [
        (process.nice < 0, '<'),
        (process.nice > 0, 'N'),
        (process.locked, 'L'),
        (process.session == process.pid, 's'),
        (process.threads > 1, 'l'),
        (process.foreground == process.pgid, '+'),
    ];
    text.extend(marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark));
    text
}

fn clock(seconds: u64) -> String {
    let (days, h, m, s) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let days = if days > 0 { format!("{days}-") } else { String::new() };
    format!("{days}{h:02}:{m:02}:{s:02}")
}

fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn elapsed(seconds: u64) -> String {
    if seconds < 3600 { format!("{:02}:{:02}", seconds / 60, seconds % 60) } else { clock(seconds) }
}

fn started(process: &Process, machine: &Machine) -> jiff::ZonedDateTime {
    let at = machine.boot_s.saturating_add_unsigned(process.start_ticks / machine.ticks);
    Timestamp::from_second(at).unwrap_or_default().to_zoned_datetime(machine.zone.clone())
}

fn moment(process: &Process, machine: &Machine, format: &str) -> String {
    started(process, machine).strftime(format).to_string()
}

/// The hour today, the day this year, else the year.
fn began(process: &Process, machine: &Machine) -> String {
    let (start, now) = (started(process, machine), machine.now.to_zoned_datetime(machine.zone.clone()));
    if start.year() != now.year() {
        moment(process, machine, "%Y")
    } else if start.day_of_year() != now.day_of_year() {
        moment(process, machine, "%b%d")
    } else {
        moment(process, machine, "%H:%M")
    }
}

fn began_exactly(process: &Process, machine: &Machine) -> String {
    moment(process, machine, if age_s(process, machine) > 86_400 { "%b %d" } else { "%H:%M:%S" })
}

/// Terminals of the kernel's drivers; numbers as in `stat` (linux/kdev_t.h).
fn terminal(device: u32) -> String {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
    match major {
        4 if minor < 64 => format!("tty{minor}"),
        4 => format!("ttyS{}", minor - 64),
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        _ => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            users: [(0, "root".to_owned()), (101, "systemd-network".to_owned())].into(),
            groups: [(5, "tty".to_owned())].into(),
            boot_s: 1_700_000_000,
            now: Timestamp::from_second(1_700_100_000).unwrap(),
            zone: TimeZone::UTC,
            ticks: 100,
            memory_bytes: 1 << 30,
        }
    }

    fn check(process: &Process, name: &str, is: &str) {
        assert_eq!(column(name).unwrap().show(process, &machine()), is, "{name}");
    }

    #[test]
    fn columns_look_as_with_ps() {
        let process = Process {
            pid: 7,
            ppid: 1,
            pgid: 7,
            session: 7,
            foreground: 7,
            tty: 136 << 8 | 3,
            uids: [0, 101],
            gids: [5, 6],
            state: 'S',
            comm: "sh".into(),
            args: ["sh", "-c", "a\u{1b}[2Jb"].map(str::to_owned).into(),
            cpu_ticks: 1_234_500,
            start_ticks: 9_000_000,
            priority: 20,
            nice: 5,
            threads: 2,
            virtual_bytes: 4096 * 1024,
            resident_bytes: 100 << 20,
            locked: false,
            processor: 1,
        };
        for (name, is) in [
            ("pid", "7"),
            ("user", "systemd+"),
            ("ruser", "root"),
            ("uid", "101"),
            ("group", "6"),
            ("rgroup", "tty"),
            ("args", "sh -c a?[2Jb"),
            ("%cpu", "123.4"),
            ("c", "99"),
            ("%mem", "9.7"),
            ("rss", "102400"),
            ("vsz", "4096"),
            ("stat", "SNsl+"),
            ("time", "03:25:45"),
            ("bsdtime", "205:45"),
            ("etime", "02:46:40"),
            ("etimes", "10000"),
            ("stime", "Nov15"),
            ("lstart", "Wed Nov 15 23:13:20 2023"),
            ("tty", "pts/3"),
            ("nlwp", "2"),
            ("pri", "19"),
        ] {
            check(&process, name, is);
        }
        check(&Process { start_ticks: 9_800_000, ..process.clone() }, "stime", "01:26");
        let other = Process { tty: 0, state: 'Z', args: Vec::new(), start_ticks: 0, ..process };
        for (name, is) in [("tty", "?"), ("args", "[sh] <defunct>"), ("stime", "Nov14"), ("etime", "1-03:46:40")] {
            check(&other, name, is);
        }
    }

    #[test]
    fn a_name_is_of_one_column() {
        let mut all: Vec<&str> = COLUMNS.iter().flat_map(|column| column.names).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
