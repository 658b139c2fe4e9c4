//! `docker system df`: what everything takes on the disk, as `du` counts it.

use std::collections::{BTreeMap, BTreeSet};

use spec::digest::{ChainId, ImageId};
use spec::id::ContainerId;

use crate::collect::is_passing;
use crate::store::{Store, StoreError, list};
use crate::walk::{Extent, extent, is_missing};

/// What the store takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Each image.
    pub images: Vec<ImageUsage>,
    /// Each container's writable layer.
    pub drafts: Vec<(ContainerId, Extent)>,
    /// Layers, configs, manifests and records together: everything below `snapshots`, `blobs`, `images` and `origins`.
    pub images_disk_bytes: u64,
    /// What the next collection takes away, what dead processes left in `drafts`, and blobs whose pull was broken off.
    pub garbage_disk_bytes: u64,
    /// Everything the store has.
    pub disk_bytes: u64,
}

/// What one image takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageUsage {
    /// Which one.
    pub id: ImageId,
    /// All its layers.
    pub disk_bytes: u64,
    /// Of these, the layers that other images have as well.
    pub shared_disk_bytes: u64,
    /// The rest: what its removal would free.
    pub unique_disk_bytes: u64,
}

impl Store {
    /// Counts everything. Reads every directory of the store, as `du` does.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        let mut layers: BTreeMap<String, u64> = BTreeMap::new();
        for hex in list(&self.snapshots_dir())? {
            let size = present(extent(&self.snapshots_dir().join(&hex)))?;
            layers.insert(hex, size.disk_bytes);
        }
        for dir in [self.snapshots_dir(), self.root().join("blobs"), self.images_dir(), self.origins_dir()] {
            usage.images_disk_bytes += present(extent(&dir))?.disk_bytes;
        }
        let reached = self.reached()?;
        let garbage = layers.iter().filter(|(hex, _)| !reached.snapshots.contains(*hex)).map(|(_, size)| size);
        usage.garbage_disk_bytes = garbage.sum();
        usage.images = self.image_usage(&layers)?;
        for name in list(&self.drafts_dir())? {
            let size = present(extent(&self.drafts_dir().join(&name)))?;
            match name.parse() {
                Ok(id) => usage.drafts.push((id, size)),
                Err(_) if is_passing(&name) => usage.garbage_disk_bytes += size.disk_bytes,
                Err(_) => {}
            }
        }
        let partial = present(extent(&self.partial_dir()))?.disk_bytes;
        usage.garbage_disk_bytes += partial;
        usage.disk_bytes = usage.images_disk_bytes + extent(&self.drafts_dir())?.disk_bytes + partial;
        Ok(usage)
    }

    fn image_usage(&self, layers: &BTreeMap<String, u64>) -> Result<Vec<ImageUsage>, StoreError> {
        let mut users: BTreeMap<ChainId, usize> = BTreeMap::new();
        let images = self.images()?;
        let chains = |chains: &[ChainId]| chains.iter().cloned().collect::<BTreeSet<_>>();
        for (image, _) in &images {
            for chain in chains(&image.chains) {
                *users.entry(chain).or_default() += 1;
            }
        }
        let mut usages = Vec::new();
        for (image, _) in images {
            let mut sums = [0, 0];
            for chain in chains(&image.chains) {
                let shared = usize::from(users.get(&chain).is_some_and(|users| *users > 1));
                sums[shared] += layers.get(chain.0.hex()).copied().unwrap_or_default();
            }
            let [unique, shared] = sums;
            usages.push(ImageUsage {
                id: image.id,
                disk_bytes: unique + shared,
                shared_disk_bytes: shared,
                unique_disk_bytes: unique,
            });
        }
        Ok(usages)
    }
}

/// What was removed meanwhile takes nothing.
fn present(extent: Result<Extent, StoreError>) -> Result<Extent, StoreError> {
    match extent {
        Err(error) if is_missing(&error) => Ok(Extent::default()),
        other => other,
    }
}
