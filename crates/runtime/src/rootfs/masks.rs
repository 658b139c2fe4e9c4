//! Masked and read-only paths: what a container may see of /proc and /sys.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::io::Errno;
use spec::bundle::Bundle;
use spec::mount::MountAttributes;
use sys::mount::{Attributes, Reach};

use super::mounts::filesystem;
use super::target::{Kind, Root, Symlinks, open_null};
use super::{attach_onto, attributes, clone_of};
use crate::failure::{Doing, InitFailure};

/// What masks are made of, taken from the machine and not from the container, where either could be something else by now
/// (CVE-2025-31133).
pub(super) struct Kit {
    null: Option<OwnedFd>,
}

impl Kit {
    /// Opened before the first mount of the container's.
    pub(super) fn open(bundle: &Bundle) -> Result<Kit, InitFailure> {
        let null = if bundle.masked_paths.is_empty() { None } else { Some(open_null()?) };
        Ok(Kit { null })
    }

    /// Hides each path that is there: a directory under one shared, empty, read-only tmpfs; anything else under the null device.
    pub(super) fn mask(&self, root: Root<'_>, paths: &[PathBuf]) -> Result<(), InitFailure> {
        let Some(null) = &self.null else { return Ok(()) };
        let mut empty: Option<OwnedFd> = None;
        for path in paths {
            let Some(target) = present(root, path)? else { continue };
            let doing = || format!("masking {}", path.display());
            let cover = match Kind::of(target.as_fd()).doing(doing)? {
                Kind::Directory => match &empty {
                    // Of the first, which is attached by now: a mount that is not can be cloned since Linux 6.15 only.
                    Some(first) => clone_of(first.as_fd(), Reach::This).doing(doing)?,
                    None => {
                        let first = empty.insert(empty_directory()?);
                        attach_onto(first.as_fd(), target.as_fd()).doing(doing)?;
                        continue;
                    }
                },
                Kind::File => {
                    let cover = clone_of(null.as_fd(), Reach::This).doing(doing)?;
                    // It is the machine's own node: its mode and owner are not the container's to change.
                    let bits = Attributes::READONLY | Attributes::NOSUID | Attributes::NOEXEC;
                    attributes(cover.as_fd(), Attributes::set(bits), Reach::This, &doing())?;
                    cover
                }
            };
            attach_onto(cover.as_fd(), target.as_fd()).doing(doing)?;
        }
        Ok(())
    }
}

fn empty_directory() -> Result<OwnedFd, InitFailure> {
    let locked =
        MountAttributes { readonly: true, nosuid: true, nodev: true, noexec: true, ..MountAttributes::default() };
    filesystem("tmpfs", "tmpfs", &[("mode", Some("755")), ("nr_blocks", Some("1")), ("nr_inodes", Some("1"))], locked)
}

/// Makes each path that is there read-only, with everything mounted below.
pub(super) fn readonly(root: Root<'_>, paths: &[PathBuf]) -> Result<(), InitFailure> {
    for path in paths {
        let Some(target) = present(root, path)? else { continue };
        let doing = || format!("making {} read-only", path.display());
        let cover = clone_of(target.as_fd(), Reach::Below).doing(doing)?;
        attributes(cover.as_fd(), Attributes::set(Attributes::READONLY), Reach::Below, &doing())?;
        attach_onto(cover.as_fd(), target.as_fd()).doing(doing)?;
    }
    Ok(())
}

/// None where there is nothing. A symlink is an error: what it hides behind would stay in the open.
fn present(root: Root<'_>, path: &std::path::Path) -> Result<Option<OwnedFd>, InitFailure> {
    match root.open(path, Symlinks::Refuse) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno).doing(|| format!("open {}", path.display())),
    }
}
