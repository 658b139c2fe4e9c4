//! Ways out of a build that are no image of this store: archives of images, and files.

use std::fs;
use std::io::{self, Read as _, Seek as _, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use builder::{Built, Variant};
use rustix::fs::{Mode, OFlags, openat};
use spec::attestation::Predicate;
use spec::digest::{Digest, ImageId};
use spec::image::{Descriptor, Index};
use spec::reference::Reference;
use store::layer::{self, Packed};
use store::tar::{Kind, Reader};
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

/// Writes the files of the result as a tar; those of several platforms below a directory for each: `linux_amd64`.
///
/// # Errors
/// Of the file system; the output.
pub fn tar(host: &Host, built: &Built, out: impl Write) -> Result<(), Error> {
    let failed = Error::other("writing the files of what was built");
    if let [variant] = built.variants.as_slice() {
        let files = mount(host, variant)?;
        return layer::pack(Packed::Below(files.as_fd()), &|owner| owner, out).map(drop).map_err(failed);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut trees = Vec::new();
    for variant in &built.variants {
        let files = openat(mount(host, variant)?, ".", flags, Mode::empty());
        trees.push((files.map_err(|e| Error::Io(OPENING.into(), e.into()))?, directory_of(variant)));
    }
    let packed = trees.iter().map(|(files, name)| Packed::Directory(files.as_fd(), name.as_bytes()));
    layer::pack_all(packed, &|owner| owner, out).map(drop).map_err(failed)
}

const OPENING: &str = "opening the files of what was built";

/// `linux_amd64`
fn directory_of(variant: &Variant) -> String {
    variant.platform.to_string().replace('/', "_")
}

/// Writes the archive's members into a directory, which is an OCI layout then, beside the images that it has already.
///
/// # Errors
/// Of the store; of the file system.
pub fn layout(
    host: &Host,
    built: &Built,
    said: &[Vec<Predicate>],
    names: &[Reference],
    dir: &Path,
) -> Result<(), Error> {
    let mut spool = host.store.spool()?;
    archive(host, built, said, names, &spool)?;
    let failed = || Error::io(format!("writing the image to {}", dir.display()));
    spool.rewind().map_err(failed())?;
    fs::create_dir_all(dir.join("blobs/sha256")).map_err(failed())?;
    let mut members = Reader::new(spool);
    while let Some(member) = members.next().map_err(Error::other("reading the image's archive"))? {
        // It is our own: its names are plain.
        let name = String::from_utf8_lossy(&member.path).into_owned();
        match member.kind {
            Kind::File { .. } if name == "index.json" => {
                let mut bytes = Vec::new();
                members.read_to_end(&mut bytes).map_err(failed())?;
                add_to_index(&dir.join(&name), &bytes)?;
            }
            // Docker's list, which only an archive has.
            Kind::File { .. } if name == "manifest.json" => {}
            Kind::File { .. } => {
                let aside = dir.join(format!(".kist-build-{}", std::process::id()));
                let written = fs::File::create(&aside).and_then(|mut file| io::copy(&mut members, &mut file));
                written.and_then(|_| fs::rename(&aside, dir.join(&name))).map_err(failed())?;
            }
            Kind::Dir | Kind::HardLink { .. } | Kind::Symlink { .. } | Kind::Char(_) | Kind::Block(_) | Kind::Fifo => {}
        }
    }
    Ok(())
}

/// What is there under another name stays.
fn add_to_index(path: &Path, ours: &[u8]) -> Result<(), Error> {
    const NAME: &str = "io.containerd.image.name";
    let failed = || Error::io(format!("writing {}", path.display()));
    let damaged = || Error::other("reading the index.json of a layout");
    let mut index: Index = serde_json::from_slice(ours).map_err(damaged())?;
    let there = match fs::read(path) {
        Ok(bytes) => serde_json::from_slice::<Index>(&bytes).map_err(damaged())?.manifests,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(failed()(e)),
    };
    let is_new = |old: &Descriptor| {
        index.manifests.iter().all(|new| match (old.annotations.get(NAME), new.annotations.get(NAME)) {
            (Some(old), Some(new)) => old != new,
            (Some(_), None) | (None, Some(_)) => true,
            (None, None) => old.digest != new.digest,
        })
    };
    let kept: Vec<Descriptor> = there.into_iter().filter(is_new).collect();
    index.manifests.extend(kept);
    let bytes = serde_json::to_vec(&index).map_err(damaged())?;
    let aside = path.with_file_name(format!(".kist-build-{}", std::process::id()));
    write(&aside, &bytes).and_then(|()| fs::rename(&aside, path)).map_err(failed())
}

/// A file of the user's, who may build again.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::File::create(path)?.write_all(bytes)
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
            write(&place.join(name), &predicate.body).map_err(failed())?;
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
