//! `load`: images from an archive.

use std::fs::File;
use std::io::Read;

use spec::event::ImageAct;
use spec::platform::Platform;
use store::{Load, LoadEvent, Loaded};

use crate::error::Error;
use crate::host::Host;

/// Where the archive is.
pub enum Archive<'a> {
    /// A file that can be read anywhere in it.
    File(File),
    /// A stream: it is copied to the disk first.
    Stream(&'a mut dyn Read),
}

/// Takes the images of an archive: see [`Load::platform`].
///
/// # Errors
/// The archive is damaged or is none, or an image of it is not for `platform`; then nothing of it stays.
pub fn load(
    host: &Host,
    archive: Archive<'_>,
    platform: Option<&Platform>,
    on: &mut dyn FnMut(LoadEvent),
) -> Result<Vec<Loaded>, Error> {
    let loaded = match archive {
        Archive::File(archive) => host.store.load_file(Load { archive, platform }, on),
        Archive::Stream(stream) => host.store.load_stream(stream, platform, on),
    };
    let loaded = loaded?;
    loaded.iter().for_each(|image| host.note_image(&image.id, None, ImageAct::Load));
    Ok(loaded)
}
