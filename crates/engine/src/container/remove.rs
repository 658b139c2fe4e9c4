//! `rm`: the container ceases to be.

use monitor::protocol::Ask;
use spec::id::ContainerId;

use super::{find, start, visit};
use crate::error::Error;
use crate::host::Host;

/// What happens to a container that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfRunning {
    /// It is left alone.
    Refuse,
    /// It is killed.
    Kill,
}

/// Removes a container with its writable layer and its log.
///
/// # Errors
/// It runs and may not be killed; it is gone.
pub fn remove(host: &Host, id: &ContainerId, if_running: IfRunning) -> Result<(), Error> {
    if if_running == IfRunning::Refuse && start::is_running(host, id)? {
        let name = find::name(host, id)?;
        return Err(Error::Conflict(format!(
            "cannot remove container \"{name}\": container is running: stop the container before removing or force remove"
        )));
    }
    if let Some(client) = visit::living(host, id)?
        && visit::call(&client, id, &Ask::Remove).is_ok()
    {
        return Ok(());
    }
    match monitor::burial::remove_container(&host.home, &host.store, id) {
        Err(e) if e.is_gone() => Err(Error::Conflict(format!("removal of container {id} is already in progress"))),
        other => other.map_err(Error::other("removing the container")),
    }
}
