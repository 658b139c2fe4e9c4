//! `import`: a tree of files becomes an image.

use std::io::Read;

use spec::digest::ImageId;
use spec::event::ImageAct;
use spec::image::{History, ImageConfig};
use spec::platform::Platform;
use spec::reference::Reference;

use crate::error::Error;
use crate::host::Host;

/// What is said of the new image.
#[derive(Clone, Debug)]
pub struct Import {
    /// Its name.
    pub reference: Option<Reference>,
    /// `-c`: Dockerfile instructions.
    pub changes: Vec<String>,
    /// `-m`.
    pub message: String,
    /// `--platform`; none: this machine's.
    pub platform: Option<Platform>,
}

/// Makes an image of one layer from a tar, packed or not.
///
/// # Errors
/// An instruction that is none; the archive is damaged; then nothing stays.
pub fn import(host: &Host, tar: impl Read + Send, request: Import) -> Result<ImageId, Error> {
    let created = Some(disk::now().to_string());
    let platform = request.platform.unwrap_or_else(Platform::host);
    let mut config = ImageConfig {
        created: created.clone(),
        architecture: platform.architecture,
        variant: platform.variant,
        os: platform.os,
        history: vec![History { created, comment: Some(request.message), ..History::default() }],
        ..ImageConfig::default()
    };
    config.config = builder::change(config.config, &request.changes).map_err(|why| Error::Invalid(why.message))?;
    let id = host.store.import(tar, config, request.reference.as_ref())?;
    if let Some(reference) = &request.reference {
        host.note_image(&id, Some(reference), ImageAct::Tag);
    }
    host.note_image(&id, None, ImageAct::Import);
    Ok(id)
}
