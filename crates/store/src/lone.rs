//! One layer that comes without an image: a step's result from another machine's build cache.

use std::io::Read;

use disk::Durability;
use spec::digest::{ChainId, DiffId};
use spec::image::Descriptor;

use crate::archive::LoadError;
use crate::load::{Job, LoadEvent};
use crate::step::StepLayer;
use crate::store::Store;

/// Which layer comes, and where it belongs.
#[derive(Clone, Debug)]
pub struct LoneLayer<'a> {
    /// What is below it, which need not be here.
    pub below: Option<&'a ChainId>,
    /// What it holds.
    pub diff_id: &'a DiffId,
    /// How it comes.
    pub blob: &'a Descriptor,
}

impl LoneLayer<'_> {
    /// What it is known by.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        ChainId::extend(self.below, self.diff_id)
    }
}

impl Store {
    /// A layer that is here.
    ///
    /// # Errors
    /// [`LoadError::Store`].
    pub fn lone_layer(&self, layer: &LoneLayer<'_>) -> Result<Option<StepLayer>, LoadError> {
        let chain = layer.chain();
        if !self.has(&chain)? {
            return Ok(None);
        }
        let size_bytes = self.layer(&chain)?.bytes;
        Ok(Some(StepLayer { chain, diff_id: layer.diff_id.clone(), size_bytes }))
    }

    /// Takes a layer, of which `bytes` are the blob's. It is compared with both digests before it has a name, and writes nothing but its own
    /// directory. It stays while the caller shares the store, and longer once something needs it.
    ///
    /// # Errors
    /// [`LoadError`]; then nothing of it stays.
    pub fn take_layer(
        &self,
        layer: &LoneLayer<'_>,
        bytes: Box<dyn Read + Send + '_>,
        on: &mut dyn FnMut(LoadEvent),
    ) -> Result<StepLayer, LoadError> {
        let _shared = self.share()?;
        if let Some(here) = self.lone_layer(layer)? {
            return Ok(here);
        }
        self.sync_noted()?;
        let chain = layer.chain();
        let bytes = std::sync::Mutex::new(Some(bytes));
        let job = Job {
            chain: chain.clone(),
            diff_id: layer.diff_id,
            parent: layer.below.cloned(),
            blob: Some(&layer.blob.digest),
            total_bytes: layer.blob.size,
            open: Box::new(move || {
                let bytes = bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                bytes.ok_or_else(|| LoadError::Missing("the rest of a layer".to_owned()))
            }),
        };
        self.note_unsynced([chain.clone()].into_iter())?;
        let done = self.unpack(vec![job], on)?;
        self.settle(done, Durability::Volatile)?;
        let size_bytes = self.layer(&chain)?.bytes;
        Ok(StepLayer { chain, diff_id: layer.diff_id.clone(), size_bytes })
    }
}

#[cfg(test)]
mod tests {
    use spec::digest::Digest;
    use spec::image::media;
    use testkit::Root;

    use super::*;

    #[test]
    fn a_layer_comes_alone_and_is_compared() {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let _kept = store.share().unwrap();
        let tar = testkit::Layer::new().file("a", 0o644, "hello").tar();
        let (diff_id, blob) = (DiffId(Digest::sha256(&tar)), Descriptor::of(media::LAYER, &tar));
        let below = ChainId(Digest::sha256(b"not here"));
        let layer = LoneLayer { below: Some(&below), diff_id: &diff_id, blob: &blob };
        assert_eq!(store.lone_layer(&layer).unwrap(), None);
        let take = |layer: &LoneLayer<'_>, bytes: &[u8]| {
            store.take_layer(layer, Box::new(std::io::Cursor::new(bytes.to_vec())), &mut |_| {})
        };
        let evil = testkit::Layer::new().file("a", 0o644, "other").tar();
        let refused = take(&layer, &evil).unwrap_err().to_string();
        assert!(refused.starts_with("a layer's blob should be sha256:"), "{refused}");
        // Bytes that the blob's digest fits, and which are not what the step is said to have made.
        let blob_of_evil = Descriptor::of(media::LAYER, &evil);
        let refused = take(&LoneLayer { blob: &blob_of_evil, ..layer.clone() }, &evil).unwrap_err().to_string();
        assert!(refused.starts_with("a layer's content should be sha256:"), "{refused}");
        assert_eq!(store.lone_layer(&layer).unwrap(), None);
        let made = take(&layer, &tar).unwrap();
        assert_eq!((&made.chain, made.size_bytes), (&layer.chain(), 5));
        assert_eq!(store.lone_layer(&layer).unwrap(), Some(made.clone()));
        assert_eq!(take(&layer, b"is not read").unwrap(), made);
    }

    #[test]
    fn a_layer_writes_nowhere_else() {
        let root = Root::new();
        let store = Store::open(&root.join("store")).unwrap();
        let tar = testkit::Layer::new().symlink("up", "../../../..").entry("up/escaped", "", b"x", |_| {}).tar();
        let (diff_id, blob) = (DiffId(Digest::sha256(&tar)), Descriptor::of(media::LAYER, &tar));
        let layer = LoneLayer { below: None, diff_id: &diff_id, blob: &blob };
        // Taken or refused: what is outside stays as it is.
        let _ = store.take_layer(&layer, Box::new(std::io::Cursor::new(tar)), &mut |_| {});
        let outside: Vec<_> = std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(outside, ["store"]);
    }
}
