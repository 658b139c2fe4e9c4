//! Copying a directory with all that is in it, to the last attribute: what an image has at a place becomes what a new volume holds.
//!
//! The source is an image's, so it is hostile. Each directory is opened by the kernel below the source, through no link, and links are
//! copied as links: nothing outside of it is ever read.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom as From};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, XattrFlags,
    chownat, fstat, ftruncate, lgetxattr, linkat, llistxattr, lsetxattr, mkdirat, mknodat, openat, openat2, readlinkat,
    seek, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::store::StoreError;

/// The kernel allows 64 KiB for one attribute's value and as much for the list of names.
const XATTR_BUFFER: usize = 64 << 10;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Copies what is in the directory `from` into the empty directory `to`, and gives `to` the looks of `from`.
///
/// # Errors
/// [`StoreError::Io`]; then `to` holds some of it.
pub fn copy(from: BorrowedFd<'_>, to: &Path) -> Result<(), StoreError> {
    let target = openat(rustix::fs::CWD, to, DIRECTORY, Mode::empty());
    let target = target.map_err(|e| StoreError::io("opening", to)(e.into()))?;
    let mut copy = Copy { from, to: target.as_fd(), links: HashMap::new() };
    let mut done = Vec::new();
    let mut todo = vec![PathBuf::from(".")];
    while let Some(path) = todo.pop() {
        copy.entries(&path, &mut todo).map_err(|e| StoreError::io("copying", &to.join(&path))(e))?;
        done.push(path);
    }
    // Children first: what is made in a directory changes its time.
    for path in done.iter().rev() {
        let (from, to) = (copy.below(from, path), copy.below(target.as_fd(), path));
        from.and_then(|from| dress(from.as_fd(), to?.as_fd()).map_err(errno))
            .map_err(|e| StoreError::io("copying", path)(e.into()))?;
    }
    Ok(())
}

/// Gives a directory the looks of another: owner, mode, attributes, times.
///
/// # Errors
/// Of the file system.
pub fn dress(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    attributes(from, c".", to, c".", &fstat(from)?)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

struct Copy<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    /// Files with several names, by the first one that was copied.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Copy<'_> {
    fn below(&self, root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        openat2(root, path, DIRECTORY, Mode::empty(), resolve)
    }

    /// Everything in one directory; its directories are made, and left for later.
    fn entries(&mut self, path: &Path, todo: &mut Vec<PathBuf>) -> io::Result<()> {
        let (from, to) = (self.below(self.from, path)?, self.below(self.to, path)?);
        for entry in Dir::read_from(&from)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = statat(&from, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let below = path.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                mkdirat(&to, name, Mode::from_raw_mode(0o700))?;
                todo.push(below);
                continue;
            }
            if stat.st_nlink > 1 {
                match self.links.get(&(stat.st_dev, stat.st_ino)) {
                    Some(first) => {
                        linkat(self.to, first, &to, name, AtFlags::empty())?;
                        continue;
                    }
                    None => drop(self.links.insert((stat.st_dev, stat.st_ino), below)),
                }
            }
            one(from.as_fd(), to.as_fd(), name, &stat)?;
        }
        Ok(())
    }
}

/// One thing that is no directory.
fn one(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> io::Result<()> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::RegularFile => {
            let source = openat(from, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let target = openat(to, name, flags, Mode::from_raw_mode(0o600))?;
            content(source.into(), target.into(), u64::try_from(stat.st_size).unwrap_or_default())?;
        }
        FileType::Symlink => symlinkat(readlinkat(from, name, Vec::new())?, to, name)?,
        FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Fifo
        | FileType::Socket
        | FileType::Directory
        | FileType::Unknown => mknodat(to, name, kind, Mode::from_raw_mode(0o600), stat.st_rdev)?,
    }
    attributes(from, name, to, name, stat)
}

/// What there is of a file; its holes stay holes.
fn content(mut from: File, mut to: File, size: u64) -> io::Result<()> {
    ftruncate(&to, size)?;
    let mut at = 0;
    while at < size {
        let data = match seek(&from, SeekFrom::Data(at)) {
            // Nothing but a hole is left.
            Err(Errno::NXIO) => break,
            // A file system that knows no holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            other => other?,
        };
        let hole = seek(&from, SeekFrom::Hole(data)).unwrap_or(size);
        from.seek(From::Start(data))?;
        to.seek(From::Start(data))?;
        io::copy(&mut (&mut from).take(hole.saturating_sub(data)), &mut to)?;
        at = hole.max(data + 1);
    }
    Ok(())
}

/// Owner first: it takes capabilities and set-user-id bits away.
fn attributes(from: BorrowedFd<'_>, name: &CStr, to: BorrowedFd<'_>, target: &CStr, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(to, target, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        rustix::fs::chmodat(to, target, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    }
    let by_name = |dir: BorrowedFd<'_>, name: &CStr| {
        [format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(), name.to_bytes()].concat()
    };
    copy_xattrs(&by_name(from, name), &by_name(to, target))?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime, tv_nsec: nanoseconds(stat.st_atime_nsec) },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: nanoseconds(stat.st_mtime_nsec) },
    };
    Ok(utimensat(to, target, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn nanoseconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or_default()
}

/// All that the file system takes: as with Docker, what it does not know is left out. overlayfs' own would steer it.
fn copy_xattrs(from: &[u8], to: &[u8]) -> io::Result<()> {
    let mut names = vec![0; XATTR_BUFFER];
    let length = match llistxattr(from, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        other => other?,
    };
    let mut value = vec![0; if length == 0 { 0 } else { XATTR_BUFFER }];
    for name in names[..length].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let length = match lgetxattr(from, name, &mut value[..]) {
            Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
            other => other?,
        };
        match lsetxattr(to, name, &value[..length], XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP) | Ok(()) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn everything_is_copied_as_it_is() {
        let root = testkit::Root::new();
        let (from, to) = (root.join("from"), root.join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir(&to).unwrap();
        root.write("secret", "secret");
        root.write("from/a/file", "content");
        fs::hard_link(from.join("a/file"), from.join("a/b/same")).unwrap();
        symlink(root.join("secret"), from.join("out")).unwrap();
        symlink("../..", from.join("a/up")).unwrap();
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        mknodat(rustix::fs::CWD, path(from.join("fifo")), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
        let sparse = File::create(from.join("sparse")).unwrap();
        ftruncate(&sparse, 1 << 40).unwrap();
        std::os::unix::fs::FileExt::write_at(&sparse, b"end", (1 << 40) - 3).unwrap();
        lsetxattr(path(from.join("a")), "user.note", b"x", XattrFlags::empty()).unwrap();
        lsetxattr(path(from.join("a/file")), "trusted.overlay.redirect", b"/x", XattrFlags::empty()).unwrap();
        std::os::unix::fs::lchown(from.join("out"), Some(5), Some(6)).unwrap();
        std::os::unix::fs::lchown(from.join("a/file"), Some(7), Some(8)).unwrap();
        fs::set_permissions(from.join("a/file"), fs::Permissions::from_mode(0o4750)).unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o1777)).unwrap();
        std::os::unix::fs::chown(&from, Some(9), Some(10)).unwrap();

        copy(File::open(&from).unwrap().as_fd(), &to).unwrap();
        let names = ["", "a", "a/file", "a/b", "a/b/same", "a/up", "out", "fifo", "sparse"];
        for name in names {
            let [a, b] = [&from, &to].map(|dir| fs::symlink_metadata(dir.join(name)).unwrap());
            let looks = |m: &fs::Metadata| (m.mode(), m.uid(), m.gid(), m.mtime(), m.mtime_nsec(), m.nlink());
            assert_eq!(looks(&a), looks(&b), "{name}");
        }
        assert_eq!(fs::read_to_string(to.join("a/b/same")).unwrap(), "content");
        assert_eq!(fs::read_link(to.join("out")).unwrap(), root.join("secret"));
        assert_eq!(fs::metadata(to.join("a/file")).unwrap().ino(), fs::metadata(to.join("a/b/same")).unwrap().ino());
        let sparse = fs::metadata(to.join("sparse")).unwrap();
        assert!(sparse.len() == 1 << 40 && sparse.blocks() < 100, "{} blocks", sparse.blocks());
        let value = |file: PathBuf, name| lgetxattr(path(file), name, &mut [0; 8][..]);
        assert_eq!(value(to.join("a"), "user.note"), Ok(1));
        assert_eq!(value(to.join("a/file"), "trusted.overlay.redirect"), Err(Errno::NODATA));
    }
}
