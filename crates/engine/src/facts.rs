//! What the machine is asked before a bundle is made.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};
use spec::bundle::{Device, DeviceKind, IdMap, IdMaps};
use spec::capability::CapabilitySet;
use spec::container::{Config, DeviceMapping, NamespaceMode};
use spec::resources::{Access, DEFAULT_DEVICES, DeviceRule, HostCpus, Resources, RuleKind};

use runtime::apparmor::DefaultConfinement;

use crate::bundle::{Facts, Sources};
use crate::error::Error;

pub(crate) fn gather(config: &Config, etc: Vec<(PathBuf, PathBuf)>) -> Result<Facts, Error> {
    let host = &config.host;
    let mut devices = Vec::new();
    if host.privileged {
        all_devices(Path::new("/dev"), &mut devices);
    }
    for mapping in &host.devices {
        mapped_devices(mapping, &mut devices)?;
    }
    let mut device_rules = DEFAULT_DEVICES.to_vec();
    for rule in &host.device_rules {
        device_rules
            .push(rule.parse().map_err(|_| Error::Invalid(format!("invalid device cgroup rule format: '{rule}'")))?);
    }
    Ok(Facts {
        apparmor: apparmor()?,
        capabilities: own_capabilities(),
        id_maps: match host.userns {
            NamespaceMode::Private => subordinate_ids(),
            NamespaceMode::Host | NamespaceMode::Default | NamespaceMode::Container(_) => {
                IdMaps { uids: Vec::new(), gids: Vec::new() }
            }
        },
        devices,
        device_rules,
        etc,
        sources: Sources::default(),
    })
}

pub(crate) fn own_capabilities() -> CapabilitySet {
    // A thread can always ask for its own sets.
    rustix::thread::capabilities(None)
        .map_or(CapabilitySet::EMPTY, |sets| CapabilitySet::from_bits(sets.permitted.bits()))
}

fn apparmor() -> Result<Option<String>, Error> {
    match runtime::apparmor::default_confinement().map_err(Error::other("loading the AppArmor profile"))? {
        DefaultConfinement::Profile(name) => Ok(Some(name.into())),
        DefaultConfinement::Unconfined(_) => Ok(None),
    }
}

/// What the machine has, as far as these limits ask for it.
pub(crate) fn cpus(asked: &Resources) -> HostCpus {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let sets = asked.cpuset_cpus.is_some() || asked.cpuset_mems.is_some();
    let when = |asked: bool, path: &str| if asked { read(path) } else { String::new() };
    HostCpus {
        online: match asked.nano_cpus {
            Some(_) => std::thread::available_parallelism().map_or(0, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            None => 0,
        },
        cpus: when(sets, "/sys/devices/system/cpu/online"),
        mems: when(sets, "/sys/devices/system/node/online"),
    }
}

/// What a user namespace of a container maps.
pub(crate) fn subordinate_ids() -> IdMaps {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    id_maps(&read("/etc/subuid"), &read("/etc/subgid"))
}

/// The range of subordinate ids given to `kist`, or to Docker's `dockremap`, or 100000 and the 65535 above.
fn id_maps(subuid: &str, subgid: &str) -> IdMaps {
    let range = |text: &str| -> IdMap {
        let of = |user: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(user)?.strip_prefix(':'))?;
            let (first, size) = line.split_once(':')?;
            Some(IdMap { container: 0, host: first.trim().parse().ok()?, size: size.trim().parse().ok()? })
        };
        of("kist").or_else(|| of("dockremap")).unwrap_or(IdMap { container: 0, host: 100_000, size: 65_536 })
    };
    IdMaps { uids: vec![range(subuid)], gids: vec![range(subgid)] }
}

/// `--privileged`: every node below /dev but those each container has for itself.
fn all_devices(dir: &Path, found: &mut Vec<(Device, DeviceRule)>) {
    const OWN: &[&str] = &[
        "pts",
        "shm",
        "fd",
        "mqueue",
        ".lxc",
        ".lxd-mounts",
        "console",
        "ptmx",
        "tty",
        "null",
        "zero",
        "full",
        "random",
        "urandom",
    ];
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if dir == Path::new("/dev") && OWN.iter().any(|own| entry.file_name() == *own) {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all_devices(&path, found),
            Ok(kind) if kind.is_char_device() || kind.is_block_device() => found.extend(node(&path, &path, "rwm")),
            Ok(_) | Err(_) => {}
        }
    }
}

/// `--device`: one node, or all in a directory (moby `DevicesFromPath`).
fn mapped_devices(mapping: &DeviceMapping, found: &mut Vec<(Device, DeviceRule)>) -> Result<(), Error> {
    let missing = || {
        Error::Invalid(format!(
            "error gathering device information while adding custom device {:?}: no such file or directory",
            mapping.host
        ))
    };
    let kind = fs::metadata(&mapping.host).map_err(|_| missing())?;
    if !kind.is_dir() {
        let one = node(&mapping.host, &mapping.container, &mapping.access);
        found.push(one.ok_or_else(|| {
            Error::Invalid(format!(
                "error gathering device information while adding custom device {:?}: not a device node",
                mapping.host
            ))
        })?);
        return Ok(());
    }
    let mut below = Vec::new();
    all_devices(&mapping.host, &mut below);
    for (device, _) in below {
        if let Ok(rest) = device.path.strip_prefix(&mapping.host) {
            found.extend(node(&device.path, &mapping.container.join(rest), &mapping.access));
        }
    }
    Ok(())
}

fn node(host: &Path, path: &Path, access: &str) -> Option<(Device, DeviceRule)> {
    let stat = fs::metadata(host).ok()?;
    let kind = match stat.file_type() {
        kind if kind.is_char_device() => DeviceKind::Char,
        kind if kind.is_block_device() => DeviceKind::Block,
        _ => return None,
    };
    let (major, minor) = (major(stat.rdev()), minor(stat.rdev()));
    let device =
        Device { path: path.into(), kind, major, minor, mode: stat.mode() & 0o777, uid: stat.uid(), gid: stat.gid() };
    let access = access.parse::<Access>().ok()?;
    let rule_kind = match kind {
        DeviceKind::Char => RuleKind::Char,
        DeviceKind::Block => RuleKind::Block,
    };
    Some((device, DeviceRule { allow: true, kind: rule_kind, major: Some(major), minor: Some(minor), access }))
}
