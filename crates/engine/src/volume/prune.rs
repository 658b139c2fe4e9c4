//! `volume prune`: what no container uses.

use std::collections::BTreeMap;

use disk::{EndVolume, Patience};
use spec::volume::VolumeName;

use super::list;
use crate::error::Error;
use crate::host::Host;

/// Which volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that nobody named.
    Anonymous,
    /// All.
    All,
}

/// What went, and how much room it took on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Volumes.
    pub removed: Vec<VolumeName>,
    /// Bytes.
    pub freed_bytes: u64,
}

/// Removes the unused volumes that are wanted, by their labels. As with Docker, those with options stay: their files are elsewhere.
///
/// # Errors
/// Of the files. One that came to be used meanwhile is left alone.
pub fn prune(host: &Host, which: Which, wanted: &dyn Fn(&BTreeMap<String, String>) -> bool) -> Result<Pruned, Error> {
    let users = list::users(host)?;
    let mut pruned = Pruned::default();
    for view in list::list(host)? {
        let named = which == Which::Anonymous && !view.record.is_anonymous();
        if named || !view.record.is_plain() || users.contains_key(&view.name) {
            continue;
        }
        if !wanted(&view.record.labels.clone().unwrap_or_default()) {
            continue;
        }
        match host.home.end_volume(&view.name, Patience::None)? {
            EndVolume::Ended(volume) => {
                let size = store::extent(&volume.data()).map_or(0, |extent| extent.disk_bytes);
                volume.clear().map_err(Error::io(format!("removing the volume {}", view.name)))?;
                pruned.removed.push(view.name);
                pruned.freed_bytes += size;
            }
            EndVolume::Missing | EndVolume::InUse(_) => {}
        }
    }
    Ok(pruned)
}
