//! `docker import` and `docker commit`: a root file system becomes an image of one layer, a container's writes become one more.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;

use disk::Durability;
use spec::digest::{ChainId, ImageId};
use spec::id::ContainerId;
use spec::image::{Descriptor, ImageConfig, RootFs, media};
use spec::platform::Platform;
use spec::reference::Reference;

use crate::archive::{LoadError, Plan};
use crate::ingest::{Layer, Threads, ingest};
use crate::layer::{self, Whiteouts};
use crate::store::{Ingest, Store, StoreError};

impl Store {
    /// Makes an image of a tar, packed or not. `config` says everything but the layers, and the machine if it names none.
    ///
    /// # Errors
    /// [`LoadError`]; then nothing stays.
    pub fn import(
        &self,
        tar: impl Read + Send,
        config: ImageConfig,
        reference: Option<&Reference>,
    ) -> Result<ImageId, LoadError> {
        let id = {
            let _held = self.share()?;
            let below = ImageConfig { rootfs: RootFs::default(), ..config };
            self.add_layer(tar, below, reference)?
        };
        self.collect_if_asked()?;
        Ok(id)
    }

    /// Makes an image of what a container wrote. `config` is the new image's, still with the layers of the image below; its last step of
    /// history is this one. Whoever writes meanwhile is not stopped: that is the caller's to do (`--pause`) until `is_read` is called,
    /// when nothing more is read of the container.
    ///
    /// # Errors
    /// [`LoadError`]; then nothing stays.
    pub fn commit(
        &self,
        container: &ContainerId,
        config: ImageConfig,
        reference: Option<&Reference>,
        is_read: impl FnOnce(),
    ) -> Result<ImageId, LoadError> {
        let id = {
            let _held = self.share()?;
            if ChainId::of(&config.rootfs.diff_ids) != self.draft_record(container)?.layers {
                let what = format!("the config's layers are not those below container {container}");
                return Err(LoadError::Contradiction(what));
            }
            let upper = self.draft_dir(container).join("upper");
            let dir = File::open(&upper).map_err(StoreError::io("opening", &upper))?;
            let mut tar = Ingest::new(self)?.unnamed("tar")?;
            let written = layer::diff(dir.as_fd(), &mut tar, Whiteouts::Trusted);
            is_read();
            match written.map_err(|e| LoadError::Layer(None, e))?.entries {
                0 => self.add_nothing(config, reference)?,
                _some => {
                    tar.seek(SeekFrom::Start(0)).map_err(LoadError::Read)?;
                    self.add_layer(tar, config, reference)?
                }
            }
        };
        self.collect_if_asked()?;
        Ok(id)
    }

    /// An image of `config` with one more layer. The store must be shared.
    fn add_layer(
        &self,
        tar: impl Read + Send,
        config: ImageConfig,
        reference: Option<&Reference>,
    ) -> Result<ImageId, LoadError> {
        let mut document = for_this_machine(config);
        let parent = ChainId::of(&document.rootfs.diff_ids).pop();
        let (place, record) =
            ingest(self, tar, Layer { blob: None, diff_id: None, parent: parent.clone(), threads: Threads::Two })?;
        document.rootfs.diff_ids.push(record.diff_id.clone());
        let chain = ChainId::extend(parent.as_ref(), &record.diff_id);
        self.settle(vec![(chain, place, record)], Durability::Durable)?;
        self.put_image(document, reference.into_iter().cloned().collect())
    }

    /// The image of a container that wrote nothing: one more step, and no layer. The store must be shared.
    fn add_nothing(&self, config: ImageConfig, reference: Option<&Reference>) -> Result<ImageId, LoadError> {
        let mut document = for_this_machine(config);
        if let Some(step) = document.history.last_mut() {
            step.empty_layer = true;
        }
        self.put_image(document, reference.into_iter().cloned().collect())
    }

    /// An image whose layers are here. The store must be shared.
    pub(crate) fn put_image(&self, document: ImageConfig, names: Vec<Reference>) -> Result<ImageId, LoadError> {
        let config_bytes = serde_json::to_vec(&document)
            .map_err(|source| LoadError::Document { name: "the image config".to_owned(), source })?;
        let config = Descriptor::of(media::DOCKER_CONFIG, &config_bytes);
        Ok(self.publish(Plan { names, config, config_bytes, document, manifest: None, layers: Vec::new() })?.id)
    }
}

fn for_this_machine(config: ImageConfig) -> ImageConfig {
    let host = Platform::host();
    ImageConfig {
        os: if config.os.is_empty() { host.os } else { config.os },
        architecture: if config.architecture.is_empty() { host.architecture } else { config.architecture },
        ..config
    }
}
