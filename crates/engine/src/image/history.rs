//! `history`: how an image was made.

use spec::digest::ImageId;
use store::HistoryRow;

use crate::error::Error;
use crate::host::Host;

/// The steps, the youngest first, and the image they led to.
///
/// # Errors
/// There is no such image.
pub fn history(host: &Host, name: &str) -> Result<(ImageId, Vec<HistoryRow>), Error> {
    let image = host.store.resolve(name)?;
    let rows = host.store.history(&image)?;
    Ok((image.id, rows))
}
