//! Filling an empty volume with what the image has at its place, once: whole or not at all, whoever dies meanwhile.
//!
//! The copy is made in limbo, moved into the volume's directory by one rename, and from there into the volume, entry by entry; who dies
//! then has it finished by whoever uses the volume next (`disk::Filling`). What is mounted for a volume with options is elsewhere, and
//! is filled in place, as Docker does.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use disk::{Durability, Filling, Hold};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, syncfs};
use rustix::io::Errno;
use store::{Floor, Image, MountImage};

use super::Source;
use crate::error::Error;
use crate::host::Host;

/// An image's files, mounted when they are first asked for.
pub(super) struct Files<'a> {
    host: &'a Host,
    image: &'a Image,
    mount: Option<OwnedFd>,
}

impl<'a> Files<'a> {
    pub(super) fn new(host: &'a Host, image: &'a Image) -> Files<'a> {
        Files { host, image, mount: None }
    }

    /// The directory that the image has at `target`; none where it has nothing there, or something else.
    pub(super) fn directory(&mut self, target: &Path) -> Result<Option<OwnedFd>, Error> {
        let at = self.at(target)?;
        Ok(at.filter(|at| is_directory(at.as_fd())))
    }

    /// Whether the image has something at `target` that is no directory.
    pub(super) fn has_file(&mut self, target: &Path) -> Result<bool, Error> {
        Ok(self.at(target)?.is_some_and(|at| !is_directory(at.as_fd())))
    }

    /// Links are followed, within the image.
    fn at(&mut self, target: &Path) -> Result<Option<OwnedFd>, Error> {
        let mount = match self.mount.take() {
            Some(mount) => mount,
            None => {
                let request = MountImage { id_maps: None, floor: Floor::Skeleton, beneath: None };
                let mounted = self.host.store.mount_image(&self.image.chains, request);
                mounted.map_err(Error::other("mounting the image, to see what it has where volumes are mounted"))?
            }
        };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(&mount, target, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve);
        self.mount = Some(mount);
        match opened {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            other => {
                other.map(Some).map_err(|e| Error::Io(format!("opening {} of the image", target.display()), e.into()))
            }
        }
    }
}

fn is_directory(fd: BorrowedFd<'_>) -> bool {
    fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Whether a directory has nothing in it.
pub(super) fn is_empty(dir: BorrowedFd<'_>) -> io::Result<bool> {
    for entry in Dir::new(readable(dir)?)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same directory, to be read.
fn readable(dir: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, ".", flags, Mode::empty())?)
}

/// Fills a volume if it is empty and the image has a directory at `target`.
pub(super) fn fill(
    host: &Host,
    hold: &Hold,
    source: &Source,
    files: &mut Files<'_>,
    target: &Path,
    durability: Durability,
) -> Result<(), Error> {
    let Some(from) = files.directory(target)? else { return Ok(()) };
    let doing = || Error::io("failed to populate volume");
    let filling = hold.fill(&dress).map_err(doing())?;
    let from = readable(from.as_fd()).map_err(doing())?;
    match source {
        Source::Own(data) => own(host, &filling, data, from.as_fd(), durability),
        Source::Bind { device, .. } => {
            let opened = File::open(device);
            let flags = format!("mount {}:{}, flags: 0x1000", device.display(), hold.data().display());
            let opened = opened.map_err(Error::io(format!(
                "failed to populate volume: error while mounting volume '{}': failed to mount local volume: {flags}",
                hold.data().display()
            )))?;
            in_place(from.as_fd(), opened.as_fd())
        }
        // With Docker, too, what is copied into memory here is gone before the container starts.
        Source::Filesystem { fstype, .. } if fstype == "tmpfs" => Ok(()),
        Source::Filesystem { fstype, device, options, attributes } => {
            let options: Vec<_> = options.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
            let mounted = runtime::filesystem(fstype, device, &options, *attributes).map_err(|failure| {
                let at = hold.data();
                Error::Invalid(format!(
                    "failed to populate volume: error while mounting volume '{}': failed to mount local volume: mount {device}:{}: {failure}",
                    at.display(),
                    at.display()
                ))
            })?;
            if attributes.readonly { Ok(()) } else { in_place(from.as_fd(), mounted.as_fd()) }
        }
    }
}

fn own(
    host: &Host,
    filling: &Filling<'_>,
    data: &Path,
    from: BorrowedFd<'_>,
    durability: Durability,
) -> Result<(), Error> {
    let doing = || Error::io("failed to populate volume");
    if !filling.is_empty().map_err(doing())? {
        return Ok(());
    }
    if is_empty(from).map_err(doing())? {
        let to = File::open(data).map_err(doing())?;
        return store::dress(from, to.as_fd()).map_err(doing());
    }
    let scratch = filling.scratch(&host.home).map_err(doing())?;
    store::copy(from, &scratch.tree())?;
    if durability == Durability::Durable {
        // Nobody would copy again, so all of it must be there after a loss of power, too.
        File::open(scratch.tree()).and_then(|tree| Ok(syncfs(&tree)?)).map_err(doing())?;
    }
    filling.commit(scratch, &dress).map_err(doing())
}

fn in_place(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Error> {
    let doing = || Error::io("failed to populate volume");
    if !is_directory(to) || !is_empty(to).map_err(doing())? {
        return Ok(());
    }
    Ok(store::copy(from, &PathBuf::from(format!("/proc/self/fd/{}/.", to.as_raw_fd())))?)
}

/// Owner, mode, attributes and times of a directory.
pub(super) fn dress(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (File::open(from)?, File::open(to)?);
    store::dress(from.as_fd(), to.as_fd())
}
