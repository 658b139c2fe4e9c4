//! `save`: images as an archive.

use std::collections::BTreeSet;
use std::io::Write;

use spec::event::ImageAct;
use store::SaveError;

use crate::error::Error;
use crate::host::Host;

/// Writes images with their names as one archive: `docker save`'s and an OCI layout at once.
///
/// # Errors
/// There is no such image; a layer is damaged; the output.
pub fn save(host: &Host, names: &[&str], out: impl Write) -> Result<(), Error> {
    host.store.save(names, out).map_err(|error| match error {
        SaveError::Resolve(error) => error.into(),
        error @ (SaveError::Write(_)
        | SaveError::Layer(..)
        | SaveError::Corrupt { .. }
        | SaveError::Attestation(_)
        | SaveError::Pack(_)
        | SaveError::Store(_)) => Error::other("saving the images")(error),
    })?;
    let mut told = BTreeSet::new();
    for image in names.iter().filter_map(|name| host.store.resolve(name).ok()) {
        if told.insert(image.id.clone()) {
            host.note_image(&image.id, None, ImageAct::Save);
        }
    }
    Ok(())
}
