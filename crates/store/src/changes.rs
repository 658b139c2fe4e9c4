//! `docker diff`: what a container changed in its root file system.
//!
//! What it wrote is compared with what the image shows below: a file that was copied up and is as before is no change, nor is a directory
//! that is in the writable layer only for what is in it; but a directory is told with whatever changed in it (moby/go-archive
//! `changes.go`, `addChanges`).

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, lgetxattr, open, openat2, statat};
use rustix::io::Errno;
use spec::id::ContainerId;

use crate::store::{Store, StoreError};

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
        let layer = |path: PathBuf| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            open(&path, flags, Mode::empty()).map(Layer).map_err(|e| StoreError::io("opening", &path)(e.into()))
        };
        let chains = draft.layers.iter().rev().map(|chain| self.driver().lower(&self.snapshot(chain)));
        // What every container has below its image is nothing that it added.
        let skeleton = (!draft.layers.is_empty()).then(|| self.skeleton());
        let lowers = chains.chain(skeleton).map(layer).collect::<Result<_, _>>()?;
        let upper = self.draft_dir(id).join("upper");
        let mut compared = Compared { upper: layer(upper.clone())?, lowers, changes: Vec::new() };
        compared.directory(Path::new(""), Below::Directory).map_err(|e| StoreError::io("reading", &upper)(e.into()))?;
        compared.changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(compared.changes)
    }
}

struct Compared {
    upper: Layer,
    /// The highest first.
    lowers: Vec<Layer>,
    changes: Vec<Change>,
}

/// What the image shows in the place of a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Directory,
    /// Nothing, or something else.
    Other,
}

impl Compared {
    /// Compares what is in a directory of the writable layer.
    fn directory(&mut self, dir: &Path, below: Below) -> Result<(), Errno> {
        let names = self.upper.names(dir)?;
        for name in &names {
            let path = dir.join(name);
            // What went away meanwhile is not told.
            let Some(stat) = self.upper.stat(&path)? else { continue };
            let before = if below == Below::Directory { self.shown_below(&path)? } else { None };
            if is_whiteout(&stat) {
                // What was never below is not deleted: a name that came and went.
                if before.is_some() {
                    self.tell(ChangeKind::Deleted, &path);
                }
                continue;
            }
            let told = self.changes.len();
            match &before {
                None => self.tell(ChangeKind::Added, &path),
                Some((layer, before)) if differ(before, &stat) || self.capabilities_differ(*layer, &path) => {
                    self.tell(ChangeKind::Changed, &path);
                }
                Some(_) => {}
            }
            if is_directory(&stat) {
                let is_told = self.changes.len() > told;
                let was_directory = before.is_some_and(|(_, before)| is_directory(&before));
                self.directory(&path, if was_directory { Below::Directory } else { Below::Other })?;
                if !is_told && self.changes.len() > told {
                    self.tell(ChangeKind::Changed, &path);
                }
            }
        }
        // An opaque directory hides what is below without a whiteout for each name.
        if below == Below::Directory && self.upper.is_opaque(dir) {
            for name in self.names_below(dir)?.difference(&names) {
                self.tell(ChangeKind::Deleted, &dir.join(name));
            }
        }
        Ok(())
    }

    fn tell(&mut self, kind: ChangeKind, path: &Path) {
        self.changes.push(Change { kind, path: Path::new("/").join(path) });
    }

    /// What the image shows at a path, and in which layer it is.
    fn shown_below(&self, path: &Path) -> Result<Option<(usize, Stat)>, Errno> {
        for (at, layer) in self.lowers.iter().enumerate() {
            match layer.look(path)? {
                Seen::There(stat) => return Ok(Some((at, stat))),
                Seen::Hidden => return Ok(None),
                Seen::Nothing => {}
            }
        }
        Ok(None)
    }

    /// The names that the image shows in a directory.
    fn names_below(&self, dir: &Path) -> Result<BTreeSet<PathBuf>, Errno> {
        let mut all = BTreeSet::new();
        for layer in &self.lowers {
            match layer.look(dir)? {
                Seen::There(stat) if is_directory(&stat) => all.extend(layer.names(dir)?),
                Seen::There(_) | Seen::Hidden => break,
                Seen::Nothing => {}
            }
        }
        let mut shown = BTreeSet::new();
        for name in all {
            if self.shown_below(&dir.join(&name))?.is_some() {
                shown.insert(name);
            }
        }
        Ok(shown)
    }

    fn capabilities_differ(&self, lower: usize, path: &Path) -> bool {
        self.lowers[lower].capability(path) != self.upper.capability(path)
    }
}

/// Whether it is another thing than before, as Docker sees it: not by the size and the time of a directory, which say little.
fn differ(before: &Stat, after: &Stat) -> bool {
    let same_time = before.st_mtime == after.st_mtime
        && (before.st_mtime_nsec == after.st_mtime_nsec || before.st_mtime_nsec == 0 || after.st_mtime_nsec == 0);
    (before.st_mode, before.st_uid, before.st_gid, before.st_rdev)
        != (after.st_mode, after.st_uid, after.st_gid, after.st_rdev)
        || (!is_directory(before) && (!same_time || before.st_size != after.st_size))
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// overlayfs' mark for "this is gone": a character device 0/0.
fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// The directory of one layer.
struct Layer(OwnedFd);

/// What one layer says about a path.
enum Seen {
    There(Stat),
    /// Not here, and what is further below does not show.
    Hidden,
    Nothing,
}

impl Layer {
    /// Opens a directory of the layer; a container may be changing it.
    fn open(&self, dir: &Path, flags: OFlags) -> Result<Option<OwnedFd>, Errno> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = flags | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            match openat2(&self.0, dir, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => return Ok(None),
                other => return other.map(Some),
            }
        }
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>, Errno> {
        let Some(dir) = self.open(path.parent().unwrap_or(Path::new("")), OFlags::PATH)? else { return Ok(None) };
        match statat(&dir, path.file_name().unwrap_or_default(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            other => other.map(Some),
        }
    }

    fn names(&self, dir: &Path) -> Result<BTreeSet<PathBuf>, Errno> {
        let Some(dir) = self.open(dir, OFlags::RDONLY)? else { return Ok(BTreeSet::new()) };
        let mut names = BTreeSet::new();
        for entry in Dir::read_from(&dir)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.insert(PathBuf::from(std::ffi::OsStr::from_bytes(&name)));
            }
        }
        Ok(names)
    }

    /// The answer may lie in any directory on the way.
    fn look(&self, path: &Path) -> Result<Seen, Errno> {
        let mut hides = false;
        for part in path.ancestors().collect::<Vec<_>>().into_iter().rev().filter(|part| !part.as_os_str().is_empty()) {
            match self.stat(part)? {
                None => return Ok(if hides { Seen::Hidden } else { Seen::Nothing }),
                Some(stat) if is_whiteout(&stat) => return Ok(Seen::Hidden),
                Some(stat) if part == path => return Ok(Seen::There(stat)),
                // Not a directory here: it hides whatever directory is further below.
                Some(stat) if !is_directory(&stat) => return Ok(Seen::Hidden),
                Some(_) => hides |= self.is_opaque(part),
            }
        }
        Ok(Seen::Nothing)
    }

    fn is_opaque(&self, dir: &Path) -> bool {
        let Ok(Some(dir)) = self.open(dir, OFlags::RDONLY) else { return false };
        let mut value = [0; 1];
        let opaque = rustix::fs::fgetxattr(&dir, "trusted.overlay.opaque", &mut value);
        matches!(opaque, Ok(1) if value == *b"y")
    }

    /// What a program may do (`security.capability`); nothing where there is none.
    fn capability(&self, path: &Path) -> Vec<u8> {
        use std::os::fd::AsRawFd;
        let Ok(Some(dir)) = self.open(path.parent().unwrap_or(Path::new("")), OFlags::PATH) else { return Vec::new() };
        let name = path.file_name().unwrap_or_default().as_bytes();
        let by_name = [format!("/proc/self/fd/{}/", dir.as_fd().as_raw_fd()).as_bytes(), name].concat();
        let mut value = [0; 64];
        lgetxattr(&by_name[..], "security.capability", &mut value)
            .map_or_else(|_| Vec::new(), |len| value[..len].to_vec())
    }
}
