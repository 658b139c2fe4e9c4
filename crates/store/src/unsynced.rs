//! Layers that are in their place before the disk has them. A pull does not wait for a disk to take a gigabyte: it writes down which layers
//! it is about to settle, and lets the kernel write. Whoever adds more than a minute later makes the rest durable, which is little by then,
//! and strikes the note. If the machine stops before, the first command after the boot reads these layers again and throws away those
//! that are not whole: the image is then pulled again, and nothing runs on half a layer.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use disk::{Durability, Record, faults, read_at, write_at};
use serde::{Deserialize, Serialize};
use spec::digest::{ChainId, Digest, ImageId};
use spec::time::Time;

use crate::image::ResolveError;
use crate::layer;
use crate::record::LayerRecord;
use crate::remove::{Remove, RemoveError, Several};
use crate::store::{Passing, Store, StoreError, list, unlink};

/// The kernel has written nearly everything by then (vm.dirty_expire_centisecs: 30 s).
const WRITTEN_BY_NOW: Duration = Duration::from_secs(60);

/// `unsynced.json`: layers that a loss of power may have damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnsyncedRecord {
    pub(crate) layers: Vec<ChainId>,
    /// All layers that builds made here since then are among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) built_since: Option<Time>,
}

impl Record for UnsyncedRecord {
    const FILE: &'static str = "unsynced.json";
    const FORMAT: u32 = 1;
}

impl Store {
    fn unsynced_file(&self) -> PathBuf {
        self.root().join(UnsyncedRecord::FILE)
    }

    /// Writes down that these layers will be in their place before the disk has them.
    pub(crate) fn note_unsynced(&self, layers: impl Iterator<Item = ChainId>) -> Result<(), StoreError> {
        let path = self.unsynced_file();
        let _held = self.lock_images()?;
        let mut record: UnsyncedRecord = read_at(&path)?.unwrap_or_default();
        let before = record.layers.len();
        for layer in layers {
            if !record.layers.contains(&layer) {
                record.layers.push(layer);
            }
        }
        if record.layers.len() > before {
            write_at(&path, &record, Durability::Durable)?;
        }
        Ok(())
    }

    /// Writes down that builds make layers from now on. One note stands for many: a step must not cost a write to the disk. It is renewed
    /// before it is old enough to be struck, so that no layer comes into its place between the sync and the striking.
    pub(crate) fn note_built(&self, at: Time) -> Result<(), StoreError> {
        let path = self.unsynced_file();
        let _held = self.lock_images()?;
        let mut record: UnsyncedRecord = read_at(&path)?.unwrap_or_default();
        let is_fresh = fs::metadata(&path)
            .and_then(|meta| meta.modified())
            .is_ok_and(|noted| noted.elapsed().is_ok_and(|since| since < WRITTEN_BY_NOW / 2));
        // A clock that was set back makes the note speak of more.
        if is_fresh && record.built_since.is_some_and(|since| since <= at) {
            return Ok(());
        }
        record.built_since = Some(record.built_since.map_or(at, |since| since.min(at)));
        Ok(write_at(&path, &record, Durability::Durable)?)
    }

    /// Makes durable what was noted a while ago.
    pub(crate) fn sync_noted(&self) -> Result<(), StoreError> {
        let path = self.unsynced_file();
        let noted = match fs::metadata(&path) {
            Ok(meta) => meta.modified().map_err(StoreError::io("looking at", &path))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(StoreError::io("looking at", &path)(e)),
        };
        if noted.elapsed().is_ok_and(|since| since < WRITTEN_BY_NOW) {
            return Ok(());
        }
        let _held = self.lock_images()?;
        faults::act("sync noted layers")
            .and_then(|()| File::open(self.root()))
            .and_then(|root| layer::sync(root.as_fd()))
            .map_err(StoreError::io("syncing", self.root()))?;
        unlink(&path)?;
        Ok(())
    }

    /// After a boot: reads noted layers again, and removes those that are not whole with the images made of them, which are then no longer
    /// here and can be pulled again; answers the images.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn after_boot(&self) -> Result<Vec<ImageId>, StoreError> {
        let path = self.unsynced_file();
        let Some(noted) = read_at::<UnsyncedRecord>(&path)? else { return Ok(Vec::new()) };
        let held = self.share()?;
        let mut broken = Vec::new();
        for chain in self.doubtful(noted)? {
            if self.is_whole(&chain) {
                continue;
            }
            let snapshot = self.snapshot(&chain);
            match fs::rename(&snapshot, self.passing(Passing::Removed)) {
                // Its place itself was lost, or whoever came here before was killed: its images go all the same.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                moved => moved.map_err(StoreError::io("removing", &snapshot))?,
            }
            broken.push(chain);
        }
        self.forget_steps_on(&broken)?;
        drop(held);
        let mut gone = Vec::new();
        for (image, _) in self.images()? {
            if image.chains.iter().any(|chain| broken.contains(chain)) {
                let request = Remove { several: Several::Untag, may_go: &mut |_| Ok(()) };
                match self.remove(&image.id.to_string(), request) {
                    Ok(_) => gone.push(image.id),
                    Err(RemoveError::Resolve(ResolveError::NotFound(_))) => {}
                    Err(error) => return Err(StoreError::Damaged(error.to_string())),
                }
            }
        }
        unlink(&path)?;
        Ok(gone)
    }

    /// The layers that a note is about.
    fn doubtful(&self, noted: UnsyncedRecord) -> Result<Vec<ChainId>, StoreError> {
        let mut layers = noted.layers;
        let Some(since) = noted.built_since else { return Ok(layers) };
        for hex in list(&self.snapshots_dir())? {
            let Ok(digest) = format!("sha256:{hex}").parse::<Digest>() else { continue };
            let is_old = disk::read::<LayerRecord>(&self.snapshots_dir().join(&hex))
                .is_ok_and(|record| record.is_some_and(|record| record.built.is_none_or(|built| built < since)));
            if !is_old && !layers.contains(&ChainId(digest.clone())) {
                layers.push(ChainId(digest));
            }
        }
        Ok(layers)
    }

    fn is_whole(&self, chain: &ChainId) -> bool {
        let snapshot = self.snapshot(chain);
        let Ok(Some(record)) = disk::read::<LayerRecord>(&snapshot) else { return false };
        let Ok(expected) = self.verify(&snapshot, &record) else { return false };
        let tree = self.driver().lower(&snapshot);
        layer::compare(expected, &tree, record.xattrs_left_out).is_ok_and(|differences| differences.is_empty())
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests {
    use std::io::Read;

    use spec::image::Descriptor;
    use spec::reference::Reference;
    use testkit::{ImageBuilder, Root};

    use crate::{Incoming, Store, read_manifest};

    /// Receives an image of two layers, as a pull does.
    fn received(store: &Store) -> spec::digest::ImageId {
        let image = ImageBuilder::new().file("a", 0o644, "contents of a").file("b", 0o644, "contents of b");
        let (manifest_bytes, blobs) = image.oci_manifest();
        let manifest = Descriptor::of(spec::image::media::MANIFEST, &manifest_bytes);
        let config = read_manifest(&manifest, &manifest_bytes).unwrap().config;
        let bytes = |digest: String| blobs.iter().find(|(name, _)| *name == digest).unwrap().1.clone();
        let names = vec!["x".parse::<Reference>().unwrap()];
        let config_bytes = bytes(config.digest.to_string());
        let receiving = store.receive(Incoming { names, manifest, manifest_bytes, config_bytes }).unwrap();
        let open = |layer: &crate::Layer| -> Box<dyn Read + Send> {
            Box::new(std::io::Cursor::new(bytes(layer.blob.digest.to_string())))
        };
        receiving.unpack(&receiving.absent().unwrap(), &open, &mut |_| {}).unwrap();
        receiving.publish().unwrap().id
    }

    #[test]
    fn layers_that_the_disk_has_stay() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let id = received(&store);
        assert!(root.join("unsynced.json").exists());
        assert_eq!(store.after_boot().unwrap(), []);
        assert!(!root.join("unsynced.json").exists());
        assert!(store.image(&id).is_ok());
    }

    #[test]
    fn an_image_with_a_layer_that_the_disk_lost_is_not_here() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let id = received(&store);
        let image = store.image(&id).unwrap();
        let file = store.layer_places(&image.chains[1..])[0].join("b");
        std::fs::File::options().write(true).open(file).unwrap().set_len(0).unwrap();
        assert_eq!(store.after_boot().unwrap(), std::slice::from_ref(&id));
        assert!(store.image(&id).is_err() && store.resolve("x").is_err());
        assert_eq!(received(&store), id);
        assert!(store.check(crate::Depth::Layers).unwrap().is_empty());
    }

    #[test]
    fn an_image_goes_with_a_layer_that_is_gone_already() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let id = received(&store);
        // As when the first command after the boot was killed between the two.
        let fs = &store.layer_places(&store.image(&id).unwrap().chains[1..])[0];
        std::fs::rename(fs.parent().unwrap(), root.join("drafts/.removed-1-0")).unwrap();
        assert_eq!(store.after_boot().unwrap(), std::slice::from_ref(&id));
        assert!(store.resolve("x").is_err());
    }

    #[test]
    fn a_note_is_struck_when_the_disk_has_had_its_time() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        received(&store);
        store.sync_noted().unwrap();
        assert!(root.join("unsynced.json").exists());
        let file = std::fs::File::open(root.join("unsynced.json")).unwrap();
        file.set_modified(std::time::SystemTime::now() - super::WRITTEN_BY_NOW).unwrap();
        store.sync_noted().unwrap();
        assert!(!root.join("unsynced.json").exists());
    }
}
