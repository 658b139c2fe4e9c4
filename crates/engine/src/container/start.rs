//! `start`: from a record to a running process, owned by its monitor.

use std::os::fd::OwnedFd;

use monitor::protocol::{Ask, Attach, Size, Tell, Until};
use monitor::{Client, Spawned};
use spec::container::HostConfig;
use spec::id::ContainerId;

use super::{Record, create, visit};
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
    loop {
        let reached = visit::monitor_of(host, id)?;
        let found = matches!(reached, visit::Reached::Living(_));
        match begin(reached.client(), id, &how) {
            // It was on its way out and had stopped listening: its place is free now.
            Err(error) if found && visit::went_away(&error) => {}
            other => return other,
        }
    }
}

/// A monitor that gets up while its container is still being made.
pub struct Early {
    id: ContainerId,
    spawned: Spawned,
}

impl Early {
    /// For a container that does not exist yet. Dropped, it leaves nothing.
    ///
    /// # Errors
    /// No random numbers, no process to be had.
    pub fn new(host: &Host, options: &HostConfig) -> Result<Early, Error> {
        let id = create::new_id()?;
        Ok(Early { spawned: visit::early(host, &id, options)?, id })
    }

    /// The identifier that the container will have.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        &self.id
    }
}

/// Starts the container that was made for an early monitor.
///
/// # Errors
/// It could not be started.
pub fn start_early(host: &Host, early: Early, record: &Record, how: Start) -> Result<Running, Error> {
    let client = visit::brief(host, record, early.spawned)?;
    begin(client, &early.id, &how)
}

/// All questions at once: the answers come in their order, and an early refusal refuses what follows, too.
fn begin(client: Client, id: &ContainerId, how: &Start) -> Result<Running, Error> {
    if let Some((attach, stream)) = &how.attach {
        visit::ask(&client, &Ask::Attach(attach.clone()), Some(stream))?;
    }
    // Asked before the start: a container that ends at once is not missed.
    if let Some(until) = how.wait {
        visit::ask(&client, &Ask::Wait(until), None)?;
    }
    visit::ask(&client, &Ask::Start { console: how.console, given: Vec::new() }, None)?;
    if how.attach.is_some() {
        visit::hear(&client, id)?;
    }
    match visit::hear(&client, id)? {
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
