//! `volume create`: a directory that outlives containers. One that is there already is as good.

use std::collections::BTreeMap;

use disk::{Durability, Hold};
use spec::volume::{ANONYMOUS, LOCAL, Volume, VolumeName};

use super::source;
use crate::error::Error;
use crate::host::Host;

/// What is asked of a new volume.
#[derive(Clone, Debug)]
pub struct Create {
    /// Its name; none: a random one.
    pub name: Option<VolumeName>,
    /// `-d`; empty is `local`.
    pub driver: String,
    /// `-o`.
    pub options: Option<BTreeMap<String, String>>,
    /// `--label`.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Makes a volume unless there is one of this name; answers the name.
///
/// # Errors
/// A driver that is not there, or options it does not take.
pub fn create(host: &Host, request: Create) -> Result<VolumeName, Error> {
    let (name, labels) = match request.name {
        Some(name) => (name, request.labels),
        None => (super::new_name()?, Some(anonymous(request.labels))),
    };
    let wanted = Wanted { driver: &request.driver, options: request.options, labels };
    make(host, &name, wanted, Durability::Durable).map(|_| name)
}

/// The same for a volume that has its name already.
pub(super) struct Wanted<'a> {
    pub(super) driver: &'a str,
    pub(super) options: Option<BTreeMap<String, String>>,
    pub(super) labels: Option<BTreeMap<String, String>>,
}

pub(super) fn make(host: &Host, name: &VolumeName, wanted: Wanted<'_>, durability: Durability) -> Result<Hold, Error> {
    if !matches!(wanted.driver, "" | LOCAL) {
        let driver = wanted.driver;
        return Err(Error::NotFound(format!(
            "create {name}: error looking up volume plugin {driver}: plugin {driver:?} not found"
        )));
    }
    // What is there is taken as it is, whatever the options say.
    if let Some(hold) = host.home.hold_volume(name).map_err(Error::io(format!("opening the volume {name}")))? {
        return Ok(hold);
    }
    if let Some(options) = &wanted.options {
        source::validate(options).map_err(|why| Error::Invalid(format!("create {name}: {why}")))?;
    }
    let record = Volume { created: disk::now(), labels: wanted.labels, options: wanted.options };
    Ok(host.home.make_volume(name, &record, durability)?)
}

/// These labels, and the one that says that nobody named it.
pub(super) fn anonymous(labels: Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut labels = labels.unwrap_or_default();
    labels.insert(ANONYMOUS.to_owned(), String::new());
    labels
}
