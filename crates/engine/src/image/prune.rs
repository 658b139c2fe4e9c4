//! `image prune`: what no container and, unless all are meant, no name needs.

use std::collections::BTreeMap;
use std::time::Duration;

use registry::partial;
use spec::digest::ImageId;
use spec::event::Kind;
use spec::time::Time;
use store::{Freed, Removed, Several};

use super::list;
use super::remove::{Named, refused, tell};
use crate::error::Error;
use crate::host::Host;

/// Which images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those without a tag. A digest is no name that anybody chose: a tag that moves on leaves its image with one.
    Dangling,
    /// All.
    Unused,
}

/// What went, and how much room it took on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names, images and layers.
    pub removed: Vec<Removed>,
    /// Bytes.
    pub freed_bytes: u64,
}

/// Whether an image is meant, by when it was made and its labels.
pub type Wanted<'a> = &'a dyn Fn(Option<Time>, &BTreeMap<String, String>) -> bool;

/// Removes unused images that are wanted, and what interrupted commands left in the store, also for a next pull.
///
/// # Errors
/// The store's.
pub fn prune(host: &Host, which: Which, wanted: Wanted<'_>) -> Result<Pruned, Error> {
    let users = list::users(host)?;
    let mut doomed = Vec::new();
    for (image, names) in host.store.images()? {
        let spared = users.contains_key(&image.id) || (which == Which::Dangling && !names.tags.is_empty());
        if !spared && wanted(image.created(), &image.config.config.labels) {
            doomed.push(image.id);
        }
    }
    let mut pruned = Pruned::default();
    // Adding everything up is as slow as `du`: only where there is something to subtract.
    let before = if doomed.is_empty() { 0 } else { host.store.usage()?.disk_bytes };
    for id in doomed.iter() {
        pruned.removed.extend(delete(host, id)?);
    }
    let partial_bytes = partial::sweep(&host.store.partial_dir(), Duration::ZERO);
    let partial_bytes = partial_bytes.map_err(Error::io("removing what pulls left"))?;
    let Freed { layers, disk_bytes } = host.store.collect()?;
    pruned.removed.extend(layers.into_iter().map(|chain| Removed::Deleted(chain.0)));
    pruned.freed_bytes = if doomed.is_empty() {
        disk_bytes + partial_bytes
    } else {
        before.saturating_sub(host.store.usage()?.disk_bytes)
    };
    host.note_prune(Kind::Image, pruned.freed_bytes);
    Ok(pruned)
}

/// An image with all its names, unless a container came meanwhile.
fn delete(host: &Host, id: &ImageId) -> Result<Vec<Removed>, Error> {
    let mut may_go = |id: &ImageId| match list::users(host) {
        Ok(users) if !users.contains_key(id) => Ok(()),
        Ok(_) | Err(_) => Err(String::new()),
    };
    let labels = host.labels(id);
    let removed = host.store.remove(&id.to_string(), store::Remove { several: Several::Untag, may_go: &mut may_go });
    if let Ok(removed) = &removed {
        tell(host, id, &labels, removed, Named::ById);
    }
    match removed {
        Err(store::RemoveError::InUse(_)) | Err(store::RemoveError::Resolve(store::ResolveError::NotFound(_))) => {
            Ok(Vec::new())
        }
        other => other.map_err(refused),
    }
}
