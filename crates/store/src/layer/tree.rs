//! The directory of a layer, walked in descriptors.
//!
//! A [`Tree`] stands at one directory and keeps a descriptor for each of its parents, so that the next entry, most
//! often in the same directory, costs no walk. Names are opened one component at a time with `O_NOFOLLOW`; a symbolic
//! link is read and resolved here as chroot(2) would: absolute from the root, `..` never above it. So the path that the
//! stack spells is always the real one, and nothing outside the root can be reached.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, mkdirat, openat, readlinkat, statat, unlinkat};
use rustix::io::Errno;

use super::LayerError;

/// As many symbolic links as Linux follows in one walk.
pub(super) const LINKS: usize = 40;

/// Deeper directories would need a descriptor each (and a stack to remove them); no honest image comes near.
const DEEPEST: usize = 512;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The walker.
pub(super) struct Tree<'d> {
    root: BorrowedFd<'d>,
    stack: Vec<(Vec<u8>, OwnedFd)>,
}

/// Sees the directory, the name in it and the real path of what is about to be removed.
pub(super) type BeforeFile<'a> = dyn FnMut(BorrowedFd<'_>, &[u8], &[u8]) -> Result<(), LayerError> + 'a;

/// What stands in the way of a walk.
pub(super) enum Obstacle {
    /// Nothing of that name.
    Missing,
    /// Something that is neither directory nor symbolic link.
    NotADirectory,
}

/// What to do about an [`Obstacle`].
pub(super) trait OnObstacle {
    /// Puts a directory `name` into the directory where `tree` stands, or refuses.
    fn clear(&mut self, tree: &mut Tree<'_>, name: &[u8], obstacle: Obstacle) -> Result<(), LayerError>;
}

/// Walks only over what is there.
pub(super) struct MustExist;

impl OnObstacle for MustExist {
    fn clear(&mut self, tree: &mut Tree<'_>, name: &[u8], obstacle: Obstacle) -> Result<(), LayerError> {
        Err(LayerError::refused(
            &tree.path_of(name),
            match obstacle {
                Obstacle::Missing => "no such directory in this layer",
                Obstacle::NotADirectory => "not a directory",
            },
        ))
    }
}

/// The components of a path of the archive: absolute ones are taken from the root, `..` is refused.
pub(super) fn components(path: &[u8]) -> Result<Vec<&[u8]>, LayerError> {
    if path.contains(&0) {
        return Err(LayerError::refused(path, "a NUL in a name"));
    }
    let parts: Vec<&[u8]> = path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&&b".."[..]) {
        return Err(LayerError::refused(path, "a name may not hold \"..\""));
    }
    Ok(parts)
}

/// Whether it is what overlayfs takes for a deleted name.
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

impl<'d> Tree<'d> {
    pub(super) fn new(root: BorrowedFd<'d>) -> Tree<'d> {
        Tree { root, stack: Vec::new() }
    }

    /// The directory where the tree stands.
    pub(super) fn here(&self) -> BorrowedFd<'_> {
        self.stack.last().map_or(self.root, |(_name, fd)| fd.as_fd())
    }

    /// The real path, from the root and without a slash before it, of `name` in the directory at hand.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::with_capacity(64);
        for (part, _fd) in &self.stack {
            path.extend_from_slice(part);
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }

    /// Goes to the directory `path`.
    pub(super) fn enter(&mut self, path: &[&[u8]], obstacles: &mut dyn OnObstacle) -> Result<(), LayerError> {
        let shared = self.stack.iter().zip(path).take_while(|((name, _fd), part)| name == *part).count();
        self.stack.truncate(shared);
        // Components still to walk, the next one last; those of a symbolic link's text are marked.
        let mut ahead: Vec<(Vec<u8>, bool)> = path[shared..].iter().rev().map(|part| (part.to_vec(), false)).collect();
        let mut links = 0;
        let mut last_link = Vec::new();
        while let Some((name, of_link)) = ahead.pop() {
            if name == b".." {
                self.stack.pop();
                continue;
            }
            if self.push(&name)? {
                continue;
            }
            let obstacle = match readlinkat(self.here(), &name[..], Vec::new()) {
                Ok(text) => {
                    links += 1;
                    last_link = self.path_of(&name);
                    self.follow(&name, text.as_bytes(), links, &mut ahead)?;
                    continue;
                }
                Err(Errno::NOENT) => Obstacle::Missing,
                Err(Errno::INVAL) => Obstacle::NotADirectory,
                Err(errno) => return Err(LayerError::io("opening", &self.path_of(&name), errno)),
            };
            if of_link {
                let why = "it is a symbolic link to no directory of this layer, yet entries lie below it";
                return Err(LayerError::refused(&last_link, why));
            }
            obstacles.clear(self, &name, obstacle)?;
            if !self.push(&name)? {
                return Err(LayerError::io("opening", &self.path_of(&name), Errno::NOTDIR));
            }
        }
        Ok(())
    }

    /// Steps into the directory `name`; false where it is none.
    fn push(&mut self, name: &[u8]) -> Result<bool, LayerError> {
        match openat(self.here(), name, DIRECTORY, Mode::empty()) {
            Ok(_fd) if self.stack.len() >= DEEPEST => {
                Err(LayerError::refused(&self.path_of(name), "more than 512 directories deep"))
            }
            Ok(fd) => {
                self.stack.push((name.to_vec(), fd));
                Ok(true)
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
            Err(errno) => Err(LayerError::io("opening", &self.path_of(name), errno)),
        }
    }

    fn follow(
        &mut self,
        name: &[u8],
        text: &[u8],
        links: usize,
        ahead: &mut Vec<(Vec<u8>, bool)>,
    ) -> Result<(), LayerError> {
        if links > LINKS {
            return Err(LayerError::refused(&self.path_of(name), "too many symbolic links on the way"));
        }
        if text.starts_with(b"/") {
            self.stack.clear();
        }
        let parts = text.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".");
        ahead.extend(parts.rev().map(|part| (part.to_vec(), true)));
        Ok(())
    }

    /// Removes `name`, whatever it is, with all below it; `before_file` sees the real path of each thing but
    /// directories before it goes.
    pub(super) fn remove(&self, name: &[u8], before_file: &mut BeforeFile<'_>) -> Result<(), LayerError> {
        remove(self.here(), name, &self.path_of(name), before_file)
    }

    /// What `name` is, if it is there.
    pub(super) fn stat(&self, name: &[u8]) -> Result<Option<Stat>, LayerError> {
        match statat(self.here(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(LayerError::io("looking at", &self.path_of(name), errno)),
        }
    }

    /// Makes a directory of a mode in which whatever is to come can be written; the right one is set at the end.
    pub(super) fn make_dir(&self, name: &[u8]) -> Result<(), Errno> {
        mkdirat(self.here(), name, Mode::from_raw_mode(0o755))
    }
}

fn remove(dir: BorrowedFd<'_>, name: &[u8], path: &[u8], before_file: &mut BeforeFile<'_>) -> Result<(), LayerError> {
    let failed = |errno: Errno| LayerError::io("removing", path, errno);
    match openat(dir, name, DIRECTORY, Mode::empty()) {
        Ok(_fd) if path.iter().filter(|&&b| b == b'/').count() > 2 * DEEPEST => {
            Err(LayerError::refused(path, "too deep to be removed"))
        }
        Ok(fd) => {
            for child in Dir::read_from(&fd).map_err(failed)? {
                let child = child.map_err(failed)?;
                let child = child.file_name().to_bytes();
                if child != b"." && child != b".." {
                    remove(fd.as_fd(), child, &[path, b"/", child].concat(), before_file)?;
                }
            }
            unlinkat(dir, name, AtFlags::REMOVEDIR).map_err(failed)
        }
        Err(Errno::NOTDIR | Errno::LOOP) => {
            before_file(dir, name, path)?;
            unlinkat(dir, name, AtFlags::empty()).map_err(failed)
        }
        Err(errno) => Err(failed(errno)),
    }
}
