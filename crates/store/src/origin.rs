//! What layers are called elsewhere: the blobs that a layer came as or was sent as, and where. Only a memory, which spares work: what is
//! lost of it is found out again.

use std::fs;

use disk::{Durability, Record, read_at, write_at};
use serde::{Deserialize, Serialize};
use spec::digest::DiffId;
use spec::image::Descriptor;

use crate::store::{Store, StoreError, list};

/// Of one layer, the newest so many blobs, and for each the newest so many repositories.
const MOST: usize = 16;

/// A blob that is the layer, packed somehow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// As a manifest names it.
    pub blob: Descriptor,
    /// `registry/path`, the newest last.
    pub repositories: Vec<String>,
}

/// `origins/<diff id hex>.json`: the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OriginsRecord {
    pub(crate) blobs: Vec<Origin>,
}

impl Record for OriginsRecord {
    const FILE: &'static str = "<diff id>.json";
    const FORMAT: u32 = 1;
}

impl Store {
    /// The blobs that a layer is known as, the newest first.
    #[must_use]
    pub fn origins(&self, diff_id: &DiffId) -> Vec<Origin> {
        // What cannot be read is not remembered.
        let record = read_at::<OriginsRecord>(&self.origins_file(diff_id)).ok().flatten().unwrap_or_default();
        record.blobs.into_iter().rev().collect()
    }

    /// Remembers that `repository` has the layer as `blob`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remember(&self, diff_id: &DiffId, blob: &Descriptor, repository: &str) -> Result<(), StoreError> {
        let dir = self.origins_dir();
        fs::create_dir_all(&dir).map_err(StoreError::io("making", &dir))?;
        let _held = self.lock_images()?;
        let mut blobs = self.origins(diff_id);
        blobs.reverse();
        let before = blobs.clone();
        let same = blobs.iter().position(|known| known.blob.digest == blob.digest);
        let mut origin = match same {
            Some(at) => blobs.remove(at),
            None => Origin { blob: blob.clone(), repositories: Vec::new() },
        };
        origin.repositories.retain(|known| known != repository);
        origin.repositories.push(repository.to_owned());
        origin.repositories.drain(..origin.repositories.len().saturating_sub(MOST));
        blobs.push(origin);
        blobs.drain(..blobs.len().saturating_sub(MOST));
        if blobs != before {
            write_at(&self.origins_file(diff_id), &OriginsRecord { blobs }, Durability::Volatile)?;
        }
        Ok(())
    }

    /// Forgets what is about layers that are not here. Needs the store alone.
    pub(crate) fn forget_origins(&self, kept: &dyn Fn(&str) -> bool) -> Result<(), StoreError> {
        let dir = self.origins_dir();
        if !dir.is_dir() {
            return Ok(());
        }
        for file in list(&dir)? {
            if !kept(file.trim_end_matches(".json")) {
                crate::store::unlink(&dir.join(file))?;
            }
        }
        Ok(())
    }
}
