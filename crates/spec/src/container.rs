//! A container's record: what its creator asked for, with the image's defaults merged in. `config.json` is written once, at create;
//! what may change later is [`Settings`]. Names are Docker's; the meanings are those of `docker inspect`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bundle::{Rlimit, TimeOffsets};
use crate::digest::ImageId;
use crate::id::ContainerId;
use crate::image::Healthcheck;
use crate::mount::{Naming, UserMount, UserMountKind};
use crate::network::{Attachment, Egress, Publish};
use crate::platform::Platform;
use crate::resources::Resources;
use crate::time::Time;
use crate::volume::VolumeName;

/// `config.json`: written once, when the container is created.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Whose.
    pub id: ContainerId,
    /// The name it was made with. `rename` leaves this alone: what it is called now is said by the links in `names/`, and this is
    /// where to look first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When.
    pub created: Time,
    /// The image it was made from.
    pub image: ImageId,
    /// The image as it was named by the user.
    pub image_name: String,
    /// What the image is for.
    pub platform: Platform,
    /// The fixed part of the command; none where neither image nor user gave one.
    pub entrypoint: Option<Vec<String>>,
    /// The rest of the command.
    pub cmd: Option<Vec<String>>,
    /// `NAME=value`, the image's and the user's.
    pub env: Vec<String>,
    /// Empty is `/`.
    pub working_dir: String,
    /// `user[:group]`; empty is root.
    pub user: String,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub open_stdin: bool,
    /// Whether the first client's end of input ends the container's.
    pub stdin_once: bool,
    /// Streams the creator asked to be attached to.
    pub attach: Streams,
    /// Host name.
    pub hostname: String,
    /// Domain name.
    pub domainname: String,
    /// Free words.
    pub labels: BTreeMap<String, String>,
    /// `80/tcp` and so on.
    pub exposed_ports: Vec<String>,
    /// Paths the image or the user wants as volumes.
    pub volumes: Vec<String>,
    /// What `stop` sends: `SIGTERM` unless given.
    pub stop_signal: Option<String>,
    /// Seconds `stop` waits: 10 unless given; negative for ever.
    pub stop_timeout_s: Option<i64>,
    /// The image's check with the user's changes.
    pub healthcheck: Option<Healthcheck>,
    /// What concerns the host.
    pub host: HostConfig,
}

impl Config {
    /// The whole command.
    pub fn args(&self) -> impl Iterator<Item = &String> {
        self.entrypoint.iter().flatten().chain(self.cmd.iter().flatten())
    }

    /// The volumes it uses, each with who named it.
    pub fn volumes_used(&self) -> impl Iterator<Item = (&VolumeName, Naming)> {
        self.host.mounts.iter().filter_map(|mount| match &mount.kind {
            UserMountKind::Volume { name, naming, .. } => Some((name, *naming)),
            UserMountKind::Bind { .. } | UserMountKind::Tmpfs { .. } | UserMountKind::Image { .. } => None,
        })
    }

    /// The images it cannot be started without: the one it was made from, and those that are mounted.
    pub fn images_used(&self) -> impl Iterator<Item = &ImageId> {
        let mounted = self.host.mounts.iter().filter_map(|mount| match &mount.kind {
            UserMountKind::Image { image, .. } => Some(image),
            UserMountKind::Bind { .. } | UserMountKind::Tmpfs { .. } | UserMountKind::Volume { .. } => None,
        });
        std::iter::once(&self.image).chain(mounted)
    }
}

/// The three streams of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

/// What a container asks of its host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostConfig {
    /// `-v`, `--mount`, `--tmpfs`, `--volumes-from` and the image's `VOLUME`s, in order.
    pub mounts: Vec<UserMount>,
    /// `--volumes-from` as typed, kept for inspect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<String>,
    /// `--volume-driver` as typed; empty is `local`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub volume_driver: String,
    /// `--network`.
    pub network: NetworkMode,
    /// `-p`.
    #[serde(default)]
    pub publish: Vec<Publish>,
    /// `-P`: every exposed port that `publish` does not name.
    #[serde(default)]
    pub publish_all: bool,
    /// `--egress`, beside its networks' own: what any of them forbids is forbidden.
    #[serde(default)]
    pub egress: Option<Egress>,
    /// `--pid`.
    pub pid: NamespaceMode,
    /// `--ipc`.
    pub ipc: NamespaceMode,
    /// `--uts`.
    pub uts: NamespaceMode,
    /// `--cgroupns`.
    pub cgroupns: NamespaceMode,
    /// `--userns`: `Host` unless asked for.
    pub userns: NamespaceMode,
    /// A private time namespace.
    pub time: Option<TimeOffsets>,
    /// `--privileged`.
    pub privileged: bool,
    /// `--cap-add`.
    pub cap_add: Vec<String>,
    /// `--cap-drop`.
    pub cap_drop: Vec<String>,
    /// `--security-opt`.
    pub security: Security,
    /// `--device`.
    pub devices: Vec<DeviceMapping>,
    /// `--device-cgroup-rule`, as typed: `c 1:3 rwm`.
    pub device_rules: Vec<String>,
    /// `--sysctl`.
    pub sysctls: BTreeMap<String, String>,
    /// `--read-only`.
    pub readonly_rootfs: bool,
    /// `--init`.
    pub init: bool,
    /// `--shm-size`, bytes.
    pub shm_size_bytes: u64,
    /// `--ulimit`.
    pub ulimits: Vec<Rlimit>,
    /// `--oom-score-adj`.
    pub oom_score_adj: i32,
    /// `--group-add`.
    pub group_add: Vec<String>,
    /// `--add-host`, as `name:address`.
    pub extra_hosts: Vec<String>,
    /// `--dns`.
    pub dns: Vec<String>,
    /// `--dns-search`.
    pub dns_search: Vec<String>,
    /// `--dns-option`.
    pub dns_options: Vec<String>,
    /// `--log-driver` and `--log-opt`.
    pub log: LogConfig,
    /// `--rm`.
    pub auto_remove: bool,
    /// `--cgroup-parent`.
    pub cgroup_parent: Option<String>,
    /// `--cidfile`, kept for inspect.
    pub cidfile: Option<PathBuf>,
    /// `--annotation`.
    pub annotations: BTreeMap<String, String>,
}

/// Which namespace a container gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceMode {
    /// The host's.
    Host,
    /// Its own.
    Private,
    /// That of another container.
    Container(ContainerId),
    /// `--ipc shareable`: its own, and others may join it.
    Default,
}

/// Which network a container gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// The host's.
    Host,
    /// Only a loopback device of its own.
    None,
    /// That of another container.
    Container(ContainerId),
    /// The networks in its settings, the first of them named so when the container was made.
    Networks(String),
}

/// `--security-opt` and its relatives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Security {
    /// `no-new-privileges`.
    pub no_new_privileges: bool,
    /// `seccomp=…`.
    pub seccomp: SeccompChoice,
    /// `apparmor=…`: a profile, or `unconfined`. None: the default where the kernel has it.
    pub apparmor: Option<String>,
    /// `systempaths=unconfined`: nothing is masked, nothing made read-only.
    pub systempaths_unconfined: bool,
}

/// `--security-opt seccomp=…`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeccompChoice {
    /// Docker's profile.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// The profile's text, read when the container was created.
    Profile(String),
}

/// `--device host[:container[:rwm]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceMapping {
    /// A device, or a directory of devices, on the host.
    pub host: PathBuf,
    /// In the container.
    pub container: PathBuf,
    /// Some of `rwm`.
    pub access: String,
}

/// Where the output goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    /// Who keeps it.
    pub driver: LogDriver,
    /// A file is turned over before it grows beyond this.
    pub max_size_bytes: u64,
    /// How many files are kept, the current one included.
    pub max_files: u32,
}

/// Who keeps a container's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogDriver {
    /// A file of JSON lines, as Docker writes it.
    #[serde(rename = "json-file")]
    JsonFile,
    /// Nobody.
    #[serde(rename = "none")]
    None,
}

/// `settings.json`: what may change while a container lives. Replaced whole by the verb that holds the container's lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// `--restart`.
    pub restart: RestartPolicy,
    /// Limits.
    pub resources: Resources,
    /// The networks it is on, where its mode is [`NetworkMode::Networks`]; by `connect` and `disconnect`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Attachment>,
}

/// `--restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    No,
    /// When the exit code is not 0, at most so often; 0 is without limit.
    OnFailure(u32),
    /// Whenever it ends, and after a reboot.
    Always,
    /// The same, but not after a `stop`.
    UnlessStopped,
}
