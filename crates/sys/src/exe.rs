//! Our own executable as a descriptor that nobody can write through.
//!
//! A process of ours that enters a container can be reached from inside as /proc/PID/exe; opened for writing after we are gone, that
//! is the host's executable (CVE-2019-5736). What the monitor executes is therefore a read-only mount of the file, made for it
//! alone and attached nowhere: any opening for writing through it fails with EROFS, whoever tries.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::mount::{Attributes, Reach, set_attributes};

/// /proc/self/exe through a read-only mount that is in no mount table, for [`crate::exec::spawn`].
pub fn read_only() -> io::Result<OwnedFd> {
    let exe = open_tree(CWD, "/proc/self/exe", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    set_attributes(exe.as_fd(), Attributes::set(Attributes::READONLY), Reach::This)?;
    Ok(exe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, Mode, OFlags, chmodat, openat};
    use rustix::io::Errno;
    use std::os::fd::AsRawFd;

    #[test]
    fn our_executable_cannot_be_changed_through_it() {
        let exe = read_only().unwrap();
        let link = format!("/proc/self/fd/{}", exe.as_raw_fd());
        // While it runs, opening for writing is ETXTBSY whatever the mount; a change of the file's mode meets the mount alone.
        assert_eq!(openat(CWD, &link, OFlags::RDWR, Mode::empty()).unwrap_err(), Errno::TXTBSY);
        assert_eq!(chmodat(CWD, &link, Mode::RWXU, AtFlags::empty()).unwrap_err(), Errno::ROFS);
        assert!(openat(CWD, &link, OFlags::RDONLY, Mode::empty()).is_ok());
    }
}
