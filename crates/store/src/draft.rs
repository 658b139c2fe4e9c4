//! Containers' writable layers.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use disk::{Durability, faults, remove_tree, write};
use rustix::fs::RawMode;
use spec::digest::{ChainId, ImageId};
use spec::id::ContainerId;

use crate::image::Image;
use crate::record::{DraftRecord, Writes};
use crate::store::{REMOVED, Store, StoreError};
use crate::walk::{extent, is_missing};

impl Store {
    /// Gives a container a writable layer above `image`, or above nothing. Not synced: a draft is worth as much as its container.
    ///
    /// # Errors
    /// [`StoreError::Gone`] when the image was removed meanwhile.
    pub fn draft(&self, id: &ContainerId, image: Option<&Image>) -> Result<(), StoreError> {
        self.draft_with(id, image, Writes::Kept)
    }

    /// The same for a container that is removed when it ends (`--rm`): its writes are not synced, which at its end saves a sync of the
    /// whole file system (30 to 60 ms where others have written 100 MB; measured on ext4).
    ///
    /// # Errors
    /// As [`Store::draft`].
    pub fn draft_volatile(&self, id: &ContainerId, image: Option<&Image>) -> Result<(), StoreError> {
        self.draft_with(id, image, Writes::Volatile)
    }

    fn draft_with(&self, id: &ContainerId, image: Option<&Image>, writes: Writes) -> Result<(), StoreError> {
        let _held = self.share()?;
        let layers = image.map(|image| image.chains.clone()).unwrap_or_default();
        if let (Some(image), Some(top)) = (image, layers.last())
            && fs::symlink_metadata(self.snapshot(top)).is_err()
        {
            return Err(StoreError::Gone(image.id.clone()));
        }
        self.make_draft_or_nothing(id, DraftRecord::new(layers, writes))
    }

    pub(crate) fn make_draft_or_nothing(&self, id: &ContainerId, record: DraftRecord) -> Result<(), StoreError> {
        let made = self.make_draft(&self.draft_dir(id), record);
        if made.is_err() {
            // The first error is the one to tell; without its record it is garbage.
            let _ = self.remove_draft(id);
        }
        made
    }

    /// Keeps the layers of images that a container mounts, as long as its draft is there.
    ///
    /// # Errors
    /// [`StoreError::Gone`] when one of them was removed meanwhile.
    pub fn keep_layers(&self, id: &ContainerId, images: &[Image]) -> Result<(), StoreError> {
        let _held = self.share()?;
        let mut record = self.draft_record(id)?;
        for image in images {
            if let Some(top) = image.chains.last()
                && fs::symlink_metadata(self.snapshot(top)).is_err()
            {
                return Err(StoreError::Gone(image.id.clone()));
            }
            record.mounted.insert(image.id.clone(), image.chains.clone());
        }
        Ok(write(&self.draft_dir(id), &record, Durability::Volatile)?)
    }

    /// The layers of the images that a container mounts, lowest first.
    ///
    /// # Errors
    /// [`StoreError::NoDraft`].
    pub fn kept_layers(&self, id: &ContainerId) -> Result<BTreeMap<ImageId, Vec<ChainId>>, StoreError> {
        Ok(self.draft_record(id)?.mounted)
    }

    fn make_draft(&self, dir: &Path, record: DraftRecord) -> Result<(), StoreError> {
        faults::act("make draft").map_err(StoreError::io("making", dir))?;
        make(dir, 0o710)?;
        self.make_upper(dir, &record)?;
        make(&dir.join("work"), 0o700)?;
        Ok(write(dir, &record, Durability::Volatile)?)
    }

    /// The upper directory is the root directory of the container: it shall look as the image's does.
    pub(crate) fn make_upper(&self, dir: &Path, record: &DraftRecord) -> Result<(), StoreError> {
        let upper = dir.join("upper");
        make(&upper, 0o755)?;
        match record.layers.last() {
            Some(top) => copy_look(&self.driver().lower(&self.snapshot(top)), &upper),
            None => Ok(()),
        }
    }

    /// Takes a writable layer away; one that is gone is no error. Whoever still has it mounted keeps what is mounted.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn remove_draft(&self, id: &ContainerId) -> Result<(), StoreError> {
        self.end_draft(id)?;
        let away = self.ended_draft(id);
        remove_tree(&away).map_err(StoreError::io("removing", &away))
    }

    /// The first and short half of that: it uses no image any more when this returns, and only its files are left.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn end_draft(&self, id: &ContainerId) -> Result<(), StoreError> {
        let dir = self.draft_dir(id);
        match faults::act("remove draft").and_then(|()| fs::rename(&dir, self.ended_draft(id))) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(StoreError::io("removing", &dir)),
        }
    }

    /// Named by the container: whoever finishes what a crash cut short finds the rest of it.
    fn ended_draft(&self, id: &ContainerId) -> PathBuf {
        self.drafts_dir().join(format!("{REMOVED}{id}"))
    }

    /// What a container wrote: `SIZE` of `docker ps -s`.
    ///
    /// # Errors
    /// [`StoreError::NoDraft`].
    pub fn draft_size_bytes(&self, id: &ContainerId) -> Result<u64, StoreError> {
        let upper = self.draft_dir(id).join("upper");
        match extent(&upper) {
            Err(error) if is_missing(&error) => Err(StoreError::NoDraft(id.clone())),
            other => Ok(other?.bytes),
        }
    }

    pub(crate) fn draft_record(&self, id: &ContainerId) -> Result<DraftRecord, StoreError> {
        disk::read(&self.draft_dir(id))?.ok_or_else(|| StoreError::NoDraft(id.clone()))
    }
}

fn make(dir: &Path, mode: RawMode) -> Result<(), StoreError> {
    DirBuilder::new().mode(mode).create(dir).map_err(StoreError::io("making", dir))
}

/// Owner and mode of the root directory; the umask may have taken bits from what was made.
fn copy_look(from: &Path, to: &Path) -> Result<(), StoreError> {
    let look = fs::symlink_metadata(from).map_err(StoreError::io("reading", from))?;
    let made = fs::symlink_metadata(to).map_err(StoreError::io("reading", to))?;
    if (look.uid(), look.gid()) != (made.uid(), made.gid()) {
        std::os::unix::fs::lchown(to, Some(look.uid()), Some(look.gid())).map_err(StoreError::io("owning", to))?;
    }
    if look.mode() != made.mode() {
        fs::set_permissions(to, look.permissions()).map_err(StoreError::io("setting the mode of", to))?;
    }
    Ok(())
}
