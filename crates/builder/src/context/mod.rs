//! Trees that files are copied from: a build context of the host, read in place and seen through `.dockerignore`, or what a stage holds.
//!
//! A [`Tree`] is asked for a [`Selection`], which lists the files that one source of `COPY` means and is known by their content. Nothing
//! is read but directories and the files whose digests are not remembered (`docs/formats/build-cache.md`).
//!
//! The files are anybody's. Paths are walked from the tree's descriptor, links on them are read here and taken from its root
//! ([`paths`]), and nothing is opened that was not seen to be a file or a directory, nor so that opening could wait.

mod archive;
mod error;
mod hash;
mod index;
pub(crate) mod paths;
mod select;
mod walk;

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use spec::digest::ChainId;

pub(crate) use self::archive::{is_archive, newest_s};
pub use self::error::FilesError;
pub(crate) use self::hash::{attributes, open_file};
pub(crate) use self::index::{Index, Stamp, Sum, Trust};
pub(crate) use self::select::{Entry, Picked, What};
pub use self::select::{Parents, Selection, Wanted};
use crate::ignore::Patterns;

/// Files to copy from.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    /// What is not seen of it.
    ignored: Patterns,
    index: Option<Index>,
    /// In messages.
    name: String,
    kind: Kind,
}

/// What a tree is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A build context: its files become root's.
    Context,
    /// A stage: owners and all attributes count.
    Stage,
}

impl Tree {
    /// A directory of the host, in place. What is known of its files is kept in `build_cache` (`Store::build_cache_dir`), unless it lies in
    /// there itself: such a directory is made for one build.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn directory(dir: &Path, build_cache: &Path) -> Result<Tree, FilesError> {
        let tree = Tree::new(open_root(dir)?, Kind::Context);
        let stat = fstat(tree.root()).map_err(|errno| FilesError::at("reading", dir, errno))?;
        let passes = match (fs::canonicalize(dir), fs::canonicalize(build_cache)) {
            (Ok(dir), Ok(cache)) => dir.starts_with(cache),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
        };
        let open = || Index::open(build_cache, &format!("dir:{}:{}", stat.st_dev, stat.st_ino), Trust::Stamp);
        Ok(Tree { index: (!passes).then(open), ..tree })
    }

    /// A tar, packed or not, unpacked into the empty directory `into`, which is the caller's to remove.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn unpacked(tar: &Path, into: &Path) -> Result<Tree, FilesError> {
        let file = File::open(tar).map_err(|e| FilesError::at("opening", tar, e))?;
        let tree = Tree::new(open_root(into)?, Kind::Context);
        archive::unpack(file, tree.root())?;
        Ok(tree)
    }

    /// What a stage or an image holds: `root` is its mount (`Store::mount_image`), `top` its highest layer. Owners count here.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn stage(root: OwnedFd, top: Option<&ChainId>, build_cache: &Path) -> Result<Tree, FilesError> {
        let index = top.map(|top| Index::open(build_cache, &format!("chain:{top}"), Trust::Path));
        // It may be open for reference only.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(&root, ".", flags, Mode::empty());
        let root = root.map_err(|errno| FilesError::io("opening", b"", errno))?;
        Ok(Tree { index, ..Tree::new(root, Kind::Stage) })
    }

    fn new(root: OwnedFd, kind: Kind) -> Tree {
        Tree { root, ignored: Patterns::default(), index: None, name: "context".into(), kind }
    }

    /// The same seen through `.dockerignore`.
    #[must_use]
    pub fn seen_through(self, ignored: Patterns) -> Tree {
        Tree { ignored, ..self }
    }

    /// What the tree is called in messages, where BuildKit has the name of a ref.
    #[must_use]
    pub fn called(self, name: &str) -> Tree {
        Tree { name: name.to_owned(), ..self }
    }

    /// A small file by its path, whatever is ignored: the Dockerfile, `.dockerignore`. None: there is no such file.
    ///
    /// # Errors
    /// It is larger than `most_bytes`, or no file.
    pub fn read(&self, path: &str, most_bytes: u64) -> Result<Option<Vec<u8>>, FilesError> {
        let failed = |errno: Errno| FilesError::io("reading", path.as_bytes(), errno);
        let real = paths::real(self.root(), path.as_bytes()).map_err(failed)?;
        let (parent, name) = paths::split(&real);
        let dir = match paths::open(self.root(), parent, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            other => other.map_err(failed)?,
        };
        let file = match open_file(dir.as_fd(), if name.is_empty() { b"." } else { name }) {
            Ok(Some((file, _stat))) => file,
            Ok(None) => return Err(FilesError::Refused(format!("{path} is not a file"))),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        let mut bytes = Vec::new();
        let read = file.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| FilesError::io("reading", path.as_bytes(), e))?;
        if bytes.len() as u64 > most_bytes {
            return Err(FilesError::Refused(format!("{path} is larger than {most_bytes} bytes")));
        }
        Ok(Some(bytes))
    }

    /// The files that one source means. A source with wildcards that match nothing is empty, and one without that means nothing is an
    /// error.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn select(&self, wanted: &Wanted<'_>) -> Result<Selection, FilesError> {
        select::select(self, wanted)
    }

    /// A part of the tree, for a mount: what `path` means, never outside of the tree. Opened for reference only.
    ///
    /// # Errors
    /// [`FilesError::NotFound`].
    pub fn open(&self, path: &str) -> Result<OwnedFd, FilesError> {
        let real = paths::real(self.root(), path.as_bytes());
        match real.and_then(|real| paths::open(self.root(), &real, OFlags::PATH | OFlags::NOFOLLOW)) {
            Err(Errno::NOENT | Errno::NOTDIR) => Err(self.not_found(path.as_bytes())),
            other => other.map_err(|errno| FilesError::io("opening", path.as_bytes(), errno)),
        }
    }

    /// Its root directory.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Writes down what became known of its files. What cannot be written is lost, and no error: it is a memory.
    pub fn remember(&self) {
        let _ = self.index.as_ref().map(Index::save);
    }

    /// A name that this tree has in each build, if it is one that comes again.
    pub(crate) fn identity(&self) -> Option<&Path> {
        self.index.as_ref().map(Index::file)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    fn not_found(&self, path: &[u8]) -> FilesError {
        FilesError::NotFound { of: self.name.clone(), path: paths::show(&paths::clean(path)) }
    }
}

fn open_root(dir: &Path) -> Result<OwnedFd, FilesError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty()).map_err(|errno| FilesError::at("opening", dir, errno))
}

fn kind_of(mode: u32) -> FileType {
    FileType::from_raw_mode(mode)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests;
