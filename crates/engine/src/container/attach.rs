//! `attach`: one more client for the streams of a running container.

use std::os::fd::OwnedFd;

use monitor::Client;
use monitor::protocol::{Ask, Attach, Size, Target, Until};
use monitor::status::Phase;
use spec::id::ContainerId;

use super::visit;
use crate::error::Error;
use crate::host::Host;

/// Connects a stream socket to a running container; its end is told on the connection that is answered.
///
/// # Errors
/// It does not run, or is paused.
pub fn attach(
    host: &Host,
    id: &ContainerId,
    how: Attach,
    stream: OwnedFd,
    console: Option<Size>,
) -> Result<Client, Error> {
    let stopped = || Error::Conflict("You cannot attach to a stopped container, start it first".into());
    match monitor::status::of(&host.home, id)?.status.phase() {
        Phase::Running => {}
        Phase::Paused => {
            return Err(Error::Conflict("You cannot attach to a paused container, unpause it first".into()));
        }
        Phase::Restarting => {
            return Err(Error::Conflict(
                "You cannot attach to a restarting container, wait until it is running".into(),
            ));
        }
        Phase::Created | Phase::Exited | Phase::Removing => return Err(stopped()),
    }
    let client = visit::living(host, id)?.ok_or_else(stopped)?;
    visit::ask(&client, &Ask::Attach(how), Some(&stream))?;
    visit::hear(&client, id)?;
    visit::ask(&client, &Ask::Wait(Until::NextExit), None)?;
    if let Some(size) = console {
        visit::ask(&client, &Ask::Resize { process: Target::Init, size }, None)?;
    }
    Ok(client)
}
