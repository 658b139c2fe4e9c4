//! What a container may use of its host: the limits of Docker's HostConfig, with the unit in each name, and the device rules of the OCI
//! runtime specification. As with Docker, a number that is absent or 0 is not set; -1 is "no limit" where that can be said.
//! The texts of the errors are Docker's (moby, daemon_unix.go and container_unix.go): scripts and client libraries compare them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Limits and device rules of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// `--memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<i64>,
    /// `--memory-swap`: memory and swap together; -1 is unlimited swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap_bytes: Option<i64>,
    /// `--memory-reservation`: what reclaim spares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation_bytes: Option<i64>,
    /// `--memory-swappiness`, 0 to 100; -1 is not set. cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swappiness: Option<i64>,
    /// `--oom-kill-disable`. cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kill_disable: Option<bool>,
    /// `--cpu-shares`: a weight, 1024 is the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<i64>,
    /// `--cpu-quota`; negative is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota_us: Option<i64>,
    /// `--cpu-period`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_period_us: Option<i64>,
    /// `--cpus`, in billionths of a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nano_cpus: Option<i64>,
    /// `--cpu-rt-period`. cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_rt_period_us: Option<i64>,
    /// `--cpu-rt-runtime`. cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_rt_runtime_us: Option<i64>,
    /// `--cpuset-cpus`: `0-2,7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_cpus: Option<String>,
    /// `--cpuset-mems`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_mems: Option<String>,
    /// `--pids-limit`; 0 and negative are unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<i64>,
    /// `--blkio-weight`, 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_weight: Option<u16>,
    /// `--blkio-weight-device`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blkio_weight_device: Vec<DeviceWeight>,
    /// `--device-read-bps`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_read_bps: Vec<DeviceRate>,
    /// `--device-write-bps`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_write_bps: Vec<DeviceRate>,
    /// `--device-read-iops`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_read_iops: Vec<DeviceRate>,
    /// `--device-write-iops`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_write_iops: Vec<DeviceRate>,
    /// In order; none at all leaves the device filter alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceRule>,
}

/// A block device and its weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceWeight {
    /// Which.
    pub device: BlockDevice,
    /// 10 to 1000.
    pub weight: u16,
}

/// A block device and a rate, in bytes or operations a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRate {
    /// Which.
    pub device: BlockDevice,
    /// At most so many; 0 is unlimited.
    pub rate: u64,
}

/// A block device, by path or by number; in JSON `/dev/sda` or `8:0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum BlockDevice {
    /// A node on the host, looked up when the limit is set.
    Path(PathBuf),
    /// Major and minor number.
    Number(u32, u32),
}

impl From<String> for BlockDevice {
    fn from(text: String) -> BlockDevice {
        let number = text
            .split_once(':')
            .and_then(|(major, minor)| Some(BlockDevice::Number(major.parse().ok()?, minor.parse().ok()?)));
        number.unwrap_or_else(|| BlockDevice::Path(text.into()))
    }
}

impl From<BlockDevice> for String {
    fn from(device: BlockDevice) -> String {
        match device {
            BlockDevice::Path(path) => path.to_string_lossy().into_owned(),
            BlockDevice::Number(major, minor) => format!("{major}:{minor}"),
        }
    }
}

/// Which device nodes a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleKind {
    /// All, whatever the numbers and the access say.
    #[serde(rename = "a")]
    All,
    /// Block devices.
    #[serde(rename = "b")]
    Block,
    /// Character devices.
    #[serde(rename = "c")]
    Char,
}

/// What is done to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Access {
    /// Opened for reading.
    pub read: bool,
    /// Opened for writing.
    pub write: bool,
    /// Made by mknod(2).
    pub mknod: bool,
}

impl Access {
    /// `rwm`.
    pub const ALL: Access = Access { read: true, write: true, mknod: true };
    /// `m`.
    pub const MKNOD: Access = Access { read: false, write: false, mknod: true };

    /// What either has.
    #[must_use]
    pub fn union(self, other: Access) -> Access {
        Access { read: self.read || other.read, write: self.write || other.write, mknod: self.mknod || other.mknod }
    }

    /// What `self` has and `other` has not.
    #[must_use]
    pub fn minus(self, other: Access) -> Access {
        Access { read: self.read && !other.read, write: self.write && !other.write, mknod: self.mknod && !other.mknod }
    }

    /// Neither.
    pub fn is_empty(self) -> bool {
        self == Access { read: false, write: false, mknod: false }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [(self.read, "r"), (self.write, "w"), (self.mknod, "m")];
        letters.iter().filter(|(on, _)| *on).try_for_each(|(_, letter)| f.write_str(letter))
    }
}

impl FromStr for Access {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Access, RuleError> {
        let known = !text.is_empty() && text.len() <= 3 && text.chars().all(|c| "rwm".contains(c));
        let access = Access { read: text.contains('r'), write: text.contains('w'), mknod: text.contains('m') };
        known.then_some(access).ok_or_else(|| RuleError(text.to_owned()))
    }
}

impl TryFrom<String> for Access {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Access, RuleError> {
        text.parse()
    }
}

impl From<Access> for String {
    fn from(access: Access) -> String {
        access.to_string()
    }
}

/// One line of the device list. A rule of kind `a` forgets all before it and becomes what holds unless a later rule says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Allowed, or denied.
    pub allow: bool,
    /// `a`, `b` or `c`.
    #[serde(rename = "type")]
    pub kind: RuleKind,
    /// None is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<u32>,
    /// None is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<u32>,
    /// What of it.
    pub access: Access,
}

/// Not a device rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid device cgroup format '{0}'")]
pub struct RuleError(String);

impl FromStr for DeviceRule {
    type Err = RuleError;

    /// `--device-cgroup-rule`: `c 1:3 rwm`, `b 8:* r`, `a *:* rwm`; it allows.
    fn from_str(text: &str) -> Result<DeviceRule, RuleError> {
        let bad = || RuleError(text.to_owned());
        let number = |word: &str| if word == "*" { Ok(None) } else { word.parse().map(Some).map_err(|_| bad()) };
        let [kind, numbers, access]: [&str; 3] = text.split(' ').collect::<Vec<_>>().try_into().map_err(|_| bad())?;
        let kind = match kind {
            "a" => RuleKind::All,
            "b" => RuleKind::Block,
            "c" => RuleKind::Char,
            _ => return Err(bad()),
        };
        let (major, minor) = numbers.split_once(':').ok_or_else(bad)?;
        let access = access.parse().map_err(|_| bad())?;
        Ok(DeviceRule { allow: true, kind, major: number(major)?, minor: number(minor)?, access })
    }
}

/// All is allowed: `--privileged`.
pub const ALLOW_ALL_DEVICES: &[DeviceRule] =
    &[DeviceRule { allow: true, kind: RuleKind::All, major: None, minor: None, access: Access::ALL }];

/// What each container may use of /dev (moby oci/defaults.go with runc's AllowedDevices): any node may be made, and null, zero, full,
/// random, urandom, tty, console, ptmx, the pseudo-terminals and net/tun may be used. Rules for `--device` follow these.
pub const DEFAULT_DEVICES: &[DeviceRule] = &[
    DeviceRule { allow: false, kind: RuleKind::All, major: None, minor: None, access: Access::ALL },
    DeviceRule { allow: true, kind: RuleKind::Char, major: None, minor: None, access: Access::MKNOD },
    DeviceRule { allow: true, kind: RuleKind::Block, major: None, minor: None, access: Access::MKNOD },
    allow_char(1, Some(3)),
    allow_char(1, Some(5)),
    allow_char(1, Some(7)),
    allow_char(1, Some(8)),
    allow_char(1, Some(9)),
    allow_char(5, Some(0)),
    allow_char(5, Some(1)),
    allow_char(5, Some(2)),
    allow_char(136, None),
    allow_char(10, Some(200)),
];

const fn allow_char(major: u32, minor: Option<u32>) -> DeviceRule {
    DeviceRule { allow: true, kind: RuleKind::Char, major: Some(major), minor, access: Access::ALL }
}

/// What the host has of CPUs and memory nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCpus {
    /// How many CPUs are online.
    pub online: u32,
    /// CPUs a group may be given, as the kernel lists them: `0-3`. Empty: unknown, nothing is checked.
    pub cpus: String,
    /// Memory nodes, likewise.
    pub mems: String,
}

/// What limits are checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A container to be: the limits are all it has.
    Create,
    /// `update`: only what changes is set.
    Update,
}

/// Limits that cannot be; the texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says itself what it is")]
pub enum ResourcesError {
    #[error("Minimum memory limit allowed is 6MB")]
    MemoryTooSmall,
    #[error("Minimum memoryswap limit should be larger than memory limit, see usage")]
    SwapBelowMemory,
    #[error("You should always set the Memory limit when using Memoryswap limit, see usage")]
    SwapWithoutMemory,
    #[error("Invalid value: {0}, valid memory swappiness range is 0-100")]
    Swappiness(i64),
    #[error("Minimum memory reservation allowed is 6MB")]
    ReservationTooSmall,
    #[error("Minimum memory limit can not be less than memory reservation limit, see usage")]
    MemoryBelowReservation,
    #[error("Conflicting options: Nano CPUs and CPU Period cannot both be set")]
    NanoCpusAndPeriod,
    #[error("Conflicting options: Nano CPUs and CPU Quota cannot both be set")]
    NanoCpusAndQuota,
    #[error("range of CPUs is from 0.01 to {0}.00, as there are only {0} CPUs available")]
    NanoCpus(u32),
    #[error("invalid CPU shares ({0}): value must be a positive integer")]
    Shares(i64),
    #[error("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")]
    Period,
    #[error("CPU cfs quota can not be less than 1ms (i.e. 1000)")]
    Quota,
    #[error("cpu real-time runtime cannot be higher than cpu real-time period")]
    RtRuntime,
    #[error("Invalid value {0} for cpuset cpus")]
    CpusetCpus(String),
    #[error("Requested CPUs are not available - requested {asked}, available: {available}")]
    NoSuchCpus { asked: String, available: String },
    #[error("Invalid value {0} for cpuset mems")]
    CpusetMems(String),
    #[error("Requested memory nodes are not available - requested {asked}, available: {available}")]
    NoSuchMems { asked: String, available: String },
    #[error("Range of blkio weight is from 10 to 1000")]
    BlkioWeight,
    #[error("Conflicting options: {0} cannot be updated as {1} has already been set")]
    Update(&'static str, &'static str),
    #[error("Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time")]
    MemoryAboveSetSwap,
}

const MIN_MEMORY_BYTES: i64 = 6 * 1024 * 1024;

impl Resources {
    /// Docker's defaults for what was left out: swap as large as the memory.
    pub fn fill_defaults(&mut self) {
        if let (Some(memory @ 1..), None | Some(0)) = (self.memory_bytes, self.memory_swap_bytes) {
            self.memory_swap_bytes = Some(memory.saturating_mul(2));
        }
    }

    /// Whether these limits can be.
    ///
    /// # Errors
    /// The first one that cannot, in Docker's order.
    pub fn validate(&self, host: &HostCpus, purpose: For) -> Result<(), ResourcesError> {
        self.validate_memory(purpose)?;
        self.validate_cpu(host)?;
        validate_set(self.cpuset_cpus.as_deref(), &host.cpus, ResourcesError::CpusetCpus, |asked, available| {
            ResourcesError::NoSuchCpus { asked, available }
        })?;
        validate_set(self.cpuset_mems.as_deref(), &host.mems, ResourcesError::CpusetMems, |asked, available| {
            ResourcesError::NoSuchMems { asked, available }
        })?;
        let mut weights = self.blkio_weight.into_iter().chain(self.blkio_weight_device.iter().map(|d| d.weight));
        weights
            .all(|weight| weight == 0 || (10..=1000).contains(&weight))
            .then_some(())
            .ok_or(ResourcesError::BlkioWeight)
    }

    fn validate_memory(&self, purpose: For) -> Result<(), ResourcesError> {
        let memory = self.memory_bytes.unwrap_or(0);
        let swap = self.memory_swap_bytes.unwrap_or(0);
        let reservation = self.memory_reservation_bytes.unwrap_or(0);
        if memory != 0 && memory < MIN_MEMORY_BYTES {
            return Err(ResourcesError::MemoryTooSmall);
        }
        if memory > 0 && swap > 0 && swap < memory {
            return Err(ResourcesError::SwapBelowMemory);
        }
        if memory == 0 && swap > 0 && purpose == For::Create {
            return Err(ResourcesError::SwapWithoutMemory);
        }
        if let Some(swappiness) = self.memory_swappiness
            && !(-1..=100).contains(&swappiness)
        {
            return Err(ResourcesError::Swappiness(swappiness));
        }
        if reservation > 0 && reservation < MIN_MEMORY_BYTES {
            return Err(ResourcesError::ReservationTooSmall);
        }
        if memory > 0 && reservation > 0 && memory < reservation {
            return Err(ResourcesError::MemoryBelowReservation);
        }
        Ok(())
    }

    fn validate_cpu(&self, host: &HostCpus) -> Result<(), ResourcesError> {
        let nano_cpus = self.nano_cpus.unwrap_or(0);
        let period_us = self.cpu_period_us.unwrap_or(0);
        let quota_us = self.cpu_quota_us.unwrap_or(0);
        if nano_cpus > 0 && period_us > 0 {
            return Err(ResourcesError::NanoCpusAndPeriod);
        }
        if nano_cpus > 0 && quota_us > 0 {
            return Err(ResourcesError::NanoCpusAndQuota);
        }
        if nano_cpus < 0 || nano_cpus > i64::from(host.online) * 1_000_000_000 {
            return Err(ResourcesError::NanoCpus(host.online));
        }
        if let Some(shares @ ..0) = self.cpu_shares {
            return Err(ResourcesError::Shares(shares));
        }
        if period_us != 0 && !(1000..=1_000_000).contains(&period_us) {
            return Err(ResourcesError::Period);
        }
        if (1..1000).contains(&quota_us) {
            return Err(ResourcesError::Quota);
        }
        let rt_period_us = self.cpu_rt_period_us.unwrap_or(0);
        if rt_period_us != 0 && self.cpu_rt_runtime_us.unwrap_or(0) > rt_period_us {
            return Err(ResourcesError::RtRuntime);
        }
        Ok(())
    }

    /// Takes over what `newer` sets, as `docker update` does. Neither swappiness nor the out-of-memory killer nor devices change.
    ///
    /// # Errors
    /// A change that contradicts what stays; nothing is changed then.
    pub fn update(&mut self, newer: Resources) -> Result<(), ResourcesError> {
        let conflicts = [
            (newer.nano_cpus, self.cpu_period_us, "Nano CPUs", "CPU Period"),
            (newer.nano_cpus, self.cpu_quota_us, "Nano CPUs", "CPU Quota"),
            (newer.cpu_period_us, self.nano_cpus, "CPU Period", "NanoCPUs"),
            (newer.cpu_quota_us, self.nano_cpus, "CPU Quota", "NanoCPUs"),
        ];
        for (new, old, new_name, old_name) in conflicts {
            if new > Some(0) && old > Some(0) {
                return Err(ResourcesError::Update(new_name, old_name));
            }
        }
        let set = |value: Option<i64>| value.filter(|v| *v != 0);
        if let (Some(memory), None) = (set(newer.memory_bytes), set(newer.memory_swap_bytes))
            && memory > self.memory_swap_bytes.unwrap_or(0)
        {
            return Err(ResourcesError::MemoryAboveSetSwap);
        }
        let take = |old: &mut Option<i64>, new: Option<i64>| *old = set(new).or(*old);
        take(&mut self.memory_bytes, newer.memory_bytes);
        take(&mut self.memory_swap_bytes, newer.memory_swap_bytes);
        take(&mut self.memory_reservation_bytes, newer.memory_reservation_bytes);
        take(&mut self.cpu_shares, newer.cpu_shares);
        take(&mut self.cpu_quota_us, newer.cpu_quota_us);
        take(&mut self.cpu_period_us, newer.cpu_period_us);
        take(&mut self.nano_cpus, newer.nano_cpus);
        take(&mut self.cpu_rt_period_us, newer.cpu_rt_period_us);
        take(&mut self.cpu_rt_runtime_us, newer.cpu_rt_runtime_us);
        let take_text =
            |old: &mut Option<String>, new: Option<String>| *old = new.filter(|n| !n.is_empty()).or(old.take());
        take_text(&mut self.cpuset_cpus, newer.cpuset_cpus);
        take_text(&mut self.cpuset_mems, newer.cpuset_mems);
        self.pids_limit = newer.pids_limit.or(self.pids_limit);
        self.blkio_weight = newer.blkio_weight.filter(|w| *w != 0).or(self.blkio_weight);
        if !newer.blkio_weight_device.is_empty() {
            self.blkio_weight_device = newer.blkio_weight_device;
        }
        let take_rates = |old: &mut Vec<DeviceRate>, new: Vec<DeviceRate>| {
            if !new.is_empty() {
                *old = new;
            }
        };
        take_rates(&mut self.device_read_bps, newer.device_read_bps);
        take_rates(&mut self.device_write_bps, newer.device_write_bps);
        take_rates(&mut self.device_read_iops, newer.device_read_iops);
        take_rates(&mut self.device_write_iops, newer.device_write_iops);
        Ok(())
    }
}

fn validate_set(
    asked: Option<&str>,
    available: &str,
    invalid: impl Fn(String) -> ResourcesError,
    missing: impl Fn(String, String) -> ResourcesError,
) -> Result<(), ResourcesError> {
    let Some(asked) = asked.filter(|text| !text.is_empty()) else { return Ok(()) };
    let wanted = parse_set(asked).ok_or_else(|| invalid(asked.to_owned()))?;
    let Some(has) = parse_set(available).filter(|_| !available.is_empty()) else { return Ok(()) };
    let there = wanted
        .iter()
        .all(|(first, last)| (*first..=*last).all(|n| has.iter().any(|(from, to)| (*from..=*to).contains(&n))));
    there.then_some(()).ok_or_else(|| missing(asked.to_owned(), available.to_owned()))
}

/// The ranges of a kernel list such as `0-2,7`; none if it is no list, or names a number above 8191 (moby's bound).
pub fn parse_set(text: &str) -> Option<Vec<(u32, u32)>> {
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let number = |digits: &str| digits.parse::<u32>().ok().filter(|n| *n <= 8191 && !digits.starts_with('+'));
        Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last)
    };
    text.trim().split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn host() -> HostCpus {
        HostCpus { online: 4, cpus: "0-3".into(), mems: "0".into() }
    }

    fn check(json: &str, expected: Expect) {
        let resources: Resources = serde_json::from_str(json).unwrap();
        let result = resources.validate(&host(), For::Create);
        expected.assert_eq(&result.map_or_else(|e| e.to_string(), |()| "good".into()));
    }

    #[test]
    fn limits_that_cannot_be_are_refused_in_dockers_words() {
        check("{}", expect!["good"]);
        check(r#"{"memory_bytes":6291456,"memory_swap_bytes":-1}"#, expect!["good"]);
        check(r#"{"memory_bytes":6291455}"#, expect!["Minimum memory limit allowed is 6MB"]);
        check(
            r#"{"memory_bytes":10000000,"memory_swap_bytes":9000000}"#,
            expect!["Minimum memoryswap limit should be larger than memory limit, see usage"],
        );
        check(
            r#"{"memory_swap_bytes":9000000}"#,
            expect!["You should always set the Memory limit when using Memoryswap limit, see usage"],
        );
        check(r#"{"memory_swappiness":101}"#, expect!["Invalid value: 101, valid memory swappiness range is 0-100"]);
        check(r#"{"memory_reservation_bytes":1}"#, expect!["Minimum memory reservation allowed is 6MB"]);
        check(
            r#"{"memory_bytes":10000000,"memory_reservation_bytes":20000000}"#,
            expect!["Minimum memory limit can not be less than memory reservation limit, see usage"],
        );
        check(
            r#"{"nano_cpus":1,"cpu_period_us":5000}"#,
            expect!["Conflicting options: Nano CPUs and CPU Period cannot both be set"],
        );
        check(
            r#"{"nano_cpus":1,"cpu_quota_us":5000}"#,
            expect!["Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
        );
        check(
            r#"{"nano_cpus":4000000001}"#,
            expect!["range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available"],
        );
        check(
            r#"{"cpu_period_us":999}"#,
            expect!["CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"],
        );
        check(r#"{"cpu_quota_us":999}"#, expect!["CPU cfs quota can not be less than 1ms (i.e. 1000)"]);
        check(r#"{"cpuset_cpus":"0-1,3"}"#, expect!["good"]);
        check(r#"{"cpuset_cpus":"1-"}"#, expect!["Invalid value 1- for cpuset cpus"]);
        check(r#"{"cpuset_cpus":"0,4"}"#, expect!["Requested CPUs are not available - requested 0,4, available: 0-3"]);
        check(
            r#"{"cpuset_mems":"1"}"#,
            expect!["Requested memory nodes are not available - requested 1, available: 0"],
        );
        check(r#"{"blkio_weight":9}"#, expect!["Range of blkio weight is from 10 to 1000"]);
    }

    #[test]
    fn the_default_swap_doubles_the_memory() {
        let mut resources = Resources { memory_bytes: Some(100), ..Resources::default() };
        resources.fill_defaults();
        assert_eq!(resources.memory_swap_bytes, Some(200));
        resources.memory_swap_bytes = Some(-1);
        resources.fill_defaults();
        assert_eq!(resources.memory_swap_bytes, Some(-1));
    }

    #[test]
    fn an_update_takes_what_is_set_and_refuses_contradictions() {
        let mut resources = Resources {
            nano_cpus: Some(5),
            memory_bytes: Some(10),
            memory_swap_bytes: Some(20),
            ..Resources::default()
        };
        let refused = resources.update(Resources { cpu_quota_us: Some(1), ..Resources::default() }).unwrap_err();
        expect!["Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set"]
            .assert_eq(&refused.to_string());
        let above = Resources { memory_bytes: Some(30), ..Resources::default() };
        assert_eq!(resources.update(above), Err(ResourcesError::MemoryAboveSetSwap));
        let newer =
            Resources { pids_limit: Some(-1), memory_bytes: Some(15), nano_cpus: Some(0), ..Resources::default() };
        resources.update(newer).unwrap();
        expect![[r#"{"memory_bytes":15,"memory_swap_bytes":20,"nano_cpus":5,"pids_limit":-1}"#]]
            .assert_eq(&serde_json::to_string(&resources).unwrap());
    }

    #[test]
    fn devices_are_written_as_oci_and_docker_write_them() {
        let rule: DeviceRule = "b 8:* rm".parse().unwrap();
        expect![[r#"{"allow":true,"type":"b","major":8,"access":"rm"}"#]]
            .assert_eq(&serde_json::to_string(&rule).unwrap());
        for bad in ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:3 x", "c 1:3 ", "c -1:3 r", "c 1:3 r r"] {
            assert!(bad.parse::<DeviceRule>().is_err(), "{bad}");
        }
        let rates: Vec<DeviceRate> =
            serde_json::from_str(r#"[{"device":"8:16","rate":5},{"device":"/dev/sda","rate":6}]"#).unwrap();
        assert_eq!(
            (&rates[0].device, &rates[1].device),
            (&BlockDevice::Number(8, 16), &BlockDevice::Path("/dev/sda".into()))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,20}") {
            let _ = text.parse::<DeviceRule>();
            let _ = parse_set(&text);
        }

        #[test]
        fn access_survives_being_written(read: bool, write: bool) {
            let access = Access { read, write, mknod: true };
            proptest::prop_assert_eq!(access.to_string().parse::<Access>().unwrap(), access);
        }
    }
}
