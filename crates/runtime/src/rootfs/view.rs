//! A container's files without the container: its root with what the user mounts in it, in a mount namespace where nobody lives.
//!
//! Nothing of what the kernel shows a container is in it (/proc, /sys, /dev), nor what the container mounted itself, and no process of
//! the container's is asked for anything. The namespace goes with the last descriptor, whatever becomes of us: there is nothing to
//! give back.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{OpenTreeFlags, open_tree};
use spec::mount::Mount;
use sys::mntns::{in_mounts_of, in_private_mounts};
use sys::mount::{Attributes, Reach, set_attributes};

use super::attach;
use super::mounts::{self, Given, Sources};
use super::target::Root;
use crate::failure::{Doing, Errno, InitFailure};

/// Whether the root file system may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As it is.
    AsItIs,
    /// Not, once the places of the mounts are made.
    Readonly,
}

/// The files of one container.
#[derive(Debug)]
pub struct View {
    root: OwnedFd,
    /// Holds the mounts below the root.
    _namespace: OwnedFd,
}

impl View {
    /// Mounts `mounts`, which are binds or were made by the caller (`made`, by their place), in `rootfs`. `staging` is any directory; it is covered in the namespace of the view. The
    /// calling thread is in that namespace for a moment.
    ///
    /// # Errors
    /// A source is missing; the kernel refuses.
    pub fn new(
        rootfs: OwnedFd,
        mounts: &[Mount],
        made: BTreeMap<usize, OwnedFd>,
        staging: &Path,
        access: Access,
    ) -> Result<View, InitFailure> {
        let sources = Sources::open(mounts, Given { mounts: made, shared_memory: None }, None)?;
        let made = in_private_mounts(|| Ok::<_, io::Error>(populate(rootfs, mounts, &sources, staging, access)));
        made.map_err(|e| InitFailure::Step("entering a private mount namespace".into(), Errno::from(&e)))?
    }

    /// The container's root directory.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

fn populate(
    rootfs: OwnedFd,
    mounts: &[Mount],
    sources: &Sources,
    staging: &Path,
    access: Access,
) -> Result<View, InitFailure> {
    attach(rootfs.as_fd(), CWD, staging.as_os_str()).doing(|| "attaching the root file system")?;
    for (mount, source) in mounts.iter().zip(sources.each()) {
        mounts::make(Root(rootfs.as_fd()), mount, source, None)?;
    }
    if access == Access::Readonly {
        set_attributes(rootfs.as_fd(), Attributes::set(Attributes::READONLY), Reach::This)
            .doing(|| "making the root file system read-only")?;
    }
    let namespace = openat(CWD, "/proc/thread-self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    Ok(View { root: rootfs, _namespace: namespace.doing(|| "opening the mount namespace")? })
}

/// The root of a mount namespace as a mount of its own that is attached nowhere, without what is mounted below it.
///
/// # Errors
/// Of the kernel.
pub fn root_of(mount_namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // The outer one gives the calling thread a working directory and a root of its own, without which it may not enter another
    // namespace where the process has several threads (setns(2)).
    in_private_mounts(|| {
        in_mounts_of(mount_namespace, || {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            Ok::<_, io::Error>(open_tree(CWD, "/", flags)?)
        })
    })
}
