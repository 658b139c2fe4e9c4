//! Monitors of a build's commands before and after: one gets up while the command before runs, and one that has told the end of its
//! command gives back what it held while the build goes on. Both would else be waited for, 4 ms of 11 for each command.

use std::sync::{Mutex, MutexGuard, PoisonError};

use monitor::{Ahead, Berth, Client, Spawned, Whose};
use spec::id::ContainerId;

use crate::container::random;
use crate::error::Error;
use crate::host::Host;

/// The monitors of a build that have no command. When it is dropped all of them are gone.
#[derive(Debug, Default)]
pub struct Errands {
    /// That wait for their command.
    ready: Mutex<Vec<Ready>>,
    /// The last that told the end of its command.
    leaving: Mutex<Option<Client>>,
}

#[derive(Debug)]
struct Ready {
    id: ContainerId,
    spawned: Spawned,
    /// Somebody makes the draft for it.
    promised: bool,
}

impl Errands {
    /// The identifier that a draft has to have for a monitor that is there already.
    pub(super) fn promise(&self) -> Option<ContainerId> {
        let mut ready = lock(&self.ready);
        let free = ready.iter_mut().find(|one| !one.promised)?;
        free.promised = true;
        Some(free.id.clone())
    }

    /// The monitor for a draft, if it is there.
    pub(super) fn take(&self, id: &ContainerId) -> Option<Spawned> {
        let mut ready = lock(&self.ready);
        let at = ready.iter().position(|one| one.id == *id)?;
        Some(ready.swap_remove(at).spawned)
    }

    /// Starts a monitor for a command to come, unless one waits.
    pub(super) fn prepare(&self, host: &Host, ahead: Ahead) -> Result<(), Error> {
        let mut ready = lock(&self.ready);
        if ready.iter().any(|one| !one.promised) {
            return Ok(());
        }
        let mut bytes = [0; 32];
        random(&mut bytes)?;
        let id = ContainerId::from_bytes(bytes);
        let spawned = Berth::take(&host.home, &id)
            .and_then(|berth| berth.spawn(&host.home, &id, Whose::Errand, ahead))
            .map_err(Error::other("starting the next command's monitor"))?;
        ready.push(Ready { id, spawned, promised: false });
        Ok(())
    }

    /// It is waited for when the next one leaves: it is gone by then.
    pub(super) fn leave(&self, client: Client) {
        if let Some(before) = lock(&self.leaving).replace(client) {
            before.see_off();
        }
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        for one in lock(&self.ready).drain(..) {
            one.spawned.give_up();
        }
        if let Some(last) = lock(&self.leaving).take() {
            last.see_off();
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
