//! Contexts that come as a tar.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::BorrowedFd;

use store::layer::{self, Limits, Options, Ratio, Recording, Whiteouts};
use store::tar::{Kind, Reader};

use super::FilesError;

/// Far above what contexts hold, and below what fills a disk before anyone looks.
const LIMITS: Limits = Limits { entries: 4_000_000, bytes: 1 << 40 };

/// Unpacks a tar, packed or not; names that lead out of `dir` are refused.
pub(super) fn unpack(tar: impl Read + Send, dir: BorrowedFd<'_>) -> Result<(), FilesError> {
    let (_, tar) = layer::decompress(tar, Ratio::GUARDED)?;
    let options = Options { whiteouts: Whiteouts::Literal, limits: LIMITS, recording: Recording::Off };
    layer::apply(tar, dir, options)?;
    Ok(())
}

/// When the newest file of a tar, packed or not, was changed, in whole seconds; none for what is no tar, or is damaged.
pub(crate) fn newest_s(file: &File) -> Option<i64> {
    let mut from = file;
    from.seek(SeekFrom::Start(0)).ok()?;
    let (_, tar) = layer::decompress(from, Ratio::GUARDED).ok()?;
    let (mut reader, mut newest) = (Reader::new(tar), None);
    while let Some(entry) = reader.next().ok()? {
        if matches!(entry.kind, Kind::File { .. }) {
            newest = newest.max(Some(entry.mtime.sec));
        }
    }
    newest
}

/// Whether a file is a tar, packed or not, by its first member; the position in it is the beginning again.
pub(crate) fn is_archive(file: &File) -> bool {
    let mut file = file;
    let first = |file: &File| {
        let (_, tar) = layer::decompress(file, Ratio::GUARDED).ok()?;
        Reader::new(tar).next().ok()?
    };
    let is_archive = file.seek(SeekFrom::Start(0)).is_ok() && first(file).is_some();
    file.seek(SeekFrom::Start(0)).is_ok() && is_archive
}
