//! `docker system df`: what everything takes on the disk, as `du` counts it.

use std::collections::{BTreeMap, BTreeSet};

use spec::digest::{ChainId, ImageId};
use spec::id::ContainerId;

use crate::collect::{Reached, is_passing};
use crate::step::Step;
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
    /// Each step whose result is here, the least recently used first.
    pub steps: Vec<StepUsage>,
    /// Layers that only steps need, and all else in the build cache: `build-cache`.
    pub cache_disk_bytes: u64,
    /// What the next collection takes away, what dead processes left in `drafts`, and blobs whose pull was broken off.
    pub garbage_disk_bytes: u64,
    /// Everything the store has.
    pub disk_bytes: u64,
}

/// What the result of one step takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUsage {
    /// Which one, what it made, when it was last wanted.
    pub step: Step,
    /// Its own layer, without those below.
    pub disk_bytes: u64,
    /// An image or a draft has that layer too, so that forgetting the step frees nothing.
    pub is_in_use: bool,
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
        let cached: u64 = layers.iter().filter(|(hex, _)| is_cached(&reached, hex)).map(|(_, size)| size).sum();
        usage.images_disk_bytes = usage.images_disk_bytes.saturating_sub(cached);
        usage.cache_disk_bytes = cached + present(extent(&self.build_cache_dir()))?.disk_bytes;
        usage.steps = self.step_usage(&layers, &reached)?;
        let builds: BTreeSet<ContainerId> = self.build_drafts()?.into_iter().map(|(id, _build)| id).collect();
        for name in list(&self.drafts_dir())? {
            let size = present(extent(&self.drafts_dir().join(&name)))?;
            match name.parse() {
                Ok(id) if !builds.contains(&id) => usage.drafts.push((id, size)),
                Ok(_of_a_build) => {}
                Err(_) if is_passing(&name) => usage.garbage_disk_bytes += size.disk_bytes,
                Err(_) => {}
            }
        }
        let partial = present(extent(&self.partial_dir()))?.disk_bytes;
        usage.garbage_disk_bytes += partial;
        usage.disk_bytes =
            usage.images_disk_bytes + usage.cache_disk_bytes + extent(&self.drafts_dir())?.disk_bytes + partial;
        Ok(usage)
    }

    fn step_usage(&self, layers: &BTreeMap<String, u64>, reached: &Reached) -> Result<Vec<StepUsage>, StoreError> {
        let of = |step: Step| {
            let hex = step.record.layer.as_ref().map(|layer| layer.chain.0.hex());
            let disk_bytes = hex.and_then(|hex| layers.get(hex)).copied().unwrap_or_default();
            let is_in_use = hex.is_some_and(|hex| reached.uncached.contains(hex));
            StepUsage { disk_bytes, is_in_use, step }
        };
        Ok(self.steps()?.into_iter().map(of).collect())
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

/// Whether only steps need a layer.
fn is_cached(reached: &Reached, hex: &str) -> bool {
    reached.snapshots.contains(hex) && !reached.uncached.contains(hex)
}

/// What was removed meanwhile takes nothing.
fn present(extent: Result<Extent, StoreError>) -> Result<Extent, StoreError> {
    match extent {
        Err(error) if is_missing(&error) => Ok(Extent::default()),
        other => other,
    }
}
