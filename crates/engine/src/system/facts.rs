//! `info`: what the machine is and what kist has on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use monitor::status::Phase;
use runtime::cgroup::{Layout, Placement};
use spec::bundle::CgroupDriver;

use crate::container::list;
use crate::error::Error;
use crate::host::Host;

/// linux/magic.h
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// Whether the machine's control groups are one tree or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupVersion {
    /// One hierarchy for each controller, with or without the unified one beside them.
    V1,
    /// The unified hierarchy alone.
    V2,
}

/// The machine and what is on it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Containers, by what they do.
    pub running: usize,
    /// Frozen.
    pub paused: usize,
    /// All others.
    pub stopped: usize,
    /// Images.
    pub images: usize,
    /// How control groups are laid out.
    pub cgroups: CgroupVersion,
    /// `systemd` or `cgroupfs`: who makes them.
    pub cgroup_driver: &'static str,
    /// What they control: `cpu`, `memory` and so on.
    pub controllers: BTreeSet<String>,
    /// Whether swap can be limited.
    pub swap_limit: bool,
    /// Whether the machine passes packets on.
    pub ipv4_forwarding: bool,
    /// Docker's word for the file system below images and containers.
    pub backing: &'static str,
    /// `12`.
    pub os_version: String,
    /// The kernel's version.
    pub kernel: String,
    /// `x86_64`.
    pub machine: String,
    /// The host's name.
    pub name: String,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub operating_system: String,
    /// Processors that can be used.
    pub cpus: usize,
    /// Bytes.
    pub memory: u64,
    /// Whether the kernel confines programs by AppArmor profiles.
    pub apparmor: bool,
    /// Whether the engine runs as somebody else than root.
    pub rootless: bool,
}

/// Asks the machine.
///
/// # Errors
/// Of the engine's files.
pub fn gather(host: &Host) -> Result<Facts, Error> {
    let uname = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let layout = Layout::probe().ok();
    let (mut running, mut paused, mut stopped) = (0, 0, 0);
    for view in list::list(host)? {
        match view.state.status.phase() {
            Phase::Running | Phase::Restarting => running += 1,
            Phase::Paused => paused += 1,
            Phase::Created | Phase::Exited | Phase::Removing => stopped += 1,
        }
    }
    Ok(Facts {
        running,
        paused,
        stopped,
        images: host.store.images()?.len(),
        cgroups: cgroups(),
        cgroup_driver: match layout.as_ref().map(Placement::chosen) {
            Some(CgroupDriver::Systemd) => "systemd",
            Some(CgroupDriver::Auto | CgroupDriver::Cgroupfs | CgroupDriver::None) | None => "cgroupfs",
        },
        controllers: layout.as_ref().map(Layout::controllers).unwrap_or_default(),
        swap_limit: layout.as_ref().is_some_and(Layout::limits_swap),
        ipv4_forwarding: fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|text| text.trim() == "1"),
        backing: backing(host.home.root()),
        os_version: of(&release, "VERSION_ID=").unwrap_or_default(),
        kernel: text(uname.release()),
        machine: text(uname.machine()),
        name: text(uname.nodename()),
        operating_system: operating_system(&release),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory_bytes(),
        apparmor: fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with('Y')),
        rootless: !rustix::process::geteuid().is_root(),
    })
}

/// How the machine's control groups are laid out.
#[must_use]
pub fn cgroups() -> CgroupVersion {
    match rustix::fs::statfs("/sys/fs/cgroup") {
        Ok(stat) if stat.f_type == CGROUP2_SUPER_MAGIC => CgroupVersion::V2,
        Ok(_) | Err(_) => CgroupVersion::V1,
    }
}

/// os-release(5).
fn of(release: &str, key: &str) -> Option<String> {
    release.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"').to_owned())
}

fn operating_system(release: &str) -> String {
    of(release, "PRETTY_NAME=").or_else(|| of(release, "NAME=")).unwrap_or_else(|| "Linux".to_owned())
}

/// moby `graphdriver.FsNames`.
fn backing(dir: &Path) -> &'static str {
    match rustix::fs::statfs(dir).map(|stat| stat.f_type) {
        Ok(0xef53) => "extfs",
        Ok(0x5846_5342) => "xfs",
        Ok(0x9123_683e) => "btrfs",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x2fc1_2fc1) => "zfs",
        Ok(0xf2f5_2010) => "f2fs",
        Ok(0x794c_7630) => "overlayfs",
        Ok(0x6969) => "nfs",
        Ok(_) | Err(_) => "<unknown>",
    }
}

/// The machine's memory.
#[must_use]
pub fn memory_bytes() -> u64 {
    memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")).and_then(|number| number.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
