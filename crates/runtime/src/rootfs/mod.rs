//! From a detached mount to the root of a process: everything is mounted below it by descriptors, then it becomes `/`.
//!
//! Two halves. [`Sources::open`] runs in the launcher, before the clone: what bind mounts take from the host is cloned there as
//! detached trees, so that no path of the host is walked later and their propagation is the host's own. [`build`] runs in the
//! container's first process, in its own mount namespace: nothing it attaches is seen outside.

mod cgroups;
mod devices;
mod masks;
mod mounts;
pub(crate) mod target;
pub(crate) mod view;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount};
use spec::bundle::{Bundle, Namespace};
use spec::mount::Propagation;
use sys::mount::{Attributes, Reach, set_attributes};

use crate::failure::{Doing, Errno, InitFailure, needs};
use crate::terminal::Terminal;
pub use mounts::filesystem;
pub(crate) use mounts::{Given, Sources};
use target::Root;

/// What the container's root is made of.
pub(crate) struct Parts<'a> {
    pub(crate) bundle: &'a Bundle,
    pub(crate) rootfs: BorrowedFd<'a>,
    pub(crate) staging: &'a Path,
    pub(crate) sources: &'a Sources,
    pub(crate) size: Option<rustix::termios::Winsize>,
}

/// Makes `rootfs` this process's `/`, with all its mounts. Returns the pseudo-terminal, if one is wanted.
pub(crate) fn build(parts: &Parts<'_>) -> Result<Option<Terminal>, InitFailure> {
    let bundle = parts.bundle;
    // Ours is a copy of the host's mount table: what we attach must not be passed back to it, nor the host's changes to us.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).doing(|| "making mounts private")?;
    attach(parts.rootfs, CWD, parts.staging.as_os_str()).doing(|| "attaching the root file system")?;
    let root = Root(parts.rootfs);
    let kit = masks::Kit::open(bundle)?;

    let ids = bundle.namespaces.id_maps.as_ref().filter(|_| bundle.namespaces.user == Namespace::Private);
    for (mount, source) in bundle.mounts.iter().zip(parts.sources.each()) {
        mounts::make(root, mount, source, ids)?;
    }
    let own_dev = mounts::has_own_dev(bundle);
    if own_dev {
        devices::fill(root, bundle)?;
    }
    let terminal = if bundle.process.terminal { Some(Terminal::open(root, parts.size)?) } else { None };
    if let (Some(terminal), true) = (&terminal, own_dev) {
        devices::console(root, terminal)?;
    }
    masks::readonly(root, &bundle.readonly_paths)?;
    kit.mask(root, &bundle.masked_paths)?;
    finish(root, bundle)?;
    Ok(terminal)
}

/// The root's own attributes last, as they would hinder what comes before.
fn finish(root: Root<'_>, bundle: &Bundle) -> Result<(), InitFailure> {
    if bundle.readonly_rootfs {
        set_attributes(root.0, Attributes::set(Attributes::READONLY), Reach::This)
            .doing(|| "making the root file system read-only")?;
    }
    pivot(root)?;
    match bundle.rootfs_propagation {
        // A fresh mount has neither peers nor a master.
        Propagation::Private | Propagation::Rprivate | Propagation::Slave | Propagation::Rslave => Ok(()),
        Propagation::Shared | Propagation::Rshared => {
            let change = Attributes::propagation(sys::mount::Propagation::Shared);
            set_attributes(root.0, change, Reach::This).doing(|| "making the root file system shared")
        }
    }
}

/// Swaps `/` and takes the old one away. The old root is stacked onto the new one and pulled off again (pivot_root(2), `"."`, `"."`),
/// so no directory is needed for it.
fn pivot(root: Root<'_>) -> Result<(), InitFailure> {
    rustix::process::fchdir(root.0).doing(|| "entering the root file system")?;
    rustix::process::pivot_root(".", ".").doing(|| "pivot_root")?;
    unmount(".", UnmountFlags::DETACH).doing(|| "leaving the host's file system")?;
    rustix::process::chdir("/").doing(|| "entering the root file system")
}

/// Attaches a detached mount.
fn attach(mount: BorrowedFd<'_>, dir: impl AsFd, path: &std::ffi::OsStr) -> Result<(), rustix::io::Errno> {
    move_mount(mount, "", dir, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Attaches a detached mount onto what `target` refers to.
fn attach_onto(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), rustix::io::Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}

/// A detached clone of the mount at `of`, seen from there.
fn clone_of(of: BorrowedFd<'_>, reach: Reach) -> Result<OwnedFd, rustix::io::Errno> {
    use rustix::mount::{OpenTreeFlags, open_tree};
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if reach == Reach::Below {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(of, "", flags)
}

/// mount_setattr(2) is the newest call we cannot do without.
fn attributes(mount: BorrowedFd<'_>, change: Attributes, reach: Reach, doing: &str) -> Result<(), InitFailure> {
    set_attributes(mount, change, reach).map_err(|error| {
        let errno = Errno::from(&error);
        needs("mount_setattr(2), for the attributes of mounts", "5.12", errno, InitFailure::Step(doing.into(), errno))
    })
}
