//! `rm`: the container ceases to be.

use monitor::protocol::Ask;
use monitor::{Berth, ClientError};
use spec::event::ContainerAct;
use spec::id::ContainerId;
use spec::mount::Naming;

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

/// What happens to the volumes that nobody named and nobody else uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volumes {
    /// They stay.
    Keep,
    /// They go with it.
    Remove,
}

/// How a container is removed.
#[derive(Clone, Copy, Debug)]
pub struct Remove {
    /// When it runs.
    pub if_running: IfRunning,
    /// `-v`.
    pub volumes: Volumes,
}

/// Removes a container with its writable layer and its log.
///
/// # Errors
/// It runs and may not be killed; it is gone.
pub fn remove(host: &Host, id: &ContainerId, how: Remove) -> Result<(), Error> {
    let if_running = how.if_running;
    if if_running == IfRunning::Refuse && start::is_running(host, id)? {
        let name = find::name(host, id)?;
        return Err(Error::Conflict(format!(
            "cannot remove container \"{name}\": container is running: stop the container before removing or force remove"
        )));
    }
    say_of_volumes(host, id, how.volumes)?;
    let removed = remove_from(host, id, if_running);
    if removed.is_err() && how.volumes == Volumes::Keep {
        // It goes on as it was: with its volumes, if it was made with `--rm`. A container that is gone has no file to take away.
        let _ = host.home.give_up_volumes(id);
    }
    removed
}

/// Written down where whoever removes it finds it: its monitor, or after a crash the next command.
fn say_of_volumes(host: &Host, id: &ContainerId, volumes: Volumes) -> Result<(), Error> {
    // A container whose record cannot be read can still be removed; which volumes it had, nobody knows then.
    let has_own = find::record(host, id)
        .is_ok_and(|record| record.config.volumes_used().any(|(_, naming)| naming == Naming::Anonymous));
    let said = match volumes {
        Volumes::Remove => host.home.give_up_volumes(id),
        Volumes::Keep if has_own => host.home.keep_volumes(id),
        Volumes::Keep => Ok(()),
    };
    said.map_err(Error::io("writing down what becomes of the container's volumes"))
}

fn remove_from(host: &Host, id: &ContainerId, if_running: IfRunning) -> Result<(), Error> {
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
