//! An image's files, read through a descriptor of its root. Links are followed inside of it only, and nothing is opened but directories and
//! regular files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, statat};
use rustix::io::Errno;

/// A list of packages is never so long.
const FILE_BYTES: u64 = 64 << 20;
/// All files together.
const ALL_BYTES: u64 = 2 << 30;
/// Files and directories that are looked at.
const ENTRIES: u64 = 8_000_000;

/// The files, and how much of them was read.
pub(super) struct Files<'a> {
    root: BorrowedFd<'a>,
    bytes: u64,
    entries: u64,
    /// What was passed over, for whoever believes the document to be complete.
    pub(super) skipped: Vec<String>,
}

/// A regular file that was met.
pub(super) struct Met<'a> {
    /// From the root, without a slash before it.
    pub(super) path: &'a Path,
    pub(super) size: u64,
    pub(super) is_executable: bool,
}

impl<'a> Files<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Files<'a> {
        Files { root, bytes: 0, entries: 0, skipped: Vec::new() }
    }

    /// A regular file for reading, wherever in the image its name leads. None: there is none.
    pub(super) fn open(&self, path: &Path) -> io::Result<Option<(File, u64)>> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        // To open a device is to do something to it: look first. Nobody writes to an image.
        let Some(seen) = self.reach(path, OFlags::PATH, resolve)? else { return Ok(None) };
        if !is_regular(&fstat(&seen)?) {
            return Ok(None);
        }
        let Some(open) = self.reach(path, OFlags::RDONLY | OFlags::NONBLOCK, resolve)? else { return Ok(None) };
        let stat = fstat(&open)?;
        Ok(is_regular(&stat).then(|| (File::from(open), u64::try_from(stat.st_size).unwrap_or(0))))
    }

    /// A whole file. None: there is none, or it is too long, which is noted.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let Some((file, size)) = self.open(path)? else { return Ok(None) };
        if size > FILE_BYTES || self.bytes.saturating_add(size) > ALL_BYTES {
            self.skipped.push(format!("/{} is too long", path.display()));
            return Ok(None);
        }
        self.bytes += size;
        let mut bytes = Vec::new();
        file.take(size).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// The names in a directory, sorted. None: there is none.
    pub(super) fn list(&self, path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let Some(dir) = self.reach(path, OFlags::RDONLY | OFlags::DIRECTORY, resolve)? else { return Ok(None) };
        Ok(Some(names(dir)?.into_iter().map(|(name, _)| path.join(OsStr::from_bytes(&name))).collect()))
    }

    /// All regular files of the image, in the order of their names, directory by directory. Links are not followed.
    pub(super) fn walk(&mut self, visit: &mut dyn FnMut(&mut Files<'a>, &Met<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut todo = vec![PathBuf::new()];
        while let Some(path) = todo.pop() {
            let at = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
            let dir = match self.reach(at, OFlags::RDONLY | OFlags::DIRECTORY, resolve) {
                Ok(Some(dir)) => dir,
                Ok(None) => continue,
                // Deeper than a path can say.
                Err(e) if Errno::from_io_error(&e) == Some(Errno::NAMETOOLONG) => {
                    self.skipped.push(format!("a directory in /{} is too deep", shown(&path)));
                    continue;
                }
                Err(e) => return Err(e),
            };
            let mut below = Vec::new();
            for (name, kind) in names(dir.try_clone()?)? {
                self.entries += 1;
                if self.entries > ENTRIES {
                    self.skipped.push(format!("files after the first {ENTRIES}"));
                    return Ok(());
                }
                let child = path.join(OsStr::from_bytes(&name));
                let stat = match kind {
                    FileType::Directory => {
                        below.push(child);
                        continue;
                    }
                    FileType::RegularFile | FileType::Unknown => statat(&dir, &*name, AtFlags::SYMLINK_NOFOLLOW)?,
                    FileType::Symlink
                    | FileType::Fifo
                    | FileType::Socket
                    | FileType::CharacterDevice
                    | FileType::BlockDevice => continue,
                };
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => below.push(child),
                    FileType::RegularFile => {
                        let size = u64::try_from(stat.st_size).unwrap_or(0);
                        visit(self, &Met { path: &child, size, is_executable: stat.st_mode & 0o111 != 0 })?;
                    }
                    FileType::Symlink
                    | FileType::Fifo
                    | FileType::Socket
                    | FileType::CharacterDevice
                    | FileType::BlockDevice
                    | FileType::Unknown => {}
                }
            }
            todo.extend(below.into_iter().rev());
        }
        Ok(())
    }

    fn reach(&self, path: &Path, flags: OFlags, resolve: ResolveFlags) -> io::Result<Option<OwnedFd>> {
        loop {
            match openat2(self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Ok(fd) => return Ok(Some(fd)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// What is in a directory, sorted.
fn names(dir: OwnedFd) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::new(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((name.to_vec(), entry.file_type()));
        }
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// A path that is not longer than a line.
fn shown(path: &Path) -> String {
    path.display().to_string().chars().take(200).collect()
}
