//! Replacing a file whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::faults;

/// Whether a write must survive a loss of power before the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// fsync of the file and of its directory: 0.7 ms on a disk.
    Durable,
    /// Survives the death of any process, not of the machine: tmpfs, and what dies with the machine anyway.
    Volatile,
}

/// Makes `path` hold exactly `bytes`; whoever reads meanwhile sees the old bytes or the new.
///
/// # Errors
/// Of the file system; then `path` is as it was.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let temporary = dir.join(format!(".{name}.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let written = (|| {
        faults::act("replace: write")?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        if durability == Durability::Durable {
            file.sync_all()?;
        }
        faults::act("replace: rename")?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // The first error is the one to tell; a temporary that stays is swept with its directory.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    match durability {
        Durability::Durable => File::open(dir)?.sync_all(),
        Durability::Volatile => Ok(()),
    }
}

/// Removes a directory and all below it without following links; what is already gone is no error.
///
/// # Errors
/// Of the file system; then some of it may remain.
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    faults::act("remove tree")?;
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
