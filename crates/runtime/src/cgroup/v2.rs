//! Limits in the files of cgroup v2, and the way down to a group: controllers are enabled level by level, and a level with children
//! holds no processes.

use std::io;
use std::path::{Path, PathBuf};

use spec::resources::{DeviceRate, Resources};

use super::devices::Filter;
use super::group::{self, Group};
use super::layout::LEAF;
use super::limits::{self, Bandwidth};
use super::v1::set;
use super::{CgroupError, Warning};

/// What containers need.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];
const CONTROL: &str = "cgroup.subtree_control";

/// Makes the directory with all controllers that can be had. One extra file is read; only the first time is there more to do.
pub(super) fn make(path: &Path, controllers: Controllers) -> Result<Group, CgroupError> {
    let parent = path.parent().ok_or(CgroupError::NotMounted)?;
    let ready = match (controllers, Group::open(parent)) {
        (Controllers::Enable, Ok(parent)) => missing(&parent.read(CONTROL)?.unwrap_or_default()).next().is_none(),
        (Controllers::Elsewhere, Ok(_)) => true,
        (_, Err(error)) if error.is_not_found() => false,
        (_, Err(error)) => return Err(error),
    };
    if !ready {
        prepare(parent, controllers)?;
    }
    group::make(path)?;
    Group::open(path)
}

/// Where the controllers of a v2 tree are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controllers {
    /// In this tree.
    Enable,
    /// A hybrid machine: in the hierarchies of v1.
    Elsewhere,
}

fn missing(enabled: &str) -> impl Iterator<Item = &'static str> {
    CONTROLLERS.into_iter().filter(move |controller| !enabled.split_whitespace().any(|e| e == *controller))
}

/// Makes `parent` and what is missing above it, and lets each level hand its controllers down. Levels that are not ours to write are
/// left as they are: what they do not hand down is missed, and warned of, when a limit needs it.
fn prepare(parent: &Path, controllers: Controllers) -> Result<(), CgroupError> {
    let levels: Vec<&Path> = parent.ancestors().collect();
    for level in levels.into_iter().rev() {
        let group = match Group::open(level) {
            Ok(group) => group,
            Err(error) if error.is_not_found() => {
                group::make(level)?;
                Group::open(level)?
            }
            Err(error) => return Err(error),
        };
        // No such file: a directory above the mount.
        if controllers == Controllers::Enable
            && let Some(available) = group.read("cgroup.controllers")?
        {
            enable(&group, &available)?;
        }
    }
    Ok(())
}

fn enable(group: &Group, available: &str) -> Result<(), CgroupError> {
    let enabled = group.read(CONTROL)?.unwrap_or_default();
    let wanted: Vec<String> =
        missing(&enabled).filter(|c| available.split_whitespace().any(|a| a == *c)).map(|c| format!("+{c}")).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let Err(first) = group.write(CONTROL, &wanted.join(" ")) else { return Ok(()) };
    match first.errno() {
        Some(libc::EBUSY) => {
            // "No internal processes": those of our own group go to a leaf; others' are not ours to move.
            if !is_own_group(group)? {
                return Err(first);
            }
            vacate(group)?;
            group.write(CONTROL, &wanted.join(" ")).map(drop)
        }
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => Ok(()),
        // One refuses for all (cpu, for one, where real-time processes are): each by itself, and those that refuse are missed later.
        Some(_) | None => {
            wanted.iter().for_each(|one| drop(group.write(CONTROL, one)));
            Ok(())
        }
    }
}

/// Whether this is the group of the calling process, and not the root of the whole tree (which may hold processes and children).
fn is_own_group(group: &Group) -> Result<bool, CgroupError> {
    let own = rustix::process::getpid().as_raw_nonzero().to_string();
    let here = group.read("cgroup.procs")?.is_some_and(|text| text.lines().any(|pid| pid == own));
    Ok(here && group.read("cgroup.type")?.is_some())
}

fn vacate(group: &Group) -> Result<(), CgroupError> {
    let leaf: PathBuf = group.path.join(LEAF);
    group::make(&leaf)?;
    let leaf = Group::open(&leaf)?;
    // Again while there are any: they may fork.
    for _ in 0..16 {
        let text = group.read("cgroup.procs")?.unwrap_or_default();
        let pids: Vec<&str> = text.lines().filter(|pid| *pid != "0").collect();
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            match leaf.write("cgroup.procs", pid) {
                // It has just ended.
                Err(error) if error.errno() == Some(libc::ESRCH) => {}
                other => drop(other?),
            }
        }
    }
    Ok(())
}

/// Sets what is set.
pub(super) fn apply(group: &Group, r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    apply_memory(group, r, warnings)?;
    apply_cpu(group, r, warnings)?;
    for (file, list) in [("cpuset.cpus", &r.cpuset_cpus), ("cpuset.mems", &r.cpuset_mems)] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            set(Some(group), file, list, Warning::Cpuset, warnings)?;
        }
    }
    if let Some(limit) = r.pids_limit
        && !group.write("pids.max", &limits::pids(limit))?
        && limit > 0
    {
        warnings.push(Warning::Pids);
    }
    apply_io(group, r, warnings)?;
    if r.devices.is_empty() { Ok(()) } else { Filter::new(&r.devices).apply_v2(group) }
}

fn apply_memory(group: &Group, r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    // Swap first: were memory lowered before it, what does not fit would go to a swap that is about to be taken away.
    if let Some(swap) = limits::swap_alone(r.memory_bytes, r.memory_swap_bytes)
        && !group.write("memory.swap.max", &limits::or_max(swap))?
        && swap > 0
    {
        warnings.push(Warning::Swap);
    }
    if let Some(bytes) = limits::number(r.memory_bytes)
        && !set(Some(group), "memory.max", &limits::or_max(bytes), Warning::Memory, warnings)?
    {
        warnings.retain(|warning| *warning != Warning::Swap);
    }
    if let Some(bytes) = limits::number(r.memory_reservation_bytes) {
        set(Some(group), "memory.low", &limits::or_max(bytes), Warning::Reservation, warnings)?;
    }
    if r.memory_swappiness.is_some_and(|swappiness| swappiness >= 0) {
        warnings.push(Warning::Swappiness);
    }
    if r.oom_kill_disable == Some(true) {
        warnings.push(Warning::OomKillDisable);
    }
    Ok(())
}

fn apply_cpu(group: &Group, r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    if let Some(shares) = limits::number(r.cpu_shares) {
        let weight = limits::weight_of_shares(shares).to_string();
        set(Some(group), "cpu.weight", &weight, Warning::CpuShares, warnings)?;
    }
    if limits::number(r.cpu_rt_period_us).or(limits::number(r.cpu_rt_runtime_us)).is_some() {
        return Err(CgroupError::NoRealTime);
    }
    let Bandwidth { quota_us, period_us } = limits::bandwidth(r);
    if quota_us.is_none() && period_us.is_none() {
        return Ok(());
    }
    let value = format!("{} {}", limits::or_max(quota_us.unwrap_or(-1)), period_us.unwrap_or(limits::PERIOD_US));
    if !set(Some(group), "cpu.max", &value, Warning::CpuCfs, warnings)? && limits::number(r.nano_cpus).is_some() {
        return Err(CgroupError::NoNanoCpus);
    }
    Ok(())
}

fn apply_io(group: &Group, r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    if let Some(weight) = r.blkio_weight.filter(|weight| *weight > 0)
        && !group.write("io.bfq.weight", &weight.to_string())?
    {
        let weight = limits::io_weight(weight).to_string();
        set(Some(group), "io.weight", &weight, Warning::BlkioWeight, warnings)?;
    }
    for weight in &r.blkio_weight_device {
        let line = format!("{} {}", limits::number_of(&weight.device)?, weight.weight);
        set(Some(group), "io.bfq.weight", &line, Warning::BlkioWeightDevice, warnings)?;
    }
    let mut rates = |key: &str, rates: &[DeviceRate], otherwise: Warning| {
        rates.iter().try_for_each(|rate| {
            let value = if rate.rate == 0 { "max".to_owned() } else { rate.rate.to_string() };
            let line = format!("{} {key}={value}", limits::number_of(&rate.device)?);
            set(Some(group), "io.max", &line, otherwise, warnings).map(drop)
        })
    };
    rates("rbps", &r.device_read_bps, Warning::ReadBps)?;
    rates("wbps", &r.device_write_bps, Warning::WriteBps)?;
    rates("riops", &r.device_read_iops, Warning::ReadIops)?;
    rates("wiops", &r.device_write_iops, Warning::WriteIops)
}

/// An error of a file that is not what it should be.
pub(super) fn unexpected(path: &Path, text: &str) -> CgroupError {
    CgroupError::Read(path.to_owned(), io::Error::other(format!("unexpected text {:?}", text.trim())))
}
