//! `docker import`: a root file system becomes an image of one layer.

use std::io::Read;

use spec::digest::{ChainId, ImageId};
use spec::image::{ImageConfig, RootFs, media};
use spec::platform::Platform;
use spec::reference::Reference;

use crate::archive::{LoadError, Plan};
use crate::ingest::{Layer, descriptor, ingest};
use crate::store::Store;

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
            let (place, record) = ingest(self, tar, Layer { blob: None, diff_id: None, parent: None })?;
            let rootfs = RootFs { diff_ids: vec![record.diff_id.clone()], ..RootFs::default() };
            let chain = ChainId::extend(None, &record.diff_id);
            self.settle(vec![(chain, place, record)])?;
            let document = for_this_machine(ImageConfig { rootfs, ..config });
            let config_bytes = serde_json::to_vec(&document)
                .map_err(|source| LoadError::Document { name: "the image config".to_owned(), source })?;
            let config = descriptor(media::DOCKER_CONFIG, &config_bytes);
            let names = reference.into_iter().cloned().collect();
            self.publish(Plan { names, config, config_bytes, document, manifest: None, layers: Vec::new() })?.id
        };
        self.collect_if_asked()?;
        Ok(id)
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
