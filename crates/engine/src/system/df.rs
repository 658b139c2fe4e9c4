//! `system df`: what takes how much of the disk.

use std::collections::BTreeMap;

use spec::digest::ImageId;
use spec::id::ContainerId;
use store::Usage;

use crate::container::list::{self, View};
use crate::error::Error;
use crate::host::Host;
use crate::{image, volume};

/// Everything that takes room.
#[derive(Clone, Debug)]
pub struct Disk {
    /// As the store counts it.
    pub usage: Usage,
    /// All containers.
    pub containers: Vec<View>,
    /// The containers of each image.
    pub users: BTreeMap<ImageId, Vec<ContainerId>>,
    /// The volumes whose files are here: those with options have theirs elsewhere.
    pub volumes: Vec<VolumeUsage>,
}

/// What one volume takes.
#[derive(Clone, Debug)]
pub struct VolumeUsage {
    /// Which one.
    pub view: volume::list::View,
    /// How many containers use it.
    pub links: usize,
    /// All its files.
    pub disk_bytes: u64,
}

/// Adds everything up, as `du` does.
///
/// # Errors
/// Of the files.
pub fn df(host: &Host) -> Result<Disk, Error> {
    Ok(Disk {
        usage: host.store.usage()?,
        containers: list::list(host)?,
        users: image::list::users(host)?,
        volumes: volumes(host)?,
    })
}

fn volumes(host: &Host) -> Result<Vec<VolumeUsage>, Error> {
    let users = volume::list::users(host)?;
    let views = volume::list::list(host)?.into_iter().filter(|view| view.record.is_plain());
    let usage = |view: volume::list::View| VolumeUsage {
        links: users.get(&view.name).map_or(0, Vec::len),
        // One that is removed meanwhile takes nothing.
        disk_bytes: store::extent(&view.mountpoint).map_or(0, |extent| extent.disk_bytes),
        view,
    };
    Ok(views.map(usage).collect())
}
