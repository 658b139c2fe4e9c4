//! What this machine knows of a build's steps, written for others.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use spec::digest::{ChainId, DiffId, Digest};
use spec::image::Descriptor;
use store::{PackError, StepRecord, Store, StoreError};

use super::document::{Cache, Layer};
use crate::{Built, Max};

/// Why a cache was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file system.
    #[error("{act} {path}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A layer.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Where it goes.
    #[error("{0}")]
    Elsewhere(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ExportError {
    pub(crate) fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
        let path = path.to_owned();
        move |source| ExportError::Io { act, path, source }
    }
}

/// What a step is known by, and what it made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// All keys it is known by.
    pub keys: Vec<Digest>,
    /// What it wrote.
    pub wrote: Wrote,
}

/// What a step wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// Nothing.
    Nothing,
    /// A layer, which goes into the cache.
    Layer(ChainId, DiffId),
    /// A layer that stays where it is.
    Absent(DiffId),
}

/// Where a cache goes.
pub trait Sink {
    /// Brings a layer there, unless it is there, and says how it is packed.
    ///
    /// # Errors
    /// [`ExportError`].
    fn layer(&mut self, chain: &ChainId, diff_id: &DiffId) -> Result<Descriptor, ExportError>;

    /// All layers are there: now the cache is this.
    ///
    /// # Errors
    /// [`ExportError`].
    fn finish(&mut self, cache: &Cache) -> Result<(), ExportError>;
}

/// The steps of a build, with the layers of the result alone, or of all stages.
///
/// # Errors
/// [`StoreError`].
pub fn steps(store: &Store, built: &Built, how_much: Max) -> Result<Vec<Step>, StoreError> {
    let result: BTreeSet<&ChainId> = built.variants.iter().flat_map(|variant| &variant.chains).collect();
    // A step is known under more keys than this build asked for: one was enough.
    let mut by_layer: BTreeMap<ChainId, Vec<Digest>> = BTreeMap::new();
    for step in store.steps()? {
        if let Some(layer) = step.record.layer {
            by_layer.entry(layer.chain).or_default().push(step.key);
        }
    }
    let mut steps: BTreeMap<Vec<Digest>, Step> = BTreeMap::new();
    for made in built.variants.iter().flat_map(|variant| &variant.steps) {
        let Some(key) = made.keys.first() else { continue };
        let (wrote, others) = match (store.step(key)?, &made.absent) {
            (Some(StepRecord { layer: None, .. }), _) => (Wrote::Nothing, None),
            (Some(StepRecord { layer: Some(layer), .. }), _) => {
                let others = by_layer.get(&layer.chain);
                let goes = how_much == Max::Max || result.contains(&layer.chain);
                let absent = Wrote::Absent(layer.diff_id.clone());
                (if goes { Wrote::Layer(layer.chain, layer.diff_id) } else { absent }, others)
            }
            (None, Some(diff_id)) => (Wrote::Absent(diff_id.clone()), None),
            // What was known of it was pruned meanwhile.
            (None, None) => continue,
        };
        let keys: BTreeSet<&Digest> = made.keys.iter().chain(others.into_iter().flatten()).collect();
        let keys: Vec<Digest> = keys.into_iter().cloned().collect();
        steps.insert(keys.clone(), Step { keys, wrote });
    }
    Ok(steps.into_values().collect())
}

/// Writes steps as a cache.
///
/// # Errors
/// [`ExportError`]; then the cache that was there before is still whole.
pub fn export(steps: &[Step], sink: &mut dyn Sink) -> Result<(), ExportError> {
    let mut packed: BTreeMap<&DiffId, Descriptor> = BTreeMap::new();
    let (mut records, mut absent) = (Vec::new(), Vec::new());
    for step in steps {
        let layer = match &step.wrote {
            Wrote::Nothing => None,
            Wrote::Absent(diff_id) => {
                absent.extend(step.keys.iter().map(|key| (key.clone(), diff_id.clone())));
                continue;
            }
            Wrote::Layer(chain, diff_id) => {
                let blob = match packed.get(diff_id) {
                    Some(blob) => blob.clone(),
                    None => packed.entry(diff_id).or_insert(sink.layer(chain, diff_id)?).clone(),
                };
                Some(Layer { diff_id: diff_id.clone(), blob })
            }
        };
        records.extend(step.keys.iter().map(|key| (key.clone(), layer.clone())));
    }
    sink.finish(&Cache::of(records).without(absent))
}

/// The same steps by each of their keys, for an image's config.
#[must_use]
pub fn by_key(steps: &[Step]) -> BTreeMap<Digest, Option<DiffId>> {
    let layer = |step: &Step| match &step.wrote {
        Wrote::Nothing => None,
        Wrote::Layer(_, diff_id) | Wrote::Absent(diff_id) => Some(diff_id.clone()),
    };
    steps.iter().flat_map(|step| step.keys.iter().map(move |key| (key.clone(), layer(step)))).collect()
}
