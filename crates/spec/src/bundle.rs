//! A bundle: all the runtime needs to turn a root file system into a running process. The words are the OCI runtime specification's
//! (config.md, config-linux.md); the types are closed, so that what was parsed once need not be doubted again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::capability::CapabilitySet;
use crate::id::ContainerId;
use crate::mount::{Mount, Propagation};
use crate::resources::Resources;
use crate::seccomp::Profile;

/// One container, ready to be launched. Written by the engine as `bundle.json` in the container's run directory, read by its monitor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bundle {
    /// Whose it is.
    pub id: ContainerId,
    /// The first process.
    pub process: Process,
    /// Host name in a private UTS namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// NIS domain name in a private UTS namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// Which parts of the kernel it sees for itself.
    pub namespaces: Namespaces,
    /// Whether `/` is read-only once everything is mounted.
    pub readonly_rootfs: bool,
    /// Propagation of the container's `/`: private unless a mount of the user needs more.
    pub rootfs_propagation: Propagation,
    /// In the order they are made.
    pub mounts: Vec<Mount>,
    /// Device nodes in the container's /dev, beside the standard ones.
    pub devices: Vec<Device>,
    /// Paths hidden behind nothing: a file under /dev/null, a directory under an empty read-only tmpfs.
    pub masked_paths: Vec<PathBuf>,
    /// Paths remounted read-only.
    pub readonly_paths: Vec<PathBuf>,
    /// Kernel settings of its own namespaces, by dotted or slashed name.
    pub sysctls: BTreeMap<String, String>,
    /// Where in the control group tree.
    pub cgroup: CgroupPlacement,
    /// What it may use.
    pub resources: Resources,
    /// Which system calls it may make.
    pub seccomp: Seccomp,
    /// Whether a tiny init of ours is process 1 and reaps (`--init`).
    pub init: bool,
    /// What its networks are like where nobody said it.
    #[serde(default)]
    pub networks: crate::network::Defaults,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seccomp {
    /// All.
    Unconfined,
    /// Docker's default profile for the process's capabilities.
    Default,
    /// As the user's profile says.
    Profile(Box<Profile>),
}

/// A process to be: the container's first, or one more by `exec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// The command, looked up in PATH within the container.
    pub args: Vec<String>,
    /// `NAME=value`. HOME is added from the container's /etc/passwd when it is not there.
    pub env: Vec<String>,
    /// Absolute; made if missing, for the first process (as Docker does).
    pub cwd: PathBuf,
    /// `user[:group]` as typed, names or numbers; resolved in the container's own files. Empty is root.
    pub user: String,
    /// `--group-add`: names or numbers.
    pub group_add: Vec<String>,
    /// A pseudo-terminal of its own.
    pub terminal: bool,
    /// Bounding, permitted, effective sets; a user other than root keeps only the bounding set, as with Docker. Never inheritable.
    pub capabilities: CapabilitySet,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privileges: bool,
    /// AppArmor profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apparmor: Option<String>,
    /// setrlimit(2); more than the hard limit allowed is clamped where CAP_SYS_RESOURCE is missing.
    pub rlimits: Vec<Rlimit>,
    /// /proc/self/oom_score_adj.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
}

/// One resource limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// Lower-case name without RLIMIT_: `nofile`.
    pub name: String,
    /// u64::MAX is unlimited.
    pub soft: u64,
    /// u64::MAX is unlimited.
    pub hard: u64,
}

/// A namespace of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// The monitor's own.
    Host,
    /// A new one.
    Private,
    /// That of another running container, looked up at every start.
    Container(ContainerId),
    /// A namespace file.
    Path(PathBuf),
}

/// All namespaces but the mount namespace, which is always private.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// Processes.
    pub pid: Namespace,
    /// Network; a private one has `lo`, up.
    pub network: Namespace,
    /// System V IPC and POSIX message queues.
    pub ipc: Namespace,
    /// Host name.
    pub uts: Namespace,
    /// Root of the visible control groups.
    pub cgroup: Namespace,
    /// Users; a private one has the maps below.
    pub user: Namespace,
    /// Maps of a private user namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_maps: Option<IdMaps>,
    /// A private time namespace with these offsets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeOffsets>,
}

/// User and group id maps of a user namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    /// Of users.
    pub uids: Vec<IdMap>,
    /// Of groups.
    pub gids: Vec<IdMap>,
}

impl IdMaps {
    /// What a user and a group inside are outside; none where one is not mapped.
    #[must_use]
    pub fn to_host(&self, (uid, gid): (u32, u32)) -> Option<(u32, u32)> {
        let of = |maps: &[IdMap], id: u32| maps.iter().find_map(|map| shift(id, map.container, map.host, map.size));
        Some((of(&self.uids, uid)?, of(&self.gids, gid)?))
    }

    /// What a user and a group outside are inside: the kernel's nobody where one is not mapped.
    #[must_use]
    pub fn to_container(&self, (uid, gid): (u32, u32)) -> (u32, u32) {
        const NOBODY: u32 = 65534;
        let of = |maps: &[IdMap], id: u32| {
            maps.iter().find_map(|map| shift(id, map.host, map.container, map.size)).unwrap_or(NOBODY)
        };
        (of(&self.uids, uid), of(&self.gids, gid))
    }
}

fn shift(id: u32, from: u32, to: u32, size: u32) -> Option<u32> {
    let offset = id.checked_sub(from).filter(|offset| *offset < size)?;
    to.checked_add(offset)
}

/// A line of /proc/PID/uid_map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// First id inside.
    pub container: u32,
    /// First id outside.
    pub host: u32,
    /// How many.
    pub size: u32,
}

/// Offsets of a time namespace, in seconds (time_namespaces(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeOffsets {
    /// Added to CLOCK_MONOTONIC.
    pub monotonic_s: i64,
    /// Added to CLOCK_BOOTTIME.
    pub boottime_s: i64,
}

/// A device node of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Absolute path in the container.
    pub path: PathBuf,
    /// `c` or `b`.
    pub kind: DeviceKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner inside the container.
    pub uid: u32,
    /// Group inside the container.
    pub gid: u32,
}

/// Character or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    /// Character device.
    #[serde(rename = "c")]
    Char,
    /// Block device.
    #[serde(rename = "b")]
    Block,
}

/// Where a container's control group goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupPlacement {
    /// `--cgroup-parent`: a path, or a slice for systemd. None: `/kist`, or `system.slice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Who makes the groups.
    pub driver: CgroupDriver,
}

/// Who makes control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupDriver {
    /// systemd where it is process 1 of a pure v2 machine, else we.
    Auto,
    /// We, in the file system.
    Cgroupfs,
    /// systemd, over D-Bus.
    Systemd,
    /// Nobody: the container stays in the monitor's groups.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_shifted_both_ways() {
        let map = |container, host, size| IdMap { container, host, size };
        let maps =
            IdMaps { uids: vec![map(0, 100_000, 1000), map(1000, 1000, 1)], gids: vec![map(0, 200_000, 65_536)] };
        assert_eq!(maps.to_host((0, 0)), Some((100_000, 200_000)));
        assert_eq!(maps.to_host((1000, 5)), Some((1000, 200_005)));
        assert_eq!(maps.to_host((1001, 5)), None);
        assert_eq!(maps.to_container((100_999, 265_535)), (999, 65_535));
        assert_eq!(maps.to_container((0, 0)), (65_534, 65_534));
    }
}
