//! What a container has used, read from whichever files the machine has.

use std::collections::BTreeMap;

use super::group::Group;
use super::{Cgroup, CgroupError, v1};

/// What a container has used so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Memory.
    pub memory: MemoryStats,
    /// Time.
    pub cpu: CpuStats,
    /// Processes and threads.
    pub pids: PidsStats,
    /// By block device.
    pub io: Vec<IoStats>,
}

/// Memory, page cache included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Now.
    pub usage_bytes: u64,
    /// At most until now; not on v2 before Linux 5.19.
    pub max_usage_bytes: Option<u64>,
    /// None is unlimited.
    pub limit_bytes: Option<u64>,
    /// Page cache that would go first: Docker subtracts it from the usage.
    pub inactive_file_bytes: u64,
    /// How often the limit was met.
    pub failures: u64,
    /// All of `memory.stat`, by the kernel's names.
    pub fields: BTreeMap<String, u64>,
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuStats {
    /// All.
    pub usage_ns: u64,
    /// In programs.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
    /// Periods with a quota.
    pub periods: u64,
    /// Those in which it was used up.
    pub throttled_periods: u64,
    /// How long processes waited for the next one.
    pub throttled_ns: u64,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidsStats {
    /// Now.
    pub current: u64,
    /// None is unlimited.
    pub limit: Option<u64>,
}

/// One block device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoStats {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Read.
    pub read_bytes: u64,
    /// Written.
    pub write_bytes: u64,
    /// Reads.
    pub read_ops: u64,
    /// Writes.
    pub write_ops: u64,
}

impl Cgroup {
    /// Reads all. What has no controller is 0.
    ///
    /// # Errors
    /// Of the file system.
    pub fn stats(&self) -> Result<Stats, CgroupError> {
        match &self.v2 {
            Some(group) if self.v1.is_empty() => of_v2(group),
            Some(_) | None => {
                let find = |controller| v1::find(&self.v1, controller);
                Ok(Stats {
                    memory: find("memory").map(memory_v1).transpose()?.unwrap_or_default(),
                    cpu: cpu_v1(find("cpuacct"), find("cpu"))?,
                    pids: find("pids").map(pids).transpose()?.unwrap_or_default(),
                    io: find("blkio").map(io_v1).transpose()?.unwrap_or_default(),
                })
            }
        }
    }
}

/// v1 writes "no limit" as the largest multiple of a page.
const UNLIMITED: u64 = 0x7fff_ffff_ffff_0000;

fn number(group: &Group, file: &str) -> Result<Option<u64>, CgroupError> {
    // "max" is none.
    Ok(group.read(file)?.and_then(|text| text.trim().parse().ok()))
}

fn fields(group: &Group, file: &str) -> Result<BTreeMap<String, u64>, CgroupError> {
    let text = group.read(file)?.unwrap_or_default();
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?)))
        .collect())
}

fn pids(group: &Group) -> Result<PidsStats, CgroupError> {
    Ok(PidsStats { current: number(group, "pids.current")?.unwrap_or(0), limit: number(group, "pids.max")? })
}

fn memory_v1(group: &Group) -> Result<MemoryStats, CgroupError> {
    let fields = fields(group, "memory.stat")?;
    Ok(MemoryStats {
        usage_bytes: number(group, "memory.usage_in_bytes")?.unwrap_or(0),
        max_usage_bytes: number(group, "memory.max_usage_in_bytes")?,
        limit_bytes: number(group, "memory.limit_in_bytes")?.filter(|limit| *limit < UNLIMITED),
        inactive_file_bytes: fields.get("total_inactive_file").copied().unwrap_or(0),
        failures: number(group, "memory.failcnt")?.unwrap_or(0),
        fields,
    })
}

fn cpu_v1(cpuacct: Option<&Group>, cpu: Option<&Group>) -> Result<CpuStats, CgroupError> {
    let mut stats = CpuStats::default();
    if let Some(group) = cpuacct {
        stats.usage_ns = number(group, "cpuacct.usage")?.unwrap_or(0);
        stats.user_ns = number(group, "cpuacct.usage_user")?.unwrap_or(0);
        stats.system_ns = number(group, "cpuacct.usage_sys")?.unwrap_or(0);
    }
    if let Some(group) = cpu {
        let fields = fields(group, "cpu.stat")?;
        let field = |name: &str| fields.get(name).copied().unwrap_or(0);
        stats.periods = field("nr_periods");
        stats.throttled_periods = field("nr_throttled");
        stats.throttled_ns = field("throttled_time");
    }
    Ok(stats)
}

fn io_v1(group: &Group) -> Result<Vec<IoStats>, CgroupError> {
    let bytes = group.read("blkio.throttle.io_service_bytes_recursive")?.unwrap_or_default();
    let ops = group.read("blkio.throttle.io_serviced_recursive")?.unwrap_or_default();
    let mut devices: BTreeMap<(u32, u32), IoStats> = BTreeMap::new();
    let lines = bytes.lines().map(|line| (line, true)).chain(ops.lines().map(|line| (line, false)));
    for (line, in_bytes) in lines {
        let [device, what, value]: [&str; 3] = match line.split(' ').collect::<Vec<_>>().try_into() {
            Ok(words) => words,
            // The last line is a total.
            Err(_) => continue,
        };
        let (Some((major, minor)), Ok(value)) = (numbers(device), value.parse()) else { continue };
        let entry = devices.entry((major, minor)).or_insert(IoStats { major, minor, ..IoStats::default() });
        match (what, in_bytes) {
            ("Read", true) => entry.read_bytes = value,
            ("Write", true) => entry.write_bytes = value,
            ("Read", false) => entry.read_ops = value,
            ("Write", false) => entry.write_ops = value,
            _ => {}
        }
    }
    Ok(devices.into_values().collect())
}

fn numbers(device: &str) -> Option<(u32, u32)> {
    let (major, minor) = device.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn of_v2(group: &Group) -> Result<Stats, CgroupError> {
    let memory = fields(group, "memory.stat")?;
    let cpu = fields(group, "cpu.stat")?;
    let cpu_field = |name: &str| cpu.get(name).copied().unwrap_or(0);
    Ok(Stats {
        memory: MemoryStats {
            usage_bytes: number(group, "memory.current")?.unwrap_or(0),
            max_usage_bytes: number(group, "memory.peak")?,
            limit_bytes: number(group, "memory.max")?,
            inactive_file_bytes: memory.get("inactive_file").copied().unwrap_or(0),
            failures: fields(group, "memory.events")?.get("max").copied().unwrap_or(0),
            fields: memory,
        },
        cpu: CpuStats {
            usage_ns: cpu_field("usage_usec") * 1000,
            user_ns: cpu_field("user_usec") * 1000,
            system_ns: cpu_field("system_usec") * 1000,
            periods: cpu_field("nr_periods"),
            throttled_periods: cpu_field("nr_throttled"),
            throttled_ns: cpu_field("throttled_usec") * 1000,
        },
        pids: pids(group)?,
        io: io_v2(&group.read("io.stat")?.unwrap_or_default()),
    })
}

fn io_v2(text: &str) -> Vec<IoStats> {
    let device = |line: &str| {
        let mut words = line.split(' ');
        let (major, minor) = numbers(words.next()?)?;
        let mut stats = IoStats { major, minor, ..IoStats::default() };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let value = value.parse().unwrap_or(0);
            match key {
                "rbytes" => stats.read_bytes = value,
                "wbytes" => stats.write_bytes = value,
                "rios" => stats.read_ops = value,
                "wios" => stats.write_ops = value,
                _ => {}
            }
        }
        Some(stats)
    };
    text.lines().filter_map(device).collect()
}
