//! `volume rm`: a volume that no container uses ceases to be, and its files with it.

use disk::{EndVolume, Patience};

use crate::error::Error;
use crate::host::Host;

/// Removes a volume.
///
/// # Errors
/// There is none of that name; a container uses it.
pub fn remove(host: &Host, typed: &str) -> Result<(), Error> {
    let name = typed.parse().map_err(|_| Error::no_volume(typed))?;
    match host.home.end_volume(&name, Patience::Wait)? {
        EndVolume::Ended(volume) => volume.clear().map_err(Error::io(format!("removing the volume {name}"))),
        EndVolume::Missing => Err(Error::no_volume(typed)),
        EndVolume::InUse(users) => {
            let users: Vec<&str> = users.iter().map(spec::id::ContainerId::as_str).collect();
            Err(Error::Conflict(format!("remove {name}: volume is in use - [{}]", users.join(", "))))
        }
    }
}
