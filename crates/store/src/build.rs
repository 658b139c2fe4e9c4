//! Drafts of builds, and how they become layers without being copied.

use spec::digest::{ChainId, DiffId, ImageId};
use spec::id::ContainerId;
use spec::image::ImageConfig;
use spec::reference::Reference;
use spec::time::Time;

use crate::archive::LoadError;
use crate::store::{Store, StoreError};

/// Which times the members of a new layer's tar have. In the layer's directory files keep their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerTimes {
    /// The build's.
    pub epoch: Time,
    /// Which files get it.
    pub files: FileTimes,
}

/// Which files get the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTimes {
    /// All: they come from a context, where times mean nothing.
    AllEpoch,
    /// Those that are later.
    Clamp,
}

/// A layer that a draft became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeLayer {
    /// With all below it.
    pub chain: ChainId,
    /// Its tar.
    pub diff_id: DiffId,
    /// Of its files, unpacked.
    pub size_bytes: u64,
    /// Length of its tar.
    pub tar_bytes: u64,
}

impl Store {
    /// Gives the build `build` a writable layer above `layers`, lowest first, or above nothing. Its writes are not synced.
    ///
    /// # Errors
    /// [`StoreError::LayerGone`] when one of them was removed meanwhile.
    pub fn draft_on(&self, id: &ContainerId, layers: &[ChainId], build: &str) -> Result<(), StoreError> {
        let _ = (id, layers, build);
        todo!()
    }

    /// All drafts of builds, with the builds. Those of a build that died are the caller's to remove.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn build_drafts(&self) -> Result<Vec<(ContainerId, String)>, StoreError> {
        todo!()
    }

    /// Makes a layer of what was written into a draft, by one rename. Nobody may have it mounted any more. The draft stays, empty, above
    /// the new layer, and keeps it until it is removed. None: nothing was written, and the draft is as it was.
    ///
    /// # Errors
    /// [`LoadError`]; then the draft is as good as before, or is to be removed.
    pub fn layer_of(&self, id: &ContainerId, times: LayerTimes) -> Result<Option<MadeLayer>, LoadError> {
        let _ = (id, times);
        todo!()
    }

    /// An image of layers that are here: its config names them, and its history. They must be kept until then by drafts or steps.
    ///
    /// # Errors
    /// [`LoadError`]; then nothing stays.
    pub fn add_image(&self, config: ImageConfig, names: Vec<Reference>) -> Result<ImageId, LoadError> {
        let _ = (config, names);
        todo!()
    }
}
