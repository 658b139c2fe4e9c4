//! Setting the attributes of what was made.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use rustix::fs::{Gid, Timespec, Timestamps, Uid, fchown};
use rustix::io::Errno;

use super::LayerError;
use crate::tar::Time;

pub(super) fn chown_to(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<(), Errno> {
    fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

pub(super) fn times(mtime: Time) -> Timestamps {
    let time = Timespec { tv_sec: mtime.sec, tv_nsec: mtime.nsec.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// Sets attributes and says how many were left out: overlayfs' own, which would steer it (GHSA-class: an image that
/// brings `trusted.overlay.redirect` reaches other layers' files), and as Docker does those that the file system or
/// this process' rights do not allow.
pub(super) fn set_xattrs(
    xattrs: &BTreeMap<Vec<u8>, Vec<u8>>,
    path: &[u8],
    set: impl Fn(&[u8], &[u8]) -> Result<(), Errno>,
) -> Result<u64, LayerError> {
    let mut left_out = 0;
    for (name, value) in xattrs {
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            left_out += 1;
            continue;
        }
        match set(name, value) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::PERM) => left_out += 1,
            Err(errno) => return Err(LayerError::io("setting an attribute of", path, errno)),
        }
    }
    Ok(left_out)
}
