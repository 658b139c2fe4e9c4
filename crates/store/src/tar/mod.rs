//! The tar stream: read strictly, written deterministically.
//!
//! Everything read here is hostile. The reader knows v7, ustar, GNU (long names, old sparse files, base-256 numbers) and
//! PAX (records for one file and for all, xattrs, GNU's sparse maps 0.0, 0.1 and 1.0), and it refuses what two readers
//! could understand in two ways: a PAX `size` that contradicts the header, a link or directory with a body, a name given
//! twice. (A reader that advances by one of two sizes lets a nested archive's entries appear as its own:
//! CVE-2025-62518.) It never allocates by a number read from the archive beyond [`RECORD_LIMIT`].
//!
//! ```text
//! let mut reader = Reader::new(input);
//! while let Some(entry) = reader.next()? {     // what was not read of the last body is skipped
//!     io::copy(&mut reader, &mut out)?;        // the body of `entry`; for a sparse file its segments, end to end
//! }
//! ```

mod number;
mod pax;
mod reader;
mod sparse;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::io;

pub use reader::Reader;
pub use writer::Writer;
pub(crate) use writer::headers;

/// Headers, bodies and padding come in units of this many bytes.
pub const BLOCK: usize = 512;

/// The longest PAX record block, GNU long name or sparse map that is accepted, in bytes.
pub const RECORD_LIMIT: usize = 1 << 20;

/// One member of an archive, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it stands in the archive (not cleaned; may be absolute or hold `..`); a directory's has no slash at its end.
    pub path: Vec<u8>,
    /// What it is, with what only that kind has.
    pub kind: Kind,
    /// The twelve permission bits.
    pub mode: u32,
    /// Owner; never `u32::MAX`, which chown(2) takes for "leave it".
    pub uid: u32,
    /// Group; never `u32::MAX`.
    pub gid: u32,
    /// Time of the last change of the body.
    pub mtime: Time,
    /// Extended attributes by full name (`security.capability`), from `SCHILY.xattr.*`.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The kinds of member that a file system can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its length when unpacked.
        size: u64,
        /// Where the bytes of the body belong when the file has holes: ascending, not overlapping, within `size`.
        sparse: Option<Vec<Segment>>,
    },
    /// Another name for an earlier member.
    HardLink {
        /// A path within the archive.
        target: Vec<u8>,
    },
    /// A symbolic link.
    Symlink {
        /// Its text, as readlink(2) shall give it.
        target: Vec<u8>,
    },
    /// A directory.
    Dir,
    /// A character device.
    Char(Device),
    /// A block device.
    Block(Device),
    /// A named pipe.
    Fifo,
}

/// A run of data in a sparse file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the unpacked file.
    pub offset: u64,
    /// How many bytes of the body it takes.
    pub len: u64,
}

/// The numbers of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of the driver's devices.
    pub minor: u32,
}

/// Seconds since 1970 (negative before it) and nanoseconds after that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    /// Whole seconds, rounded down.
    pub sec: i64,
    /// 0 to 999,999,999.
    pub nsec: u32,
}

/// Why an archive cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The input failed; the archive itself may be sound.
    #[error("reading the archive at {entry}")]
    Read {
        /// The member at hand.
        entry: String,
        /// What the input said.
        #[source]
        source: io::Error,
    },
    /// The input ended too early.
    #[error("the archive is cut short: it ends within {entry}")]
    Truncated {
        /// The member at hand.
        entry: String,
    },
    /// The archive breaks the format, contradicts itself, or uses what is deliberately not read.
    #[error("bad archive: {entry}: {what}")]
    Malformed {
        /// The member at hand.
        entry: String,
        /// The broken rule.
        what: String,
    },
}

impl TarError {
    fn malformed(entry: &[u8], what: impl Into<String>) -> TarError {
        TarError::Malformed { entry: show(entry), what: what.into() }
    }

    fn read(entry: &[u8], source: io::Error) -> TarError {
        match source.kind() == io::ErrorKind::UnexpectedEof {
            true => TarError::Truncated { entry: show(entry) },
            false => TarError::Read { entry: show(entry), source },
        }
    }
}

/// A name from an archive as it may be shown to a person: no control characters, not endless.
pub(crate) fn show(name: &[u8]) -> String {
    const LONGEST: usize = 200;
    if name.is_empty() {
        return "the first header".to_owned();
    }
    let cut = &name[..name.len().min(LONGEST)];
    let mut shown: String = String::from_utf8_lossy(cut).escape_debug().collect();
    if cut.len() < name.len() {
        shown.push('…');
    }
    shown
}

/// For fuzzing: reads any bytes to their end or their first error. Must return, in memory bounded by [`RECORD_LIMIT`].
pub fn fuzz(archive: &[u8]) {
    let mut reader = Reader::new(archive);
    while let Ok(Some(_entry)) = reader.next() {
        if io::copy(&mut reader, &mut io::sink()).is_err() {
            return;
        }
    }
}
