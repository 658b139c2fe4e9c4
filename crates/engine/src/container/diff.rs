//! `diff`: what a container changed in its root file system.

use spec::id::ContainerId;
use store::Change;

use crate::error::Error;
use crate::host::Host;

/// What was added, changed and deleted, by path.
///
/// # Errors
/// The container is gone.
pub fn diff(host: &Host, id: &ContainerId) -> Result<Vec<Change>, Error> {
    Ok(host.store.changes(id)?)
}
