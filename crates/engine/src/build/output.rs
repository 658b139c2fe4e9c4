//! Ways out of a build that are no image of this store: archives of images, and files.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use builder::{Built, Variant};
use spec::attestation::Predicate;
use spec::digest::{Digest, ImageId};
use spec::reference::Reference;
use store::layer::{self, Packed};
use store::{Floor, Image, MountImage, Pointed, SaveError, Saved};

use crate::error::Error;
use crate::host::Host;

/// Writes the images as one archive, under these names: `docker save`'s and an OCI layout at once. The store gets no image of it.
///
/// # Errors
/// Of the store; the output.
pub fn archive(
    host: &Host,
    built: &Built,
    said: &[Vec<Predicate>],
    names: &[Reference],
    out: impl Write,
) -> Result<(), Error> {
    let mut images = Vec::new();
    for (place, variant) in built.variants.iter().enumerate() {
        let predicates = said.get(place).cloned().unwrap_or_default();
        images.push(Saved { image: image(variant)?, names: names.to_vec(), predicates });
    }
    host.store.save_these(&images, Pointed::Together, out).map_err(|error| match error {
        SaveError::Resolve(error) => error.into(),
        error @ (SaveError::Write(_)
        | SaveError::Layer(..)
        | SaveError::Corrupt { .. }
        | SaveError::Attestation(_)
        | SaveError::Store(_)) => Error::other("saving what was built")(error),
    })
}

/// As if it were in the store.
fn image(variant: &Variant) -> Result<Image, Error> {
    let config_bytes =
        serde_json::to_vec(&variant.config).map_err(Error::other("writing the config of what was built"))?;
    Ok(Image {
        id: ImageId(Digest::sha256(&config_bytes)),
        config: variant.config.clone(),
        config_bytes,
        manifest: None,
        chains: variant.chains.clone(),
        size_bytes: 0,
        loaded_at: disk::now(),
    })
}

/// Writes the files of the result as a tar.
///
/// # Errors
/// It is for several platforms; the output.
pub fn tar(host: &Host, built: &Built, out: impl Write) -> Result<(), Error> {
    let [variant] = built.variants.as_slice() else {
        return Err(Error::NotYet("a tar of the files of several platforms".into()));
    };
    let files = mount(host, variant)?;
    layer::pack(Packed::Below(files.as_fd()), &|owner| owner, out)
        .map(drop)
        .map_err(Error::other("writing the files of what was built"))
}

/// Puts the files of the result into a directory, which is made if need be; what is there already under another name stays. The files
/// are ours then, as BuildKit's are the client's. Each of several platforms has a directory of its own: `linux_amd64`.
///
/// # Errors
/// Of the file system.
pub fn local(host: &Host, built: &Built, dir: &Path) -> Result<(), Error> {
    for variant in &built.variants {
        let place = match built.variants.as_slice() {
            [_] => dir.to_owned(),
            _ => dir.join(variant.platform.to_string().replace('/', "_")),
        };
        let failed = || Error::io(format!("writing what was built to {}", place.display()));
        fs::create_dir_all(&place).map_err(failed())?;
        let files = mount(host, variant)?;
        // Beside what it goes over, so that each name is moved into place whole.
        let aside = place.join(format!(".kist-build-{}", std::process::id()));
        fs::create_dir(&aside).map_err(failed())?;
        let copied = store::copy(files.as_fd(), &aside).map_err(Error::from);
        let moved = copied.and_then(|()| own(&aside).and_then(|()| put(&aside, &place)).map_err(failed()));
        let removed = disk::remove_tree(&aside).map_err(failed());
        moved.and(removed)?;
    }
    Ok(())
}

fn mount(host: &Host, variant: &Variant) -> Result<OwnedFd, Error> {
    let request = MountImage { id_maps: None, floor: Floor::Bare, beneath: None };
    host.store.mount_image(&variant.chains, request).map_err(Error::other("mounting the files of what was built"))
}

/// Whoever builds owns what comes of it.
fn own(dir: &Path) -> io::Result<()> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            lchown(entry.path(), Some(uid), Some(gid))?;
            if entry.file_type()?.is_dir() {
                todo.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Moves what is in one directory into another, into directories that are there in both, and over everything else. A link there is
/// replaced and not followed.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    let mut todo: Vec<(PathBuf, PathBuf)> = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = todo.pop() {
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            let there = match fs::symlink_metadata(&target) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                other => Some(other?),
            };
            match there {
                Some(there) if there.is_dir() && entry.file_type()?.is_dir() => {
                    fs::set_permissions(&target, entry.metadata()?.permissions())?;
                    todo.push((entry.path(), target));
                    continue;
                }
                Some(there) if there.is_dir() => disk::remove_tree(&target)?,
                Some(_) if entry.file_type()?.is_dir() => fs::remove_file(&target)?,
                Some(_) | None => {}
            }
            fs::rename(entry.path(), target)?;
        }
    }
    Ok(())
}
