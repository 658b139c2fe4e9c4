//! What can go wrong with control groups, and what is only worth a warning.

use std::io;
use std::path::PathBuf;

use super::dbus::BusError;

/// Why a group could not be made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// Nothing to make groups in.
    #[error("no control groups are mounted")]
    NotMounted,
    /// A parent that leads upwards.
    #[error("invalid cgroup parent: {0}")]
    BadParent(String),
    /// A parent that systemd does not know; Docker's text.
    #[error("cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"")]
    BadSlice,
    /// mkdir(2).
    #[error("making the control group {0}")]
    Make(PathBuf, #[source] io::Error),
    /// open(2).
    #[error("opening {0}")]
    Open(PathBuf, #[source] io::Error),
    /// A value that the kernel refuses.
    #[error("setting {file} to {value:?}")]
    Set {
        /// Of the group.
        file: PathBuf,
        /// Refused.
        value: String,
        /// Why.
        source: io::Error,
    },
    /// read(2).
    #[error("reading {0}")]
    Read(PathBuf, #[source] io::Error),
    /// rmdir(2).
    #[error("removing the control group {0}")]
    Remove(PathBuf, #[source] io::Error),
    /// bpf(2).
    #[error("setting the device rules of {0}")]
    Devices(PathBuf, #[source] io::Error),
    /// Device rules without a devices controller would not hold.
    #[error("the devices controller of cgroup v1 is not mounted")]
    NoDeviceController,
    /// `--cpus`; Docker's text.
    #[error("NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted")]
    NoNanoCpus,
    /// `--cpu-rt-*`; Docker's text.
    #[error("kernel does not support CPU real-time scheduler")]
    NoRealTime,
    /// A limit for a device that is not there.
    #[error("looking up the device {0}")]
    NoDevice(PathBuf, #[source] io::Error),
    /// It was asked to freeze or thaw, and did not in time.
    #[error("{0} did not {1} within {2} ms")]
    Late(PathBuf, &'static str, u64),
    /// kill(2).
    #[error("killing the processes of {0}")]
    Kill(PathBuf, #[source] io::Error),
    /// inotify(7) or eventfd(2).
    #[error("watching {0}")]
    Watch(PathBuf, #[source] io::Error),
    /// The process that a new scope needs.
    #[error("making a process for the scope {0}")]
    Anchor(String, #[source] io::Error),
    /// systemd did not do what it was asked.
    #[error("asking systemd about {0}")]
    Systemd(String, #[source] BusError),
}

impl CgroupError {
    /// The kernel's error number.
    pub fn errno(&self) -> Option<i32> {
        match self {
            CgroupError::Make(_, error)
            | CgroupError::Open(_, error)
            | CgroupError::Set { source: error, .. }
            | CgroupError::Read(_, error)
            | CgroupError::Remove(_, error)
            | CgroupError::Devices(_, error)
            | CgroupError::NoDevice(_, error)
            | CgroupError::Kill(_, error)
            | CgroupError::Watch(_, error)
            | CgroupError::Anchor(_, error) => error.raw_os_error(),
            CgroupError::NotMounted
            | CgroupError::BadParent(_)
            | CgroupError::BadSlice
            | CgroupError::NoDeviceController
            | CgroupError::NoNanoCpus
            | CgroupError::NoRealTime
            | CgroupError::Late(..)
            | CgroupError::Systemd(..) => None,
        }
    }

    /// Whether the group is not there any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.errno(), Some(libc::ENOENT | libc::ENODEV))
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.errno() == Some(libc::ENOENT)
    }

    pub(super) fn is_invalid(&self) -> bool {
        self.errno() == Some(libc::EINVAL)
    }
}

/// A limit that this machine does not know and that was left out; the texts are Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says itself what it is")]
pub enum Warning {
    #[error(
        "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded."
    )]
    Memory,
    #[error(
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
    )]
    Swap,
    #[error(
        "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded."
    )]
    Swappiness,
    #[error(
        "Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded."
    )]
    Reservation,
    #[error("Your kernel does not support OomKillDisable. OomKillDisable discarded.")]
    OomKillDisable,
    #[error("Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.")]
    Pids,
    #[error("Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.")]
    CpuShares,
    #[error("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.")]
    CpuCfs,
    #[error("Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.")]
    Cpuset,
    #[error("Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.")]
    BlkioWeight,
    #[error(
        "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded."
    )]
    BlkioWeightDevice,
    #[error(
        "Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded."
    )]
    ReadBps,
    #[error(
        "Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. Block I/O BPS write limit discarded."
    )]
    WriteBps,
    #[error(
        "Your kernel does not support IOPS Block read limit or the cgroup is not mounted. Block I/O IOPS read limit discarded."
    )]
    ReadIops,
    #[error(
        "Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O IOPS write limit discarded."
    )]
    WriteIops,
}
