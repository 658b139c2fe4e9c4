//! Writing what is copied, with few calls for each file.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat,
    copy_file_range, fchmod, fchown, fsetxattr, fstat, ftruncate, futimens, linkat, mkdirat, mknodat, openat, seek,
    symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::Chmod;
use super::twins::{Looks, Twins};
use crate::context::{Entry, FilesError, Picked, Stamp, Tree, What, attributes, open_file, paths};

/// One read of a file.
const BUFFER: usize = 128 << 10;
/// Below this a read and a write are less work than asking the kernel to copy.
const SMALL: u64 = 64 << 10;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Writes into a root file system.
pub(super) struct Writer<'a> {
    rootfs: BorrowedFd<'a>,
    owner: Option<(u32, u32)>,
    mode: Option<&'a Chmod>,
    twins: Option<&'a mut Twins>,
    buffer: Vec<u8>,
    /// The kernel copies between these file systems (not from another kind than the root's, since Linux 5.19).
    asks_kernel: bool,
}

/// A directory that is being filled.
struct Level<'e> {
    /// From what was picked; and from the destination's root.
    path: &'e [u8],
    at: Vec<u8>,
    from: OwnedFd,
    to: OwnedFd,
    /// What it shall look like when it is full; none: as it does.
    looks: Option<&'e Entry>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        rootfs: BorrowedFd<'a>,
        owner: Option<(u32, u32)>,
        mode: Option<&'a Chmod>,
        twins: Option<&'a mut Twins>,
    ) -> Writer<'a> {
        Writer { rootfs, owner, mode, twins, buffer: vec![0; BUFFER], asks_kernel: true }
    }

    /// A file of these bytes, which is root's but for `--chown`.
    pub(super) fn bytes(&mut self, at: &[u8], bytes: &[u8], mode: u32) -> Result<(), FilesError> {
        let failed = |e| FilesError::io("writing", at, e);
        let (to, _dir) = self.fresh_file(at)?;
        let mut file = File::from(to);
        file.write_all(bytes).map_err(failed)?;
        self.dress(file.as_fd(), (0, 0), mode, at)
    }

    /// A copy of a file that nobody else writes, which is root's but for `--chown`.
    pub(super) fn file(&mut self, at: &[u8], from: &File, mode: u32, times: &Timestamps) -> Result<(), FilesError> {
        let (to, _dir) = self.fresh_file(at)?;
        let stat = fstat(from).map_err(|errno| FilesError::io("reading", at, errno))?;
        self.content(from, &to, &stat, at)?;
        self.dress(to.as_fd(), (0, 0), mode, at)?;
        futimens(&to, times).map_err(|errno| FilesError::io("writing", at, errno))
    }

    /// What was picked, which is no directory.
    pub(super) fn alone(&mut self, tree: &Tree, picked: &Picked, at: &[u8]) -> Result<(), FilesError> {
        let failed = |errno: Errno| FilesError::io("opening", &picked.real, errno);
        let (parent, name) = paths::split(&picked.real);
        let from = paths::open(tree.root(), parent, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
        let (to, target) = self.parent(at)?;
        let mut seen = HashMap::new();
        for entry in &picked.entries {
            self.one(tree, (from.as_fd(), name), (to.as_fd(), target), entry, at, &mut seen)?;
        }
        Ok(())
    }

    /// The contents of the directory that was picked.
    pub(super) fn tree(&mut self, tree: &Tree, picked: &Picked, at: &[u8]) -> Result<(), FilesError> {
        let [top, entries @ ..] = &picked.entries[..] else { return Ok(()) };
        let from = paths::open(tree.root(), &picked.real, OFlags::RDONLY | OFlags::DIRECTORY);
        let from = from.map_err(|errno| FilesError::io("opening", &picked.real, errno))?;
        let to = match paths::open(self.rootfs, at, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOTDIR) => {
                return Err(FilesError::Refused(format!("cannot copy to non-directory: {}", paths::show(at))));
            }
            other => other.map_err(|errno| FilesError::io("opening", at, errno))?,
        };
        let mut seen = HashMap::new();
        let mut levels = vec![Level { path: b"", at: at.to_vec(), from, to, looks: None }];
        for entry in entries {
            let (parent, name) = paths::split(&entry.path);
            while levels.len() > 1 && levels.last().is_some_and(|level| level.path != parent) {
                self.close(levels.pop(), tree)?;
            }
            let Some(level) = levels.last() else { return Ok(()) };
            let here = paths::join(&level.at, name);
            if entry.what == What::Dir {
                let below = self.enter(level, name, entry, here)?;
                levels.push(below);
            } else {
                let (from, to) = (level.from.as_fd(), level.to.as_fd());
                self.one(tree, (from, name), (to, name), entry, &here, &mut seen)?;
            }
        }
        while levels.len() > 1 {
            self.close(levels.pop(), tree)?;
        }
        // It keeps its looks but takes on the time, as with fsutil.
        levels.first().map_or(Ok(()), |level| {
            futimens(&level.to, &times(&top.stamp)).map_err(|errno| FilesError::io("writing", at, errno))
        })
    }

    /// Makes a directory, or takes the one that is there.
    fn enter<'e>(
        &self,
        level: &Level<'_>,
        name: &[u8],
        entry: &'e Entry,
        at: Vec<u8>,
    ) -> Result<Level<'e>, FilesError> {
        let failed = |errno: Errno| FilesError::io("making", &at, errno);
        let from = match openat(&level.from, name, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                return Err(FilesError::Changed(paths::show(&entry.path)));
            }
            other => other.map_err(failed)?,
        };
        let is_new = match mkdirat(&level.to, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(failed(errno)),
        };
        let to = match openat(&level.to, name, DIRECTORY, Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(FilesError::Refused(format!("cannot copy to non-directory: {}", paths::show(&at))));
            }
            other => other.map_err(failed)?,
        };
        if !is_new && !entry.is_taken {
            fchmod(&to, Mode::from_raw_mode(entry.stamp.mode & 0o7777)).map_err(failed)?;
        }
        Ok(Level { path: &entry.path, at, from, to, looks: (is_new || entry.is_taken).then_some(entry) })
    }

    /// Gives a full directory its looks: what is made in it changes its time.
    fn close(&self, level: Option<Level<'_>>, tree: &Tree) -> Result<(), FilesError> {
        let Some(Level { at, from, to, looks: Some(entry), .. }) = level else { return Ok(()) };
        self.dress(to.as_fd(), entry.owner, entry.stamp.mode, &at)?;
        if !entry.attributes.is_empty() {
            copy_attributes(tree, from.as_fd(), to.as_fd(), &at)?;
        }
        futimens(&to, &times(&entry.stamp)).map_err(|errno| FilesError::io("writing", &at, errno))
    }

    /// Anything but a directory. `seen` are files with several names.
    fn one(
        &mut self,
        tree: &Tree,
        (from, name): (BorrowedFd<'_>, &[u8]),
        (to, target): (BorrowedFd<'_>, &[u8]),
        entry: &Entry,
        at: &[u8],
        seen: &mut HashMap<(u64, u64), Vec<u8>>,
    ) -> Result<(), FilesError> {
        if entry.links > 1 {
            let key = (entry.stamp.dev, entry.stamp.ino);
            if let Some(first) = seen.get(&key) {
                let (dir, first) = self.parent(first)?;
                return fresh(to, target, at, || linkat(&dir, first, to, target, AtFlags::empty()));
            }
            seen.insert(key, at.to_vec());
        }
        match &entry.what {
            What::File => self.copied(tree, (from, name), (to, target), entry, at),
            What::Symlink(text) => {
                fresh(to, target, at, || symlinkat(&text[..], to, target))?;
                self.dress_node(to, target, entry, at)
            }
            What::Node(number) => {
                let kind = FileType::from_raw_mode(entry.stamp.mode);
                if kind == FileType::CharacterDevice && *number == 0 {
                    let why = "a device 0/0 is overlayfs' mark of deletion and cannot be copied";
                    return Err(FilesError::Refused(format!("{}: {why}", paths::show(at))));
                }
                fresh(to, target, at, || mknodat(to, target, kind, Mode::from_raw_mode(0o600), *number))?;
                self.dress_node(to, target, entry, at)
            }
            What::Socket => {
                let file = fresh(to, target, at, || create(to, target))?;
                self.dress(file.as_fd(), entry.owner, entry.stamp.mode, at)?;
                futimens(&file, &times(&entry.stamp)).map_err(|errno| FilesError::io("writing", at, errno))
            }
            What::Dir => Ok(()),
        }
    }

    fn copied(
        &mut self,
        tree: &Tree,
        (from, name): (BorrowedFd<'_>, &[u8]),
        (to, target): (BorrowedFd<'_>, &[u8]),
        entry: &Entry,
        at: &[u8],
    ) -> Result<(), FilesError> {
        let failed = |errno: Errno| FilesError::io("copying", at, errno);
        let looks = Looks { owner: self.owner.unwrap_or(entry.owner), mode: self.mode_of(entry.stamp.mode) };
        if self.twins.as_mut().is_some_and(|twins| twins.link(entry, looks, at, (to, target))) {
            return Ok(());
        }
        let (file, stat) = match open_file(from, name) {
            Ok(Some(opened)) => opened,
            Ok(None) | Err(Errno::NOENT) => return Err(FilesError::Changed(paths::show(name))),
            Err(errno) => return Err(failed(errno)),
        };
        unchanged(&stat, entry, name)?;
        let out = fresh(to, target, at, || create(to, target))?;
        self.content(&file, &out, &stat, at)?;
        unchanged(&fstat(&file).map_err(failed)?, entry, name)?;
        self.dress(out.as_fd(), entry.owner, entry.stamp.mode, at)?;
        copy_attributes(tree, file.as_fd(), out.as_fd(), at)?;
        futimens(&out, &times(&entry.stamp)).map_err(failed)
    }

    /// Owner before mode and attributes: it takes set-user-id bits and capabilities away.
    fn dress(&self, fd: BorrowedFd<'_>, owner: (u32, u32), mode: u32, at: &[u8]) -> Result<(), FilesError> {
        let failed = |errno: Errno| FilesError::io("setting the attributes of", at, errno);
        let (uid, gid) = self.owner.unwrap_or(owner);
        fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(failed)?;
        fchmod(fd, Mode::from_raw_mode(self.mode_of(mode))).map_err(failed)
    }

    /// The same of what cannot be opened.
    fn dress_node(&self, dir: BorrowedFd<'_>, name: &[u8], entry: &Entry, at: &[u8]) -> Result<(), FilesError> {
        let failed = |errno: Errno| FilesError::io("setting the attributes of", at, errno);
        let (uid, gid) = self.owner.unwrap_or(entry.owner);
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        chownat(dir, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), nofollow).map_err(failed)?;
        if let What::Node(_) = entry.what {
            // Nobody else writes here, so it is no link.
            chmodat(dir, name, Mode::from_raw_mode(self.mode_of(entry.stamp.mode)), AtFlags::empty())
                .map_err(failed)?;
        }
        utimensat(dir, name, &times(&entry.stamp), nofollow).map_err(failed)
    }

    fn mode_of(&self, mode: u32) -> u32 {
        self.mode.map_or(mode & 0o7777, |chmod| chmod.apply(mode))
    }

    /// The directory that `at` is in, and its name there.
    fn parent<'p>(&self, at: &'p [u8]) -> Result<(OwnedFd, &'p [u8]), FilesError> {
        let (parent, name) = paths::split(at);
        let dir = paths::open(self.rootfs, parent, OFlags::PATH | OFlags::DIRECTORY);
        Ok((dir.map_err(|errno| FilesError::io("opening", parent, errno))?, name))
    }

    fn fresh_file(&self, at: &[u8]) -> Result<(OwnedFd, OwnedFd), FilesError> {
        let (dir, name) = self.parent(at)?;
        let file = fresh(dir.as_fd(), name, at, || create(dir.as_fd(), name))?;
        Ok((file, dir))
    }

    /// All bytes that the file had when it was looked at; its holes stay holes.
    fn content(&mut self, from: &File, to: &OwnedFd, stat: &Stat, at: &[u8]) -> Result<(), FilesError> {
        let failed = |errno: Errno| FilesError::io("copying", at, errno);
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let on_disk = u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512);
        if on_disk >= size || size <= SMALL {
            return self.run(from, to, 0..size, at);
        }
        ftruncate(to, size).map_err(failed)?;
        let mut done = 0;
        while done < size {
            let data = match seek(from, SeekFrom::Data(done)) {
                // Nothing but a hole is left.
                Err(Errno::NXIO) => break,
                Err(Errno::INVAL | Errno::OPNOTSUPP) => done,
                other => other.map_err(failed)?,
            };
            let hole = seek(from, SeekFrom::Hole(data)).unwrap_or(size).clamp(data, size);
            self.run(from, to, data..hole, at)?;
            done = hole.max(data + 1);
        }
        Ok(())
    }

    fn run(&mut self, from: &File, to: &OwnedFd, range: std::ops::Range<u64>, at: &[u8]) -> Result<(), FilesError> {
        let failed = |errno: Errno| FilesError::io("copying", at, errno);
        let std::ops::Range { start: mut here, end } = range;
        while here < end && self.asks_kernel && end - here > SMALL {
            let most = usize::try_from((end - here).min(1 << 30)).unwrap_or(BUFFER);
            let (mut read, mut written) = (here, here);
            match copy_file_range(from, Some(&mut read), to, Some(&mut written), most) {
                Ok(0) => break,
                Ok(copied) => here += copied as u64,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM) => {
                    self.asks_kernel = false;
                }
                Err(errno) => return Err(failed(errno)),
            }
        }
        while here < end {
            let most = usize::try_from(end - here).map_or(BUFFER, |left| left.min(BUFFER));
            let read = match from.read_at(&mut self.buffer[..most], here) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.map_err(|e| FilesError::io("copying", at, e))?,
            };
            // Shorter by now: whoever compares will see it.
            if read == 0 {
                break;
            }
            let mut left = &self.buffer[..read];
            while !left.is_empty() {
                match rustix::io::pwrite(to, left, here) {
                    Err(Errno::INTR) => {}
                    other => {
                        let written = other.map_err(failed)?;
                        here += written as u64;
                        left = &left[written..];
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a file is still the one that was selected.
pub(super) fn unchanged(stat: &Stat, entry: &Entry, name: &[u8]) -> Result<(), FilesError> {
    if Stamp::of(stat) == entry.stamp { Ok(()) } else { Err(FilesError::Changed(paths::show(name))) }
}

fn create(dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::RUSR | Mode::WUSR)
}

/// Makes something under a name, after removing what had it.
fn fresh<T>(dir: BorrowedFd<'_>, name: &[u8], at: &[u8], act: impl Fn() -> Result<T, Errno>) -> Result<T, FilesError> {
    let failed = |errno: Errno| FilesError::io("creating", at, errno);
    match act() {
        Err(Errno::EXIST) => match unlinkat(dir, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                Err(FilesError::Refused(format!("cannot replace to directory {} with file", paths::show(at))))
            }
            removed => removed.and_then(|()| act()).map_err(failed),
        },
        made => made.map_err(failed),
    }
}

/// As BuildKit does it: what the file system does not take is left out.
fn copy_attributes(tree: &Tree, from: BorrowedFd<'_>, to: BorrowedFd<'_>, at: &[u8]) -> Result<(), FilesError> {
    let found =
        attributes(from, tree.kind()).map_err(|errno| FilesError::io("reading the attributes of", at, errno))?;
    for (name, value) in found {
        let _ = fsetxattr(to, &name[..], &value, XattrFlags::empty());
    }
    Ok(())
}

fn times(stamp: &Stamp) -> Timestamps {
    const SECOND: i64 = 1_000_000_000;
    let time = Timespec { tv_sec: stamp.mtime_ns.div_euclid(SECOND), tv_nsec: stamp.mtime_ns.rem_euclid(SECOND) };
    Timestamps { last_access: time, last_modification: time }
}
