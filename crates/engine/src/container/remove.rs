//! `rm`: the container ceases to be.

use monitor::protocol::Ask;
use monitor::{Berth, ClientError};
use spec::event::ContainerAct;
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
    loop {
        match Berth::take(&host.home, id) {
            // Held until the container is gone: nobody starts it meanwhile.
            Ok(berth) => {
                let known = find::record(host, id).ok().map(|record| {
                    let name = find::name_from(host, id, &record.config.name).unwrap_or_default();
                    (record.config, name)
                });
                let removed = monitor::burial::remove_container(&host.home, &host.store, id);
                if let (Ok(()), Some((config, name))) = (&removed, known) {
                    host.note_named(&config, &name, ContainerAct::Destroy);
                }
                // Whatever stays of it is the next command's.
                let _ = berth.leave();
                return match removed {
                    Err(e) if e.is_gone() => {
                        Err(Error::Conflict(format!("removal of container {id} is already in progress")))
                    }
                    other => other.map_err(Error::other("removing the container")),
                };
            }
            Err(ClientError::Living) => {
                let Some(client) = visit::living(host, id)? else { continue };
                let ask = match if_running {
                    // Somebody may have started it since we looked.
                    IfRunning::Refuse => Ask::RemoveStopped,
                    IfRunning::Kill => Ask::Remove,
                };
                match visit::call(&client, id, &ask) {
                    Ok(_) => return Ok(()),
                    Err(refused @ Error::Conflict(_)) => return Err(refused),
                    // It went away, or could not do it and is about to: then the place is free.
                    Err(_) => {}
                }
            }
            Err(other) => return Err(Error::other("taking the container's run directory")(other)),
        }
    }
}
