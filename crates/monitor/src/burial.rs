//! Giving back what a container holds, and taking the container itself away.

use std::io;

use disk::{DiskError, EndedVolume, Ending, Home, Journal};
use network::{NetworkError, Taken, endpoint, place};
use runtime::cgroup::{Cgroup, CgroupError, CgroupPaths};
use serde::{Deserialize, Serialize};
use spec::id::ContainerId;
use store::{Store, StoreError};

/// What a running container holds of the host: a line of `claims.log`. Its root file system and its mounts are in no mount table but its
/// own and go with its last process, so they need no claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Claim {
    /// Control groups, and so every process in them.
    Cgroup(CgroupPaths),
    /// Addresses, names and ports. They outlast a run: the next one of the same monitor has them again.
    Network(Taken),
}

/// The claims' file in the run directory.
pub(crate) const CLAIMS: &str = "claims.log";

/// What could not be given back.
#[derive(Debug, thiserror::Error)]
pub enum BurialError {
    /// The container's files.
    #[error("the container's files")]
    Io(#[from] io::Error),
    /// Its records.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Its control groups.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// Its writable layer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its places on networks.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl BurialError {
    /// Whether somebody else has removed the container, or is about to.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            BurialError::Io(e) => e.kind() == io::ErrorKind::NotFound,
            BurialError::Disk(_) | BurialError::Cgroup(_) | BurialError::Store(_) | BurialError::Network(_) => false,
        }
    }
}

/// The control groups of a container that runs; none where it does not.
///
/// # Errors
/// Of the files.
pub fn cgroup(home: &Home, id: &ContainerId) -> Result<Option<Cgroup>, BurialError> {
    let claims = Journal::<Claim>::look(&home.sandbox(id).join(CLAIMS))?;
    let Some(Claim::Cgroup(paths)) = claims.into_iter().next_back() else { return Ok(None) };
    match Cgroup::open(paths) {
        Ok(cgroup) => Ok(Some(cgroup)),
        // It ended this moment.
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives back all that is claimed, newest first.
pub(crate) fn give_back(home: &Home, claims: &mut Journal<Claim>) -> Result<(), BurialError> {
    let has_places = claims.held().any(|claim| matches!(claim, Claim::Network(_)));
    let _shared = has_places.then(|| place::share(home)).transpose()?;
    claims.give_back(|claim| release(home, claim))
}

/// Gives back what the next run of the container makes anew.
pub(crate) fn give_back_run(home: &Home, claims: &mut Journal<Claim>) -> Result<(), BurialError> {
    claims.give_back_if(|claim| matches!(claim, Claim::Cgroup(_)), |claim| release(home, claim))
}

pub(crate) fn release(home: &Home, claim: &Claim) -> Result<(), BurialError> {
    match claim {
        Claim::Cgroup(paths) => {
            // Groups that were claimed and never made, or only in part, hold nobody.
            if let Ok(cgroup) = Cgroup::open(paths.clone()) {
                cgroup.kill_all()?;
            }
            Ok(Cgroup::remove_paths(paths)?)
        }
        Claim::Network(taken) => Ok(endpoint::give_back(home, taken)?),
    }
}

/// Takes away a container that no monitor holds: its directory, its name, its writable layer, and its anonymous volumes unless it was
/// said that they stay. What a crash leaves of this is finished by the next sweep of [`Home`].
///
/// # Errors
/// [`BurialError`]; [`BurialError::is_gone`] where there is no such container.
pub fn remove_container(home: &Home, store: &Store, id: &ContainerId) -> Result<(), BurialError> {
    let files = home.end(id)?;
    store.remove_draft(id)?;
    home.end_volumes_of(files.dir())?.into_iter().try_for_each(EndedVolume::clear)?;
    Ok(files.clear()?)
}

/// What is left of a container that nobody finds any more: its files, if it had any, its anonymous volumes and its writable layer.
#[derive(Debug)]
pub(crate) struct Remains {
    files: Option<Ending>,
    volumes: Vec<EndedVolume>,
    store: Store,
}

impl Remains {
    /// Ends the container: when this returns its name is free, nobody finds its volumes, and no image is used by it.
    pub(crate) fn of(home: &Home, store: Store, id: &ContainerId) -> Result<Remains, BurialError> {
        let files = match home.end(id) {
            // Somebody else has ended it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        store.end_draft(id)?;
        let volumes = files.as_ref().map_or(Ok(Vec::new()), |files| home.end_volumes_of(files.dir()))?;
        Ok(Remains { files, volumes, store })
    }

    /// Removes them, the files last: as long as they are there, the sweep of [`Home`] finishes this after a crash.
    pub(crate) fn clear(self, id: &ContainerId) -> Result<(), BurialError> {
        self.store.remove_draft(id)?;
        self.volumes.into_iter().try_for_each(EndedVolume::clear)?;
        Ok(self.files.map_or(Ok(()), Ending::clear)?)
    }
}
