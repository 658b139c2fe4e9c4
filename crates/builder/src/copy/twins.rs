//! Files that the last layer of the same `COPY` has already: one that is still the same gets one more name instead of a copy.
//!
//! Layers never change, so that a file may be in several. What is remembered of the last one is an index (`docs/formats/build-cache.md`)
//! of the files that were copied into it, and under the empty path its chain id.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, linkat, openat, statat};
use spec::digest::ChainId;

use crate::context::{Entry, Index, Stamp, Sum, Trust, paths};

/// What is known of the last layer, and what becomes known of the next.
#[derive(Debug)]
pub struct Twins {
    index: Index,
    /// The files of the last layer, if it is still there.
    layer: Option<OwnedFd>,
    /// The directory that was looked into last, and its path.
    dir: Option<(Vec<u8>, Option<OwnedFd>)>,
    /// What has one more name already: two would make a hard link of what are two files.
    used: HashSet<u64>,
    placed: Vec<(Vec<u8>, Stamp, Sum)>,
}

/// What a file shall look like.
#[derive(Clone, Copy)]
pub(super) struct Looks {
    pub(super) owner: (u32, u32),
    /// Permission bits.
    pub(super) mode: u32,
}

impl Twins {
    /// `name` says which copies are alike: of what, to where. `place` says where a layer's files are.
    #[must_use]
    pub fn open(build_cache: &Path, name: &str, place: &dyn Fn(&ChainId) -> Option<PathBuf>) -> Twins {
        let index = Index::open(build_cache, &format!("copy:{name}"), Trust::Path);
        let chain = index.find(b"", &nobody()).map(|sum| format!("sha256:{}", spec::digest::hex(&sum)));
        let chain = chain.and_then(|text| text.parse().ok()).map(ChainId);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let layer =
            chain.and_then(|chain| place(&chain)).and_then(|path| openat(CWD, &path, flags, Mode::empty()).ok());
        Twins { index, layer, dir: None, used: HashSet::new(), placed: Vec::new() }
    }

    /// Writes down what was copied, which is in this layer. It is a memory: what cannot be written is lost.
    pub fn remember(self, chain: &ChainId) {
        let byte = |at| chain.0.hex().get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
        let Some(sum) = bytes.and_then(|bytes| Sum::try_from(bytes).ok()) else { return };
        let now = SystemTime::now();
        self.index.learn(b"", nobody(), sum, now);
        for (path, stamp, sum) in self.placed {
            self.index.learn(&path, stamp, sum, now);
        }
        let _ = self.index.save();
    }

    /// Gives the last layer's file one more name, if it is the same as the one that is to be copied to `at`.
    pub(super) fn link(&mut self, entry: &Entry, looks: Looks, at: &[u8], (to, name): (BorrowedFd<'_>, &[u8])) -> bool {
        // A file of several names is copied with its names.
        if entry.links > 1 {
            return false;
        }
        self.placed.push((at.to_vec(), entry.stamp, entry.sum));
        if self.index.find(at, &entry.stamp) != Some(entry.sum) {
            return false;
        }
        let (parent, own) = paths::split(at);
        let Some(dir) = self.directory(parent) else { return false };
        let Ok(stat) = statat(dir, own, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        let linked = is_like(&stat, entry, looks)
            && !self.used.contains(&stat.st_ino)
            && self.directory(parent).is_some_and(|dir| linkat(dir, own, to, name, AtFlags::empty()).is_ok());
        linked && self.used.insert(stat.st_ino)
    }

    /// A directory of the last layer; through no link.
    fn directory(&mut self, path: &[u8]) -> Option<BorrowedFd<'_>> {
        let layer = self.layer.as_ref()?;
        if self.dir.as_ref().is_none_or(|(known, _)| known != path) {
            let dir = paths::open(layer.as_fd(), path, OFlags::PATH | OFlags::DIRECTORY).ok();
            self.dir = Some((path.to_vec(), dir));
        }
        self.dir.as_ref()?.1.as_ref().map(AsFd::as_fd)
    }
}

fn is_like(stat: &Stat, entry: &Entry, looks: Looks) -> bool {
    let own = Stamp::of(stat);
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && (own.size, own.mtime_ns) == (entry.stamp.size, entry.stamp.mtime_ns)
        && stat.st_mode & 0o7777 == looks.mode
        && (stat.st_uid, stat.st_gid) == looks.owner
}

/// The stamp of what is no file.
fn nobody() -> Stamp {
    Stamp { dev: 0, ino: 0, size: 0, mtime_ns: 0, ctime_ns: 0, mode: 0 }
}
