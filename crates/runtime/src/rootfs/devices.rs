//! The container's own /dev: the nodes every program expects, those that were asked for, and the console.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, makedev, mknodat, openat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use spec::bundle::{Bundle, Device, DeviceKind, Namespace};
use sys::mount::Reach;

use super::target::{Kind, Root, Symlinks};
use super::{attach_onto, clone_of};
use crate::failure::{Doing, InitFailure};
use crate::terminal::Terminal;

/// The nodes of every container (runtime specification, "Default Devices").
const DEFAULT: &[(&str, u32, u32)] =
    &[("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
];

/// Fills /dev.
pub(super) fn fill(root: Root<'_>, bundle: &Bundle) -> Result<(), InitFailure> {
    let dev = root.make(Path::new("/dev"), Kind::Directory)?;
    let asked = |name: &str| {
        bundle.devices.iter().any(|device| device.path.strip_prefix("/dev").is_ok_and(|rest| rest == Path::new(name)))
    };
    let borrowed = bundle.namespaces.user != Namespace::Host;
    for (name, major, minor) in DEFAULT.iter().filter(|(name, ..)| !asked(name)) {
        let device = Device {
            path: Path::new("/dev").join(name),
            kind: DeviceKind::Char,
            major: *major,
            minor: *minor,
            mode: 0o666,
            uid: 0,
            gid: 0,
        };
        node(&dev, Path::new(name), &device, borrowed)?;
    }
    for device in &bundle.devices {
        let (parent, name) = match (device.path.parent(), device.path.file_name()) {
            (Some(parent), Some(name)) => (root.make(parent, Kind::Directory)?, PathBuf::from(name)),
            _ => continue,
        };
        node(&parent, &name, device, borrowed)?;
    }
    for (name, to) in LINKS {
        match symlinkat(*to, &dev, *name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).doing(|| format!("symlink /dev/{name}")),
        }
    }
    // Each devpts has its own multiplexer; the machine's node would lead to the machine's terminals.
    match unlinkat(&dev, "ptmx", AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => symlinkat("pts/ptmx", &dev, "ptmx").doing(|| "symlink /dev/ptmx"),
        // A mount of the user's.
        Err(Errno::BUSY | Errno::ISDIR) => Ok(()),
        Err(errno) => Err(errno).doing(|| "unlink /dev/ptmx"),
    }
}

/// Makes one node; in a user namespace, where the kernel makes none, shows the machine's.
fn node(dir: &OwnedFd, name: &Path, device: &Device, borrowed: bool) -> Result<(), InitFailure> {
    let doing = || format!("mknod {}", device.path.display());
    if borrowed {
        return borrow(dir, name, device);
    }
    let kind = match device.kind {
        DeviceKind::Char => FileType::CharacterDevice,
        DeviceKind::Block => FileType::BlockDevice,
    };
    match mknodat(dir, name, kind, Mode::from_raw_mode(device.mode), makedev(device.major, device.minor)) {
        Ok(()) => {}
        // A mount of the user's, or an image that has its own /dev.
        Err(Errno::EXIST) => return Ok(()),
        Err(Errno::PERM) => return borrow(dir, name, device),
        Err(errno) => return Err(errno).doing(doing),
    }
    // Made by us just now, with an empty umask: mode and owner are right but for owners other than root.
    if (device.uid, device.gid) == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
    chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).doing(doing)
}

fn borrow(dir: &OwnedFd, name: &Path, device: &Device) -> Result<(), InitFailure> {
    let doing = || format!("bringing in the device {}", device.path.display());
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let host = openat(CWD, &device.path, flags, Mode::empty()).doing(doing)?;
    let stat = fstat(&host).doing(doing)?;
    if stat.st_rdev != makedev(device.major, device.minor) {
        return Err(Errno::NODEV).doing(doing);
    }
    match mknodat(dir, name, FileType::RegularFile, Mode::from_raw_mode(0o644), 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).doing(doing),
    }
    let target = not_symlink(openat(dir, name, flags, Mode::empty())).doing(doing)?;
    let node = clone_of(host.as_fd(), Reach::This).doing(doing)?;
    attach_onto(node.as_fd(), target.as_fd()).doing(doing)
}

/// O_PATH | O_NOFOLLOW opens a symlink itself.
fn not_symlink(opened: Result<OwnedFd, Errno>) -> Result<OwnedFd, Errno> {
    let opened = opened?;
    match FileType::from_raw_mode(fstat(&opened)?.st_mode) == FileType::Symlink {
        true => Err(Errno::LOOP),
        false => Ok(opened),
    }
}

/// Shows the terminal as /dev/console: the very descriptor of it, not a path that may have been replaced (CVE-2025-52565).
pub(super) fn console(root: Root<'_>, terminal: &Terminal) -> Result<(), InitFailure> {
    let doing = || "mounting /dev/console";
    let dev = root.open(Path::new("/dev"), Symlinks::Follow).doing(doing)?;
    match mknodat(&dev, "console", FileType::RegularFile, Mode::from_raw_mode(0o666), 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).doing(doing),
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = not_symlink(openat(&dev, "console", flags, Mode::empty())).doing(doing)?;
    let node = clone_of(terminal.slave.as_fd(), Reach::This).doing(doing)?;
    attach_onto(node.as_fd(), target.as_fd()).doing(doing)
}
