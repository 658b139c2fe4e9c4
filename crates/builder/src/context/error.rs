//! What goes wrong with files.

use std::io;
use std::path::Path;

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
        source: io::Error,
    },
    /// An archive.
    #[error(transparent)]
    Layer(#[from] store::layer::LayerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl FilesError {
    /// About a path below a tree's root.
    pub(crate) fn io(act: &'static str, path: &[u8], source: impl Into<io::Error>) -> FilesError {
        let path = String::from_utf8_lossy(path);
        FilesError::Io { act, path: format!("/{}", path.trim_start_matches('/')), source: source.into() }
    }

    /// About a path of the host.
    pub(crate) fn at(act: &'static str, path: &Path, source: impl Into<io::Error>) -> FilesError {
        FilesError::Io { act, path: path.display().to_string(), source: source.into() }
    }
}
