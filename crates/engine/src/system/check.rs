//! `system check`: everything that is written down is read again. Changes nothing.

use disk::{links, read};
use spec::container::{Config, Settings};
use spec::id::ContainerId;
use spec::volume::{Volume, VolumeName};
use store::Depth;

use crate::container::find;
use crate::error::Error;
use crate::host::Host;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What.
    pub what: String,
    /// What a person can do about it.
    pub remedy: String,
}

/// Names all damages of images, containers and volumes.
///
/// # Errors
/// Of the file system; damage is no error.
pub fn check(host: &Host, depth: Depth) -> Result<Vec<Damage>, Error> {
    let mut damages = Vec::new();
    for damage in host.store.check(depth)? {
        damages.push(Damage { what: damage.to_string(), remedy: damage.remedy() });
    }
    let ids = find::all(host)?;
    for id in &ids {
        damages.extend(container(host, id));
    }
    for name in host.home.volume_names().map_err(Error::io("reading the volumes"))? {
        damages.extend(volume(host, &name));
    }
    for (name, holder) in links::all(&host.home.names()).map_err(Error::io("reading the containers' names"))? {
        // A name is claimed before its container comes to be: one whose holder is not there may be that of a container being made.
        let known = holder.parse::<ContainerId>().is_ok();
        if !known {
            let path = host.home.names().join(&name);
            damages.push(Damage {
                what: format!("the name {name} belongs to no container"),
                remedy: format!("remove {}", path.display()),
            });
        }
    }
    Ok(damages)
}

fn volume(host: &Host, name: &VolumeName) -> Option<Damage> {
    let (dir, data) = (host.home.volume(name), host.home.volume_data(name));
    let remedy = || format!("save what you need of {}, and remove {}", data.display(), dir.display());
    let what = match read::<Volume>(&dir) {
        Ok(Some(_)) if data.is_dir() => return None,
        // Removed since the listing.
        _ if !dir.is_dir() => return None,
        Ok(Some(_)) => {
            return Some(Damage {
                what: format!("volume {name}: its directory _data is missing"),
                remedy: format!("mkdir {}", data.display()),
            });
        }
        Ok(None) => "volume.json is missing".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(Damage { what: format!("volume {name}: {what}"), remedy: remedy() })
}

fn container(host: &Host, id: &ContainerId) -> Vec<Damage> {
    let dir = host.home.container(id);
    let remedy = || format!("kist rm -f {} and create it again", id.short());
    let mut damages = Vec::new();
    let mut found =
        |what: String| damages.push(Damage { what: format!("container {}: {what}", id.short()), remedy: remedy() });
    let records = [
        ("config.json", read::<Config>(&dir).map(|found| found.is_some())),
        ("settings.json", read::<Settings>(&dir).map(|found| found.is_some())),
    ];
    for (file, record) in records {
        match record {
            Ok(true) => {}
            // Removed since the listing.
            Ok(false) if !dir.is_dir() => return Vec::new(),
            Ok(false) => found(format!("{file} is missing")),
            Err(error) => found(error.to_string()),
        }
    }
    if let Ok(Some(config)) = read::<Config>(&dir) {
        for (name, _) in config.volumes_used().filter(|(name, _)| !host.home.volume(name).is_dir()) {
            found(format!("its volume {name} is missing"));
        }
    }
    if let Err(error) = monitor::status::of(&host.home, id) {
        found(error.to_string());
    }
    match host.store.draft_size_bytes(id) {
        Ok(_) => {}
        Err(_) if !dir.is_dir() => return Vec::new(),
        Err(error) => found(error.to_string()),
    }
    damages
}
