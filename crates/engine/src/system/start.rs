//! `system start`: after a boot, the containers whose restart policy asks for it run again.

use spec::id::ContainerId;

use crate::container::start::{self, Start};
use crate::error::Error;
use crate::host::Host;

/// A container, and what became of its start.
pub type Started = (ContainerId, Result<(), Error>);

/// Starts them; what became of each.
///
/// # Errors
/// Of the files; that one does not start is no error of the others.
pub fn start(host: &Host) -> Result<Vec<Started>, Error> {
    let wanted = monitor::needs_start(&host.home).map_err(Error::other("looking for containers to start"))?;
    let one = |id: ContainerId| {
        let started = start::start(host, &id, Start { console: None, attach: None, wait: None }).map(drop);
        (id, started)
    };
    Ok(wanted.into_iter().map(one).collect())
}
