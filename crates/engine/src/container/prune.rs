//! `container prune`: all that do not run.

use std::collections::BTreeMap;

use monitor::status::Phase;
use spec::event::Kind;
use spec::id::ContainerId;
use spec::time::Time;

use super::list;
use super::remove::{IfRunning, Remove, Volumes, remove};
use crate::error::Error;
use crate::host::Host;

/// What went, and how much it had written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Containers.
    pub removed: Vec<ContainerId>,
    /// Bytes.
    pub freed_bytes: u64,
}

/// Removes the containers that do not run and are wanted, by when they were made and their labels.
///
/// # Errors
/// Of the files. One that was started or removed meanwhile is left alone.
pub fn prune(host: &Host, wanted: &dyn Fn(Time, &BTreeMap<String, String>) -> bool) -> Result<Pruned, Error> {
    let mut pruned = Pruned::default();
    for view in list::list(host)? {
        let config = &view.config;
        let runs = match view.state.status.phase() {
            Phase::Running | Phase::Paused | Phase::Restarting => true,
            Phase::Created | Phase::Exited | Phase::Removing => false,
        };
        if runs || !wanted(config.created, &config.labels) {
            continue;
        }
        let size = host.store.draft_size_bytes(&config.id).unwrap_or(0);
        // As with Docker, its volumes are for `volume prune`.
        match remove(host, &config.id, Remove { if_running: IfRunning::Refuse, volumes: Volumes::Keep }) {
            Ok(()) => {
                pruned.removed.push(config.id.clone());
                pruned.freed_bytes += size;
            }
            Err(Error::Conflict(_) | Error::NotFound(_)) => {}
            Err(other) => return Err(other),
        }
    }
    host.note_prune(Kind::Container, pruned.freed_bytes);
    Ok(pruned)
}
