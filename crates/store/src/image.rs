//! Images: found by what people type, listed, named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use disk::{Durability, read_at, write_at};
use spec::digest::{ChainId, Digest, ImageId};
use spec::image::{Descriptor, History, ImageConfig};
use spec::reference::Reference;
use spec::time::Time;

use crate::record::{ImageRecord, LayerRecord, NameRecord};
use crate::store::{Store, StoreError, list, unlink};

/// An image of this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The config's digest.
    pub id: ImageId,
    /// The config, read.
    pub config: ImageConfig,
    /// The config, as it came.
    pub config_bytes: Vec<u8>,
    /// The manifest it came with, if one did.
    pub manifest: Option<Descriptor>,
    /// Its layers, lowest first.
    pub chains: Vec<ChainId>,
    /// Of all layers, unpacked: what `docker images` prints.
    pub size_bytes: u64,
    /// When it came into this store, or was named last.
    pub loaded_at: Time,
}

impl Image {
    /// When it was made, if it says so.
    #[must_use]
    pub fn created(&self) -> Option<Time> {
        self.config.created.as_deref().and_then(|text| text.parse().ok())
    }
}

/// The names of an image, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// By tag: Docker's `RepoTags`.
    pub tags: Vec<Reference>,
    /// By digest: Docker's `RepoDigests`.
    pub digests: Vec<Reference>,
}

impl Names {
    /// All, tags first.
    pub fn iter(&self) -> impl Iterator<Item = &Reference> {
        self.tags.iter().chain(&self.digests)
    }

    /// Whether nobody calls it anything: `<none>:<none>`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.digests.is_empty()
    }

    fn add(&mut self, reference: Reference) {
        if reference.digest().is_some() { self.digests.push(reference) } else { self.tags.push(reference) }
    }
}

/// Why no image was found.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Nothing is called so. The text is Docker's.
    #[error("No such image: {0}")]
    NotFound(String),
    /// The beginning of more than one ID.
    #[error("ambiguous reference: {0}")]
    Ambiguous(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One line of `docker history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// The step, as the config tells it.
    pub step: History,
    /// What the step added, unpacked; 0 for a step without a layer.
    pub size_bytes: u64,
}

impl Store {
    /// The image a person means by `name`: a reference, a reference with a digest, or an ID or its beginning, in this order.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn resolve(&self, name: &str) -> Result<Image, ResolveError> {
        let gone = || ResolveError::NotFound(not_found(name));
        let id = self.resolve_id(name)?;
        self.find(&id)?.ok_or_else(gone)
    }

    pub(crate) fn resolve_id(&self, name: &str) -> Result<ImageId, ResolveError> {
        if let Ok(reference) = name.parse::<Reference>()
            && let Some(id) = self.named(&reference)?
        {
            return Ok(id);
        }
        let prefix = name.strip_prefix("sha256:").unwrap_or(name);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ResolveError::NotFound(not_found(name)));
        }
        let mut found = self.ids()?.into_iter().filter(|id| id.0.hex().starts_with(prefix));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => Err(ResolveError::Ambiguous(name.into())),
            (None, _) => Err(ResolveError::NotFound(not_found(name))),
        }
    }

    /// The image with this ID.
    ///
    /// # Errors
    /// [`StoreError::Gone`] when there is none.
    pub fn image(&self, id: &ImageId) -> Result<Image, StoreError> {
        self.find(id)?.ok_or_else(|| StoreError::Gone(id.clone()))
    }

    /// Whether all layers of an image are here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_complete(&self, image: &Image) -> Result<bool, StoreError> {
        for chain in &image.chains {
            if !self.has(chain)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The manifest an image came with, as it came; none for one that came without, or whose manifest is damaged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn manifest(&self, image: &Image) -> Result<Option<(Descriptor, Vec<u8>)>, StoreError> {
        let Some(descriptor) = image.manifest.clone() else { return Ok(None) };
        let path = self.blob(&descriptor.digest.0);
        match fs::read(&path) {
            Ok(bytes) => Ok((Digest::sha256(&bytes) == descriptor.digest.0).then_some((descriptor, bytes))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io("reading", &path)(e)),
        }
    }

    /// All images, the youngest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn images(&self) -> Result<Vec<(Image, Names)>, StoreError> {
        let mut names = self.all_names()?;
        let mut images = Vec::new();
        for id in self.ids()? {
            // One that was removed since the listing is not listed.
            if let Some(image) = self.find(&id)? {
                images.push((image, names.remove(&id).unwrap_or_default()));
            }
        }
        images.sort_by(|(a, _), (b, _)| b.created().cmp(&a.created()).then_with(|| a.id.cmp(&b.id)));
        Ok(images)
    }

    /// What an image is called.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn names(&self, id: &ImageId) -> Result<Names, StoreError> {
        Ok(self.all_names()?.remove(id).unwrap_or_default())
    }

    /// Lets `reference` mean this image; it stops to mean another, whose ID is the answer.
    ///
    /// # Errors
    /// [`StoreError::Gone`] when there is no such image.
    pub fn tag(&self, id: &ImageId, reference: &Reference) -> Result<Option<ImageId>, StoreError> {
        let _held = self.lock_images()?;
        if self.record(id)?.is_none() {
            return Err(StoreError::Gone(id.clone()));
        }
        self.name(id, reference)
    }

    /// Takes a name away; whether there was one. The image stays, even without names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn untag(&self, reference: &Reference) -> Result<bool, StoreError> {
        let _held = self.lock_images()?;
        unlink(&self.name_file(reference))
    }

    /// How the image was made and what each step added, the youngest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn history(&self, image: &Image) -> Result<Vec<HistoryRow>, StoreError> {
        let mut layers = image.chains.iter();
        let mut rows = Vec::new();
        for step in &image.config.history {
            let size_bytes = match layers.as_slice().first() {
                Some(chain) if !step.empty_layer => {
                    layers.next();
                    self.layer(chain)?.bytes
                }
                Some(_) | None => 0,
            };
            rows.push(HistoryRow { step: step.clone(), size_bytes });
        }
        // An image may tell less than it holds.
        for chain in layers {
            rows.push(HistoryRow { step: History::default(), size_bytes: self.layer(chain)?.bytes });
        }
        rows.reverse();
        Ok(rows)
    }

    /// With the images' lock held: the one writer of names.
    pub(crate) fn name(&self, id: &ImageId, reference: &Reference) -> Result<Option<ImageId>, StoreError> {
        let reference = canonical(reference);
        let before = self.name_record(&reference)?;
        if before.as_ref() != Some(id) {
            let record = NameRecord { reference: reference.clone(), image: id.clone() };
            write_at(&self.name_file(&reference), &record, Durability::Durable)?;
        }
        Ok(before.filter(|before| before != id))
    }

    /// The image a reference means.
    pub(crate) fn named(&self, reference: &Reference) -> Result<Option<ImageId>, StoreError> {
        let Some(digest) = reference.digest() else {
            return self.name_record(reference);
        };
        let by_digest = canonical(reference);
        if let Some(id) = self.name_record(&by_digest)? {
            return Ok(Some(id));
        }
        // An image that came in an archive: its manifest is known, though no registry said so.
        for (id, names) in self.all_names()? {
            let same = |name: &&Reference| name.familiar_name() == by_digest.familiar_name();
            if names.tags.iter().any(|name| same(&name))
                && self.record(&id)?.and_then(|record| record.manifest).is_some_and(|m| m.digest.0 == *digest)
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn name_record(&self, reference: &Reference) -> Result<Option<ImageId>, StoreError> {
        Ok(read_at::<NameRecord>(&self.name_file(reference))?.map(|record| record.image))
    }

    pub(crate) fn record(&self, id: &ImageId) -> Result<Option<ImageRecord>, StoreError> {
        Ok(read_at(&self.image_file(id))?)
    }

    pub(crate) fn layer(&self, chain: &ChainId) -> Result<LayerRecord, StoreError> {
        disk::read(&self.snapshot(chain))?.ok_or_else(|| StoreError::Damaged(format!("layer {chain} is missing")))
    }

    pub(crate) fn find(&self, id: &ImageId) -> Result<Option<Image>, StoreError> {
        let Some(record) = self.record(id)? else { return Ok(None) };
        let path = self.blob(&record.config.digest.0);
        let config_bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // Removed and collected after the record was read; or damaged, when the record is still there.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.record(id)?.is_none() => return Ok(None),
            Err(e) => return Err(StoreError::io("reading", &path)(e)),
        };
        let config: ImageConfig = serde_json::from_slice(&config_bytes)
            .map_err(|e| StoreError::Damaged(format!("the config of image {id}: {e}")))?;
        let chains = ChainId::of(&config.rootfs.diff_ids);
        let ImageRecord { manifest, size_bytes, loaded_at, .. } = record;
        Ok(Some(Image { id: id.clone(), config, config_bytes, manifest, chains, size_bytes, loaded_at }))
    }

    pub(crate) fn ids(&self) -> Result<BTreeSet<ImageId>, StoreError> {
        let files = list(&self.images_dir())?;
        let hex = files.iter().filter_map(|file| file.strip_suffix(".json"));
        Ok(hex.filter_map(|hex| format!("sha256:{hex}").parse::<Digest>().ok()).map(ImageId).collect())
    }

    /// The names of all images.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn all_names(&self) -> Result<BTreeMap<ImageId, Names>, StoreError> {
        let mut all: BTreeMap<ImageId, Names> = BTreeMap::new();
        for file in list(&self.names_dir())? {
            if file.starts_with('.') {
                continue;
            }
            if let Some(record) = read_at::<NameRecord>(&self.names_dir().join(file))? {
                all.entry(record.image).or_default().add(record.reference);
            }
        }
        for names in all.values_mut() {
            names.tags.sort();
            names.digests.sort();
        }
        Ok(all)
    }
}

/// A digest says it all: a tag beside it is not kept, as in Docker.
fn canonical(reference: &Reference) -> Reference {
    reference.digest().map_or_else(|| reference.clone(), |digest| reference.with_digest(digest.clone()))
}

/// What Docker's message says: the name it understood.
fn not_found(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.familiar())
}
