//! A tar stream becomes the directory of a new layer.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use super::LayerError;
use super::unpack::Unpack;
use crate::tar::Reader;

/// How a layer is applied.
#[derive(Debug)]
pub struct Options<'a> {
    /// What the names `.wh.*` mean.
    pub whiteouts: Whiteouts,
    /// How much an archive may ask for.
    pub limits: Limits,
    /// Whether the original archive must be recoverable.
    pub recording: Recording<'a>,
}

/// What the names `.wh.*` of an archive mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whiteouts {
    /// OCI whiteouts; they become device 0/0 and `trusted.overlay.opaque`, for overlayfs as it is mounted by root.
    Trusted,
    /// The same with `user.overlay.opaque`, for overlayfs mounted with `userxattr` in a user namespace.
    User,
    /// Names like others: the archive is no layer (`ADD archive.tar`, `cp -`).
    Literal,
}

/// Guards against archives that are far larger than they look. `u64::MAX` means no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members.
    pub entries: u64,
    /// Unpacked bytes, holes and what follows the archive's end included.
    pub bytes: u64,
}

/// Where the recipe goes.
pub enum Recording<'a> {
    /// Nowhere: the archive is not needed again.
    Off,
    /// Here, in small writes of up to a megabyte; the caller makes it durable.
    To(&'a mut (dyn Write + Send)),
}

impl fmt::Debug for Recording<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Recording::Off => "Off",
            Recording::To(_) => "To(..)",
        })
    }
}

/// What was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Members of the archive, whiteouts included.
    pub entries: u64,
    /// Unpacked bytes of its files (a sparse file counts whole): what `docker images` calls the layer's size.
    pub bytes: u64,
    /// Names of lower layers that this one hides, opaque directories included.
    pub whiteouts: u64,
    /// Attributes that were left out: overlayfs' own, and those the file system does not take.
    pub xattrs_left_out: u64,
}

/// Unpacks the archive `tar`, plain bytes, below the empty directory `dir`, and reads `tar` to its end, so that a
/// digest taken on the way covers every byte.
///
/// Nothing is synced: see [`sync`]. After an error the directory holds a part of the layer and must be thrown away.
/// Owners are set as they stand in the archive, so this needs root or a user namespace that maps them.
pub fn apply<R: Read>(tar: R, dir: BorrowedFd<'_>, options: Options<'_>) -> Result<Applied, LayerError> {
    let mut reader = match options.recording {
        Recording::Off => Reader::new(tar),
        Recording::To(_) => Reader::recording(tar),
    };
    let mut unpack = Unpack::new(dir, options)?;
    while let Some(entry) = reader.next()? {
        unpack.entry(&entry, &mut reader)?;
    }
    unpack.rest(reader)?;
    unpack.finish()
}

/// Makes everything in the file system of `dir` durable, in one call for a whole layer instead of one for each file.
pub fn sync(dir: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::fs::syncfs(dir)?)
}
