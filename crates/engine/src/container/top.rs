//! `top`: the processes of a container, as the host's `/proc` shows them. Nothing is executed for it.

use std::fs;

use monitor::burial;
use monitor::status::{self, Status};
use spec::event::ContainerAct;
use spec::id::ContainerId;

use super::find;
use crate::error::Error;
use crate::host::Host;

/// One process. What it says of itself (`comm`, `args`) may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// As the host numbers it.
    pub pid: i32,
    /// Its parent.
    pub ppid: i32,
    /// Its process group.
    pub pgid: i32,
    /// Its session.
    pub session: i32,
    /// The process group in the foreground of its terminal.
    pub foreground: i32,
    /// The device number of its terminal; 0: none.
    pub tty: u32,
    /// Real, then effective.
    pub uids: [u32; 2],
    /// Real, then effective.
    pub gids: [u32; 2],
    /// `R`, `S` and so on.
    pub state: char,
    /// The name of its program.
    pub comm: String,
    /// Its command line; empty where it has none.
    pub args: Vec<String>,
    /// Time on processors, in ticks.
    pub cpu_ticks: u64,
    /// When it started, in ticks since the machine did.
    pub start_ticks: u64,
    /// What the kernel makes of its urgency.
    pub priority: i64,
    /// What it makes of it itself.
    pub nice: i64,
    /// Threads.
    pub threads: u64,
    /// Address space.
    pub virtual_bytes: u64,
    /// Memory.
    pub resident_bytes: u64,
    /// Whether it has locked some of it.
    pub locked: bool,
    /// The processor it was on last.
    pub processor: u32,
}

/// The processes of a running container, by their numbers.
///
/// # Errors
/// It does not run; of the files.
pub fn top(host: &Host, id: &ContainerId) -> Result<Vec<Process>, Error> {
    match status::of(&host.home, id)?.status {
        Status::Running(_) | Status::Paused(_) => {}
        Status::Restarting { .. } => {
            let text = format!("Container {id} is restarting, wait until the container is running");
            return Err(Error::Conflict(text));
        }
        Status::Created | Status::Exited(_) | Status::Removing => return Err(Error::not_running(id)),
    }
    let cgroup = burial::cgroup(&host.home, id).map_err(Error::other("looking for the container's processes"))?;
    let cgroup = cgroup.ok_or_else(|| Error::not_running(id))?;
    let mut pids = cgroup.pids().map_err(Error::other("looking for the container's processes"))?;
    pids.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
    pids.dedup();
    let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let processes = pids.iter().filter_map(|pid| process(pid.as_raw_nonzero().get(), page_bytes)).collect();
    if let Ok(record) = find::record(host, id) {
        host.note_container(&record.config, ContainerAct::Top);
    }
    Ok(processes)
}

/// None: it has ended meanwhile.
fn process(pid: i32, page_bytes: u64) -> Option<Process> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).ok();
    let args = read("cmdline")?;
    let args = args.strip_suffix(b"\0").unwrap_or(&args);
    let args = args.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let args = args.collect::<Vec<_>>();
    let args = if args.iter().all(String::is_empty) { Vec::new() } else { args };
    let [stat, status] =
        ["stat", "status"].map(|file| read(file).map(|text| String::from_utf8_lossy(&text).into_owned()));
    parse(&stat?, &status?, page_bytes).map(|process| Process { pid, args, ..process })
}

/// proc_pid_stat(5) and proc_pid_status(5).
fn parse(stat: &str, status: &str, page_bytes: u64) -> Option<Process> {
    // A program may be called `) S 1 (`.
    let (head, tail) = stat.rsplit_once(')')?;
    let comm = head.split_once('(')?.1.to_owned();
    let words: Vec<&str> = tail.split_whitespace().collect();
    // The first of them is field 3.
    let word = |field: usize| words.get(field - 3).copied();
    let int = |field: usize| word(field).and_then(|word| word.parse::<i64>().ok()).unwrap_or(0);
    let id = |field: usize| i32::try_from(int(field)).unwrap_or(0);
    let count = |field: usize| word(field).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let ids = |name: &str| {
        let mut ids = line(name).split_whitespace().map(|word| word.parse().unwrap_or(0));
        [ids.next().unwrap_or(0), ids.next().unwrap_or(0)]
    };
    Some(Process {
        pid: 0,
        ppid: id(4),
        pgid: id(5),
        session: id(6),
        // The kernel prints it as a signed number.
        tty: u32::try_from(int(7) & 0xffff_ffff).unwrap_or(0),
        foreground: id(8),
        uids: ids("Uid:"),
        gids: ids("Gid:"),
        state: word(3)?.chars().next()?,
        comm,
        args: Vec::new(),
        cpu_ticks: count(14).saturating_add(count(15)),
        start_ticks: count(22),
        priority: int(18),
        nice: int(19),
        threads: count(20),
        virtual_bytes: count(23),
        resident_bytes: count(24).saturating_mul(page_bytes),
        locked: !matches!(line("VmLck:").split_whitespace().next(), None | Some("0")),
        processor: u32::try_from(count(39)).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_cannot_lie_about_its_numbers() {
        let stat = "7 () R 1 (x) S 5 6 7 34817 8 4194560 1 2 3 4 10 20 5 6 20 0 3 0 1234 4096000 25 1 2 3 4 5 6 7 8 9 10 11 12 13 17 1 0 0";
        let status = "Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t100\t5\t5\t5\nVmLck:\t       4 kB\n";
        let process = parse(stat, status, 4096).unwrap();
        assert_eq!((process.comm.as_str(), process.state), (") R 1 (x", 'S'));
        assert_eq!((process.ppid, process.pgid, process.session, process.foreground), (5, 6, 7, 8));
        assert_eq!((process.tty, process.uids, process.gids), (34817, [1000, 0], [100, 5]));
        assert_eq!((process.cpu_ticks, process.start_ticks, process.threads), (30, 1234, 3));
        assert_eq!((process.virtual_bytes, process.resident_bytes, process.locked), (4_096_000, 102_400, true));
        assert_eq!((process.priority, process.nice, process.processor), (20, 0, 1));
        assert_eq!(parse("garbage", "", 4096), None);
    }
}
