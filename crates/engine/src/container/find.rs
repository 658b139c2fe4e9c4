//! From what a user types to a container: full identifier, then exact name, then unique beginning of an identifier.

use disk::{links, read};
use spec::container::{Config, Settings};
use spec::id::ContainerId;

use crate::error::Error;
use crate::host::Host;

/// A container's record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Written once.
    pub config: Config,
    /// May change.
    pub settings: Settings,
}

/// The container a user means.
///
/// # Errors
/// None such, or several.
pub fn find(host: &Host, typed: &str) -> Result<ContainerId, Error> {
    let typed = typed.strip_prefix('/').unwrap_or(typed);
    if let Ok(id) = typed.parse::<ContainerId>()
        && host.home.container(&id).is_dir()
    {
        return Ok(id);
    }
    if typed.is_empty() || typed.contains('/') {
        return Err(Error::no_container(typed));
    }
    if let Some(holder) =
        links::holder(&host.home.names(), typed).map_err(Error::io("reading the containers' names"))?
        && let Ok(id) = holder.parse()
    {
        return Ok(id);
    }
    let mut matching = all(host)?.into_iter().filter(|id| id.as_str().starts_with(typed));
    match (matching.next(), matching.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(Error::Invalid(format!("multiple IDs found with provided prefix: {typed}"))),
        (None, _) => Err(Error::no_container(typed)),
    }
}

/// All containers' identifiers.
///
/// # Errors
/// Of the file system.
pub fn all(host: &Host) -> Result<Vec<ContainerId>, Error> {
    let dir = host.home.containers();
    let entries = std::fs::read_dir(&dir).map_err(Error::io(format!("reading {}", dir.display())))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// A container's record.
///
/// # Errors
/// Gone, or damaged.
pub fn record(host: &Host, id: &ContainerId) -> Result<Record, Error> {
    let dir = host.home.container(id);
    match (read::<Config>(&dir)?, read::<Settings>(&dir)?) {
        (Some(config), Some(settings)) => Ok(Record { config, settings }),
        (None, _) | (_, None) => Err(Error::no_container(id.as_str())),
    }
}

/// The name of one container; empty while it is being removed.
///
/// # Errors
/// Of the file system.
pub fn name(host: &Host, id: &ContainerId) -> Result<String, Error> {
    let config = read::<Config>(&host.home.container(id)).ok().flatten();
    name_from(host, id, config.as_ref().map_or("", |config| &config.name))
}

/// The same, with the name it was made with: most are still called so, and then only that one is looked at.
///
/// # Errors
/// Of the file system.
pub fn name_from(host: &Host, id: &ContainerId, first: &str) -> Result<String, Error> {
    let name = links::name_of(&host.home.names(), id.as_str(), first);
    Ok(name.map_err(Error::io("reading the containers' names"))?.unwrap_or_default())
}
