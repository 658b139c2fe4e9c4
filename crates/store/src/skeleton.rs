//! What every container has below its image: the places its mounts go to, and Docker's mark.
//!
//! One directory for all, the lowest layer of each root file system. An image's own files hide it. Where it shows, nothing has to be
//! made in the writable layer at each start (0.3 ms on ext4, and as much when it is removed), and that layer holds only what the
//! container wrote. Docker puts an init layer of its own into each container for this (moby `initlayer`).

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::Path;

const DIRECTORIES: [&str; 7] = ["", "dev", "dev/pts", "dev/shm", "etc", "proc", "sys"];
/// With Docker's modes, which show where nothing is mounted on them: in an export. By the last one programs tell that they run in a
/// container.
const FILES: [(&str, u32); 5] = [
    ("dev/console", 0o755),
    ("etc/hostname", 0o755),
    ("etc/hosts", 0o755),
    ("etc/resolv.conf", 0o755),
    (".dockerenv", 0o755),
];
/// Where old programs look for what is mounted.
const LAST: (&str, &str) = ("etc/mtab", "/proc/mounts");

/// Whether all of it is there: what is made last is.
pub(crate) fn is_whole(at: &Path) -> bool {
    at.join(LAST.0).symlink_metadata().is_ok()
}

/// Makes what is missing of it.
pub(crate) fn make(at: &Path) -> io::Result<()> {
    for dir in DIRECTORIES {
        match DirBuilder::new().mode(0o755).create(at.join(dir)) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            Ok(()) | Err(_) => {}
        }
    }
    for (file, mode) in FILES {
        OpenOptions::new().append(true).create(true).mode(mode).open(at.join(file))?;
    }
    match symlink(LAST.1, at.join(LAST.0)) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}
