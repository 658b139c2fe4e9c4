//! Trees that files are copied from: a build context of the host, read in place and seen through `.dockerignore`, or what a stage holds.
//!
//! A [`Tree`] is asked for a [`Selection`], which lists the files that one source of `COPY` means and is known by their content. Nothing
//! is read but directories and the files whose digests are not remembered (`docs/formats/build-cache.md`).

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use spec::digest::{ChainId, Digest};

/// Why files could not be found, read or copied.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// BuildKit's words; before them stands `failed to compute cache key: ` where a key was wanted.
    #[error("failed to calculate checksum of ref {of}: {path:?}: not found")]
    NotFound {
        /// The tree.
        of: String,
        /// What was asked for, from its root.
        path: String,
    },
    /// What was asked for cannot be, in words for the user.
    #[error("{0}")]
    Refused(String),
    /// A file changed between the moment it was known and the one it was copied.
    #[error("{0} changed while it was copied: build again when nothing writes to it")]
    Changed(String),
    /// The file system refused.
    #[error("{act} {path}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// To what.
        path: String,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// An archive.
    #[error(transparent)]
    Layer(#[from] store::layer::LayerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Whether a tree shows a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It does.
    Yes,
    /// Neither it nor anything in it.
    No,
    /// Not itself, but perhaps something in it.
    LookInside,
}

/// Says for each path of a tree (no slash before it) and whether it is a directory what is seen of it.
pub type Sees = Box<dyn Fn(&[u8], bool) -> Seen + Send + Sync>;

/// Files to copy from.
pub struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// A directory of the host, in place. What is known of its files is kept in `build_cache` (`Store::build_cache_dir`).
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn directory(dir: &Path, build_cache: &Path) -> Result<Tree, FilesError> {
        let _ = (dir, build_cache);
        todo!()
    }

    /// A tar, packed or not, unpacked into the empty directory `into`, which is the caller's to remove.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn unpacked(tar: &Path, into: &Path) -> Result<Tree, FilesError> {
        let _ = (tar, into);
        todo!()
    }

    /// What a stage or an image holds: `root` is its mount (`Store::mount_image`), `top` its highest layer. Owners count here.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn stage(root: OwnedFd, top: Option<&ChainId>, build_cache: &Path) -> Result<Tree, FilesError> {
        let _ = (root, top, build_cache);
        todo!()
    }

    /// The same seen through `.dockerignore`.
    #[must_use]
    pub fn seen_through(self, sees: Sees) -> Tree {
        let _ = sees;
        todo!()
    }

    /// What the tree is called in messages, where BuildKit has the name of a ref.
    #[must_use]
    pub fn called(self, name: &str) -> Tree {
        let _ = name;
        todo!()
    }

    /// A small file by its path, whatever is ignored: the Dockerfile, `.dockerignore`. None: there is no such file.
    ///
    /// # Errors
    /// It is larger than `most_bytes`, or no file.
    pub fn read(&self, path: &str, most_bytes: u64) -> Result<Option<Vec<u8>>, FilesError> {
        let _ = (path, most_bytes);
        todo!()
    }

    /// The files that one source means. A source with wildcards that match nothing is empty, and one without that means nothing is an
    /// error.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn select(&self, wanted: &Wanted<'_>) -> Result<Selection, FilesError> {
        let _ = wanted;
        todo!()
    }

    /// A part of the tree, for a mount: what `path` means, never outside of the tree. Opened for reference only.
    ///
    /// # Errors
    /// [`FilesError::NotFound`].
    pub fn open(&self, path: &str) -> Result<OwnedFd, FilesError> {
        let _ = path;
        todo!()
    }

    /// Its root directory.
    #[must_use]
    pub fn root(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.root)
    }

    /// Writes down what became known of its files. What cannot be written is lost, and no error: it is a memory.
    pub fn remember(&self) {
        todo!()
    }
}

/// One source of `COPY` or `ADD`, as written and expanded.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The path or pattern.
    pub source: &'a str,
    /// `--parents`.
    pub parents: Parents,
    /// `--exclude`.
    pub exclude: &'a [String],
}

/// Whether the directories above a source come along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parents {
    /// They do not.
    Drop,
    /// Those after `/./`, or all.
    Keep,
}

/// What a source means at one moment.
#[derive(Debug)]
pub struct Selection {}

impl Selection {
    /// Known by names, kinds, modes, links' targets and contents, and in stages by owners and attributes; never by times.
    #[must_use]
    pub fn digest(&self) -> Digest {
        todo!()
    }

    /// Whether there is nothing to copy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// Of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        todo!()
    }
}
