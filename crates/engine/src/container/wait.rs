//! `wait`: how a container ends.

use monitor::protocol::{Ask, Tell, Until};
use monitor::status::{self, Status};
use monitor::{Client, ClientError, Exit};
use spec::id::ContainerId;

use super::visit;
use crate::error::Error;
use crate::host::Host;

/// Waits until the container does not run and answers its exit code; 0 for one that never ran, as Docker has it.
///
/// # Errors
/// The monitor's.
pub fn wait(host: &Host, id: &ContainerId) -> Result<i32, Error> {
    if let Some(client) = visit::living(host, id)?
        && let Ok(Tell::Exited(exit)) = visit::call(&client, id, &Ask::Wait(Until::NotRunning))
    {
        return Ok(exit.code);
    }
    Ok(match status::of(&host.home, id)?.status {
        Status::Exited(exit) | Status::Restarting { last: exit, .. } => exit.code,
        Status::Created | Status::Running(_) | Status::Paused(_) | Status::Removing => 0,
    })
}

/// The end of a container on a connection that asked for it before; none where the monitor died.
///
/// # Errors
/// The connection's.
pub fn end(client: &Client, id: &ContainerId) -> Result<Option<Exit>, Error> {
    loop {
        match client.tell() {
            Ok(Tell::Exited(exit)) => return Ok(Some(exit)),
            Ok(other) => drop(visit::answer(id, other)?),
            Err(ClientError::Gone) => return Ok(None),
            Err(other) => return Err(Error::other("listening to the container's monitor")(other)),
        }
    }
}
