//! `export`: a container's root file system as an archive, without what is mounted in it.

use std::io::Write;

use monitor::status::Status;
use spec::event::ContainerAct;
use spec::id::ContainerId;
use store::layer::{self, Owner, Packed};

use super::files::Bare;
use super::find;
use crate::error::Error;
use crate::host::Host;

/// Writes the files of a container, running or not. `name` is what the user calls it.
///
/// # Errors
/// It is being removed; the output.
pub fn export(host: &Host, id: &ContainerId, name: &str, out: impl Write) -> Result<(), Error> {
    if monitor::status::of(&host.home, id)?.status == Status::Removing {
        return Err(Error::Conflict(format!("You cannot export container {id} which is being removed")));
    }
    let record = find::record(host, id)?;
    let bare = Bare::open(host, &record)?;
    let owners = |owner: Owner| bare.ids().map_or(owner, |ids| ids.to_container(owner));
    let packed = layer::pack(Packed::Below(bare.root()), &owners, out);
    packed.map_err(Error::other(&format!("Error exporting container {name}")))?;
    host.note_container(&record.config, ContainerAct::Export);
    Ok(())
}
