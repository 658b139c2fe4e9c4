//! What steps of builds made: `build-cache/steps/<key>.json` names a layer of the store and keeps it, with all below it, from being
//! collected. It is a memory: what is damaged or names a layer that is gone is no record, and is taken away when it is met.

use std::path::PathBuf;

use disk::Record;
use serde::{Deserialize, Serialize};
use spec::digest::{ChainId, DiffId, Digest};
use spec::time::Time;

use crate::store::{Store, StoreError};

/// `build-cache/steps/<key hex>.json`: what a step made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What it wrote; none: nothing, and its result is its input.
    pub layer: Option<StepLayer>,
    /// As the user saw it: `[build 2/5] RUN make`.
    pub name: String,
    /// When it was done.
    pub created: Time,
}

/// The layer a step made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLayer {
    /// With all below it.
    pub chain: ChainId,
    /// Its tar.
    pub diff_id: DiffId,
    /// Of its files, unpacked.
    pub size_bytes: u64,
}

impl Record for StepRecord {
    const FILE: &'static str = "<key>.json";
    const FORMAT: u32 = 1;
}

/// A step whose result is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is known by.
    pub key: Digest,
    /// What it made.
    pub record: StepRecord,
    /// When somebody last wanted it: the file's mtime.
    pub last_used: Time,
}

impl Store {
    /// `<root>/build-cache`.
    #[must_use]
    pub fn build_cache_dir(&self) -> PathBuf {
        self.root().join("build-cache")
    }

    /// What a step made, if it is known and its layer is here; it counts as used now. Keep the result with [`Store::draft_on`] or
    /// [`Store::share`] before it is relied on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn step(&self, key: &Digest) -> Result<Option<StepRecord>, StoreError> {
        let _ = key;
        todo!()
    }

    /// Writes down what a step made, which must be kept by a draft or a lock until then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_step(&self, key: &Digest, record: &StepRecord) -> Result<(), StoreError> {
        let _ = (key, record);
        todo!()
    }

    /// All of them, the least recently used first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn steps(&self) -> Result<Vec<Step>, StoreError> {
        todo!()
    }

    /// Forgets a step; one that is not known is no error. Its layer goes with the next [`Store::collect`] if nothing else needs it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_step(&self, key: &Digest) -> Result<(), StoreError> {
        let _ = key;
        todo!()
    }
}
