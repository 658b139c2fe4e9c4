//! `docker diff`: what a container changed in its root file system.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, open, openat2, statat};
use spec::id::ContainerId;

use crate::store::{Store, StoreError};
use crate::walk::walk;

/// One path that is not as in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// Absolute, in the container.
    pub path: PathBuf,
}

/// What became of a path; the letters are Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// `A`
    Added,
    /// `C`: it, or for a directory something in it.
    Changed,
    /// `D`
    Deleted,
}

impl Store {
    /// What a container added, changed and deleted, by path.
    ///
    /// # Errors
    /// [`StoreError::NoDraft`].
    pub fn changes(&self, id: &ContainerId) -> Result<Vec<Change>, StoreError> {
        let draft = self.draft_record(id)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut lowers = Vec::new();
        for chain in draft.layers.iter().rev() {
            let path = self.driver().lower(&self.snapshot(chain));
            lowers.push(open(&path, flags, Mode::empty()).map_err(|e| StoreError::io("opening", &path)(e.into()))?);
        }
        let upper = self.draft_dir(id).join("upper");
        let mut changes = Vec::new();
        walk(&upper, &mut |_, path, stat| {
            let kind = if is_whiteout(stat) {
                ChangeKind::Deleted
            } else if is_below(&lowers, path) {
                ChangeKind::Changed
            } else {
                ChangeKind::Added
            };
            changes.push(Change { kind, path: Path::new("/").join(path) });
        })?;
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }
}

/// overlayfs' mark for "this is gone": a character device 0/0.
fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether the image shows anything at `path`.
fn is_below(lowers: &[OwnedFd], path: &Path) -> bool {
    for lower in lowers {
        match look(lower, path) {
            Seen::There => return true,
            Seen::Hidden => return false,
            Seen::Nothing => {}
        }
    }
    false
}

enum Seen {
    There,
    /// Not here, and what is further below does not show.
    Hidden,
    Nothing,
}

/// What one layer says about a path: the answer may lie in any directory on the way.
fn look(layer: &OwnedFd, path: &Path) -> Seen {
    let mut hides = false;
    for part in path.ancestors().collect::<Vec<_>>().into_iter().rev().filter(|part| !part.as_os_str().is_empty()) {
        let (dir, name) = (part.parent().unwrap_or(Path::new("")), part.file_name().unwrap_or_default());
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let Ok(dir) = openat2(layer, dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
        else {
            return if hides { Seen::Hidden } else { Seen::Nothing };
        };
        match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_whiteout(&stat) => return Seen::Hidden,
            Ok(_) if part == path => return Seen::There,
            // Not a directory here: it hides whatever directory is further below.
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Directory => return Seen::Hidden,
            Ok(_) => hides |= is_opaque(&dir, Path::new(name)),
            Err(_) => return if hides { Seen::Hidden } else { Seen::Nothing },
        }
    }
    Seen::Nothing
}

fn is_opaque(dir: &OwnedFd, name: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(dir) = rustix::fs::openat(dir.as_fd(), name, flags, Mode::empty()) else { return false };
    let mut value = [0; 1];
    matches!(rustix::fs::fgetxattr(&dir, "trusted.overlay.opaque", &mut value), Ok(1) if value == *b"y")
}
