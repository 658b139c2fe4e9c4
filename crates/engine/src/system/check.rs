//! `system check`: everything that is written down is read again. Changes nothing.

use disk::{links, read};
use spec::container::{Config, Settings};
use spec::id::ContainerId;
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

/// Names all damages of images and containers.
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
