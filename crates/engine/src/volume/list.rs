//! What there is: volumes, and the containers that use them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use disk::read;
use spec::container::Config;
use spec::id::ContainerId;
use spec::volume::{Volume, VolumeName};

use crate::container::find;
use crate::error::Error;
use crate::host::Host;

/// A volume as `ls` and `inspect` see it.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: VolumeName,
    /// What was written down.
    pub record: Volume,
    /// Where its files lie.
    pub mountpoint: PathBuf,
}

/// All volumes, by name. One that goes away meanwhile is left out.
///
/// # Errors
/// Of the files.
pub fn list(host: &Host) -> Result<Vec<View>, Error> {
    let mut views = Vec::new();
    for name in host.home.volume_names().map_err(Error::io("reading the volumes"))? {
        views.extend(found(host, &name)?);
    }
    Ok(views)
}

/// The volume a user means.
///
/// # Errors
/// There is none of that name.
pub fn view(host: &Host, typed: &str) -> Result<View, Error> {
    let view = match typed.parse() {
        Ok(name) => found(host, &name)?,
        Err(_) => None,
    };
    view.ok_or_else(|| Error::no_volume(typed))
}

fn found(host: &Host, name: &VolumeName) -> Result<Option<View>, Error> {
    let record = read::<Volume>(&host.home.volume(name))?;
    Ok(record.map(|record| View { mountpoint: host.home.volume_data(name), name: name.clone(), record }))
}

/// The containers of each volume.
///
/// # Errors
/// Of the files.
pub fn users(host: &Host) -> Result<BTreeMap<VolumeName, Vec<ContainerId>>, Error> {
    let mut users: BTreeMap<VolumeName, Vec<ContainerId>> = BTreeMap::new();
    for id in find::all(host)? {
        // One that was removed since the listing uses nothing.
        let Some(config) = read::<Config>(&host.home.container(&id))? else { continue };
        for (name, _) in config.volumes_used() {
            let of = users.entry(name.clone()).or_default();
            if !of.contains(&id) {
                of.push(id.clone());
            }
        }
    }
    Ok(users)
}
