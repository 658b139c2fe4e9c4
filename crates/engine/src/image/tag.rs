//! `tag`: one more name for an image.

use spec::event::ImageAct;
use spec::reference::{Reference, ReferenceError};

use crate::error::Error;
use crate::host::Host;

/// Lets `target` mean the image that `source` means.
///
/// # Errors
/// There is no such image; the name is none; it has a digest.
pub fn tag(host: &Host, source: &str, target: &str) -> Result<(), Error> {
    let refused = |e: ReferenceError| {
        Error::Invalid(format!("error parsing reference: {target:?} is not a valid repository/tag: {e}"))
    };
    let target: Reference = target.parse().map_err(refused)?;
    if target.digest().is_some() {
        return Err(Error::Invalid("refusing to create a tag with a digest reference".into()));
    }
    let image = host.store.resolve(source)?;
    host.store.tag(&image.id, &target)?;
    host.note_image(&image.id, Some(&target), ImageAct::Tag);
    Ok(())
}
