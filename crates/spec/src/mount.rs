//! Mounts: what a user asks for (`-v`, `--mount`, `--tmpfs`) and what a bundle carries to the kernel.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::digest::{ChainId, ImageId};
use crate::volume::VolumeName;

/// How mount events pass between the host and a mount (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Neither way.
    Private,
    /// Neither way, and everything below too. Docker's default.
    Rprivate,
    /// From the host into the container.
    Slave,
    /// The same for everything below.
    Rslave,
    /// Both ways.
    Shared,
    /// The same for everything below.
    Rshared,
}

/// One mount that a user asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMount {
    /// Absolute, clean path in the container.
    pub target: PathBuf,
    /// No writing through it.
    pub readonly: bool,
    /// In which words.
    #[serde(default, skip_serializing_if = "Asked::is_long")]
    pub asked: Asked,
    /// What is mounted.
    pub kind: UserMountKind,
}

/// How a mount was asked for: `inspect` shows each in its own place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// `--mount` and `--tmpfs`.
    #[default]
    Long,
    /// `-v source:target`, with the mode as typed: `ro,z`.
    Short(String),
    /// `-v target`, and `VOLUME` of the image.
    Target,
    /// `--volumes-from`.
    From,
}

impl Asked {
    fn is_long(&self) -> bool {
        *self == Asked::Long
    }
}

/// What a user mounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub enum UserMountKind {
    /// A path of the host.
    Bind {
        /// Absolute path on the host.
        source: PathBuf,
        /// Whether a missing source is an error (`--mount`) or becomes a directory (`-v`).
        missing: MissingSource,
        /// `rprivate` unless said otherwise.
        propagation: Propagation,
        /// Whether what is mounted below the source comes along.
        submounts: Submounts,
    },
    /// Memory.
    Tmpfs {
        /// Limit in bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size_bytes: Option<u64>,
        /// Permission bits of its root.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
        /// Further words of `--tmpfs`: `exec`, `uid=1`, `noatime`, …
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
    },
    /// A directory that kist keeps and that outlives the container.
    Volume {
        /// Which.
        name: VolumeName,
        /// Whether the user gave the name: else it goes with its last container, if that is removed with its volumes.
        naming: Naming,
        /// Whether an empty volume gets what the image has at the target.
        copy: CopyUp,
        /// A directory or file within, walked anew at each start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subpath: Option<PathBuf>,
        /// What `--mount` says of a volume that is not there yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipe: Option<VolumeRecipe>,
    },
    /// The files of an image, read-only.
    Image {
        /// Which, as found when the container was created.
        image: ImageId,
        /// As the user named it.
        name: String,
        /// A directory or file within.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subpath: Option<PathBuf>,
    },
}

/// Who named a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// The user.
    Given,
    /// Nobody: the name is random.
    Anonymous,
}

/// What happens to an empty volume when a container is created with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyUp {
    /// It gets what the image has there.
    Fill,
    /// It stays empty: `nocopy`.
    No,
}

/// `volume-driver`, `volume-opt` and `volume-label` of a `--mount`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecipe {
    /// Empty is `local`.
    pub driver: String,
    /// Of the driver.
    pub options: BTreeMap<String, String>,
    /// Free words.
    pub labels: BTreeMap<String, String>,
}

/// What a bind mount does about a source that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingSource {
    /// Refuse.
    Fail,
    /// Make a directory.
    Create,
}

/// Mounts below a bind mount's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Submounts {
    /// They come along; when the mount is read-only, so are they where the kernel can (5.12).
    Recursive,
    /// They come along and stay writable.
    RecursiveWritable,
    /// They come along and must become read-only.
    RecursiveReadonly,
    /// They stay behind.
    None,
}

/// One mount of a bundle, ready for the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path in the container; missing parts are made.
    pub target: PathBuf,
    /// What is mounted.
    pub kind: MountKind,
    /// How.
    pub attributes: MountAttributes,
    /// Set after the mount, if at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation: Option<Propagation>,
}

/// What a bundle mounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A new instance of a file system: `proc`, `sysfs`, `tmpfs`, `devpts`, `mqueue`.
    Filesystem {
        /// Its type.
        fstype: String,
        /// What /proc/mounts shows as its device.
        source: String,
        /// fsconfig(2) keys with their values; none for a flag.
        options: Vec<(String, Option<String>)>,
        /// The volume that it is: the monitor mounts it, and all containers that run with it share one if it is memory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        volume: Option<VolumeName>,
    },
    /// A file or directory of the host.
    Bind {
        /// Absolute path on the host, resolved before the root is changed.
        source: PathBuf,
        /// Whether mounts below it come along.
        recursive: bool,
        /// What is below the source, and nowhere else, whatever links say: a file or directory to mount in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beneath: Option<PathBuf>,
        /// Whom its files belong to in a user namespace of the container's own.
        #[serde(default, skip_serializing_if = "Owners::are_real")]
        owners: Owners,
    },
    /// The files of an image, which the monitor mounts. Always read-only.
    Image {
        /// Its layers, lowest first.
        layers: Vec<ChainId>,
        /// What is below its root: a file or directory to mount in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beneath: Option<PathBuf>,
    },
    /// The container's own view of the control groups, as /sys/fs/cgroup.
    Cgroup,
    /// The /dev/shm of the container whose IPC namespace is joined.
    SharedMemory,
}

/// Whom the files of a bind mount belong to, seen from a user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owners {
    /// To those they belong to on the host.
    #[default]
    Real,
    /// To the same numbers inside: the owners on disk are the container's.
    Mapped,
}

impl Owners {
    fn are_real(&self) -> bool {
        *self == Owners::Real
    }
}

/// Attributes of one mount (mount_setattr(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountAttributes {
    /// MOUNT_ATTR_RDONLY.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub readonly: bool,
    /// MOUNT_ATTR_RDONLY on everything below too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub readonly_below: bool,
    /// MOUNT_ATTR_NOSUID.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nosuid: bool,
    /// MOUNT_ATTR_NODEV.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nodev: bool,
    /// MOUNT_ATTR_NOEXEC.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub noexec: bool,
    /// MOUNT_ATTR_NOATIME.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub noatime: bool,
    /// MOUNT_ATTR_STRICTATIME.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strictatime: bool,
    /// MOUNT_ATTR_NODIRATIME.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nodiratime: bool,
}
