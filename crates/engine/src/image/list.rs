//! What there is: images, their names, and the containers made from them.

use std::collections::BTreeMap;

use disk::read;
use spec::container::Config;
use spec::digest::ImageId;
use spec::id::ContainerId;
use spec::platform::Platform;
use store::{Image, Names};

use crate::container::{find, start};
use crate::error::Error;
use crate::host::Host;

/// All images with their names, the youngest first.
///
/// # Errors
/// The store's.
pub fn list(host: &Host) -> Result<Vec<(Image, Names)>, Error> {
    Ok(host.store.images()?)
}

/// One image with its names.
///
/// # Errors
/// There is none of that name.
pub fn view(host: &Host, name: &str) -> Result<(Image, Names), Error> {
    let image = host.store.resolve(name)?;
    let names = host.store.names(&image.id)?;
    Ok((image, names))
}

/// Refuses an image that is here for another platform than the one that is asked for.
///
/// # Errors
/// It is.
pub fn require(image: &Image, name: &str, wanted: &Platform) -> Result<(), Error> {
    let has = image.config.platform();
    if wanted.runs(&has) {
        return Ok(());
    }
    Err(Error::NotFound(format!(
        "image with reference {name} was found but its platform ({has}) does not match the specified platform ({wanted})"
    )))
}

/// The containers of each image: made from it, or with a mount of it.
///
/// # Errors
/// Of the files.
pub fn users(host: &Host) -> Result<BTreeMap<ImageId, Vec<ContainerId>>, Error> {
    let mut users: BTreeMap<ImageId, Vec<ContainerId>> = BTreeMap::new();
    for id in find::all(host)? {
        // One that was removed since the listing uses nothing.
        if let Some(config) = read::<Config>(&host.home.container(&id))? {
            for image in config.images_used() {
                let of = users.entry(image.clone()).or_default();
                if !of.contains(&id) {
                    of.push(id.clone());
                }
            }
        }
    }
    Ok(users)
}

/// Who uses an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Users {
    /// A container that runs.
    pub(crate) running: Option<ContainerId>,
    /// Any other.
    pub(crate) stopped: Option<ContainerId>,
}

impl Users {
    pub(crate) fn of(host: &Host, image: &ImageId) -> Result<Users, Error> {
        let mut found = Users::default();
        for id in users(host)?.remove(image).unwrap_or_default() {
            if start::is_running(host, &id)? {
                found.running.get_or_insert(id);
            } else {
                found.stopped.get_or_insert(id);
            }
        }
        Ok(found)
    }
}
