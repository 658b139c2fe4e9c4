//! `rename`: the name moves in one step.

use disk::links;
use spec::event::ContainerAct;
use spec::id::ContainerId;

use super::{find, visit};
use crate::error::Error;
use crate::host::Host;
use crate::names;

/// Gives a container another name.
///
/// # Errors
/// The name is malformed, its own, or taken.
pub fn rename(host: &Host, id: &ContainerId, to: &str) -> Result<(), Error> {
    let to = to.strip_prefix('/').unwrap_or(to);
    if !names::is_valid(to) {
        return Err(Error::Invalid(format!(
            "Error when allocating new name: Invalid container name ({to}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )));
    }
    let from = find::name(host, id)?;
    if from == to {
        return Err(Error::Invalid("Renaming a container with the same name as its current name".into()));
    }
    match links::rename(&host.home.names(), &from, to).map_err(Error::io("renaming the container"))? {
        None => {
            if let Ok(record) = find::record(host, id) {
                host.note_named(&record.config, to, ContainerAct::Rename { old_name: &from });
            }
            follow(host, id)
        }
        Some(holder) => {
            let taken = Error::name_taken(to, &holder);
            Err(Error::Conflict(format!("Error when allocating new name: {taken}")))
        }
    }
}

/// Where it runs, its networks know it by the new name from now on.
fn follow(host: &Host, id: &ContainerId) -> Result<(), Error> {
    let networks = find::record(host, id)?.settings.networks;
    let client = if networks.is_empty() { None } else { visit::living(host, id)? };
    match client.map(|client| visit::follow(&client, id, &networks)) {
        Some(Err(error)) if !visit::went_away(&error) => Err(error),
        // The next start takes the name as it is.
        Some(Ok(()) | Err(_)) | None => Ok(()),
    }
}
