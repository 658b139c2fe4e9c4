//! Ways out of a build that are no image of this store: archives of images, and files.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use builder::{Built, Variant};
use spec::annotation::Annotations;
use spec::attestation::Predicate;
use spec::digest::{Digest, ImageId};
use spec::reference::Reference;
use store::layer::{self, Packed};
use store::{Floor, Image, MountImage, SaveError, Saved};

use crate::error::Error;
use crate::host::Host;

/// How images are called and what is said on and about them.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Their names.
    pub names: &'a [Reference],
    /// Free words on their documents.
    pub annotations: &'a Annotations,
    /// For each variant; nothing: nothing.
    pub said: &'a [Vec<Predicate>],
}

impl Label<'_> {
    /// Whether there will be an index for all that is to be on one.
    ///
    /// # Errors
    /// In BuildKit's words: there will be none.
    pub fn check(&self, built: &Built) -> Result<(), Error> {
        let has_index = built.variants.len() > 1 || self.said.iter().any(|said| !said.is_empty());
        if self.annotations.want_index() && !has_index {
            return Err(Error::Invalid("index annotations not supported for single platform export".into()));
        }
        Ok(())
    }
}

/// Writes the images as one archive: `docker save`'s and an OCI layout at once; of several platforms an OCI layout alone. The store gets
/// no image of it.
///
/// # Errors
/// Of the store; the output.
pub fn archive(host: &Host, built: &Built, label: &Label<'_>, out: impl Write) -> Result<(), Error> {
    host.store.save_these(&[saved(built, label)?], out).map_err(unsaved)
}

/// The same into a directory that is an OCI layout, or becomes one.
///
/// # Errors
/// Of the store; the directory.
pub fn layout(host: &Host, built: &Built, label: &Label<'_>, dir: &Path) -> Result<(), Error> {
    host.store.save_layout(&[saved(built, label)?], dir).map_err(unsaved)
}

fn saved(built: &Built, label: &Label<'_>) -> Result<Saved, Error> {
    let mut images = Vec::new();
    for (place, variant) in built.variants.iter().enumerate() {
        images.push((image(variant)?, label.said.get(place).cloned().unwrap_or_default()));
    }
    Ok(Saved { images, names: label.names.to_vec(), annotations: label.annotations.clone() })
}

fn unsaved(error: SaveError) -> Error {
    match error {
        SaveError::Resolve(error) => error.into(),
        error @ (SaveError::Write(_)
        | SaveError::Layer(..)
        | SaveError::Corrupt { .. }
        | SaveError::Attestation(_)
        | SaveError::Store(_)) => Error::other("saving what was built")(error),
    }
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

/// Writes the files of the result as a tar. Those of each of several platforms are below a directory of its own: `linux_amd64`.
///
/// # Errors
/// Of the store; the output.
pub fn tar(host: &Host, built: &Built, out: impl Write) -> Result<(), Error> {
    let failed = "writing the files of what was built";
    let mut files = Vec::new();
    for variant in &built.variants {
        files.push((mount(host, variant)?, directory_of(variant)));
    }
    let trees: Vec<Packed<'_>> = match files.as_slice() {
        [(files, _)] => vec![Packed::Below(files.as_fd())],
        several => several.iter().map(|(files, name)| Packed::Directory(files.as_fd(), name.as_bytes())).collect(),
    };
    layer::pack_all(&trees, &|owner| owner, out).map(drop).map_err(Error::other(failed))
}

fn directory_of(variant: &Variant) -> String {
    variant.platform.to_string().replace('/', "_")
}

/// Whether each platform has a directory of its own: `linux_amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Where there are several.
    BySeveral,
    /// It has.
    Always,
    /// All go into one.
    Never,
}

/// Puts the files of the result into a directory, which is made if need be; what is there already under another name stays. The files
/// are ours then, as BuildKit's are the client's. What is said about them lies beside them.
///
/// # Errors
/// Of the file system.
pub fn local(host: &Host, built: &Built, said: &[Vec<Predicate>], dir: &Path, split: Split) -> Result<(), Error> {
    let several = built.variants.len() > 1;
    let splits = split == Split::Always || split == Split::BySeveral && several;
    for (at, variant) in built.variants.iter().enumerate() {
        let platform = directory_of(variant);
        let place = if splits { dir.join(&platform) } else { dir.to_owned() };
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
        let whose = if several && !splits { format!(".{platform}") } else { String::new() };
        for predicate in said.get(at).into_iter().flatten() {
            let name = match predicate.kind.contains("spdx") {
                true => format!("sbom{whose}.spdx.json"),
                false => format!("provenance{whose}.json"),
            };
            replace(&place.join(name), &aside, &predicate.body).map_err(failed())?;
        }
    }
    Ok(())
}

/// Writes a file over what is there, which is not followed if it is a link: what was built may have brought it.
fn replace(path: &Path, aside: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::File::create_new(aside)?.write_all(bytes)?;
    fs::rename(aside, path)
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
