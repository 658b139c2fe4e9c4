//! `load`: images from an archive.

use std::fs::File;
use std::io::Read;

use spec::platform::Platform;
use store::{Load, LoadEvent, Loaded};

use crate::error::Error;
use crate::host::Host;

/// Where the archive is.
pub enum Archive<'a> {
    /// A file that can be read anywhere in it.
    File(File),
    /// A stream, for this machine's platform: it is copied to the disk first.
    Stream(&'a mut dyn Read),
}

/// Takes the images of an archive; of an image for several machines, the one for `platform`.
///
/// # Errors
/// The archive is damaged or is none; then nothing of it stays.
pub fn load(
    host: &Host,
    archive: Archive<'_>,
    platform: Option<&Platform>,
    on: &mut dyn FnMut(LoadEvent),
) -> Result<Vec<Loaded>, Error> {
    let machine = Platform::host();
    let loaded = match archive {
        Archive::File(archive) => host.store.load_file(Load { archive, platform: platform.unwrap_or(&machine) }, on),
        Archive::Stream(_) if platform.is_some_and(|platform| *platform != machine) => {
            return Err(Error::NotYet("loading for another platform from a pipe instead of a file".into()));
        }
        Archive::Stream(stream) => host.store.load(stream, on),
    };
    Ok(loaded?)
}
