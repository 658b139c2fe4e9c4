//! Mount points that a command's mounts need and its files do not have: made by the runtime, and taken away again when the command has
//! ended, so that a layer holds what the command wrote and nothing else (BuildKit's `MountStubsCleaner`).

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, fstat, futimens, openat2, statat, unlinkat,
};
use rustix::io::Errno;

/// What was not there before.
pub(super) struct Stubs {
    /// Parents before children.
    missing: Vec<PathBuf>,
    /// Directories that were there, in which something had to be made, with their times.
    parents: BTreeMap<PathBuf, Timestamps>,
}

impl Stubs {
    /// Looks which parts of these places are missing.
    pub(super) fn look<'a>(root: BorrowedFd<'_>, targets: impl Iterator<Item = &'a Path>) -> Stubs {
        let mut stubs = Stubs { missing: Vec::new(), parents: BTreeMap::new() };
        for target in targets {
            let mut at = PathBuf::from("/");
            for part in target.components().filter(|part| matches!(part, Component::Normal(_))) {
                let parent = at.clone();
                at.push(part);
                if stubs.missing.contains(&at) || !matches!(open(root, &at, OFlags::PATH), Err(Errno::NOENT)) {
                    continue;
                }
                if let Ok(dir) = open(root, &parent, OFlags::PATH)
                    && let Ok(stat) = fstat(&dir)
                {
                    stubs.parents.entry(parent).or_insert(times(&stat));
                }
                stubs.missing.push(at.clone());
            }
        }
        stubs
    }

    /// Takes away those that are there now and hold nothing. What cannot be taken away stays, as the command may have wanted it.
    pub(super) fn remove(self, root: BorrowedFd<'_>) {
        let mut changed = Vec::new();
        for path in self.missing.iter().rev() {
            if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
                && let Ok(dir) = open(root, parent, OFlags::PATH | OFlags::DIRECTORY)
                && let Ok(stat) = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)
                && is_empty(&stat)
                && unlinkat(&dir, name, removal(&stat)).is_ok()
            {
                changed.push(parent);
            }
        }
        for parent in changed {
            if let (Some(times), Ok(dir)) =
                (self.parents.get(parent), open(root, parent, OFlags::RDONLY | OFlags::DIRECTORY))
            {
                let _ = futimens(&dir, times);
            }
        }
    }
}

/// A directory is found to hold something when it is removed.
fn is_empty(stat: &rustix::fs::Stat) -> bool {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => true,
        FileType::RegularFile => stat.st_size == 0,
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => false,
    }
}

fn removal(stat: &rustix::fs::Stat) -> AtFlags {
    let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() }
}

fn times(stat: &rustix::fs::Stat) -> Timestamps {
    let time = |seconds: i64, ns: u64| Timespec { tv_sec: seconds, tv_nsec: i64::try_from(ns).unwrap_or_default() };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        // EAGAIN: something was renamed during the walk, which the kernel could not then prove to have stayed inside.
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}
