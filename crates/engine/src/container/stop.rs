//! `stop` and `restart`.

use monitor::protocol::{Ask, Until};
use spec::event::ContainerAct;
use spec::id::ContainerId;

use super::start::{Start, start};
use super::{find, signal, visit};
use crate::error::Error;
use crate::host::Host;

/// Seconds between the signal and SIGKILL where neither user nor container say.
const DEFAULT_TIMEOUT_S: i64 = 10;

/// How a container is stopped.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// `-s`; none: the container's own.
    pub signal: Option<String>,
    /// `-t`, seconds; negative: for ever; none: the container's own.
    pub timeout_s: Option<i64>,
}

/// Stops a container and waits until it has ended; one that does not run is no error.
///
/// # Errors
/// The signal is none; the monitor's.
pub fn stop(host: &Host, id: &ContainerId, how: &Stop) -> Result<(), Error> {
    let record = find::record(host, id)?;
    let name = how.signal.as_deref().or(record.config.stop_signal.as_deref()).unwrap_or("SIGTERM");
    let signal = signal::parse(name)?;
    let timeout = how.timeout_s.or(record.config.stop_timeout_s).unwrap_or(DEFAULT_TIMEOUT_S);
    let Some(client) = visit::living(host, id)? else { return Ok(()) };
    let asked = visit::call(&client, id, &Ask::Stop { signal, timeout_s: u64::try_from(timeout).ok() });
    match asked {
        Ok(_) => Ok(()),
        // It ended between the look and the word.
        Err(_) if !super::start::is_running(host, id)? => Ok(()),
        Err(other) => Err(other),
    }
}

/// Stops it if it runs, and starts it.
///
/// # Errors
/// Of both.
pub fn restart(host: &Host, id: &ContainerId, how: &Stop) -> Result<(), Error> {
    stop(host, id, how)?;
    start(host, id, Start { console: None, attach: None, wait: None::<Until> })?;
    if let Ok(record) = find::record(host, id) {
        host.note_container(&record.config, ContainerAct::Restart);
    }
    Ok(())
}
