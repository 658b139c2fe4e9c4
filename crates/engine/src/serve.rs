//! `registry serve` without a directory of its own: the engine's images as they lie there, over what clients pushed.
//!
//! An image is served as its config and the tars of its layers, which are assembled while they are read: nothing is copied, and the manifest
//! is always the same. It is found by its name without the registry: `app` and `library/app` are `docker.io/library/app`, `team/app` is
//! `localhost:5000/team/app`, and `ghcr.io/team/app` keeps a registry that is somebody else's. What was pushed comes first.

use std::io::{self, Read};

use registry::server::{
    Blob, Content, Demand, Files, Listed, Manifest, Page, Referrers, Repository, Storage, StorageError, Tag, Upload,
    UploadId, Which,
};
use spec::digest::{Algorithm, BlobDigest};
use spec::image::{self, Descriptor, media};
use spec::reference::Reference;
use store::{Image, Store, StoreError};

/// The engine's images over a directory.
pub struct Own {
    /// Where the images are.
    pub store: Store,
    /// Where goes what is pushed.
    pub pushed: Files,
}

/// All of a list: the page is cut from the whole.
const ALL: Page = Page { after: None, limit: usize::MAX };

impl Storage for Own {
    fn repositories(&self, page: &Page) -> Result<Listed, StorageError> {
        let mut names = self.pushed.repositories(&ALL)?.names;
        names.extend(self.tagged()?.iter().map(|(reference, _)| served_as(reference)));
        Ok(page.of(names))
    }

    fn tags(&self, repository: &Repository, page: &Page) -> Result<Listed, StorageError> {
        let own: Vec<String> =
            self.of(repository)?.iter().filter_map(|(name, _)| name.tag().map(str::to_owned)).collect();
        match self.pushed.tags(repository, &ALL) {
            Ok(listed) => Ok(page.of([listed.names, own].concat())),
            Err(StorageError::NameUnknown(_)) if !own.is_empty() => Ok(page.of(own)),
            Err(error) => Err(error),
        }
    }

    fn manifest(&self, repository: &Repository, which: &Which) -> Result<Manifest, StorageError> {
        let unknown = match self.pushed.manifest(repository, which) {
            Err(error @ (StorageError::ManifestUnknown(_) | StorageError::NameUnknown(_))) => error,
            found => return found,
        };
        for (name, image) in self.of(repository)? {
            if matches!(which, Which::Tag(tag) if name.tag() != Some(tag.as_str())) {
                continue;
            }
            let Some(manifest) = self.describe(&image)? else { continue };
            if matches!(which, Which::Tag(_)) || *which == Which::Digest(manifest.digest.clone()) {
                return Ok(manifest);
            }
        }
        Err(unknown)
    }

    fn put_manifest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tags: &[Tag],
        demand: Demand,
    ) -> Result<Option<BlobDigest>, StorageError> {
        match self.pushed.put_manifest(repository, manifest, tags, demand) {
            // The client heard that they are here, and did not upload them.
            Err(StorageError::BlobsMissing(missing)) => {
                for digest in missing {
                    self.copy(repository, &digest)?;
                }
                self.pushed.put_manifest(repository, manifest, tags, demand)
            }
            done => done,
        }
    }

    fn delete_manifest(&self, repository: &Repository, which: &Which) -> Result<(), StorageError> {
        match self.pushed.delete_manifest(repository, which) {
            Err(StorageError::ManifestUnknown(_) | StorageError::NameUnknown(_))
                if self.manifest(repository, which).is_ok() =>
            {
                Err(of_the_engine())
            }
            other => other,
        }
    }

    fn referrers(
        &self,
        repository: &Repository,
        subject: &BlobDigest,
        after: Option<&BlobDigest>,
    ) -> Result<Referrers, StorageError> {
        self.pushed.referrers(repository, subject, after)
    }

    fn blob(&self, repository: &Repository, digest: &BlobDigest) -> Result<Blob, StorageError> {
        let unknown = match self.pushed.blob(repository, digest) {
            Err(error @ (StorageError::BlobUnknown(_) | StorageError::NameUnknown(_))) => error,
            found => return found,
        };
        for (_, image) in self.of(repository)? {
            if image.id.0 == digest.0 {
                let bytes = image.config_bytes;
                let size = bytes.len() as u64;
                return Ok(Blob { size, content: Content::Made(Box::new(move |from| from_offset(bytes, from))) });
            }
            let mut layers = image.config.rootfs.diff_ids.iter().zip(&image.chains);
            if let Some((_, chain)) = layers.find(|(diff_id, _)| diff_id.0 == digest.0) {
                let Some(size) = self.unless_removed(&image, self.store.layer_tar_bytes(chain))?.map(|(_, size)| size)
                else {
                    continue;
                };
                let (store, chain) = (self.store.clone(), chain.clone());
                let made = move |from| -> io::Result<Box<dyn Read + Send>> {
                    let mut tar = store.layer_tar(&chain).map_err(io::Error::other)?;
                    tar.skip(from)?;
                    Ok(Box::new(tar))
                };
                return Ok(Blob { size, content: Content::Made(Box::new(made)) });
            }
        }
        Err(unknown)
    }

    fn delete_blob(&self, repository: &Repository, digest: &BlobDigest) -> Result<(), StorageError> {
        match self.pushed.delete_blob(repository, digest) {
            Err(StorageError::BlobUnknown(_)) if self.blob(repository, digest).is_ok() => Err(of_the_engine()),
            other => other,
        }
    }

    fn mount(
        &self,
        repository: &Repository,
        digest: &BlobDigest,
        from: Option<&Repository>,
    ) -> Result<(), StorageError> {
        self.pushed.mount(repository, digest, from)
    }

    fn begin(&self, repository: &Repository, algorithm: Algorithm) -> Result<Box<dyn Upload>, StorageError> {
        self.pushed.begin(repository, algorithm)
    }

    fn upload(&self, repository: &Repository, id: &UploadId) -> Result<Box<dyn Upload>, StorageError> {
        self.pushed.upload(repository, id)
    }

    fn collect(&self) -> Result<u64, StorageError> {
        self.pushed.collect()
    }
}

impl Own {
    /// All names by tag, with what they mean.
    fn tagged(&self) -> Result<Vec<(Reference, spec::digest::ImageId)>, StorageError> {
        let names = self.store.all_names().map_err(damaged)?;
        Ok(names.into_iter().flat_map(|(id, names)| names.tags.into_iter().map(move |tag| (tag, id.clone()))).collect())
    }

    /// The images of a repository.
    fn of(&self, repository: &Repository) -> Result<Vec<(Reference, Image)>, StorageError> {
        let mut found = Vec::new();
        for (name, id) in self.tagged()? {
            let library = name.registry() == "docker.io" && name.path() == repository.as_str();
            if library || served_as(&name) == repository.as_str() {
                match self.store.image(&id) {
                    Ok(image) => found.push((name, image)),
                    // Removed since the listing.
                    Err(StoreError::Gone(_)) => {}
                    Err(error) => return Err(damaged(error)),
                }
            }
        }
        Ok(found)
    }

    /// The manifest of an image; none if it is removed meanwhile.
    fn describe(&self, image: &Image) -> Result<Option<Manifest>, StorageError> {
        let mut layers = Vec::new();
        for chain in &image.chains {
            let Some((diff_id, size)) = self.unless_removed(image, self.store.layer_tar_bytes(chain))? else {
                return Ok(None);
            };
            layers.push(Descriptor { digest: BlobDigest(diff_id.0), size, ..Descriptor::of(media::LAYER, b"") });
        }
        let bytes = image::Manifest::of_image(&image.config_bytes, layers).to_bytes();
        let Descriptor { media_type, digest, .. } = Descriptor::of(media::MANIFEST, &bytes);
        Ok(Some(Manifest { media_type, digest, bytes }))
    }

    /// What misses of an image is no damage when the image is gone, too.
    fn unless_removed<T>(&self, image: &Image, found: Result<T, StoreError>) -> Result<Option<T>, StorageError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(_) if matches!(self.store.image(&image.id), Err(StoreError::Gone(_))) => Ok(None),
            Err(error) => Err(damaged(error)),
        }
    }

    /// Puts a blob of the engine's among what was pushed; leaves it to the caller to find it missing.
    fn copy(&self, repository: &Repository, digest: &BlobDigest) -> Result<(), StorageError> {
        let blob = match self.blob(repository, digest) {
            Ok(blob) => blob,
            Err(StorageError::BlobUnknown(_) | StorageError::NameUnknown(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Content::Made(open) = blob.content else { return Ok(()) };
        let failed = |error: io::Error| StorageError::Damaged(format!("blob {digest}: {error}"));
        let mut bytes = open(0).map_err(failed)?;
        let mut upload = self.pushed.begin(repository, digest.0.algorithm())?;
        let mut piece = vec![0; 256 << 10];
        loop {
            match bytes.read(&mut piece).map_err(failed)? {
                0 => return upload.finish(digest),
                n => upload.append(&piece[..n])?,
            }
        }
    }
}

/// The repository that a name is served as.
fn served_as(name: &Reference) -> String {
    let registry = name.registry();
    let ours = registry == "docker.io" || registry.contains(':') || registry == "localhost";
    if ours { name.path().trim_start_matches("library/").to_owned() } else { name.repository() }
}

fn from_offset(bytes: Vec<u8>, from: u64) -> io::Result<Box<dyn Read + Send>> {
    let mut cursor = io::Cursor::new(bytes);
    cursor.set_position(from);
    Ok(Box::new(cursor))
}

fn of_the_engine() -> StorageError {
    StorageError::Unsupported("this is an image of the engine: `kist rmi` removes it")
}

fn damaged(error: StoreError) -> StorageError {
    StorageError::Damaged(error.to_string())
}
