//! One layer of an image: a tar stream becomes a directory for overlayfs, and comes back byte for byte.
//!
//! - [`decompress`]: gzip, zstd or plain bytes → tar bytes.
//! - [`apply`]: tar → the directory of a new layer, whiteouts translated, and a *recipe* recorded on the way.
//! - [`assemble`]: directory + recipe → the identical tar, so that an image is kept on disk once.
//! - [`diff`]: an overlay upper directory → a new layer's tar.
//! - `record`: the same directory → the layer itself, where it lies, with its recipe and its tar's digest.
//! - [`pack`] and [`extract`]: a tree that somebody lives in → an archive, and back: `cp`, `export`.
//!
//! Everything in a layer is hostile. What holds: nothing outside the directory is created, opened or changed, because
//! every name is walked one component at a time with `O_NOFOLLOW` and symbolic links are resolved here, inside the
//! root; no node of an archive is ever opened but directories and the regular files that this room wrote itself;
//! nothing is created but with `O_EXCL`; overlayfs' own attributes are never taken from an archive.
//!
//! ```text
//! decompress(compressed, Ratio::GUARDED)? -> hash it -> apply(tar, dir, Options { .. })? -> fsync the recipe, syncfs
//! ```

mod ahead;
mod apply;
mod assemble;
mod attributes;
mod books;
mod compare;
mod decompress;
mod diff;
mod expected;
mod extract;
mod gzip;
mod ledger;
mod recipe;
mod tree;
mod unpack;
mod upper;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::AsRawFd;

pub(crate) use ahead::read_ahead;
pub use apply::{Applied, Limits, Options, Recording, Whiteouts, apply, sync};
pub use assemble::{Assembly, assemble};
pub(crate) use compare::{compare, expect};
pub use decompress::{Compression, Ratio, decompress};
pub use diff::{Owner, Packed, Written, diff, pack, pack_all};
pub(crate) use expected::Expected;
pub use extract::{Extract, Owners, extract, overlay};
pub(crate) use gzip::gzip;
pub(crate) use upper::{Recorded, record};

use crate::tar::TarError;

/// Why a layer could not be applied, assembled or written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The archive is broken or cut short.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The archive is well formed but asks for what no layer may do, or for what cannot be.
    #[error("refused layer entry {entry}: {why}")]
    Refused {
        /// The member that asked.
        entry: String,
        /// The broken rule.
        why: String,
    },
    /// A bound of [`Limits`] or [`Ratio`] was crossed.
    #[error("the layer is larger than allowed: {0}")]
    TooLarge(String),
    /// The bytes are compressed in a way that layers are not.
    #[error("a layer compressed with {0} is not read: decompress it first, or use gzip or zstd")]
    Compression(&'static str),
    /// There is a directory where the archive has something else, or the other way round, and it shall stay.
    #[error("cannot overwrite {} {:?} with {}", .coming.instead_of(), crate::tar::show(.path), .coming.word())]
    Clash {
        /// Where, from the directory that is unpacked into.
        path: Vec<u8>,
        /// What the archive has there.
        coming: Coming,
    },
    /// The file system refused.
    #[error("{act} {entry}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// To what.
        entry: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The recipe is not one, or is cut short.
    #[error("damaged layer recipe: {0}")]
    Recipe(String),
    /// The directory no longer holds what the recipe took from it.
    #[error("the layer's directory has changed: {entry}: {what}")]
    Changed {
        /// Which file.
        entry: String,
        /// The difference.
        what: String,
    },
}

/// What an archive has where there is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coming {
    /// A directory, in the place of anything but one.
    Directory,
    /// Anything but a directory, in the place of one.
    Other,
}

impl Coming {
    /// What it is.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Coming::Directory => "directory",
            Coming::Other => "non-directory",
        }
    }

    /// What is there.
    #[must_use]
    pub fn instead_of(self) -> &'static str {
        match self {
            Coming::Directory => "non-directory",
            Coming::Other => "directory",
        }
    }
}

impl LayerError {
    fn refused(entry: &[u8], why: impl Into<String>) -> LayerError {
        LayerError::Refused { entry: crate::tar::show(entry), why: why.into() }
    }

    fn io(act: &'static str, entry: &[u8], source: impl Into<io::Error>) -> LayerError {
        let entry = if entry.is_empty() { "/".to_owned() } else { crate::tar::show(entry) };
        LayerError::Io { act, entry, source: source.into() }
    }
}

/// For fuzzing: applies any bytes to the empty directory `dir` and, where that succeeds, checks that the layer can be
/// assembled to the same bytes. Must return and touch nothing outside `dir`.
///
/// # Panics
/// When an applied archive does not come back: the bug that is looked for.
pub fn fuzz(archive: &[u8], dir: std::os::fd::BorrowedFd<'_>) {
    let mut recipe = Vec::new();
    let limits = Limits { entries: 10_000, bytes: 64 << 20 };
    let options = Options { whiteouts: Whiteouts::Trusted, limits, recording: Recording::To(&mut recipe) };
    let Ok(applied) = apply(archive, dir, options) else { return };
    let mut again = Vec::new();
    let assembled = assemble(dir, io::Cursor::new(recipe)).map(|mut tar| io::Read::read_to_end(&mut tar, &mut again));
    assert!(matches!(assembled, Ok(Ok(_))), "an applied archive cannot be assembled: {assembled:?}");
    assert!(again == archive, "an applied archive comes back differently");
    let root = format!("/proc/self/fd/{}/.", dir.as_raw_fd());
    let expected = expect(archive)
        .map(|expected| expected.map(|expected| compare(expected, root.as_ref(), applied.xattrs_left_out)));
    assert!(matches!(&expected, Ok(Ok(Ok(none))) if none.is_empty()), "another tree than expected: {expected:?}");
}
