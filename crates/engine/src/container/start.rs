//! `start`: from a record to a running process, owned by its monitor.

use std::os::fd::OwnedFd;

use monitor::Client;
use monitor::protocol::{Ask, Attach, Size, Tell, Until};
use spec::id::ContainerId;

use super::visit;
use crate::error::Error;
use crate::host::Host;

/// How a container is started.
pub struct Start {
    /// Size of its terminal.
    pub console: Option<Size>,
    /// A client's stream socket, connected before the first byte is written.
    pub attach: Option<(Attach, OwnedFd)>,
    /// Whether the caller wants to hear of its end on the same connection.
    pub wait: Option<Until>,
}

/// A container that runs.
pub struct Running {
    /// The connection to its monitor.
    pub client: Client,
    /// What it could not have as asked.
    pub warnings: Vec<String>,
}

/// Starts a container.
///
/// # Errors
/// It runs already ([`Error::Conflict`]), or could not be started.
pub fn start(host: &Host, id: &ContainerId, how: Start) -> Result<Running, Error> {
    let client = visit::monitor_of(host, id)?;
    if let Some((attach, stream)) = how.attach {
        visit::ask(&client, &Ask::Attach(attach), Some(&stream))?;
        visit::hear(&client, id)?;
    }
    // Asked before the start: a container that ends at once is not missed.
    if let Some(until) = how.wait {
        visit::ask(&client, &Ask::Wait(until), None)?;
    }
    match visit::call(&client, id, &Ask::Start { console: how.console })? {
        Tell::Started { warnings, .. } => Ok(Running { client, warnings }),
        other @ (Tell::Attached
        | Tell::Detached
        | Tell::ExecStarted { .. }
        | Tell::ExecExited { .. }
        | Tell::Exited(_)
        | Tell::Done
        | Tell::Failed(_)
        | Tell::Refused(_)
        | Tell::Misunderstood(_)) => {
            Err(Error::Conflict(format!("the monitor of container {id} answered {other:?} to start")))
        }
    }
}

/// Whether it runs, is paused, or waits to be restarted.
///
/// # Errors
/// Of the files.
pub fn is_running(host: &Host, id: &ContainerId) -> Result<bool, Error> {
    use monitor::status::Phase;
    Ok(match monitor::status::of(&host.home, id)?.status.phase() {
        Phase::Running | Phase::Paused | Phase::Restarting => true,
        Phase::Created | Phase::Exited | Phase::Removing => false,
    })
}
