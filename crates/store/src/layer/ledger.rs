//! What a layer under construction holds, and what is still to be done to it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags, fsetxattr, mknodat, openat, unlinkat};

use super::LayerError;
use super::apply::{Applied, Whiteouts};
use super::tree::{Obstacle, OnObstacle, Tree, is_whiteout};
use crate::tar::{Entry, Time};

pub(super) const WHITEOUT: &[u8] = b".wh.";
/// Names of aufs' own files; of all these only the mark of an opaque directory means something.
pub(super) const AUFS: &[u8] = b".wh..wh.";
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Attributes of directories are held in memory until the end.
const WAITING_XATTRS_LIMIT: usize = 64 << 20;

/// What was made, and what is still to be done to it.
pub(super) struct Ledger {
    pub(super) whiteouts: Whiteouts,
    pub(super) applied: Applied,
    pub(super) directories: BTreeMap<Vec<u8>, Attributes>,
    pub(super) waiting_xattrs: usize,
    /// Time of the entry at hand, which a parent made for it takes.
    pub(super) mtime: Time,
    /// Whose such a parent is.
    pub(super) root: (u32, u32),
}

#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Time,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Ledger {
    pub(super) fn new(whiteouts: Whiteouts) -> Ledger {
        Ledger {
            whiteouts,
            applied: Applied::default(),
            directories: BTreeMap::new(),
            waiting_xattrs: 0,
            mtime: Time::default(),
            root: (0, 0),
        }
    }

    /// Remembers the attributes of a directory; the last entry's win.
    pub(super) fn attributes(&mut self, path: Vec<u8>, entry: &Entry) -> Result<(), LayerError> {
        self.waiting_xattrs += entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if self.waiting_xattrs > WAITING_XATTRS_LIMIT {
            return Err(LayerError::TooLarge("more than 64 MiB of directories' attributes".to_owned()));
        }
        let Entry { mode, uid, gid, mtime, ref xattrs, .. } = *entry;
        self.directories.insert(path, Attributes { mode, uid, gid, mtime, xattrs: xattrs.clone() });
        Ok(())
    }

    /// Drops what waits for a path and all below it.
    pub(super) fn forget(&mut self, path: &[u8]) {
        self.directories.remove(path);
        let below = [path, b"/"].concat();
        let doomed: Vec<Vec<u8>> = self
            .directories
            .range(below.clone()..)
            .map(|(path, _)| path.clone())
            .take_while(|path| path.starts_with(&below))
            .collect();
        for path in doomed {
            self.directories.remove(&path);
        }
    }

    /// `.wh.name` or the mark of an opaque directory, in the directory where the tree stands. Whiteouts speak of lower
    /// layers only (OCI image-spec, layer.md), so what this layer has under the name stays, before or after.
    pub(super) fn whiteout(&mut self, tree: &mut Tree<'_>, entry: &[u8], name: &[u8]) -> Result<(), LayerError> {
        if name == OPAQUE {
            return self.make_opaque(tree.here(), entry);
        }
        let victim = &name[WHITEOUT.len()..];
        if matches!(victim, b"" | b"." | b"..") {
            return Err(LayerError::refused(entry, "a whiteout of no name"));
        }
        self.hide(tree, victim)
    }

    pub(super) fn hide(&mut self, tree: &mut Tree<'_>, victim: &[u8]) -> Result<(), LayerError> {
        let path = tree.path_of(victim);
        match tree.stat(victim)? {
            None => {
                self.applied.whiteouts += 1;
                mknodat(tree.here(), victim, FileType::CharacterDevice, Mode::empty(), 0)
                    .map_err(|errno| LayerError::io("creating the whiteout of", &path, errno))
            }
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let dir = openat(tree.here(), victim, flags, Mode::empty());
                let dir = dir.map_err(|errno| LayerError::io("opening", &path, errno))?;
                self.make_opaque(dir.as_fd(), &path)
            }
            // Hides the lower one by being there.
            Some(_other) => Ok(()),
        }
    }

    pub(super) fn make_opaque(&mut self, dir: BorrowedFd<'_>, path: &[u8]) -> Result<(), LayerError> {
        let name = match self.whiteouts {
            Whiteouts::Trusted => "trusted.overlay.opaque",
            Whiteouts::User => "user.overlay.opaque",
            Whiteouts::Literal => return Ok(()),
        };
        self.applied.whiteouts += 1;
        fsetxattr(dir, name, b"y", XattrFlags::empty())
            .map_err(|errno| LayerError::io("marking as opaque", path, errno))
    }

    /// A directory under a name that this layer has deleted: opaque, or the lower one would show through.
    pub(super) fn replace_whiteout(&mut self, tree: &mut Tree<'_>, name: &[u8]) -> Result<(), LayerError> {
        let path = tree.path_of(name);
        let made = unlinkat(tree.here(), name, AtFlags::empty()).and_then(|()| tree.make_dir(name));
        made.map_err(|errno| LayerError::io("creating", &path, errno))?;
        self.applied.whiteouts -= 1;
        self.hide(tree, name)
    }
}

impl OnObstacle for Ledger {
    /// Parents that the archive does not mention are made: 0755, root's, as old as the entry that needed them.
    fn clear(&mut self, tree: &mut Tree<'_>, name: &[u8], obstacle: Obstacle) -> Result<(), LayerError> {
        let path = tree.path_of(name);
        match obstacle {
            Obstacle::Missing => tree.make_dir(name).map_err(|errno| LayerError::io("creating", &path, errno))?,
            Obstacle::NotADirectory => match tree.stat(name)? {
                Some(stat) if is_whiteout(&stat) && self.whiteouts != Whiteouts::Literal => {
                    self.replace_whiteout(tree, name)?;
                }
                _other => return Err(LayerError::refused(&path, "not a directory, yet entries lie below it")),
            },
        }
        let (uid, gid) = self.root;
        let attributes = Attributes { mode: 0o755, uid, gid, mtime: self.mtime, ..Attributes::default() };
        self.directories.insert(path, attributes);
        Ok(())
    }
}
