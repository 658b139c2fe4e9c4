//! What a container is doing: one enum whose arms carry what is true there, and the moves between them. Pure, but for [`of`].

use std::fs::File;

use disk::{DiskError, Home, Lock, Record, read};
use serde::{Deserialize, Serialize};
use spec::id::ContainerId;
use spec::network::{Endpoint, Published};
use spec::time::Time;

use crate::exit::Exit;
use crate::health::Health;
use crate::protocol::ExecId;

/// `status.json` in the run directory: replaced whole by the monitor alone, never synced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What it is doing.
    pub status: Status,
    /// How often the restart policy started it again since a user did.
    pub restarts: u32,
    /// None: it has no health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Processes run by exec, oldest first; those that ended are forgotten after a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub execs: Vec<ExecState>,
    /// Its places on networks, while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// The ports of it that the host has now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<Published>,
}

impl Record for State {
    const FILE: &'static str = "status.json";
    const FORMAT: u32 = 1;
}

/// What a container is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It never ran.
    Created,
    /// Its process runs.
    Running(Life),
    /// Its processes are frozen.
    Paused(Life),
    /// It ended and will be started again by its restart policy.
    Restarting {
        /// When it is due.
        due: Time,
        /// How the last run ended.
        last: Exit,
    },
    /// It ended.
    Exited(Exit),
    /// It is being removed.
    Removing,
}

/// A running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Its number on the host.
    pub pid: i32,
    /// Clock ticks after boot at which it began: with the number, it names one process (proc_pid_stat(5), field 22).
    pub start_time: u64,
    /// When.
    pub since: Time,
}

impl Life {
    /// Opens a file of its directory in /proc; none where it is gone.
    #[must_use]
    pub fn open(&self, file: &str) -> Option<File> {
        let opened = File::open(format!("/proc/{}/{file}", self.pid)).ok()?;
        // The number may be another process's by now: ask after opening.
        (start_time(self.pid) == Some(self.start_time)).then_some(opened)
    }
}

/// One process run by exec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecState {
    /// Which.
    pub id: ExecId,
    /// Its number on the host.
    pub pid: i32,
    /// None: it runs. Recorded before end of file is released to its visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ExecEnd>,
}

/// How an exec ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecEnd {
    /// As a shell counts.
    pub code: i32,
    /// When.
    pub at: Time,
}

/// The name of a status, without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the arms of Status")]
pub enum Phase {
    Created,
    Running,
    Paused,
    Restarting,
    Exited,
    Removing,
}

/// What a visitor wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "named as the user types them")]
pub enum Verb {
    Start,
    Attach,
    Exec,
    Resize,
    Signal,
    Stop,
    Pause,
    Unpause,
    Remove,
}

/// A verb that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What was wanted.
    pub verb: Verb,
    /// The state it met.
    pub met: Phase,
}

impl Refused {
    /// In Docker's words, for the container called `id`.
    #[must_use]
    pub fn sentence(&self, id: &str) -> String {
        let restarting = || format!("container {id} is restarting, wait until the container is running");
        match (self.verb, self.met) {
            (Verb::Remove, Phase::Running | Phase::Paused | Phase::Restarting) => format!(
                "cannot remove container \"{id}\": container is running: stop the container before removing or force remove"
            ),
            (Verb::Remove, _) => format!("removal of container {id} is already in progress"),
            (Verb::Start, Phase::Paused) => "cannot start a paused container, try unpause instead".into(),
            (Verb::Start, Phase::Running | Phase::Restarting) => format!("container {id} is already running"),
            (Verb::Start, _) => "container is marked for removal and cannot be started".into(),
            (Verb::Pause, Phase::Paused) => format!("container {id} is already paused"),
            (Verb::Unpause, _) => format!("container {id} is not paused"),
            (Verb::Exec, Phase::Paused) => format!("container {id} is paused, unpause the container before exec"),
            (Verb::Attach, Phase::Paused) => format!("container {id} is paused, unpause the container before attach"),
            (Verb::Attach | Verb::Exec | Verb::Pause, Phase::Restarting) => restarting(),
            (Verb::Attach | Verb::Exec | Verb::Pause | Verb::Resize | Verb::Signal | Verb::Stop, _) => {
                format!("container {id} is not running")
            }
        }
    }
}

impl Status {
    /// Its name.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Status::Created => Phase::Created,
            Status::Running(_) => Phase::Running,
            Status::Paused(_) => Phase::Paused,
            Status::Restarting { .. } => Phase::Restarting,
            Status::Exited(_) => Phase::Exited,
            Status::Removing => Phase::Removing,
        }
    }

    /// Its process, if it has one.
    #[must_use]
    pub fn life(&self) -> Option<Life> {
        match self {
            Status::Running(life) | Status::Paused(life) => Some(*life),
            Status::Created | Status::Restarting { .. } | Status::Exited(_) | Status::Removing => None,
        }
    }

    fn refuse(&self, verb: Verb) -> Refused {
        Refused { verb, met: self.phase() }
    }

    /// Whether a user may start it now.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn may_start(&self) -> Result<(), Refused> {
        match self {
            Status::Created | Status::Exited(_) => Ok(()),
            Status::Running(_) | Status::Paused(_) | Status::Restarting { .. } | Status::Removing => {
                Err(self.refuse(Verb::Start))
            }
        }
    }

    /// Whether a visitor may attach: before its start as well, and that is how `run` loses no byte.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn may_attach(&self) -> Result<(), Refused> {
        match self {
            Status::Created | Status::Exited(_) | Status::Running(_) => Ok(()),
            Status::Paused(_) | Status::Restarting { .. } | Status::Removing => Err(self.refuse(Verb::Attach)),
        }
    }

    /// The process that a verb is for, frozen or not.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn living(&self, verb: Verb) -> Result<Life, Refused> {
        self.life().ok_or_else(|| self.refuse(verb))
    }

    /// The process that a verb is for, which must not be frozen.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn running(&self, verb: Verb) -> Result<Life, Refused> {
        match self {
            Status::Running(life) => Ok(*life),
            Status::Created | Status::Paused(_) | Status::Restarting { .. } | Status::Exited(_) | Status::Removing => {
                Err(self.refuse(verb))
            }
        }
    }

    /// Frozen.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn pause(&self) -> Result<Status, Refused> {
        self.running(Verb::Pause).map(Status::Paused)
    }

    /// Thawed.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn unpause(&self) -> Result<Status, Refused> {
        match self {
            Status::Paused(life) => Ok(Status::Running(*life)),
            Status::Created | Status::Running(_) | Status::Restarting { .. } | Status::Exited(_) | Status::Removing => {
                Err(self.refuse(Verb::Unpause))
            }
        }
    }

    /// On its way out.
    ///
    /// # Errors
    /// [`Refused`]: it already is.
    pub fn remove(&self) -> Result<Status, Refused> {
        match self {
            Status::Removing => Err(self.refuse(Verb::Remove)),
            Status::Created
            | Status::Running(_)
            | Status::Paused(_)
            | Status::Restarting { .. }
            | Status::Exited(_) => Ok(Status::Removing),
        }
    }
}

/// `started.json` in the container's directory: a run began. Never synced and never removed: where `exit.json` speaks of another run
/// than this one, the machine or the monitor died before this run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartMark {
    pub(crate) since: Time,
}

impl Record for StartMark {
    const FILE: &'static str = "started.json";
    const FORMAT: u32 = 1;
}

/// What a container is doing, as any visitor sees it: what its living monitor wrote, else how its last run ended.
///
/// # Errors
/// Of the files.
pub fn of(home: &Home, id: &ContainerId) -> Result<State, DiskError> {
    let sandbox = home.sandbox(id);
    if let Some(state) = read::<State>(&sandbox)?
        && is_held(&sandbox.join("lock"))?
    {
        return Ok(state);
    }
    at_rest(home, id)
}

/// The same of a container without a run directory, which a list of all knows beforehand: how its last run ended.
///
/// # Errors
/// Of the files.
pub fn at_rest(home: &Home, id: &ContainerId) -> Result<State, DiskError> {
    let dir = home.container(id);
    let status = match (read::<Exit>(&dir)?, read::<StartMark>(&dir)?) {
        (None, None) => Status::Created,
        (Some(exit), None) => Status::Exited(exit),
        (exit, Some(mark)) => Status::Exited(exit.filter(|exit| ends(exit, mark)).unwrap_or_else(|| lost(mark))),
    };
    let restarts = if let Status::Exited(exit) = &status { exit.restarts } else { 0 };
    Ok(State { status, restarts, health: None, execs: Vec::new(), endpoints: Vec::new(), published: Vec::new() })
}

/// Whether the exit is that of the run that the mark began, or of an attempt after it that never became one.
fn ends(exit: &Exit, mark: StartMark) -> bool {
    exit.started.unwrap_or(exit.finished) >= mark.since
}

/// What is said of a run whose end nobody saw: 255, as Docker has it.
fn lost(mark: StartMark) -> Exit {
    Exit {
        code: 255,
        signal: None,
        oom_killed: false,
        error: String::new(),
        started: Some(mark.since),
        finished: mark.since,
        restarts: 0,
        by_user: false,
    }
}

/// Whether somebody holds the lock. It is tried in shared mode, so that visitors do not disturb one another.
fn is_held(lock: &std::path::Path) -> Result<bool, DiskError> {
    match Lock::try_shared(lock) {
        Ok(free) => Ok(free.is_none()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(DiskError::Io(lock.into(), e)),
    }
}

/// Field 22 of /proc/PID/stat, which with the number names one process. The second field is in parentheses and may hold anything.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use std::fmt::Write;

    use super::*;

    fn exit(code: i32) -> Exit {
        Exit { code, ..lost(StartMark { since: Time::from_ns(5) }) }
    }

    fn every() -> [Status; 6] {
        let life = Life { pid: 7, start_time: 9, since: Time::from_ns(5) };
        [
            Status::Created,
            Status::Running(life),
            Status::Paused(life),
            Status::Restarting { due: Time::from_ns(9), last: exit(1) },
            Status::Exited(exit(0)),
            Status::Removing,
        ]
    }

    #[test]
    fn every_verb_in_every_state() {
        let mut table = String::new();
        for status in every() {
            let mut row = |verb: &str, result: Result<Phase, Refused>| {
                let said = result.map_or_else(|refused| refused.sentence("X"), |phase| format!("-> {phase:?}"));
                writeln!(table, "{:?} {verb}: {said}", status.phase()).unwrap();
            };
            row("start", status.may_start().map(|()| Phase::Running));
            row("attach", status.may_attach().map(|()| status.phase()));
            row("exec", status.running(Verb::Exec).map(|_| status.phase()));
            row("signal", status.living(Verb::Signal).map(|_| status.phase()));
            row("pause", status.pause().map(|next| next.phase()));
            row("unpause", status.unpause().map(|next| next.phase()));
            row("remove", status.remove().map(|next| next.phase()));
        }
        expect![[r#"
            Created start: -> Running
            Created attach: -> Created
            Created exec: container X is not running
            Created signal: container X is not running
            Created pause: container X is not running
            Created unpause: container X is not paused
            Created remove: -> Removing
            Running start: container X is already running
            Running attach: -> Running
            Running exec: -> Running
            Running signal: -> Running
            Running pause: -> Paused
            Running unpause: container X is not paused
            Running remove: -> Removing
            Paused start: cannot start a paused container, try unpause instead
            Paused attach: container X is paused, unpause the container before attach
            Paused exec: container X is paused, unpause the container before exec
            Paused signal: -> Paused
            Paused pause: container X is already paused
            Paused unpause: -> Running
            Paused remove: -> Removing
            Restarting start: container X is already running
            Restarting attach: container X is restarting, wait until the container is running
            Restarting exec: container X is restarting, wait until the container is running
            Restarting signal: container X is not running
            Restarting pause: container X is restarting, wait until the container is running
            Restarting unpause: container X is not paused
            Restarting remove: -> Removing
            Exited start: -> Running
            Exited attach: -> Exited
            Exited exec: container X is not running
            Exited signal: container X is not running
            Exited pause: container X is not running
            Exited unpause: container X is not paused
            Exited remove: -> Removing
            Removing start: container is marked for removal and cannot be started
            Removing attach: container X is not running
            Removing exec: container X is not running
            Removing signal: container X is not running
            Removing pause: container X is not running
            Removing unpause: container X is not paused
            Removing remove: removal of container X is already in progress
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn the_bytes_are_these() {
        let state = State {
            status: every()[1].clone(),
            restarts: 2,
            health: None,
            execs: Vec::new(),
            endpoints: Vec::new(),
            published: Vec::new(),
        };
        expect![[
            r#"{"status":{"running":{"pid":7,"start_time":9,"since":"1970-01-01T00:00:00.000000005Z"}},"restarts":2}"#
        ]]
        .assert_eq(&serde_json::to_string(&state).unwrap());
        expect![[r#"{"code":255,"oom_killed":false,"started":"1970-01-01T00:00:00.000000005Z","finished":"1970-01-01T00:00:00.000000005Z","restarts":0,"by_user":false}"#]].assert_eq(&serde_json::to_string(&exit(255)).unwrap());
    }

    #[test]
    fn a_run_whose_end_nobody_saw_is_told_from_one_that_ended() {
        let root = testkit::Root::new();
        let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
        let id: ContainerId = "a".repeat(64).parse().unwrap();
        let dir = home.container(&id);
        std::fs::create_dir(&dir).unwrap();
        let code = || match of(&home, &id).unwrap().status {
            Status::Created => None,
            Status::Exited(exit) => Some(exit.code),
            Status::Running(_) | Status::Paused(_) | Status::Restarting { .. } | Status::Removing => {
                panic!("it never ran")
            }
        };
        let volatile = disk::Durability::Volatile;
        assert_eq!(code(), None);
        disk::write(&dir, &StartMark { since: Time::from_ns(5) }, volatile).unwrap();
        assert_eq!(code(), Some(255), "the machine went down under its first run");
        disk::write(&dir, &exit(3), volatile).unwrap();
        assert_eq!(code(), Some(3), "it ended");
        disk::write(&dir, &StartMark { since: Time::from_ns(6) }, volatile).unwrap();
        assert_eq!(code(), Some(255), "the machine went down under its second run");
        let never = Exit { started: None, finished: Time::from_ns(7), ..exit(127) };
        disk::write(&dir, &never, volatile).unwrap();
        assert_eq!(code(), Some(127), "its third start failed");
    }

    #[test]
    fn our_own_start_time_is_read() {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        assert!(start_time(pid).is_some_and(|ticks| ticks > 0));
        assert_eq!(start_time(i32::MAX), None);
    }
}
