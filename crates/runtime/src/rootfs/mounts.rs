//! The mounts of a bundle, one by one: made detached, given their attributes, and only then attached, so that no moment exists in
//! which a read-only mount could be written.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, openat, statx};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen, open_tree,
};
use spec::bundle::{Bundle, IdMap, IdMaps};
use spec::mount::{Mount, MountAttributes, MountKind, Owners, Propagation};
use sys::mount::{Attributes, Reach, set_id_maps};

use super::target::{Kind, Root, Symlinks, is_proc};
use super::{attach_onto, attributes, cgroups, clone_of};
use crate::failure::{Doing, InitFailure, needs, shown};

/// The trees that a bundle's mounts are cloned from, in the order of its mounts; none for new file systems.
pub(crate) struct Sources(Vec<Option<OwnedFd>>);

/// Mounts that the caller has made: by its place in the bundle each, and the /dev/shm that is shared.
pub(crate) struct Given {
    pub(crate) mounts: BTreeMap<usize, OwnedFd>,
    pub(crate) shared_memory: Option<OwnedFd>,
}

impl Sources {
    /// Clones each source out of this mount namespace. The clones are attached nowhere. `ids`: of a user namespace of the container's own.
    pub(crate) fn open(mounts: &[Mount], mut given: Given, ids: Option<&IdMaps>) -> Result<Sources, InitFailure> {
        let mut userns = None;
        let mut open = |(place, mount): (usize, &Mount)| match (given.mounts.remove(&place), &mount.kind) {
            (Some(made), kind) => {
                if let (MountKind::Filesystem { .. }, Some(ids)) = (kind, ids) {
                    // One that another container had before is mapped already, and not every file system can be: then its owners are
                    // those on it.
                    let _ = show_to(&made, &mut userns, ids);
                }
                Ok(Some(made))
            }
            (None, MountKind::Bind { source, owners, .. }) => {
                let tree = clone_tree(mount, source)?;
                if let (Owners::Mapped, Some(ids)) = (owners, ids) {
                    show_to(&tree, &mut userns, ids)
                        .doing(|| format!("mapping the owners of the files of {}", source.display()))?;
                }
                Ok(Some(tree))
            }
            (None, MountKind::SharedMemory) => Ok(given.shared_memory.take()),
            (None, MountKind::Image { .. }) => Err(InitFailure::Step(
                format!("mounting an image at {}", mount.target.display()),
                rustix::io::Errno::NOENT.into(),
            )),
            (None, MountKind::Filesystem { .. } | MountKind::Cgroup) => Ok(None),
        };
        mounts.iter().enumerate().map(&mut open).collect::<Result<_, _>>().map(Sources)
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = Option<BorrowedFd<'_>>> {
        self.0.iter().map(|source| source.as_ref().map(AsFd::as_fd))
    }
}

/// A user namespace for the maps is made once, when it is first needed.
fn show_to(tree: &OwnedFd, userns: &mut Option<OwnedFd>, ids: &IdMaps) -> std::io::Result<()> {
    let lines = |maps: &[IdMap]| {
        maps.iter().map(|map| format!("{} {} {}\n", map.container, map.host, map.size)).collect::<String>()
    };
    let made = match userns.take() {
        Some(made) => made,
        None => sys::userns::with_maps(&lines(&ids.uids), &lines(&ids.gids))?,
    };
    let shown = set_id_maps(tree.as_fd(), made.as_fd(), Reach::Below);
    *userns = Some(made);
    shown
}

fn clone_tree(mount: &Mount, source: &Path) -> Result<OwnedFd, InitFailure> {
    check_propagation(mount, source)?;
    let (recursive, beneath) = match &mount.kind {
        MountKind::Bind { recursive, beneath, .. } => (*recursive, beneath.as_deref()),
        MountKind::Filesystem { .. } | MountKind::Image { .. } | MountKind::Cgroup | MountKind::SharedMemory => {
            (true, None)
        }
    };
    let failed = |errno: rustix::io::Errno| {
        let failed = InitFailure::Mount { source: shown(source), target: mount.target.clone(), errno: errno.into() };
        needs("open_tree(2), for bind mounts", "5.2", errno.into(), failed)
    };
    let Some(beneath) = beneath else {
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        if recursive {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        return open_tree(CWD, source, flags).map_err(failed);
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = openat(CWD, source, flags, Mode::empty()).map_err(failed)?;
    let at = Root(root.as_fd()).beneath(beneath).map_err(|errno| match errno {
        rustix::io::Errno::XDEV => InitFailure::Outside { base: source.into(), subpath: beneath.into() },
        _ => InitFailure::Step(format!("cannot access path {}", source.join(beneath).display()), errno.into()),
    })?;
    clone_of(at.as_fd(), if recursive { Reach::Below } else { Reach::This }).map_err(failed)
}

/// A bind mount passes on what its source does: who asked for more hears it now (moby `ensureShared`).
fn check_propagation(mount: &Mount, source: &Path) -> Result<(), InitFailure> {
    let (wanted, kind): (&[&str], _) = match mount.propagation {
        Some(Propagation::Shared | Propagation::Rshared) => (&["shared:"], "shared"),
        Some(Propagation::Slave | Propagation::Rslave) => (&["shared:", "master:"], "shared or slave"),
        Some(Propagation::Private | Propagation::Rprivate) | None => return Ok(()),
    };
    let doing = || format!("reading the mounts of {}", source.display());
    // What is missing is told where it is opened.
    let Ok(stat) = statx(CWD, source, AtFlags::empty(), StatxFlags::MNT_ID) else { return Ok(()) };
    let id = stat.stx_mnt_id.to_string();
    let table = std::fs::read_to_string("/proc/self/mountinfo");
    let table = table.map_err(|e| InitFailure::Step(doing(), (&e).into()))?;
    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let line = table.lines().map(fields).find(|fields| fields.first() == Some(&id)).unwrap_or_default();
    let tags = line.iter().skip(6).take_while(|field| *field != "-");
    if tags.into_iter().any(|tag| wanted.iter().any(|wanted| tag.starts_with(wanted))) {
        return Ok(());
    }
    let point = line.get(4).map_or("", String::as_str);
    let text = format!("path {} is mounted on {point} but it is not a {kind} mount", source.display());
    Err(InitFailure::Step(text, rustix::io::Errno::INVAL.into()))
}

/// Whether /dev is ours to fill: not when the user brought a /dev of the host's.
pub(super) fn has_own_dev(bundle: &Bundle) -> bool {
    let last = bundle.mounts.iter().rfind(|mount| mount.target == Path::new("/dev"));
    !last.is_some_and(|mount| matches!(mount.kind, MountKind::Bind { .. }))
}

/// Makes one mount of a bundle.
pub(super) fn make(
    root: Root<'_>,
    mount: &Mount,
    source: Option<BorrowedFd<'_>>,
    ids: Option<&IdMaps>,
) -> Result<(), InitFailure> {
    match (&mount.kind, source) {
        (MountKind::Filesystem { source, .. }, Some(tree)) => bind(root, mount, Path::new(source), Some(tree)),
        (MountKind::Filesystem { fstype, source, options, .. }, None) => {
            let made = filesystem(fstype, source, &usable(fstype, options, ids), mount.attributes)?;
            let target = match fstype.as_str() {
                // A symlink of the image's must not lead them elsewhere (CVE-2019-19921): masks would miss them.
                "proc" | "sysfs" => ordinary(root, &mount.target, fstype)?,
                _ => root.make(&mount.target, Kind::Directory)?,
            };
            place(made.as_fd(), target.as_fd(), source, mount)
        }
        (MountKind::Bind { source: path, .. }, tree) => bind(root, mount, path, tree),
        (MountKind::Image { .. }, tree) => bind(root, mount, Path::new("overlay"), tree),
        (MountKind::SharedMemory, tree) => bind(root, mount, Path::new("/dev/shm"), tree),
        (MountKind::Cgroup, _) => cgroups::make(root, mount),
    }
}

/// Attaches a tree that was cloned before.
fn bind(root: Root<'_>, mount: &Mount, path: &Path, tree: Option<BorrowedFd<'_>>) -> Result<(), InitFailure> {
    let tree = tree.ok_or(rustix::io::Errno::NOENT).doing(|| format!("opening {}", path.display()))?;
    match mount.kind {
        // It may be another container's, with attributes of its own.
        MountKind::Filesystem { .. } => {
            let doing = format!("setting attributes of the mount at {}", mount.target.display());
            attributes(tree, Attributes::exactly(bits(mount.attributes)), Reach::This, &doing)?;
        }
        MountKind::Bind { .. } | MountKind::Image { .. } | MountKind::Cgroup | MountKind::SharedMemory => {
            bind_attributes(tree, mount)?;
        }
    }
    let kind = Kind::of(tree).doing(|| format!("stat {}", path.display()))?;
    if mount.target == Path::new("/proc") && !is_proc(tree).doing(|| format!("statfs {}", path.display()))? {
        return Err(InitFailure::NotProc(mount.target.clone()));
    }
    let target = root.make(&mount.target, kind)?;
    place(tree, target.as_fd(), &shown(path), mount)
}

/// A directory that is there or is made, reached through no symlink.
fn ordinary(root: Root<'_>, target: &Path, fstype: &str) -> Result<OwnedFd, InitFailure> {
    let refused = |_| InitFailure::NotOrdinary(fstype.to_owned());
    match root.open(target, Symlinks::Refuse) {
        Err(rustix::io::Errno::NOENT) => {
            root.make(target, Kind::Directory)?;
            root.open(target, Symlinks::Refuse).map_err(refused)
        }
        result => result.map_err(refused),
    }
}

/// Attaches a finished mount, onto anything but the kernel's own files.
fn place(made: BorrowedFd<'_>, target: BorrowedFd<'_>, source: &str, mount: &Mount) -> Result<(), InitFailure> {
    // By descriptor: what the path looks like proves nothing (CVE-2025-52881).
    if is_proc(target).doing(|| format!("statfs {}", mount.target.display()))? && !may_cover(&mount.target) {
        return Err(InitFailure::InsideProc(mount.target.clone()));
    }
    attach_onto(made, target).map_err(|errno| {
        // move_mount(2) says EINVAL to a file over a directory, where mount(2) says ENOTDIR, and so do Docker and its users.
        let differ = errno == rustix::io::Errno::INVAL && Kind::of(made) != Kind::of(target);
        let errno = if differ { rustix::io::Errno::NOTDIR } else { errno };
        InitFailure::Mount { source: source.to_owned(), target: mount.target.clone(), errno: errno.into() }
    })?;
    match mount.propagation {
        Some(propagation) => pass_on(made, propagation),
        None => Ok(()),
    }
}

/// Files of /proc that lxcfs and its like may replace (runc `checkProcMount`).
fn may_cover(target: &Path) -> bool {
    const ALLOWED: &[&str] = &[
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/slabinfo",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    ];
    ALLOWED.iter().any(|allowed| target == Path::new(allowed))
}

fn pass_on(mount: BorrowedFd<'_>, propagation: Propagation) -> Result<(), InitFailure> {
    use sys::mount::Propagation as To;
    let (to, reach) = match propagation {
        Propagation::Private => (To::Private, Reach::This),
        Propagation::Rprivate => (To::Private, Reach::Below),
        Propagation::Slave => (To::Slave, Reach::This),
        Propagation::Rslave => (To::Slave, Reach::Below),
        Propagation::Shared => (To::Shared, Reach::This),
        Propagation::Rshared => (To::Shared, Reach::Below),
    };
    attributes(mount, Attributes::propagation(to), reach, "setting mount propagation")
}

fn bind_attributes(tree: BorrowedFd<'_>, mount: &Mount) -> Result<(), InitFailure> {
    let doing = || format!("setting attributes of the mount at {}", mount.target.display());
    let bits = bits(mount.attributes);
    if bits != 0 {
        attributes(tree, Attributes::set(bits), Reach::This, &doing())?;
    }
    if mount.attributes.readonly_below {
        attributes(tree, Attributes::set(Attributes::READONLY), Reach::Below, &doing())?;
    }
    Ok(())
}

/// A new instance of a file system, detached.
///
/// # Errors
/// What the kernel refused.
pub fn filesystem(
    fstype: &str,
    source: &str,
    options: &[(&str, Option<&str>)],
    wanted: MountAttributes,
) -> Result<OwnedFd, InitFailure> {
    let context = fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| {
        let failed = InitFailure::Step(format!("fsopen {fstype}"), errno.into());
        needs("fsopen(2), for mounts by descriptor", "5.2", errno.into(), failed)
    })?;
    fsconfig_set_string(&context, "source", source).doing(|| format!("{fstype} option source={source}"))?;
    for (key, value) in options {
        match value {
            Some(value) => {
                fsconfig_set_string(&context, *key, *value).doing(|| format!("{fstype} option {key}={value}"))?
            }
            None => fsconfig_set_flag(&context, *key).doing(|| format!("{fstype} option {key}"))?,
        }
    }
    fsconfig_create(&context).doing(|| format!("making {fstype}"))?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::from_bits_retain(bits(wanted)))
        .doing(|| format!("mounting {fstype}"))
}

/// devpts gives its nodes to the group tty, which a user namespace may not have.
fn usable<'a>(
    fstype: &str,
    options: &'a [(String, Option<String>)],
    ids: Option<&IdMaps>,
) -> Vec<(&'a str, Option<&'a str>)> {
    let mapped = |value: Option<&str>| {
        let gid = value.and_then(|value| value.parse::<u32>().ok());
        gid.zip(ids).is_none_or(|(gid, ids)| {
            ids.gids.iter().any(|map| (map.container..map.container.saturating_add(map.size)).contains(&gid))
        })
    };
    let pairs = options.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    pairs.filter(|(key, value)| fstype != "devpts" || *key != "gid" || mapped(*value)).collect()
}

fn bits(wanted: MountAttributes) -> u32 {
    let each = [
        (wanted.readonly, Attributes::READONLY),
        (wanted.nosuid, Attributes::NOSUID),
        (wanted.nodev, Attributes::NODEV),
        (wanted.noexec, Attributes::NOEXEC),
        (wanted.noatime, Attributes::NOATIME),
        (wanted.strictatime, Attributes::STRICTATIME),
        (wanted.nodiratime, Attributes::NODIRATIME),
    ];
    each.iter().filter(|(on, _)| *on).fold(0, |bits, (_, bit)| bits | bit)
}
