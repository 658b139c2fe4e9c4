//! What is in a directory, through `.dockerignore`, `--exclude` and the patterns of `--parents`.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::select::{Entry, What};
use super::{FilesError, Tree, attributes, kind_of, paths};
use crate::ignore::{Above, Patterns, Verdict};

/// Deeper directories would need a descriptor each, and layers end there.
const DEEPEST: usize = 512;
/// One read of a directory.
const LISTING: usize = 32 << 10;

/// A walk below one directory.
pub(super) struct Walk<'a> {
    pub(super) tree: &'a Tree,
    /// `--exclude`, below the directory.
    pub(super) exclude: &'a Patterns,
    /// `--parents`: only what matches.
    pub(super) include: Option<&'a Include>,
    /// What was found, parents first.
    pub(super) entries: Vec<Entry>,
    /// Directories that are there only if something in them is.
    pending: Vec<Entry>,
}

/// The pattern of `--parents`, from the directory.
pub(super) struct Include {
    pub(super) patterns: Patterns,
    /// Its first parts, as far as they are no patterns.
    pub(super) literal: Vec<String>,
}

/// Which patterns match a directory or one above it.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) ignored: Above,
    exclude: Above,
    include: Above,
}

/// What becomes of a name.
enum Fate {
    Taken,
    /// If something in it is taken.
    Hidden,
    /// Not it, but perhaps something in it.
    Looked,
    Passed,
}

/// A directory whose names are gone through.
struct Level {
    dir: OwnedFd,
    names: std::vec::IntoIter<(Vec<u8>, FileType)>,
    /// Lengths of its paths.
    real: usize,
    path: usize,
    state: State,
    /// How many directories waited for something to be taken when it came, itself the last.
    waiting: Option<usize>,
}

impl Level {
    fn new(dir: OwnedFd, real: &[u8], path: &[u8], state: State, waiting: Option<usize>) -> Result<Level, FilesError> {
        let names = list(dir.as_fd()).map_err(|errno| FilesError::io("reading", real, errno))?.into_iter();
        Ok(Level { dir, names, real: real.len(), path: path.len(), state, waiting })
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree, exclude: &'a Patterns, include: Option<&'a Include>) -> Walk<'a> {
        Walk { tree, exclude, include, entries: Vec::new(), pending: Vec::new() }
    }

    /// All that is in the directory `dir`, which is `real` from the tree's root. Without calling itself: how deep a tree is, is its maker's
    /// choice.
    pub(super) fn directory(&mut self, dir: OwnedFd, real: &[u8], state: State) -> Result<(), FilesError> {
        let (mut real, mut path) = (real.to_vec(), Vec::new());
        let mut levels = vec![Level::new(dir, &real, &path, state, None)?];
        while let Some(level) = levels.last_mut() {
            real.truncate(level.real);
            path.truncate(level.path);
            let Some((name, kind)) = level.names.next() else {
                // Nothing in it was taken, or it is no longer among them.
                if level.waiting == Some(self.pending.len()) {
                    self.pending.pop();
                }
                levels.pop();
                continue;
            };
            push(&mut real, &name);
            push(&mut path, &name);
            let Some(below) = self.child(level, &name, kind, &real, &path)? else { continue };
            if levels.len() > DEEPEST {
                return Err(FilesError::Refused(format!("{}: more than 512 directories deep", paths::show(&real))));
            }
            levels.push(below);
        }
        Ok(())
    }

    /// One thing; a directory is left open for what is in it.
    fn child(
        &mut self,
        Level { dir, state, .. }: &Level,
        name: &[u8],
        kind: FileType,
        real: &[u8],
        path: &[u8],
    ) -> Result<Option<Level>, FilesError> {
        let failed = |errno: Errno| FilesError::io("reading", real, errno);
        let mut stat = None;
        let mut kind = kind;
        if kind == FileType::Unknown {
            let found = there(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)).map_err(failed)?;
            let Some(found) = found else { return Ok(None) };
            kind = kind_of(stat.insert(found).st_mode);
        }
        let mut below = State::default();
        let fate = self.fate(real, path, kind == FileType::Directory, state, &mut below);
        if matches!(fate, Fate::Passed) {
            return Ok(None);
        }
        if kind == FileType::Directory {
            return self.below(dir.as_fd(), name, (real, path), below, &fate);
        }
        let stat = match stat {
            Some(stat) => Some(stat),
            None => there(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)).map_err(failed)?,
        };
        // What is gone, or a directory by now, was not there.
        if let Some(stat) = stat
            && let Some(what) = what(dir.as_fd(), name, &stat).map_err(failed)?
        {
            self.entries.append(&mut self.pending);
            self.entries.push(Entry::new(path.to_vec(), what, &stat));
        }
        Ok(None)
    }

    fn below(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        (real, path): (&[u8], &[u8]),
        state: State,
        fate: &Fate,
    ) -> Result<Option<Level>, FilesError> {
        let failed = |errno: Errno| FilesError::io("reading", real, errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Some(opened) = there(openat(dir, name, flags, Mode::empty())).map_err(failed)? else { return Ok(None) };
        let stat = fstat(&opened).map_err(failed)?;
        let mut entry = Entry::new(path.to_vec(), What::Dir, &stat);
        entry.attributes = attributes(opened.as_fd(), self.tree.kind()).map_err(failed)?;
        entry.is_taken = !matches!(fate, Fate::Looked);
        self.pending.push(entry);
        let mut waiting = Some(self.pending.len());
        if let Fate::Taken = fate {
            self.entries.append(&mut self.pending);
            waiting = None;
        }
        Level::new(opened, real, path, state, waiting).map(Some)
    }

    fn fate(&self, real: &[u8], path: &[u8], is_dir: bool, state: &State, below: &mut State) -> Fate {
        let mut fate = Fate::Taken;
        if !self.tree.ignored.is_empty() {
            let (verdict, above) = self.tree.ignored.walk(&String::from_utf8_lossy(real), &state.ignored);
            below.ignored = above;
            match verdict {
                Verdict::Keep => {}
                Verdict::DropButLook if is_dir => fate = Fate::Hidden,
                Verdict::DropButLook | Verdict::Drop => return Fate::Passed,
            }
        }
        if !self.exclude.is_empty() {
            let (verdict, above) = self.exclude.walk(&String::from_utf8_lossy(path), &state.exclude);
            below.exclude = above;
            match verdict {
                Verdict::Keep => {}
                Verdict::DropButLook if is_dir => fate = Fate::Looked,
                Verdict::DropButLook | Verdict::Drop => return Fate::Passed,
            }
        }
        if let Some(include) = self.include {
            let path = String::from_utf8_lossy(path);
            let depth = path.matches('/').count();
            if include.literal.get(depth).is_some_and(|part| path.rsplit('/').next() != Some(part)) {
                return Fate::Passed;
            }
            let (verdict, above) = include.patterns.walk(&path, &state.include);
            below.include = above;
            match verdict {
                Verdict::Keep if is_dir => fate = Fate::Looked,
                Verdict::Keep => return Fate::Passed,
                Verdict::DropButLook | Verdict::Drop => {}
            }
        }
        fate
    }
}

fn push(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// What a thing is that is no directory; none: nothing that is copied.
pub(super) fn what(dir: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<Option<What>, Errno> {
    Ok(match kind_of(stat.st_mode) {
        FileType::RegularFile => Some(What::File),
        FileType::Symlink => match readlinkat(dir, name, Vec::new()) {
            Ok(target) => Some(What::Symlink(target.into_bytes())),
            Err(Errno::NOENT | Errno::INVAL) => None,
            Err(errno) => return Err(errno),
        },
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo => Some(What::Node(stat.st_rdev)),
        FileType::Socket => Some(What::Socket),
        FileType::Directory | FileType::Unknown => None,
    })
}

/// Nothing where the name went away, or became something else than it was looked at for.
fn there<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The names in a directory, in the order of their bytes, and what they are as far as the directory says.
pub(super) fn list(dir: BorrowedFd<'_>) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    // One of its own: the position in the caller's is the caller's.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir: OwnedFd = openat(dir, ".", flags, Mode::empty())?;
    let mut buffer = vec![MaybeUninit::uninit(); LISTING];
    let mut names = Vec::new();
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push((name, entry.file_type()));
        }
    }
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}
