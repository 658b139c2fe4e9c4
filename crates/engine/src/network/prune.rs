//! `network prune`: all that nobody is on; and of the default network, which stays, the device.

use std::collections::BTreeMap;

use network::record;
use spec::event::Kind;
use spec::time::Time;

use super::list;
use super::remove::remove;
use crate::error::Error;
use crate::host::Host;

/// Removes the user's networks that no running container is on and that are wanted, by when they were made and their labels. Answers their
/// names.
///
/// # Errors
/// Of the files. One that somebody came to meanwhile is left alone.
pub fn prune(host: &Host, wanted: &dyn Fn(Time, &BTreeMap<String, String>) -> bool) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for view in list::list(host)? {
        let network = view.network;
        if !view.members.is_empty() {
            continue;
        }
        if record::PREDEFINED.contains(&network.name.as_str()) {
            record::rest(&host.home, &network)?;
            continue;
        }
        if !wanted(network.created, &network.labels) {
            continue;
        }
        match remove(host, network.id.as_str()) {
            Ok(()) => removed.push(network.name),
            Err(Error::Conflict(_) | Error::NotFound(_)) => {}
            Err(other) => return Err(other),
        }
    }
    host.note_prune(Kind::Network, 0);
    Ok(removed)
}
