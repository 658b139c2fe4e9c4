//! Where something is copied to (fsutil `Copy` and `prepareTargetDir`).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, mkdirat, openat, statat};
use rustix::io::Errno;
use store::layer::{self, Ratio};

use crate::context::{FilesError, paths};

/// The destination of a `COPY`.
pub(super) struct Place<'a> {
    pub(super) rootfs: BorrowedFd<'a>,
    pub(super) dest: &'a str,
    pub(super) owner: Option<(u32, u32)>,
    /// Of directories that are made on the way.
    pub(super) made_mode: u32,
}

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Directory,
    Other,
}

impl Place<'_> {
    /// Where the contents of a directory go; it is there when this returns, or something else is.
    pub(super) fn of_directory(&self) -> Result<Vec<u8>, FilesError> {
        let at = self.resolved()?;
        if self.there(&at)? == There::Nothing {
            self.make_all(&at)?;
        }
        Ok(at)
    }

    /// Where a file that is called `name` goes; the directory it goes to is there.
    pub(super) fn of_file(&self, name: &[u8]) -> Result<Vec<u8>, FilesError> {
        let mut at = self.resolved()?;
        if self.there(&at)? == There::Directory {
            at = paths::join(&at, name);
        }
        self.make_all(paths::split(&at).0)?;
        Ok(at)
    }

    /// Unpacks an archive into the destination.
    pub(super) fn unpack(&self, file: &File) -> Result<(), FilesError> {
        let at = self.real(self.dest)?;
        Place { made_mode: 0o755, ..*self }.make_all(&at)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let dir = paths::open(self.rootfs, &at, flags).map_err(|errno| FilesError::io("opening", &at, errno))?;
        let (_, tar) = layer::decompress(file, Ratio::GUARDED)?;
        layer::overlay(tar, dir.as_fd(), &|owner| self.owner.unwrap_or(owner))?;
        Ok(())
    }

    /// The destination without links, after what leads to it was made.
    fn resolved(&self) -> Result<Vec<u8>, FilesError> {
        let is_directory = self.dest.ends_with('/') || self.dest.ends_with("/.");
        let first = if is_directory { self.dest } else { self.dest.rsplit_once('/').map_or("", |(parent, _)| parent) };
        self.make_all(&self.real(first)?)?;
        self.real(self.dest)
    }

    fn real(&self, path: &str) -> Result<Vec<u8>, FilesError> {
        // Go cleans the path before it follows links.
        let path = paths::clean(path.as_bytes());
        paths::real(self.rootfs, &path).map_err(|errno| FilesError::io("reading", &path, errno))
    }

    fn there(&self, at: &[u8]) -> Result<There, FilesError> {
        if at.is_empty() {
            return Ok(There::Directory);
        }
        let failed = |errno| FilesError::io("reading", at, errno);
        let (parent, name) = paths::split(at);
        let dir = match paths::open(self.rootfs, parent, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(There::Nothing),
            other => other.map_err(failed)?,
        };
        match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(There::Directory),
            Ok(_) => Ok(There::Other),
            Err(Errno::NOENT) => Ok(There::Nothing),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Makes a directory and those above it where they are missing. The path is real.
    pub(super) fn make_all(&self, real: &[u8]) -> Result<(), FilesError> {
        let open = |dir: BorrowedFd<'_>, name: &[u8], how| {
            openat(dir, name, how | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        };
        let failed = |errno: Errno| FilesError::io("making", real, errno);
        if paths::open(self.rootfs, real, OFlags::PATH | OFlags::DIRECTORY).is_ok() {
            return Ok(());
        }
        let mut here: OwnedFd = open(self.rootfs, b".", OFlags::PATH).map_err(failed)?;
        for part in real.split(|&b| b == b'/') {
            here = match open(here.as_fd(), part, OFlags::PATH) {
                Err(Errno::NOENT) => {
                    mkdirat(&here, part, Mode::from_raw_mode(0o700)).map_err(failed)?;
                    let made = open(here.as_fd(), part, OFlags::RDONLY).map_err(failed)?;
                    if let Some((uid, gid)) = self.owner {
                        fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(failed)?;
                    }
                    fchmod(&made, Mode::from_raw_mode(self.made_mode)).map_err(failed)?;
                    made
                }
                other => other.map_err(failed)?,
            };
        }
        Ok(())
    }
}
