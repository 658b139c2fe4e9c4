//! `docker pull`: an image whose documents a registry sent becomes an image of the store, its layers unpacked while they come.

use std::collections::BTreeSet;
use std::io::Read;

use disk::{Durability, Lock};
use spec::digest::{ChainId, DiffId};
use spec::image::{Descriptor, Manifest};
use spec::platform::Platform;
use spec::reference::Reference;
use spec::time::Time;

use crate::archive::{self, LoadError, Plan};
use crate::image::Image;
use crate::load::{Job, LoadEvent, Loaded};
use crate::store::{Store, StoreError};

/// The documents of an image, as they came: whoever made this compared each with its digest.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it will be called.
    pub names: Vec<Reference>,
    /// Points to the manifest.
    pub manifest: Descriptor,
    /// The manifest.
    pub manifest_bytes: Vec<u8>,
    /// The config that the manifest names.
    pub config_bytes: Vec<u8>,
}

/// An image that is being received. While it lives, nothing of the store that the image needs is collected.
#[derive(Debug)]
pub struct Receiving<'s> {
    store: &'s Store,
    plan: Plan,
    /// The layers as the registry has them, lowest first.
    blobs: Vec<Descriptor>,
    _held: Lock,
}

/// A layer of the image.
#[derive(Clone, Debug)]
pub struct Layer {
    /// With all below it.
    pub chain: ChainId,
    /// By what it holds.
    pub diff_id: DiffId,
    /// As the registry has it.
    pub blob: Descriptor,
    parent: Option<ChainId>,
}

/// Opens the bytes of a layer; reads may wait for more to come.
pub type Open<'a> = &'a (dyn Fn(&Layer) -> Box<dyn Read + Send> + Sync);

/// Reads an image's manifest, whose digest was compared.
///
/// # Errors
/// [`LoadError::Document`]; [`LoadError::Artifact`] for what is no image.
pub fn read_manifest(descriptor: &Descriptor, bytes: &[u8]) -> Result<Manifest, LoadError> {
    archive::manifest(descriptor, bytes)
}

/// The image that documents describe, without taking it. Its size is that of its layers as they travel; it never came.
///
/// # Errors
/// [`LoadError`]: documents that contradict each other; [`LoadError::OtherPlatform`].
pub fn describe(incoming: Incoming, wanted: Option<&Platform>) -> Result<Image, LoadError> {
    let (plan, blobs) = read(incoming)?;
    if let Some(wanted) = wanted {
        archive::require(std::slice::from_ref(&plan), wanted)?;
    }
    Ok(Image {
        id: plan.id(),
        chains: ChainId::of(&plan.document.rootfs.diff_ids),
        config: plan.document,
        config_bytes: plan.config_bytes,
        manifest: plan.manifest.map(|(descriptor, _)| descriptor),
        size_bytes: blobs.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size)),
        loaded_at: Time::from_ns(0),
    })
}

/// What is to be unpacked, and the layers as they travel.
fn read(incoming: Incoming) -> Result<(Plan, Vec<Descriptor>), LoadError> {
    let Incoming { names, manifest: descriptor, manifest_bytes, config_bytes } = incoming;
    let manifest = archive::manifest(&descriptor, &manifest_bytes)?;
    let blobs = manifest.layers.clone();
    Ok((archive::of_manifest(names, (descriptor, manifest_bytes), manifest, config_bytes)?, blobs))
}

impl Store {
    /// Begins to take an image.
    ///
    /// # Errors
    /// [`LoadError`]: documents that contradict each other.
    pub fn receive(&self, incoming: Incoming) -> Result<Receiving<'_>, LoadError> {
        let (plan, blobs) = read(incoming)?;
        let _held = self.share()?;
        self.sync_noted()?;
        Ok(Receiving { store: self, plan, blobs, _held })
    }
}

impl Receiving<'_> {
    /// Refuses an image that is not for this platform.
    ///
    /// # Errors
    /// [`LoadError::OtherPlatform`].
    pub fn require(&self, wanted: &Platform) -> Result<(), LoadError> {
        archive::require(std::slice::from_ref(&self.plan), wanted)
    }

    /// All layers, lowest first.
    #[must_use]
    pub fn layers(&self) -> Vec<Layer> {
        let diff_ids = &self.plan.document.rootfs.diff_ids;
        let chains = ChainId::of(diff_ids);
        let parents = std::iter::once(None).chain(chains.iter().cloned().map(Some));
        let layers = diff_ids.iter().zip(&chains).zip(&self.blobs).zip(parents);
        let layer = |(((diff_id, chain), blob), parent): (((&DiffId, &ChainId), &Descriptor), _)| Layer {
            chain: chain.clone(),
            diff_id: diff_id.clone(),
            blob: blob.clone(),
            parent,
        };
        layers.map(layer).collect()
    }

    /// The layers that are not here, each once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn absent(&self) -> Result<Vec<Layer>, StoreError> {
        let mut seen = BTreeSet::new();
        let mut absent = Vec::new();
        for layer in self.layers() {
            if seen.insert(layer.chain.clone()) && !self.store.has(&layer.chain)? {
                absent.push(layer);
            }
        }
        Ok(absent)
    }

    /// Unpacks layers; they stay until the next collection, whatever becomes of the image. See `unsynced.rs` for when the disk has them.
    ///
    /// # Errors
    /// [`LoadError`]; then none of these stays.
    pub fn unpack(&self, layers: &[Layer], open: Open<'_>, on: &mut dyn FnMut(LoadEvent)) -> Result<(), LoadError> {
        let mut jobs = Vec::new();
        for layer in layers {
            jobs.push(Job {
                chain: layer.chain.clone(),
                diff_id: &layer.diff_id,
                parent: layer.parent.clone(),
                blob: Some(&layer.blob.digest),
                total_bytes: layer.blob.size,
                open: Box::new(move || Ok(open(layer))),
            });
        }
        // Before the work, while the file system's journal is short.
        self.store.note_unsynced(layers.iter().map(|layer| layer.chain.clone()))?;
        let done = self.store.unpack(jobs, on)?;
        Ok(self.store.settle(done, Durability::Volatile)?)
    }

    /// Makes it an image of the store. All layers must be there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn publish(self) -> Result<Loaded, StoreError> {
        let Receiving { store, plan, blobs, _held } = self;
        let diff_ids = plan.document.rootfs.diff_ids.clone();
        let repositories: BTreeSet<_> = plan.names.iter().map(Reference::repository).collect();
        let loaded = store.publish(plan)?;
        for (diff_id, blob) in diff_ids.iter().zip(&blobs) {
            for repository in &repositories {
                store.remember(diff_id, blob, repository)?;
            }
        }
        drop(_held);
        store.collect_if_asked()?;
        Ok(loaded)
    }
}
