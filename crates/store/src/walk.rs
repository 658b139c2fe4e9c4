//! Walking a tree that somebody may be changing: a container writes into its draft while it is measured.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, open, openat2, statat};
use rustix::io::Errno;

use crate::store::StoreError;

/// What one directory tree takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The files' lengths added up, hard links once: Docker's idea of size.
    pub bytes: u64,
    /// The blocks they take on the disk, directories included: `du`'s.
    pub disk_bytes: u64,
}

/// Adds a tree, or a file, up.
///
/// # Errors
/// [`StoreError::Io`].
pub fn extent(path: &Path) -> Result<Extent, StoreError> {
    let mut sum = Extent::default();
    let mut seen = HashSet::new();
    let mut add = |stat: &Stat| {
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory && stat.st_nlink > 1 && !seen.insert((stat.st_dev, stat.st_ino)) {
            return;
        }
        sum.disk_bytes += u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
        if matches!(kind, FileType::RegularFile | FileType::Symlink) {
            sum.bytes += u64::try_from(stat.st_size).unwrap_or_default();
        }
    };
    let top = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| StoreError::io("reading", path)(e.into()))?;
    add(&top);
    if FileType::from_raw_mode(top.st_mode) == FileType::Directory {
        walk(path, &mut |_, _, stat| add(stat))?;
    }
    Ok(sum)
}

/// Visits everything below `root`, parents before children, with the directory it is in, its path from `root`, and what it is.
///
/// Directories are opened one at a time and below `root` only, whatever becomes a link meanwhile. What goes away during the walk is not
/// visited, nor is what lies deeper than a path can be long.
pub(crate) fn walk(root: &Path, visit: &mut dyn FnMut(&OwnedFd, &Path, &Stat)) -> Result<(), StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |e: Errno| StoreError::io("reading", root)(e.into());
    let base = open(root, flags, Mode::empty()).map_err(failed)?;
    let mut todo = vec![PathBuf::from(".")];
    while let Some(path) = todo.pop() {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let dir = match openat2(&base, &path, flags, Mode::empty(), resolve) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => continue,
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(&dir).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_owned());
        }
        names.sort();
        let mut dirs = Vec::new();
        for name in names {
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                other => other.map_err(failed)?,
            };
            let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes());
            let below = if path == Path::new(".") { PathBuf::from(name) } else { path.join(name) };
            visit(&dir, &below, &stat);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                dirs.push(below);
            }
        }
        todo.extend(dirs.into_iter().rev());
    }
    Ok(())
}

/// Whether there is nothing at a path, rather than something that cannot be read.
pub(crate) fn is_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
