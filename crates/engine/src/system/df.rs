//! `system df`: what takes how much of the disk.

use std::collections::BTreeMap;

use spec::digest::ImageId;
use spec::id::ContainerId;
use store::Usage;

use crate::container::list::{self, View};
use crate::error::Error;
use crate::host::Host;
use crate::image;

/// Everything that takes room.
#[derive(Clone, Debug)]
pub struct Disk {
    /// As the store counts it.
    pub usage: Usage,
    /// All containers.
    pub containers: Vec<View>,
    /// The containers of each image.
    pub users: BTreeMap<ImageId, Vec<ContainerId>>,
}

/// Adds everything up, as `du` does.
///
/// # Errors
/// Of the files.
pub fn df(host: &Host) -> Result<Disk, Error> {
    Ok(Disk { usage: host.store.usage()?, containers: list::list(host)?, users: image::list::users(host)? })
}
