//! What outlives a build, and what says that one goes on.
//!
//! ```text
//! <root>/build-cache/   steps/<key>.json                     results: the store's (`store::StepRecord`)
//!                       mounts/<id hash>-<n>/{mount.json, data/}  directories of `RUN --mount=type=cache`
//!                       downloads/<hash>/{download.json, data}  files that `ADD https://…` brought
//!                       tmp/<build>/                          what a build lays down while it goes on
//! <run-root>/builds/    <build>/lock                          held while the build lives
//!                       steps/<key>                           held while the step of this key is done
//! ```
//!
//! No process is asked for anything: locks say what goes on, and whoever finds one free that a dead process held takes away what it left.

mod downloads;
mod du;
mod mounts;
mod prune;
mod session;
mod turn;

pub(crate) use downloads::{Coming, Kept};
pub use du::{Kind, Row, du};
pub(crate) use mounts::{CacheMount, Reader, Seed, Wanted as WantedMount};
pub use prune::{Keep, Prune, Pruned, prune, trim};
pub use session::{Session, may_have_died, sweep};
pub(crate) use turn::take;

use std::io;
use std::path::{Path, PathBuf};

use disk::DiskError;
use store::StoreError;

/// Why the cache could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system refused.
    #[error("{act} {path}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A record.
    #[error(transparent)]
    Record(#[from] DiskError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What a cache mount shall begin with.
    #[error("cannot fill a cache mount from {0}: {1}")]
    Seed(String, String),
    /// Somebody no longer wants it.
    #[error("context canceled")]
    Cancelled,
}

impl CacheError {
    fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
        let path = path.to_owned();
        move |source| CacheError::Io { act, path, source }
    }
}

/// How often somebody who waits for another process looks again.
const GLANCE: std::time::Duration = std::time::Duration::from_millis(20);

/// A tenth of the file system that the build cache is on, and 20 GB at most.
#[must_use]
pub fn default_limit_bytes(root: &Path) -> u64 {
    const MOST: u64 = 20_000_000_000;
    let tenth = rustix::fs::statvfs(root).map_or(MOST, |fs| fs.f_blocks.saturating_mul(fs.f_frsize) / 10);
    tenth.min(MOST)
}

/// Makes a directory and those above it that only root walks into.
fn make_dir(dir: &Path) -> Result<(), CacheError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(CacheError::io("making", dir))
}

/// What is in a directory; nothing where it is not there.
fn names(dir: &Path) -> Result<Vec<String>, CacheError> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(CacheError::io("listing", dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(CacheError::io("listing", dir))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests;
