//! After monitors that died: whatever they held is given back by the next command, and what was running is said to have ended.

use std::fs;
use std::io;
use std::path::Path;

use disk::{Durability, Home, Journal, Lock, read, remove_tree, write};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use spec::container::{Config, RestartPolicy, Settings};
use spec::event::ContainerAct;
use spec::id::ContainerId;
use store::Store;

use crate::burial::{self, BurialError, CLAIMS};
use crate::client::{Whose, is_at};
use crate::events::{self, Teller};
use crate::exit::Exit;
use crate::status::{self, Life, State, Status};

/// A container whose monitor had died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Which.
    pub id: ContainerId,
    /// How its last run is said to have ended; none: it did not run.
    pub exit: Option<Exit>,
}

/// Cleans up after monitors that died. Costs one attempt at a lock for each that lives. Several may do this at once.
///
/// # Errors
/// The first of what could not be given back; the rest is done all the same.
pub fn recover(home: &Home, store: &Store) -> Result<Vec<Recovered>, BurialError> {
    let mut recovered = Vec::new();
    let mut first = Ok(());
    for entry in fs::read_dir(home.run())? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<ContainerId>().ok()) else { continue };
        match recover_one(home, store, &id) {
            Ok(found) => recovered.extend(found),
            Err(error) => first = first.and(Err(error)),
        }
    }
    first.map(|()| recovered)
}

fn recover_one(home: &Home, store: &Store, id: &ContainerId) -> Result<Option<Recovered>, BurialError> {
    let dir = home.sandbox(id);
    // Made here if it is missing: then the directory was left before its lock was made.
    let lock = match Lock::try_exclusive(&dir.join("lock")) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    if !is_at(&lock, &dir) {
        return Ok(None);
    }
    // A status that cannot be read says nothing; the claims do.
    let status = read::<State>(&dir).ok().flatten().map(|state| (state.status, state.restarts));
    if let Some(life) = status.as_ref().and_then(|(status, _)| status.life()) {
        kill(life);
    }
    if dir.join(CLAIMS).symlink_metadata().is_ok() {
        burial::give_back(home, &mut Journal::open(&dir.join(CLAIMS))?)?;
    }
    let was_alive = status.as_ref().is_some_and(|(status, _)| status.life().is_some());
    // Only a monitor that had taken over writes one, so this is no container that somebody is about to start.
    let had_monitor = status.is_some();
    let exit = status.and_then(|(status, restarts)| lost(status, restarts));
    let config = read::<Config>(&home.container(id)).ok().flatten();
    if let Some(config) = config {
        let mut teller = Teller::new(Whose::Container, &config);
        teller.learn_name(home, id);
        let untold = exit.as_ref().filter(|exit| !is_told(home, id, exit));
        let removed = config.host.auto_remove && had_monitor;
        if let (Some(exit), false) = (untold, removed) {
            write(&home.container(id), exit, Durability::Durable)?;
        }
        // One that waits to be restarted was told to have died.
        if let (Some(exit), true) = (untold, was_alive) {
            teller.tell(home, id, events::die(exit));
        }
        if removed {
            remove(home, store, id)?;
            teller.tell(home, id, ContainerAct::Destroy);
        }
    }
    remove_sandbox(&dir)?;
    Ok(Some(Recovered { id: id.clone(), exit }))
}

/// Whether the monitor had seen the end of that very run and come no further: what it wrote is the truth.
fn is_told(home: &Home, id: &ContainerId, lost: &Exit) -> bool {
    let told = read::<Exit>(&home.container(id)).ok().flatten();
    lost.started.is_some() && told.is_some_and(|told| told.started == lost.started && told.restarts == lost.restarts)
}

fn remove(home: &Home, store: &Store, id: &ContainerId) -> Result<(), BurialError> {
    match burial::remove_container(home, store, id) {
        Err(e) if e.is_gone() => Ok(()),
        other => other,
    }
}

/// Takes a run directory away. The lock goes last: as long as it is there, the directory is held. Whoever takes the place between the
/// two last steps makes a lock of his own, and keeps it.
pub(crate) fn remove_sandbox(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != "lock") {
            match fs::remove_file(&path) {
                Err(e) if e.kind() == io::ErrorKind::IsADirectory => remove_tree(&path)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
    }
    fs::remove_file(dir.join("lock"))?;
    match fs::remove_dir(dir) {
        // Whoever gave the place up before us may have come to its last step only now.
        Err(e) if !matches!(e.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The process of a monitor that died dies with it, but for one that has changed its user: the kernel forgets the wish then.
fn kill(life: Life) {
    let Some(pid) = Pid::from_raw(life.pid) else { return };
    if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty())
        && status::start_time(life.pid) == Some(life.start_time)
    {
        // Gone meanwhile is as good.
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    }
}

fn lost(status: Status, restarts: u32) -> Option<Exit> {
    match status {
        Status::Running(life) | Status::Paused(life) => Some(Exit {
            code: 137,
            signal: Some(9),
            oom_killed: false,
            error: "the monitor was lost".into(),
            started: Some(life.since),
            finished: disk::now(),
            restarts,
            by_user: false,
        }),
        Status::Restarting { last, .. } => Some(Exit { restarts, ..last }),
        Status::Created | Status::Exited(_) | Status::Removing => None,
    }
}

/// The containers that their restart policy wants running and that do not run: after a boot, and after their monitors were lost.
///
/// # Errors
/// Of the files.
pub fn needs_start(home: &Home) -> Result<Vec<ContainerId>, BurialError> {
    let mut wanted = Vec::new();
    for entry in fs::read_dir(home.containers())? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<ContainerId>().ok()) else { continue };
        let Some(settings) = read::<Settings>(&home.container(&id))? else { continue };
        let wants = |by_user: bool| match settings.restart {
            RestartPolicy::Always => true,
            RestartPolicy::UnlessStopped => !by_user,
            RestartPolicy::No | RestartPolicy::OnFailure(_) => false,
        };
        // One that no user ever started does not start by itself.
        if wants(false)
            && let Status::Exited(exit) = status::of(home, &id)?.status
            && wants(exit.by_user)
        {
            wanted.push(id);
        }
    }
    Ok(wanted)
}
