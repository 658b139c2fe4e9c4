//! `kill`: a signal to the container's process.

use monitor::protocol::{Ask, Intent};
use spec::container::Config;
use spec::id::ContainerId;

use super::{find, signal, visit, wait};
use crate::error::Error;
use crate::host::Host;

const SIGKILL: i32 = 9;

/// Sends a signal. SIGKILL and the container's own stop signal mean that it shall end, so no restart follows (moby `daemon/kill.go`);
/// and SIGKILL has been obeyed when this returns, so that `start` may follow.
///
/// # Errors
/// It does not run; there is no such signal.
pub fn kill(host: &Host, id: &ContainerId, signal: &str) -> Result<(), Error> {
    let number = signal::parse(signal)?;
    let not_running = || Error::Conflict(format!("cannot kill container: {id}: container {id} is not running"));
    let config: Config = find::record(host, id)?.config;
    let stops = config.stop_signal.as_deref().map_or(Ok(15), signal::parse)?;
    let intent = if number == SIGKILL || number == stops { Intent::End } else { Intent::Notify };
    let Some(client) = visit::living(host, id)? else { return Err(not_running()) };
    match visit::call(&client, id, &Ask::Signal { number, intent }) {
        Ok(_) if number == SIGKILL => {
            // One with --rm may be gone before its end is told: that is an end too.
            let _ = wait::wait(host, id);
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(Error::Conflict(_)) => Err(not_running()),
        Err(other) => Err(other),
    }
}
