//! A mount namespace for the length of one act: what is mounted in it, nobody else sees, and it is gone afterwards.

use std::io;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::fchdir;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use std::os::fd::{AsFd, BorrowedFd};

/// Runs `act` with a private copy of the mounts; comes back with the working directory as it was. Concerns the calling thread alone;
/// not for a process below chroot(2), which would come back outside of it.
///
/// # Errors
/// Those of `act` and of the changes around it.
pub fn in_private_mounts<T, E: From<io::Error>>(act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    and_back(|| {
        crate::clone::unshare(UnshareFlags::NEWNS)?;
        // Without this, where mounts are shared with ours, the host would see them too.
        let private = mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC);
        private.map_err(|e| E::from(e.into())).and_then(|()| act())
    })
}

/// Runs `act` among the mounts of another mount namespace, whose root is then ours; comes back as [`in_private_mounts`] does.
///
/// # Errors
/// Those of `act` and of the changes around it.
pub fn in_mounts_of<T, E: From<io::Error>>(
    namespace: BorrowedFd<'_>,
    act: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    and_back(|| {
        move_into_link_name_space(namespace, Some(LinkNameSpaceType::Mount)).map_err(io::Error::from)?;
        act()
    })
}

fn and_back<T, E: From<io::Error>>(away: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let open = |path: &str, flags| openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from);
    let home = open("/proc/thread-self/ns/mnt", OFlags::RDONLY)?;
    let here = open(".", OFlags::PATH)?;
    let result = away();
    move_into_link_name_space(home.as_fd(), Some(LinkNameSpaceType::Mount)).map_err(io::Error::from)?;
    fchdir(&here).map_err(io::Error::from)?;
    result
}
