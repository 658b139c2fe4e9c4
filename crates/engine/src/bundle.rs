//! Docker's options to a bundle: pure, and the compatibility ledger of the house (the table is `flags/tests.rs` of the command line).
//!
//! What must be asked of the machine is asked before, in [`Facts`]; what is decided here is decided nowhere else. The defaults are
//! moby's `oci.DefaultSpec`, `WithCommonOptions`, `WithNamespaces` and `WithMounts`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spec::bundle::{
    Bundle, CgroupDriver, CgroupPlacement, Device, IdMaps, Namespace, Namespaces, Process, Rlimit, Seccomp,
};
use spec::capability::{CapabilitySet, Changes, DOCKER_DEFAULT};
use spec::container::{Config, HostConfig, NamespaceMode, NetworkMode, SeccompChoice, Settings};
use spec::digest::{ChainId, ImageId};
use spec::mount::{Mount, MountAttributes, MountKind, Owners, Propagation, Submounts, UserMount, UserMountKind};
use spec::resources::{ALLOW_ALL_DEVICES, DeviceRule};
use spec::seccomp::Profile;
use spec::volume::VolumeName;

use crate::error::Error;
use crate::volume::Source;

/// What was asked of the machine before the bundle was made.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The AppArmor profile for containers that ask for none; none where the kernel has no AppArmor.
    pub apparmor: Option<String>,
    /// The capabilities there are to give: the engine's own.
    pub capabilities: CapabilitySet,
    /// Maps of a private user namespace.
    pub id_maps: IdMaps,
    /// The device nodes that `--device` names, or for `--privileged` all of the host's, with the rules that allow them.
    pub devices: Vec<(Device, DeviceRule)>,
    /// Rules of `--device-cgroup-rule` and the standard ones.
    pub device_rules: Vec<DeviceRule>,
    /// Files bound over /etc/hosts, /etc/hostname and /etc/resolv.conf.
    pub etc: Vec<(PathBuf, PathBuf)>,
    /// What volumes and images are mounted from.
    pub sources: Sources,
}

/// What the volumes and images that a container mounts are mounted from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What is behind each volume.
    pub volumes: BTreeMap<VolumeName, Source>,
    /// The layers of each image that is mounted, lowest first.
    pub layers: BTreeMap<ImageId, Vec<ChainId>>,
}

/// Hidden from containers: moby `oci.DefaultLinuxSpec`.
pub const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Not to be written by containers: moby `oci.DefaultLinuxSpec`.
pub const READONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(crate) const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The bundle of a container.
///
/// # Errors
/// [`Error::Invalid`] where options contradict each other or name what does not exist, in Docker's words.
pub fn new(config: &Config, settings: &Settings, facts: &Facts) -> Result<Bundle, Error> {
    let host = &config.host;
    let open = host.privileged || host.security.systempaths_unconfined;
    let paths = |list: &[&str]| if open { Vec::new() } else { list.iter().map(PathBuf::from).collect() };
    let mut resources = settings.resources.clone();
    resources.devices = device_rules(host, facts);
    Ok(Bundle {
        id: config.id.clone(),
        process: process(config, facts)?,
        hostname: own_uts(host).then(|| config.hostname.clone()),
        domainname: (own_uts(host) && !config.domainname.is_empty()).then(|| config.domainname.clone()),
        namespaces: namespaces(host, facts)?,
        readonly_rootfs: host.readonly_rootfs,
        rootfs_propagation: rootfs_propagation(&host.mounts),
        mounts: mounts(config, facts)?,
        devices: facts.devices.iter().map(|(device, _)| device.clone()).collect(),
        masked_paths: paths(MASKED),
        readonly_paths: paths(READONLY),
        sysctls: host.sysctls.clone(),
        cgroup: CgroupPlacement { parent: host.cgroup_parent.clone(), driver: CgroupDriver::Auto },
        resources,
        seccomp: seccomp(host)?,
        init: host.init,
        networks: spec::network::Defaults::default(),
    })
}

/// The container's first process. `exec` starts from the same and changes what it must.
pub(crate) fn process(config: &Config, facts: &Facts) -> Result<Process, Error> {
    let host = &config.host;
    let args: Vec<String> = config.args().cloned().collect();
    if args.is_empty() {
        return Err(Error::Invalid("no command specified".into()));
    }
    Ok(Process {
        args,
        env: environment(config),
        cwd: if config.working_dir.is_empty() { PathBuf::from("/") } else { PathBuf::from(&config.working_dir) },
        user: config.user.clone(),
        group_add: host.group_add.clone(),
        terminal: config.tty,
        capabilities: capabilities(host, facts)?,
        no_new_privileges: host.security.no_new_privileges,
        apparmor: apparmor(host, facts),
        rlimits: host
            .ulimits
            .clone()
            .into_iter()
            .map(|limit| Rlimit { name: limit.name.to_ascii_lowercase(), ..limit })
            .collect(),
        oom_score_adj: Some(host.oom_score_adj),
    })
}

/// Docker's additions come first and give way to what image and user set (moby `CreateDaemonEnvironment`).
fn environment(config: &Config) -> Vec<String> {
    let mut env = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={}", config.hostname)];
    if config.tty {
        env.push("TERM=xterm".into());
    }
    replace_env(&mut env, &config.env);
    env
}

/// Sets variables in place, or behind the others; a name without `=` is removed.
pub(crate) fn replace_env(env: &mut Vec<String>, changes: &[String]) {
    for change in changes {
        let name = change.split_once('=').map_or(change.as_str(), |(name, _)| name);
        let at = env.iter().position(|one| one.split_once('=').is_some_and(|(other, _)| other == name));
        match (change.contains('='), at) {
            (true, Some(at)) => env[at].clone_from(change),
            (true, None) => env.push(change.clone()),
            (false, Some(at)) => drop(env.remove(at)),
            (false, None) => {}
        }
    }
}

fn capabilities(host: &HostConfig, facts: &Facts) -> Result<CapabilitySet, Error> {
    if host.privileged {
        return Ok(facts.capabilities);
    }
    DOCKER_DEFAULT
        .with(Changes { add: &host.cap_add, drop: &host.cap_drop }, facts.capabilities)
        .map_err(|e| Error::Invalid(e.to_string()))
}

fn apparmor(host: &HostConfig, facts: &Facts) -> Option<String> {
    facts.apparmor.as_ref()?;
    match host.security.apparmor.as_deref() {
        Some("unconfined") => None,
        Some(profile) => Some(profile.into()),
        None if host.privileged => None,
        None => facts.apparmor.clone(),
    }
}

fn seccomp(host: &HostConfig) -> Result<Seccomp, Error> {
    Ok(match &host.security.seccomp {
        SeccompChoice::Profile(text) => Seccomp::Profile(Box::new(
            serde_json::from_str::<Profile>(text)
                .map_err(|e| Error::Invalid(format!("decoding seccomp profile failed: {e}")))?,
        )),
        SeccompChoice::Unconfined => Seccomp::Unconfined,
        SeccompChoice::Default if host.privileged => Seccomp::Unconfined,
        SeccompChoice::Default => Seccomp::Default,
    })
}

/// Device rules: everything for the privileged, else the standard list and what was asked for.
fn device_rules(host: &HostConfig, facts: &Facts) -> Vec<DeviceRule> {
    if host.privileged {
        return ALLOW_ALL_DEVICES.to_vec();
    }
    let mut rules = facts.device_rules.clone();
    rules.extend(facts.devices.iter().map(|(_, rule)| *rule));
    rules
}

fn own_uts(host: &HostConfig) -> bool {
    matches!(host.uts, NamespaceMode::Private | NamespaceMode::Default)
}

fn namespaces(host: &HostConfig, facts: &Facts) -> Result<Namespaces, Error> {
    let user = namespace(&host.userns);
    if user == Namespace::Private && host.privileged {
        return Err(Error::Invalid("privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode".into()));
    }
    // Docker keeps the host's on v1 and shows the container's own groups by binding them; a namespace of its own shows the same, and
    // is all that a user namespace may mount.
    let cgroup = match &host.cgroupns {
        NamespaceMode::Default if host.privileged => Namespace::Host,
        asked @ (NamespaceMode::Host
        | NamespaceMode::Private
        | NamespaceMode::Container(_)
        | NamespaceMode::Default) => namespace(asked),
    };
    Ok(Namespaces {
        pid: namespace(&host.pid),
        network: match &host.network {
            NetworkMode::Host => Namespace::Host,
            NetworkMode::None | NetworkMode::Networks(_) => Namespace::Private,
            NetworkMode::Container(id) => Namespace::Container(id.clone()),
        },
        ipc: namespace(&host.ipc),
        uts: namespace(&host.uts),
        cgroup,
        id_maps: (user == Namespace::Private).then(|| facts.id_maps.clone()),
        user,
        time: host.time,
    })
}

fn namespace(mode: &NamespaceMode) -> Namespace {
    match mode {
        NamespaceMode::Host => Namespace::Host,
        NamespaceMode::Private | NamespaceMode::Default => Namespace::Private,
        NamespaceMode::Container(id) => Namespace::Container(id.clone()),
    }
}

/// A mount that receives events from the host needs a root that does, too.
fn rootfs_propagation(mounts: &[UserMount]) -> Propagation {
    let wanted = mounts.iter().filter_map(|mount| match &mount.kind {
        UserMountKind::Bind { propagation, .. } => Some(*propagation),
        UserMountKind::Tmpfs { .. } | UserMountKind::Volume { .. } | UserMountKind::Image { .. } => None,
    });
    wanted.fold(Propagation::Rprivate, |root, mount| match (root, mount) {
        (_, Propagation::Shared | Propagation::Rshared) | (Propagation::Rshared, _) => Propagation::Rshared,
        (_, Propagation::Slave | Propagation::Rslave) => Propagation::Rslave,
        (root, Propagation::Private | Propagation::Rprivate) => root,
    })
}

/// All mounts, parents before children; a user's mount replaces the default at the same place.
fn mounts(config: &Config, facts: &Facts) -> Result<Vec<Mount>, Error> {
    let mut all: BTreeMap<PathBuf, (usize, Mount)> = BTreeMap::new();
    for mount in default_mounts(config, facts) {
        all.insert(mount.target.clone(), (depth(&mount.target), mount));
    }
    for wanted in &config.host.mounts {
        let mount = user_mount(wanted, &facts.sources)?;
        // A user's /dev means theirs alone, with nothing of ours inside (moby WithMounts).
        if mount.target == Path::new("/dev") || mount.target == Path::new("/dev/shm") {
            all.retain(|target, _| !target.starts_with(&mount.target));
        }
        all.insert(mount.target.clone(), (depth(&mount.target), mount));
    }
    let mut mounts: Vec<(usize, Mount)> = all.into_values().collect();
    mounts.sort_by_key(|(depth, _)| *depth);
    Ok(mounts.into_iter().map(|(_, mount)| mount).collect())
}

/// The mounts that bring files from elsewhere into a container, as `cp` sees them while it does not run: `etc`, and what the user binds.
/// Parents come before children, and nothing is passed on between them and the host.
///
/// # Errors
/// [`Error::Invalid`].
pub(crate) fn file_mounts(
    config: &Config,
    sources: &Sources,
    etc: Vec<(PathBuf, PathBuf)>,
) -> Result<Vec<Mount>, Error> {
    let mut all: BTreeMap<PathBuf, Mount> = BTreeMap::new();
    for (target, source) in etc {
        all.insert(target.clone(), Mount { target, ..bind("/", &source, MountAttributes::default()) });
    }
    for wanted in &config.host.mounts {
        let mount = Mount { propagation: Some(Propagation::Rprivate), ..user_mount(wanted, sources)? };
        match mount.kind {
            MountKind::Bind { .. } | MountKind::Image { .. } => drop(all.insert(mount.target.clone(), mount)),
            // Memory is empty while the container does not run.
            MountKind::Filesystem { .. } | MountKind::Cgroup | MountKind::SharedMemory => {
                drop(all.remove(&mount.target))
            }
        }
    }
    let mut mounts: Vec<Mount> = all.into_values().collect();
    mounts.sort_by_key(|mount| depth(&mount.target));
    Ok(mounts)
}

fn depth(target: &Path) -> usize {
    target.components().count()
}

fn default_mounts(config: &Config, facts: &Facts) -> Vec<Mount> {
    let host = &config.host;
    let locked = MountAttributes { nosuid: true, noexec: true, nodev: true, ..MountAttributes::default() };
    let sys = MountAttributes { readonly: !host.privileged, ..locked };
    let mut mounts = vec![
        filesystem("/proc", "proc", &[], locked),
        filesystem(
            "/dev",
            "tmpfs",
            &[("mode", "755"), ("size", "65536k")],
            MountAttributes { nosuid: true, strictatime: true, ..MountAttributes::default() },
        ),
        filesystem(
            "/dev/pts",
            "devpts",
            &[("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")],
            MountAttributes { nosuid: true, noexec: true, ..MountAttributes::default() },
        ),
    ];
    // sysfs shows the devices of its network namespace, so a namespace of somebody else's shows it through a bind (moby WithSysfs).
    if host.userns == NamespaceMode::Private && host.network == NetworkMode::Host {
        mounts.push(bind("/sys", Path::new("/sys"), MountAttributes { readonly: true, ..locked }));
    } else {
        mounts.push(filesystem("/sys", "sysfs", &[], sys));
    }
    mounts.push(Mount { target: "/sys/fs/cgroup".into(), kind: MountKind::Cgroup, attributes: sys, propagation: None });
    match &host.ipc {
        NamespaceMode::Host => {
            mounts.push(bind("/dev/shm", Path::new("/dev/shm"), MountAttributes::default()));
            // The file system is of the IPC namespace, whoever mounts it; the machine may have it mounted nowhere. A user namespace
            // that does not own the queues may only bind what is mounted.
            mounts.push(if host.userns == NamespaceMode::Private {
                bind("/dev/mqueue", Path::new("/dev/mqueue"), MountAttributes::default())
            } else {
                filesystem("/dev/mqueue", "mqueue", &[], locked)
            });
        }
        NamespaceMode::Container(_) => {
            mounts.push(Mount {
                target: "/dev/shm".into(),
                kind: MountKind::SharedMemory,
                attributes: locked,
                propagation: None,
            });
            mounts.push(filesystem("/dev/mqueue", "mqueue", &[], locked));
        }
        NamespaceMode::Private | NamespaceMode::Default => {
            let size = host.shm_size_bytes.to_string();
            mounts.push(filesystem("/dev/shm", "tmpfs", &[("mode", "1777"), ("size", &size)], locked));
            mounts.push(filesystem("/dev/mqueue", "mqueue", &[], locked));
        }
    }
    let etc = MountAttributes { readonly: false, ..MountAttributes::default() };
    mounts.extend(facts.etc.iter().map(|(target, source)| Mount { target: target.clone(), ..bind("/", source, etc) }));
    mounts
}

fn filesystem(target: &str, fstype: &str, options: &[(&str, &str)], attributes: MountAttributes) -> Mount {
    let source = if fstype == "tmpfs" && target == "/dev/shm" { "shm" } else { fstype };
    let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Mount {
        target: target.into(),
        kind: MountKind::Filesystem {
            fstype: fstype.into(),
            source: source.into(),
            options: options.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect(),
            volume: None,
        },
        attributes,
        propagation: None,
    }
}

fn bind(target: &str, source: &Path, attributes: MountAttributes) -> Mount {
    Mount {
        target: target.into(),
        kind: MountKind::Bind { source: source.into(), recursive: true, beneath: None, owners: Owners::Real },
        attributes,
        propagation: Some(Propagation::Rprivate),
    }
}

fn user_mount(wanted: &UserMount, sources: &Sources) -> Result<Mount, Error> {
    let target = wanted.target.clone();
    Ok(match &wanted.kind {
        UserMountKind::Bind { source, propagation, submounts, .. } => Mount {
            target,
            kind: MountKind::Bind {
                source: source.clone(),
                recursive: *submounts != Submounts::None,
                beneath: None,
                owners: Owners::Real,
            },
            attributes: MountAttributes {
                readonly: wanted.readonly,
                readonly_below: wanted.readonly
                    && matches!(submounts, Submounts::Recursive | Submounts::RecursiveReadonly),
                ..MountAttributes::default()
            },
            propagation: Some(*propagation),
        },
        UserMountKind::Tmpfs { size_bytes, mode, options } => tmpfs(wanted, *size_bytes, *mode, options)?,
        UserMountKind::Volume { name, subpath, .. } => volume(wanted, name, subpath.as_ref(), sources)?,
        UserMountKind::Image { image, name, subpath } => Mount {
            target,
            kind: MountKind::Image {
                layers: sources
                    .layers
                    .get(image)
                    .cloned()
                    .ok_or_else(|| Error::NotFound(format!("No such image: {name}")))?,
                beneath: subpath.clone(),
            },
            attributes: MountAttributes { readonly: true, ..MountAttributes::default() },
            propagation: Some(Propagation::Rprivate),
        },
    })
}

fn tmpfs(wanted: &UserMount, size_bytes: Option<u64>, mode: Option<u32>, options: &[String]) -> Result<Mount, Error> {
    let mut all: Vec<(String, Option<String>)> = Vec::new();
    all.extend(size_bytes.map(|size| ("size".to_owned(), Some(size.to_string()))));
    all.extend(mode.map(|mode| ("mode".to_owned(), Some(format!("{mode:o}")))));
    let mut attributes = MountAttributes {
        readonly: wanted.readonly,
        nosuid: true,
        nodev: true,
        noexec: true,
        ..MountAttributes::default()
    };
    for option in options {
        tmpfs_option(option, &mut attributes, &mut all)?;
    }
    Ok(Mount {
        target: wanted.target.clone(),
        kind: MountKind::Filesystem { fstype: "tmpfs".into(), source: "tmpfs".into(), options: all, volume: None },
        attributes,
        propagation: None,
    })
}

/// A volume's owners on disk are the container's: what one container wrote, another finds its own, in whatever user namespace.
fn volume(wanted: &UserMount, name: &VolumeName, subpath: Option<&PathBuf>, sources: &Sources) -> Result<Mount, Error> {
    let source = sources.volumes.get(name).ok_or_else(|| Error::no_volume(name.as_str()))?;
    let limited = |attributes: MountAttributes| MountAttributes {
        readonly: wanted.readonly || attributes.readonly,
        readonly_below: wanted.readonly,
        ..attributes
    };
    let bind = |source: &Path, recursive, owners| MountKind::Bind {
        source: source.into(),
        recursive,
        beneath: subpath.cloned(),
        owners,
    };
    let (kind, attributes) = match source {
        Source::Own(data) => (bind(data, true, Owners::Mapped), MountAttributes::default()),
        Source::Bind { device, recursive, attributes } => (bind(device, *recursive, Owners::Real), *attributes),
        Source::Filesystem { .. } if subpath.is_some() => {
            return Err(Error::NotYet(format!(
                "a subpath of the volume {name}, which mounts a file system of its own,"
            )));
        }
        Source::Filesystem { fstype, device, options, attributes } => (
            MountKind::Filesystem {
                fstype: fstype.clone(),
                source: device.clone(),
                options: options.clone(),
                volume: Some(name.clone()),
            },
            *attributes,
        ),
    };
    Ok(Mount {
        target: wanted.target.clone(),
        kind,
        attributes: limited(attributes),
        propagation: Some(Propagation::Rprivate),
    })
}

/// One word of `--tmpfs PATH:words` (moby `pkg/mount.ParseTmpfsOptions`).
fn tmpfs_option(
    option: &str,
    attributes: &mut MountAttributes,
    all: &mut Vec<(String, Option<String>)>,
) -> Result<(), Error> {
    match option {
        "" | "defaults" | "rw" => {}
        "ro" => attributes.readonly = true,
        "suid" => attributes.nosuid = false,
        "nosuid" => attributes.nosuid = true,
        "dev" => attributes.nodev = false,
        "nodev" => attributes.nodev = true,
        "exec" => attributes.noexec = false,
        "noexec" => attributes.noexec = true,
        "noatime" => attributes.noatime = true,
        "strictatime" => attributes.strictatime = true,
        "nodiratime" => attributes.nodiratime = true,
        "relatime" | "atime" | "diratime" => {}
        other => match other.split_once('=') {
            Some((key @ ("size" | "mode" | "uid" | "gid" | "nr_inodes" | "nr_blocks" | "mpol" | "huge"), value)) => {
                all.push((key.into(), Some(value.into())));
            }
            Some(_) | None => return Err(Error::Invalid(format!("invalid tmpfs option [{other:?}]"))),
        },
    }
    Ok(())
}
