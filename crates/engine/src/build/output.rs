//! Ways out of a build that are no image of this store: archives of images, and files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use builder::attest::subjects;
use builder::{Built, Variant};
use disk::Durability;
use spec::attestation::{self, Predicate};
use spec::digest::{DiffId, Digest, ImageId};
use spec::form::{Form, Types};
use spec::reference::Reference;
use store::layer::{self, Packed};
use store::{Floor, Image, MountImage, SaveError, Saved};

use super::attest::created;
use crate::error::Error;
use crate::host::Host;

/// How images are called and what is said on and about them.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Their names.
    pub names: &'a [Reference],
    /// How they leave.
    pub form: &'a Form,
    /// For each variant; nothing: nothing.
    pub said: &'a [Vec<Predicate>],
}

impl Label<'_> {
    /// Whether there will be documents for all that is to be on them.
    ///
    /// # Errors
    /// In BuildKit's words: there will be none.
    pub fn check(&self, built: &Built) -> Result<(), Error> {
        let annotations = &self.form.annotations;
        let is_attested = self.said.iter().any(|said| !said.is_empty());
        let refused = |why: &str| Err(Error::Invalid(why.to_owned()));
        match self.form.types {
            Types::Docker if is_attested => refused("cannot export attestations with \"oci-mediatypes=false\""),
            Types::Docker if annotations.beside_manifests() => {
                refused("cannot export annotations with \"oci-mediatypes=false\"")
            }
            Types::Docker | Types::Oci if annotations.want_index() && built.variants.len() < 2 && !is_attested => {
                refused("index annotations not supported for single platform export")
            }
            Types::Docker | Types::Oci => Ok(()),
        }
    }
}

/// The layers of which it can be said that no file is later than `SOURCE_DATE_EPOCH`: those that were built with it.
#[must_use]
pub fn rewritten(built: &Built) -> BTreeMap<DiffId, i64> {
    let mut rewritten = BTreeMap::new();
    for variant in &built.variants {
        let Some(epoch) = variant.epoch else { continue };
        let layers = variant.config.rootfs.diff_ids.iter().skip(variant.base_layers);
        rewritten.extend(layers.map(|layer| (layer.clone(), epoch.seconds())));
    }
    rewritten
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
    Ok(Saved { images, names: label.names.to_vec(), form: label.form.clone() })
}

fn unsaved(error: SaveError) -> Error {
    match error {
        SaveError::Resolve(error) => error.into(),
        error @ (SaveError::Write(_)
        | SaveError::Layer(..)
        | SaveError::Corrupt { .. }
        | SaveError::Attestation(_)
        | SaveError::Pack(_)
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

/// Writes the files of the result as a tar, and what is said about them beside them. All of each of several platforms is below a directory
/// of its own: `linux_amd64`.
///
/// # Errors
/// Of the store; the output.
pub fn tar(host: &Host, built: &Built, said: &[Vec<Predicate>], out: impl Write) -> Result<(), Error> {
    let several = built.variants.len() > 1;
    let mut parts = Vec::new();
    for (at, variant) in built.variants.iter().enumerate() {
        let files = mount(host, variant)?;
        let dir = if several { directory_of(variant) } else { String::new() };
        let mut texts = beside(&files, said.get(at), "")?;
        for (name, _) in texts.iter_mut().filter(|_| several) {
            *name = format!("{dir}/{name}");
        }
        parts.push((files, dir, texts, created(variant).seconds()));
    }
    let mut trees = Vec::new();
    for (files, dir, texts, time_s) in &parts {
        trees.push(match dir.as_bytes() {
            [] => Packed::Below(files.as_fd()),
            name => Packed::Directory(files.as_fd(), name),
        });
        trees.extend(texts.iter().map(|(name, body)| Packed::File { name: name.as_bytes(), body, time_s: *time_s }));
    }
    let failed = "writing the files of what was built";
    layer::pack_all(&trees, &|owner| owner, out).map(drop).map_err(Error::other(failed))
}

/// What is said about files, as files: their names, which say whose they are, and their texts (BuildKit `exporter/local`).
fn beside(files: &OwnedFd, said: Option<&Vec<Predicate>>, whose: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let Some(said) = said.filter(|said| !said.is_empty()) else { return Ok(Vec::new()) };
    let failed = "stating what was built";
    let subjects = subjects(files.as_fd()).map_err(Error::io(failed))?;
    let one = |predicate: &Predicate| {
        let name = if predicate.kind.contains("spdx") { "sbom.spdx" } else { "provenance" };
        let text = attestation::state(predicate, &subjects).map_err(Error::other(failed))?;
        Ok((format!("{name}{whose}.json"), text))
    };
    said.iter().map(one).collect()
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
        for (name, text) in beside(&files, said.get(at), &whose)? {
            // A link that was built is replaced, and not followed.
            disk::replace(&place.join(name), &text, Durability::Volatile).map_err(failed())?;
        }
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
