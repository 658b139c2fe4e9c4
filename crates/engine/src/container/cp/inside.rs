//! The container's end of a copy: what a path means there, an archive of it, an archive unpacked there. What Docker's daemon does for
//! `HEAD`, `GET` and `PUT` of `/containers/{id}/archive`.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, OFlags, Stat, StatVfsMountFlags, StatxFlags, fstat, fstatvfs, statx};
use rustix::io::Errno;
use spec::container::Config;
use store::layer::{self, Extract, LayerError, Owner, Owners, Packed};

use super::paths::{self, Rename};
use super::{CopyError, Stopped};
use crate::container::files::{Files, is_directory};
use crate::error::Error;

/// A container whose files are open.
pub(super) struct Inside<'a> {
    pub(super) files: &'a Files,
    pub(super) config: &'a Config,
    /// As the user calls it.
    pub(super) name: &'a str,
}

/// What there is at a path.
pub(super) struct Found {
    pub(super) stat: Stat,
    /// Where a symbolic link leads in the end.
    pub(super) target: Option<Vec<u8>>,
}

/// Whose the files become that are copied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of the archive.
    Archive,
    /// The user's that the container runs as, where it names one; else as above (moby `applyTarCopyUserOptions`).
    User,
}

impl Inside<'_> {
    /// What there is.
    pub(super) fn look(&self, path: &[u8]) -> Result<Found, Error> {
        let stat = self.files.look(path).map_err(|errno| self.failed("lstat", path, errno))?;
        let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let target = is_link.then(|| self.files.resolve(path)).transpose();
        Ok(Found { stat, target: target.map_err(|errno| self.failed("lstat", path, errno))? })
    }

    /// Writes an archive of what a path means: a directory with all in it, or one thing. Its first name is the path's last part, or `.`
    /// where the path ends so.
    pub(super) fn archive(&self, path: &[u8], out: impl Write) -> Result<(), Stopped> {
        let absolute = paths::keep_end(paths::join(b"/", path), path);
        let failed = |errno| self.failed("lstat", path, errno);
        let owners = |owner: Owner| self.files.ids().map_or(owner, |ids| ids.to_container(owner));
        let stat = self.files.look(&absolute).map_err(failed)?;
        let name = paths::base(&absolute);
        let packed = if is_directory(&stat) {
            let dir = self.files.open_at(&absolute, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
            let name: &[u8] = if name == b"/" { b"" } else { &name };
            layer::pack(Packed::Directory(dir.as_fd(), name), &owners, out)
        } else {
            let parent = paths::split_at_slash(&absolute).0;
            let dir = self.files.open_at(parent, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
            layer::pack(Packed::Named { dir: dir.as_fd(), name: &name, as_name: &name }, &owners, out)
        };
        packed.map(drop).map_err(|error| Stopped::from_pack(error, CopyError::from))
    }

    /// Unpacks a plain archive in a directory.
    pub(super) fn extract(&self, dir: &[u8], rename: &Rename, whose: Whose, tar: impl Read) -> Result<(), Error> {
        let opened = self.directory(dir)?;
        let user = match whose {
            Whose::User if !self.config.user.is_empty() => {
                let ids = runtime::user_ids(self.files.root(), &self.config.user);
                Some(ids.map_err(|e| Error::Invalid(e.to_string()))?)
            }
            Whose::User | Whose::Archive => None,
        };
        let owners = |owner: Owner| {
            let owner = user.unwrap_or(owner);
            self.files.ids().map_or(Some(owner), |ids| ids.to_host(owner))
        };
        let how = Extract { rename: &|name| rename.apply(name), owners: Owners::Archive(&owners) };
        let extract = || layer::extract(tar, opened.as_fd(), &how).map(drop);
        let done = match self.files.ids() {
            None => extract(),
            // What is made must have an owner in the container, if only until it is given its own.
            Some(ids) => {
                let (uid, gid) =
                    ids.to_host((0, 0)).ok_or_else(|| Error::Invalid("the container has no root".into()))?;
                let done = sys::fsids::as_owner(uid, gid, || Ok::<_, std::io::Error>(extract()));
                done.map_err(Error::io("acting as the container's root"))?
            }
        };
        done.map_err(|error| refusal(error, &paths::join(b"/", dir)))
    }

    /// The directory that an archive is unpacked in, which may be written.
    fn directory(&self, path: &[u8]) -> Result<OwnedFd, Error> {
        let absolute = paths::join(b"/", path);
        let failed = |errno| self.failed("lstat", path, errno);
        let opened = self.files.open_at(&absolute, OFlags::PATH).map_err(failed)?;
        if !is_directory(&fstat(&opened).map_err(failed)?) {
            return Err(Error::Invalid("extraction point is not a directory".into()));
        }
        let dir = self.files.open_at(&absolute, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
        let flags = fstatvfs(&dir).map_err(failed)?.f_flag;
        if !flags.contains(StatVfsMountFlags::RDONLY) {
            return Ok(dir);
        }
        let is_root = mount_of(dir.as_fd()).map_err(failed)? == mount_of(self.files.root()).map_err(failed)?;
        let what = if is_root { "container rootfs" } else { "mounted volume" };
        Err(Error::Invalid(format!("{what} is marked read-only")))
    }

    fn failed(&self, act: &str, path: &[u8], errno: Errno) -> Error {
        let shown = String::from_utf8_lossy(path);
        match errno {
            Errno::NOENT => Error::NotFound(format!("Could not find the file {shown} in container {}", self.name)),
            other => Error::io(format!(
                "{act} {}",
                String::from_utf8_lossy(&paths::keep_end(paths::join(b"/", path), path))
            ))(other.into()),
        }
    }
}

/// Which mount a descriptor is on.
fn mount_of(fd: BorrowedFd<'_>) -> Result<u64, Errno> {
    Ok(statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?.stx_mnt_id)
}

/// What was wrong with an archive or with the place it goes to, `dir`.
pub(super) fn refusal(error: LayerError, dir: &[u8]) -> Error {
    match error {
        LayerError::Clash { path, coming } => {
            let path = paths::join(dir, &path);
            let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
            Error::Invalid(format!(
                "cannot overwrite {} {:?} with {} {:?}",
                coming.instead_of(),
                shown(&path),
                coming.word(),
                shown(dir)
            ))
        }
        LayerError::Refused { entry, why } => Error::Invalid(format!("invalid archive entry {entry:?}: {why}")),
        LayerError::Io { act, entry, source } => Error::Io(format!("{act} {entry}"), source),
        error @ (LayerError::Tar(_) | LayerError::TooLarge(_) | LayerError::Recipe(_) | LayerError::Changed { .. }) => {
            Error::other("reading the archive")(error)
        }
    }
}
