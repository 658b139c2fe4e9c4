//! `COPY`, `ADD` and `WORKDIR`: files of a [`Tree`] and others are written into a root file system, by BuildKit's rules
//! (`solver/llbsolver/file`, `fsutil/copy`) and through descriptors only.

use std::fs::File;
use std::os::fd::BorrowedFd;

use spec::digest::Digest;

use crate::context::{FilesError, Selection, Tree};

/// All that one `COPY` or `ADD` writes.
pub struct Copy<'a> {
    /// In the order they were written.
    pub sources: &'a [Source<'a>],
    /// Absolute; a slash or `/.` at its end means a directory.
    pub dest: &'a str,
    /// `--chown`, looked up ([`owner`]); none: root, and from stages as they are.
    pub owner: Option<(u32, u32)>,
    /// `--chmod`.
    pub mode: Option<Chmod>,
    /// `ADD` without `--unpack=false`.
    pub archives: Archives,
}

/// Something to be copied.
pub enum Source<'a> {
    /// Files of a tree.
    Selected(&'a Tree, &'a Selection),
    /// A here-document: its name and its bytes.
    Inline(&'a str, &'a [u8]),
    /// A file from elsewhere, mode 600.
    Downloaded {
        /// Opened for reading.
        file: &'a File,
        /// Its name ([`url_file_name`]).
        name: &'a str,
        /// Seconds since 1970, if the server said.
        modified_s: Option<i64>,
    },
}

/// What becomes of sources that are archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archives {
    /// They are copied.
    Keep,
    /// They are unpacked into the destination.
    Unpack,
}

/// `--chmod`, parsed: octal or symbolic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chmod {}

impl std::str::FromStr for Chmod {
    type Err = FilesError;
    fn from_str(text: &str) -> Result<Chmod, FilesError> {
        let _ = text;
        todo!()
    }
}

/// Copies into the root file system `rootfs`.
///
/// # Errors
/// [`FilesError`]; what was copied until then stays.
pub fn copy(rootfs: BorrowedFd<'_>, wanted: &Copy<'_>) -> Result<(), FilesError> {
    let _ = (rootfs, wanted);
    todo!()
}

/// `WORKDIR`: makes a directory and those above it, 755, and gives those that were made the owner.
///
/// # Errors
/// [`FilesError`].
pub fn make_dir(rootfs: BorrowedFd<'_>, path: &str, owner: Option<(u32, u32)>) -> Result<(), FilesError> {
    let _ = (rootfs, path, owner);
    todo!()
}

/// Whom `--chown=user[:group]`, or `USER` for `WORKDIR`, means in a root file system. A name that is unknown there is root, as with
/// BuildKit.
///
/// # Errors
/// [`FilesError::Io`].
pub fn owner(rootfs: BorrowedFd<'_>, chown: &str) -> Result<(u32, u32), FilesError> {
    let _ = (rootfs, chown);
    todo!()
}

/// What a download is called: the last part of the URL's path.
#[must_use]
pub fn url_file_name(url: &str) -> String {
    let _ = url;
    todo!()
}

/// Hashes a download, and compares it with `--checksum`.
///
/// # Errors
/// BuildKit's `digest mismatch`.
pub fn hash_download(file: &File, wanted: Option<&Digest>) -> Result<Digest, FilesError> {
    let _ = (file, wanted);
    todo!()
}
