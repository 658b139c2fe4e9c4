//! mount_setattr(2), which rustix lacks. Since Linux 5.12.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use linux_raw_sys::general::{
    MOUNT_ATTR__ATIME, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MOUNT_ATTR_STRICTATIME, mount_attr,
};

/// What changes about a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
}

impl Attributes {
    /// No writing.
    pub const READONLY: u32 = MOUNT_ATTR_RDONLY;
    /// Set-user-id bits and file capabilities count for nothing.
    pub const NOSUID: u32 = MOUNT_ATTR_NOSUID;
    /// Device nodes cannot be opened.
    pub const NODEV: u32 = MOUNT_ATTR_NODEV;
    /// Nothing can be executed.
    pub const NOEXEC: u32 = MOUNT_ATTR_NOEXEC;
    /// Access times stay.
    pub const NOATIME: u32 = MOUNT_ATTR_NOATIME;
    /// Access times follow every access.
    pub const STRICTATIME: u32 = MOUNT_ATTR_STRICTATIME;
    /// Access times of directories stay.
    pub const NODIRATIME: u32 = MOUNT_ATTR_NODIRATIME;

    /// These are set, the rest stays as it is.
    #[must_use]
    pub fn set(bits: u32) -> Attributes {
        // The kernel takes a mode of access times only together with the clearing of the old one.
        let atime = if bits & MOUNT_ATTR__ATIME == 0 { 0 } else { MOUNT_ATTR__ATIME };
        Attributes { set: u64::from(bits), clear: u64::from(atime), propagation: 0 }
    }

    /// These are set, all others of the above are cleared.
    #[must_use]
    pub fn exactly(bits: u32) -> Attributes {
        let all = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME;
        // Without a mode of access times asked for, the kernel's own: relatime, which is 0.
        Attributes { set: u64::from(bits), clear: u64::from(MOUNT_ATTR__ATIME | all), propagation: 0 }
    }

    /// The mount passes events on as said.
    #[must_use]
    pub fn propagation(to: Propagation) -> Attributes {
        let flag = match to {
            Propagation::Private => libc::MS_PRIVATE,
            Propagation::Slave => libc::MS_SLAVE,
            Propagation::Shared => libc::MS_SHARED,
        };
        Attributes { set: 0, clear: 0, propagation: flag }
    }
}

/// How mount events pass between a mount and its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Neither way.
    Private,
    /// From its master only.
    Slave,
    /// Both ways.
    Shared,
}

/// How far a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The mount alone.
    This,
    /// And every mount below it.
    Below,
}

/// mount_setattr(2) on the mount whose root `mount` is.
pub fn set_attributes(mount: BorrowedFd<'_>, change: Attributes, reach: Reach) -> io::Result<()> {
    set(mount, change, reach, 0)
}

/// Shows the files of a detached mount under other owners: those that the user namespace `userns` maps.
pub fn set_id_maps(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>, reach: Reach) -> io::Result<()> {
    let change = Attributes { set: u64::from(MOUNT_ATTR_IDMAP), clear: 0, propagation: 0 };
    let fd = u64::try_from(userns.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
    set(mount, change, reach, fd)
}

fn set(mount: BorrowedFd<'_>, change: Attributes, reach: Reach, userns_fd: u64) -> io::Result<()> {
    let attr = mount_attr { attr_set: change.set, attr_clr: change.clear, propagation: change.propagation, userns_fd };
    let below = match reach {
        Reach::This => 0,
        Reach::Below => libc::AT_RECURSIVE,
    };
    // SAFETY: the empty path is NUL-terminated, `attr` is a `struct mount_attr` of the size given, and the call keeps neither.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | below,
            &raw const attr,
            size_of::<mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
