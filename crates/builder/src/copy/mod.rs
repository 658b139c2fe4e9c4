//! `COPY`, `ADD` and `WORKDIR`: files of a [`Tree`] and others are written into a root file system, by BuildKit's rules
//! (`solver/llbsolver/file`, `fsutil/copy`) and through descriptors only.
//!
//! What they are, in short: a directory's *contents* are copied, and the directory they come into keeps its looks; directories below take
//! on those of their source; anything else replaces what has its name, but no directory. Links in the destination are followed within
//! the root, links below a source are copied. What is missing on the way to the destination is made, 755.

mod chmod;
mod download;
mod mirror;
mod owner;
mod place;
mod twins;
mod write;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_OMIT};

use crate::context::{FilesError, Picked, Selection, Tree, What, is_archive, open_file, paths};

pub use self::chmod::Chmod;
pub use self::download::{hash_download, url_file_name};
pub use self::mirror::mirror;
pub use self::owner::owner;
use self::place::Place;
pub use self::twins::Twins;
use self::write::Writer;

/// All that one `COPY` or `ADD` writes.
#[derive(Debug)]
pub struct Copy<'a> {
    /// In the order they were written.
    pub sources: &'a [Source<'a>],
    /// Absolute; a slash or `/.` at its end means a directory.
    pub dest: &'a str,
    /// `--chown`, looked up ([`owner()`]); none: root, and from stages as they are.
    pub owner: Option<(u32, u32)>,
    /// `--chmod`.
    pub mode: Option<Chmod>,
    /// Which archives are unpacked.
    pub archives: Archives,
}

/// Something to be copied.
#[derive(Debug)]
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

/// Which sources are unpacked into the destination if they are archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archives {
    /// None: `COPY`; `ADD` of downloads; `--unpack=false`.
    Keep,
    /// All of these sources: `ADD` of files of trees, `--unpack`.
    Unpack,
}

/// Copies into the root file system `rootfs`.
///
/// # Errors
/// [`FilesError`]; what was copied until then stays.
pub fn copy(rootfs: BorrowedFd<'_>, wanted: &Copy<'_>) -> Result<(), FilesError> {
    copy_beside(rootfs, wanted, None)
}

/// The same into the upper directory of a draft, where files may be shared with the last layer of this copy.
///
/// # Errors
/// As [`copy`].
pub fn copy_beside(rootfs: BorrowedFd<'_>, wanted: &Copy<'_>, twins: Option<&mut Twins>) -> Result<(), FilesError> {
    let place = Place { rootfs, dest: wanted.dest, owner: wanted.owner, made_mode: made_mode(wanted.mode.as_ref()) };
    let mut writer = Writer::new(rootfs, wanted.owner, wanted.mode.as_ref(), twins);
    for source in wanted.sources {
        match source {
            Source::Selected(tree, selection) => {
                for picked in selection.picked() {
                    if wanted.archives == Archives::Keep || !unpacked(&place, tree, picked)? {
                        selected(&place, &mut writer, tree, picked)?;
                    }
                }
            }
            Source::Inline(name, bytes) => {
                let at = place.of_file(base(name)?)?;
                writer.bytes(&at, bytes, 0o644)?;
            }
            Source::Downloaded { file, .. } if wanted.archives == Archives::Unpack && is_archive(file) => {
                place.unpack(file)?;
            }
            Source::Downloaded { file, name, modified_s } => {
                let at = place.of_file(base(name)?)?;
                let modified = Timespec { tv_sec: modified_s.unwrap_or(0), tv_nsec: 0 };
                let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
                writer.file(&at, file, 0o600, &Timestamps { last_access, last_modification: modified })?;
            }
        }
    }
    Ok(())
}

/// `WORKDIR`: makes a directory and those above it, 755, and gives those that were made the owner.
///
/// # Errors
/// [`FilesError`].
pub fn make_dir(rootfs: BorrowedFd<'_>, path: &str, owner: Option<(u32, u32)>) -> Result<(), FilesError> {
    let real =
        paths::real(rootfs, path.as_bytes()).map_err(|errno| FilesError::io("reading", path.as_bytes(), errno))?;
    Place { rootfs, dest: path, owner, made_mode: 0o755 }.make_all(&real)
}

/// Directories that are made on the way take an octal `--chmod` too.
fn made_mode(mode: Option<&Chmod>) -> u32 {
    mode.and_then(Chmod::octal).map_or(0o755, |mode| mode & 0o777)
}

/// The last part of a name.
fn base(name: &str) -> Result<&[u8], FilesError> {
    let base = paths::split(name.trim_end_matches('/').as_bytes()).1;
    match base {
        b"" | b"." | b".." => Err(FilesError::Refused(format!("{name:?} is no name for a file"))),
        base => Ok(base),
    }
}

fn selected(place: &Place<'_>, writer: &mut Writer<'_>, tree: &Tree, picked: &Picked) -> Result<(), FilesError> {
    match picked.entries.first().map(|top| &top.what) {
        Some(What::Dir) => {
            let at = place.of_directory()?;
            writer.tree(tree, picked, &at)
        }
        Some(What::File | What::Symlink(_) | What::Node(_) | What::Socket) => {
            let at = place.of_file(&picked.name)?;
            writer.alone(tree, picked, &at)
        }
        None => Ok(()),
    }
}

/// `ADD`: whether it was an archive.
fn unpacked(place: &Place<'_>, tree: &Tree, picked: &Picked) -> Result<bool, FilesError> {
    let [top] = &picked.entries[..] else { return Ok(false) };
    if top.what != What::File {
        return Ok(false);
    }
    let failed = |errno| FilesError::io("opening", &picked.real, errno);
    let (parent, name) = paths::split(&picked.real);
    let dir = paths::open(tree.root(), parent, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
    let opened = open_file(dir.as_fd(), name).map_err(failed)?;
    let (file, stat) = opened.ok_or_else(|| FilesError::Changed(paths::show(&picked.real)))?;
    writer_check(&stat, picked)?;
    refuse_unreadable(&file, name)?;
    if !is_archive(&file) {
        return Ok(false);
    }
    place.unpack(&file)?;
    writer_check(&rustix::fs::fstat(&file).map_err(failed)?, picked)?;
    Ok(true)
}

fn writer_check(stat: &rustix::fs::Stat, picked: &Picked) -> Result<(), FilesError> {
    write::unchanged(stat, &picked.entries[0], &picked.real)
}

/// Better than to copy what BuildKit would unpack.
fn refuse_unreadable(file: &File, name: &[u8]) -> Result<(), FilesError> {
    let name = String::from_utf8_lossy(name);
    let is_tar = [".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz"].iter().any(|end| name.ends_with(end));
    match store::layer::decompress(file, store::layer::Ratio::GUARDED) {
        Err(store::layer::LayerError::Compression(how)) if is_tar => Err(FilesError::Refused(format!(
            "cannot unpack {name}: archives compressed with {how} are not read; pack it with gzip or zstd, or unpack it in a RUN"
        ))),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests;
