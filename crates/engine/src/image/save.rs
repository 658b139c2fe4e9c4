//! `save`: images as an archive.

use std::io::Write;

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
        error @ (SaveError::Write(_) | SaveError::Layer(..) | SaveError::Corrupt { .. } | SaveError::Store(_)) => {
            Error::other("saving the images")(error)
        }
    })
}
