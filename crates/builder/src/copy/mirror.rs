//! A destination past the mount: where it is not there below, or empty, files may be written straight into a draft's upper directory.
//! overlayfs would make each of them in its work directory and rename it, and cannot share files between layers.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir, mkdirat, openat};
use rustix::io::Errno;

use crate::context::{FilesError, paths};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Makes the directories above `dest` in the empty directory `upper` as they are in `below`, and `dest` itself if it is there; answers the
/// destination without links. None: what is there takes a part in the copy, and it must be made through a mount.
///
/// # Errors
/// [`FilesError::Io`].
pub fn mirror(below: BorrowedFd<'_>, upper: BorrowedFd<'_>, dest: &str) -> Result<Option<String>, FilesError> {
    let Ok(real) = paths::real(below, &paths::clean(dest.as_bytes())) else { return Ok(None) };
    let failed = |errno: Errno| FilesError::io("making", &real, errno);
    let parts: Vec<&[u8]> = real.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
    let mut there: Vec<OwnedFd> = Vec::new();
    for part in &parts {
        match openat(there.last().map_or(below, AsFd::as_fd), *part, DIRECTORY, Mode::empty()) {
            Ok(dir) => there.push(dir),
            Err(Errno::NOENT) => break,
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        }
    }
    let is_there = there.len() == parts.len();
    if is_there && !is_empty(there.last().map_or(below, AsFd::as_fd)).map_err(failed)? {
        return Ok(None);
    }
    let mut made: Vec<OwnedFd> = Vec::new();
    for part in &parts[..there.len()] {
        let dir = made.last().map_or(upper, AsFd::as_fd);
        mkdirat(dir, *part, Mode::RWXU).map_err(failed)?;
        made.push(openat(dir, *part, DIRECTORY, Mode::empty()).map_err(failed)?);
    }
    // The innermost first: what is made in a directory changes its time.
    for (from, to) in there.iter().zip(&made).rev() {
        store::dress(from.as_fd(), to.as_fd()).map_err(|e| FilesError::io("making", &real, e))?;
    }
    let Ok(text) = String::from_utf8(real) else { return Ok(None) };
    let end = if is_there || dest.ends_with('/') || dest.ends_with("/.") { "/" } else { "" };
    Ok(Some(format!("/{text}{end}")))
}

fn is_empty(dir: BorrowedFd<'_>) -> Result<bool, Errno> {
    // One of its own: the position in the caller's is the caller's.
    let dir = openat(dir, ".", DIRECTORY, Mode::empty())?;
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
