//! Limits in the files of cgroup v1.

use std::path::Path;

use spec::resources::{DeviceRate, Resources};

use super::devices::Filter;
use super::group::{self, Group};
use super::limits::{self, Bandwidth};
use super::{CgroupError, Warning};

/// The group in one hierarchy.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) controllers: String,
    pub(super) group: Group,
}

impl Member {
    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.split(',').any(|c| c == controller)
    }
}

/// The group in the hierarchy of a controller.
pub(super) fn find<'a>(members: &'a [Member], controller: &str) -> Option<&'a Group> {
    members.iter().find(|member| member.has(controller)).map(|member| &member.group)
}

/// Makes the directory, and those above it that are missing.
pub(super) fn make(controllers: &str, path: &Path) -> Result<Member, CgroupError> {
    match group::make(path) {
        Err(error) if error.is_not_found() => {
            // As many as the parent has names: what is above the mount is there.
            let missing: Vec<&Path> = path.ancestors().skip(1).take_while(|p| Group::open(p).is_err()).collect();
            for parent in missing.into_iter().rev() {
                group::make(parent)?;
            }
            group::make(path)?;
        }
        other => drop(other?),
    }
    let member = Member { controllers: controllers.to_owned(), group: Group::open(path)? };
    if member.has("cpuset") {
        inherit_cpuset(&member.group)?;
    }
    Ok(member)
}

/// A new v1 cpuset is empty and takes no process: it is given what its parent has, from the top down. On our own parent `clone_children`
/// is set, so that the kernel does this for the groups below and only one file is read here.
fn inherit_cpuset(group: &Group) -> Result<(), CgroupError> {
    let is_empty = |text: Option<String>| text.is_some_and(|text| text.trim().is_empty());
    if !is_empty(group.read("cpuset.cpus")?) && !is_empty(group.read("cpuset.mems")?) {
        return Ok(());
    }
    let Some(parent) = group.path.parent().map(Group::open).transpose()? else { return Ok(()) };
    inherit_cpuset(&parent)?;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if is_empty(group.read(file)?)
            && let Some(value) = parent.read(file)?
        {
            group.write(file, value.trim())?;
        }
    }
    group.write("cgroup.clone_children", "1").map(drop)
}

/// Sets what is set.
pub(super) fn apply(members: &[Member], r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    apply_memory(find(members, "memory"), r, warnings)?;
    apply_cpu(find(members, "cpu"), r, warnings)?;
    let cpuset = find(members, "cpuset");
    for (file, list) in [("cpuset.cpus", &r.cpuset_cpus), ("cpuset.mems", &r.cpuset_mems)] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            set(cpuset, file, list, Warning::Cpuset, warnings)?;
        }
    }
    if let Some(limit) = r.pids_limit {
        let pids = find(members, "pids");
        // Without the controller, wishing for no limit is no reason to warn.
        if limit > 0 || pids.is_some() {
            set(pids, "pids.max", &limits::pids(limit), Warning::Pids, warnings)?;
        }
    }
    apply_blkio(find(members, "blkio"), r, warnings)?;
    if !r.devices.is_empty() {
        let done = find(members, "devices").map_or(Ok(false), |group| Filter::new(&r.devices).apply_v1(group))?;
        if !done {
            return Err(CgroupError::NoDeviceController);
        }
    }
    Ok(())
}

/// Writes a value, or warns where the kernel has no file for it.
pub(super) fn set(
    group: Option<&Group>,
    file: &str,
    value: &str,
    otherwise: Warning,
    warnings: &mut Vec<Warning>,
) -> Result<bool, CgroupError> {
    let done = group.map_or(Ok(false), |group| group.write(file, value))?;
    if !done && !warnings.contains(&otherwise) {
        warnings.push(otherwise);
    }
    Ok(done)
}

fn apply_memory(group: Option<&Group>, r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    const LIMIT: &str = "memory.limit_in_bytes";
    const SWAP: &str = "memory.memsw.limit_in_bytes";
    let memory = limits::number(r.memory_bytes);
    let swap = limits::number(r.memory_swap_bytes);
    let set_swap = |warnings: &mut Vec<Warning>| match swap {
        Some(-1) if memory.is_none_or(|m| m > 0) => group.map_or(Ok(true), |group| group.write(SWAP, "-1")).map(drop),
        Some(swap) => set(group, SWAP, &swap.to_string(), Warning::Swap, warnings).map(drop),
        None => Ok(()),
    };
    // The kernel wants memory <= memory and swap at each moment. Mostly the limit comes first; when it grows above the old swap it is
    // refused, and then the swap has to go first.
    match memory.map_or(Ok(true), |memory| set(group, LIMIT, &memory.to_string(), Warning::Memory, warnings)) {
        Ok(true) => set_swap(warnings)?,
        Ok(false) => {}
        Err(error) if error.is_invalid() && swap.is_some() => {
            set_swap(warnings)?;
            set(group, LIMIT, &memory.unwrap_or(-1).to_string(), Warning::Memory, warnings)?;
        }
        Err(error) => return Err(error),
    }
    if let Some(bytes) = limits::number(r.memory_reservation_bytes) {
        set(group, "memory.soft_limit_in_bytes", &bytes.to_string(), Warning::Reservation, warnings)?;
    }
    if let Some(swappiness @ 0..) = r.memory_swappiness {
        set(group, "memory.swappiness", &swappiness.to_string(), Warning::Swappiness, warnings)?;
    }
    if r.oom_kill_disable == Some(true) {
        set(group, "memory.oom_control", "1", Warning::OomKillDisable, warnings)?;
    }
    Ok(())
}

fn apply_cpu(group: Option<&Group>, r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    if let Some(shares) = limits::number(r.cpu_shares) {
        set(group, "cpu.shares", &shares.to_string(), Warning::CpuShares, warnings)?;
    }
    // A real-time runtime is refused above its period: the period first.
    for (file, us) in [("cpu.rt_period_us", r.cpu_rt_period_us), ("cpu.rt_runtime_us", r.cpu_rt_runtime_us)] {
        if let Some(us) = limits::number(us)
            && !group.map_or(Ok(false), |group| group.write(file, &us.to_string()))?
        {
            return Err(CgroupError::NoRealTime);
        }
    }
    let Bandwidth { quota_us, period_us } = limits::bandwidth(r);
    // With the old quota a shorter period may ask for more than the parent has; then the quota goes first, as in runc.
    let period = period_us.map(|us| us.to_string());
    let set_period = |warnings: &mut Vec<Warning>| match &period {
        Some(period) => set(group, "cpu.cfs_period_us", period, Warning::CpuCfs, warnings),
        None => Ok(true),
    };
    let again = match set_period(warnings) {
        Err(error) if error.is_invalid() && quota_us.is_some() => true,
        other => {
            other?;
            false
        }
    };
    let mut done = true;
    if let Some(quota) = quota_us {
        done = set(group, "cpu.cfs_quota_us", &quota.to_string(), Warning::CpuCfs, warnings)?;
    }
    if again {
        set_period(warnings)?;
    }
    if !done && limits::number(r.nano_cpus).is_some() { Err(CgroupError::NoNanoCpus) } else { Ok(()) }
}

fn apply_blkio(group: Option<&Group>, r: &Resources, warnings: &mut Vec<Warning>) -> Result<(), CgroupError> {
    if let Some(weight) = r.blkio_weight.filter(|weight| *weight > 0) {
        let weight = weight.to_string();
        // CFQ's file is gone since Linux 5.0; BFQ's has its own name.
        if !group.map_or(Ok(false), |group| group.write("blkio.weight", &weight))? {
            set(group, "blkio.bfq.weight", &weight, Warning::BlkioWeight, warnings)?;
        }
    }
    for weight in &r.blkio_weight_device {
        let line = format!("{} {}", limits::number_of(&weight.device)?, weight.weight);
        if !group.map_or(Ok(false), |group| group.write("blkio.weight_device", &line))? {
            set(group, "blkio.bfq.weight_device", &line, Warning::BlkioWeightDevice, warnings)?;
        }
    }
    let mut rates = |file: &str, rates: &[DeviceRate], otherwise: Warning| {
        rates.iter().try_for_each(|rate| {
            let line = format!("{} {}", limits::number_of(&rate.device)?, rate.rate);
            set(group, file, &line, otherwise, warnings).map(drop)
        })
    };
    rates("blkio.throttle.read_bps_device", &r.device_read_bps, Warning::ReadBps)?;
    rates("blkio.throttle.write_bps_device", &r.device_write_bps, Warning::WriteBps)?;
    rates("blkio.throttle.read_iops_device", &r.device_read_iops, Warning::ReadIops)?;
    rates("blkio.throttle.write_iops_device", &r.device_write_iops, Warning::WriteIops)
}
