//! `exec`: one more process in a running container.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use monitor::Client;
use monitor::protocol::{Ask, DetachKeys, ExecId, Framing, Size, Tell};
use spec::container::Streams;
use spec::id::ContainerId;

use super::{find, visit};
use crate::bundle;
use crate::error::Error;
use crate::facts;
use crate::host::Host;

/// What is run, and how.
pub struct Exec {
    /// The command.
    pub args: Vec<String>,
    /// `NAME=value`, over the container's own.
    pub env: Vec<String>,
    /// `-u`; none: the container's.
    pub user: Option<String>,
    /// `-w`; none: the container's.
    pub working_dir: Option<String>,
    /// `-t`.
    pub tty: bool,
    /// `--privileged`.
    pub privileged: bool,
    /// Which streams are connected.
    pub streams: Streams,
    /// The client's end of them.
    pub stream: Option<OwnedFd>,
    /// Size of its terminal.
    pub console: Option<Size>,
    /// What the user types to leave it alone.
    pub detach_keys: DetachKeys,
}

/// A process that runs.
pub struct Running {
    /// The connection on which its end is told.
    pub client: Client,
    /// Which.
    pub id: ExecId,
}

/// Starts one more process.
///
/// # Errors
/// The container does not run or is paused; the process could not be started.
pub fn exec(host: &Host, id: &ContainerId, how: Exec) -> Result<Running, Error> {
    let Some(client) = visit::living(host, id)? else { return Err(Error::not_running(id)) };
    let mut config = find::record(host, id)?.config;
    config.entrypoint = None;
    config.cmd = Some(how.args);
    config.tty = how.tty;
    config.user = how.user.unwrap_or(config.user);
    bundle::replace_env(&mut config.env, &how.env);
    let mut process = bundle::process(&config, &facts::gather(&config, Vec::new())?)?;
    if let Some(dir) = how.working_dir {
        process.cwd = PathBuf::from(dir);
    }
    if how.privileged {
        process.capabilities = facts::own_capabilities();
    }
    let exec_id = new_id()?;
    let ask = Ask::Exec(Box::new(monitor::protocol::Exec {
        id: exec_id.clone(),
        process,
        streams: how.streams,
        framing: if how.tty { Framing::Raw } else { Framing::Mux },
        detach_keys: how.detach_keys,
        console: how.console,
    }));
    visit::ask(&client, &ask, how.stream.as_ref())?;
    match visit::hear(&client, id) {
        Ok(_) => Ok(Running { client, id: exec_id }),
        // Where a container says 128, one more process says 126 (docker/cli `getExecExitStatus`).
        Err(Error::Start { message, exit_code }) => {
            Err(Error::Exec { message, exit_code: if exit_code == 127 { 127 } else { 126 } })
        }
        Err(other) => Err(other),
    }
}

/// Waits for its end; none where it went on without us: the user detached.
///
/// # Errors
/// The monitor went away.
pub fn end(running: &Running, container: &ContainerId) -> Result<Option<i32>, Error> {
    loop {
        match visit::hear(&running.client, container)? {
            Tell::ExecExited { id, code } if id == running.id => return Ok(Some(code)),
            Tell::Detached => return Ok(None),
            Tell::Started { .. }
            | Tell::Attached
            | Tell::ExecStarted { .. }
            | Tell::ExecExited { .. }
            | Tell::Exited(_)
            | Tell::Done
            | Tell::Failed(_)
            | Tell::Refused(_)
            | Tell::Misunderstood(_) => {}
        }
    }
}

fn new_id() -> Result<ExecId, Error> {
    let mut bytes = [0; 32];
    super::random(&mut bytes)?;
    spec::digest::hex(&bytes).try_into().map_err(Error::other("making an exec ID"))
}
