//! Layers as they travel: the tar of a layer again, and packed.

use std::io::{self, Write};

use spec::digest::{Algorithm, BlobDigest, ChainId, DiffId};
use spec::form::Packing;
use spec::image::Descriptor;

use crate::driver::LayerTar;
use crate::ingest::{Hashed, Hashing};
use crate::layer::{LayerError, gzip};
use crate::store::{Store, StoreError};

/// Why a layer was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The layer is not what it was.
    #[error("layer {0} is damaged: load or pull its image again")]
    Layer(DiffId, #[source] LayerError),
    /// The layer is not what it was.
    #[error("layer {0} is damaged: load or pull its image again")]
    Changed(DiffId),
    /// Reading the layer, or writing where it goes.
    #[error("packing layer {0}")]
    Io(DiffId, #[source] io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// What a layer is and how long its tar.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn layer_tar_bytes(&self, chain: &ChainId) -> Result<(DiffId, u64), StoreError> {
        self.layer(chain).map(|record| (record.diff_id, record.tar_bytes))
    }

    /// The tar of a layer. Compare what is read with its DiffID before believing it.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn layer_tar(&self, chain: &ChainId) -> Result<Box<dyn LayerTar>, PackError> {
        let record = self.layer(chain)?;
        self.driver().assemble(&self.snapshot(chain)).map_err(|e| PackError::Layer(record.diff_id, e))
    }

    /// Writes a layer packed; with gzip, on all processors. The same layer gives the same bytes.
    ///
    /// # Errors
    /// [`PackError`]; what was written until then is not the layer.
    pub fn pack(
        &self,
        chain: &ChainId,
        packing: Packing,
        to: &mut (dyn Write + Send),
    ) -> Result<Descriptor, PackError> {
        let (diff_id, _) = self.layer_tar_bytes(chain)?;
        let mut tar = Hashed::new(self.layer_tar(chain)?, Some(diff_id.0.algorithm()));
        let mut packed = Hashing::new(to, Algorithm::Sha256);
        let done = match packing {
            Packing::Uncompressed => io::copy(&mut tar, &mut packed).map(drop),
            Packing::Gzip(level) => gzip(&mut tar, &mut packed, level),
            Packing::Zstd(level) => zstd::stream::copy_encode(&mut tar, &mut packed, level.into()),
        };
        done.map_err(|e| PackError::Io(diff_id.clone(), e))?;
        if tar.finish() != diff_id.0 {
            return Err(PackError::Changed(diff_id));
        }
        let (digest, size) = packed.finish();
        Ok(Descriptor { digest: BlobDigest(digest), size, ..Descriptor::of(packing.media_type(), b"") })
    }
}
