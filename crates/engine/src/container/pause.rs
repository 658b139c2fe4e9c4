//! `pause` and `unpause`.

use monitor::protocol::Ask;
use spec::id::ContainerId;

use super::visit;
use crate::error::Error;
use crate::host::Host;

/// Freezes a container.
///
/// # Errors
/// It does not run, or is frozen.
pub fn pause(host: &Host, id: &ContainerId) -> Result<(), Error> {
    ask(host, id, &Ask::Pause)
}

/// Thaws a container.
///
/// # Errors
/// It is not frozen.
pub fn unpause(host: &Host, id: &ContainerId) -> Result<(), Error> {
    ask(host, id, &Ask::Unpause)
}

fn ask(host: &Host, id: &ContainerId, ask: &Ask) -> Result<(), Error> {
    let Some(client) = visit::living(host, id)? else { return Err(Error::not_running(id)) };
    visit::call(&client, id, ask).map(drop)
}
