//! Where layers lie, for `docker inspect` and for people who look.

use std::path::PathBuf;

use spec::digest::ChainId;
use spec::id::ContainerId;

use crate::store::{Store, StoreError};

/// The directories of a container's root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The image's layers, the highest first.
    pub lowers: Vec<PathBuf>,
    /// What the container wrote.
    pub upper: PathBuf,
    /// overlayfs' own.
    pub work: PathBuf,
}

impl Store {
    /// Where a container's root file system lies.
    ///
    /// # Errors
    /// [`StoreError::NoDraft`].
    pub fn draft_places(&self, id: &ContainerId) -> Result<Places, StoreError> {
        let dir = self.draft_dir(id);
        Ok(Places {
            lowers: self.layer_places(&self.draft_record(id)?.layers),
            upper: dir.join("upper"),
            work: dir.join("work"),
        })
    }

    /// Where layers, lowest first, lie: the highest first.
    #[must_use]
    pub fn layer_places(&self, chains: &[ChainId]) -> Vec<PathBuf> {
        chains.iter().rev().map(|chain| self.driver().lower(&self.snapshot(chain))).collect()
    }
}
