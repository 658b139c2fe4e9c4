//! All processes of a container at once: found, frozen, thawed, killed.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::group::Group;
use super::{Cgroup, CgroupError, v1, v2};

/// How long a freeze or a thaw may take; what is in the kernel without a signal point (a hung NFS) may never freeze.
const FREEZE_MS: u64 = 2000;
/// How long processes may take to die of SIGKILL.
const DIE_MS: u64 = 10_000;

/// Where a container is frozen.
enum Freezer<'a> {
    /// `cgroup.freeze`; a frozen process can still be killed.
    V2(&'a Group),
    /// `freezer.state`.
    V1(&'a Group),
    /// Nowhere.
    None,
}

impl Freezer<'_> {
    fn group(&self) -> Option<&Group> {
        match self {
            Freezer::V2(group) | Freezer::V1(group) => Some(group),
            Freezer::None => None,
        }
    }

    fn write(&self, frozen: bool) -> Result<(), CgroupError> {
        match self {
            Freezer::V2(group) => group.write("cgroup.freeze", if frozen { "1" } else { "0" }).map(drop),
            Freezer::V1(group) => group.write("freezer.state", if frozen { "FROZEN" } else { "THAWED" }).map(drop),
            Freezer::None => Ok(()),
        }
    }

    fn is_frozen(&self) -> Result<bool, CgroupError> {
        match self {
            Freezer::V2(group) => {
                Ok(group.read("cgroup.events")?.is_some_and(|text| text.lines().any(|l| l == "frozen 1")))
            }
            Freezer::V1(group) => Ok(group.read("freezer.state")?.is_some_and(|text| text.trim() == "FROZEN")),
            Freezer::None => Ok(false),
        }
    }
}

impl Cgroup {
    // cgroup.freeze came with Linux 5.2; a hybrid machine's v2 tree has it without any controller.
    fn freezer(&self) -> Freezer<'_> {
        let v1 = || v1::find(&self.v1, "freezer").map_or(Freezer::None, Freezer::V1);
        match &self.v2 {
            Some(group) if matches!(group.file("cgroup.freeze"), Ok(Some(_))) => Freezer::V2(group),
            Some(_) | None => v1(),
        }
    }

    /// Whether all of it stands still.
    ///
    /// # Errors
    /// Of the file system.
    pub fn is_frozen(&self) -> Result<bool, CgroupError> {
        self.freezer().is_frozen()
    }

    /// Stops all processes, and waits until they stand still.
    ///
    /// # Errors
    /// When they do not in two seconds: they run again then.
    pub fn freeze(&self) -> Result<(), CgroupError> {
        let freezer = self.freezer();
        freezer.write(true)?;
        match wait_until(FREEZE_MS, || {
            let frozen = freezer.is_frozen()?;
            // v1 does not try again by itself when a process was forking (freezer-subsystem.rst).
            if !frozen && matches!(freezer, Freezer::V1(_)) {
                freezer.write(true)?;
            }
            Ok(frozen || matches!(freezer, Freezer::None))
        }) {
            Ok(true) => Ok(()),
            Ok(false) => {
                freezer.write(false)?;
                let path = freezer.group().map(|group| group.path.clone()).unwrap_or_default();
                Err(CgroupError::Late(path, "freeze", FREEZE_MS))
            }
            Err(error) => {
                freezer.write(false)?;
                Err(error)
            }
        }
    }

    /// Lets all processes go on.
    ///
    /// # Errors
    /// When they still stand after two seconds.
    pub fn thaw(&self) -> Result<(), CgroupError> {
        let freezer = self.freezer();
        freezer.write(false)?;
        if wait_until(FREEZE_MS, || freezer.is_frozen().map(|frozen| !frozen))? {
            return Ok(());
        }
        let path = freezer.group().map(|group| group.path.clone()).unwrap_or_default();
        Err(CgroupError::Late(path, "thaw", FREEZE_MS))
    }

    /// The processes in the container's groups and below; one of another process namespace cannot be named and is left out.
    ///
    /// # Errors
    /// Of the file system.
    pub fn pids(&self) -> Result<Vec<Pid>, CgroupError> {
        self.main().map_or(Ok(Vec::new()), Group::pids)
    }

    /// Whether no living process is left in it, however deep.
    ///
    /// # Errors
    /// Of the file system.
    pub fn is_empty(&self) -> Result<bool, CgroupError> {
        let Some(group) = &self.v2 else { return Ok(self.pids()?.is_empty()) };
        match group.read("cgroup.events") {
            Ok(Some(text)) => match text.lines().find_map(|line| line.strip_prefix("populated ")) {
                Some(populated) => Ok(populated == "0"),
                None => Err(v2::unexpected(&group.path.join("cgroup.events"), &text)),
            },
            // Gone, with all that was in it.
            Ok(None) => Ok(true),
            Err(error) if error.errno() == Some(libc::ENODEV) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The hierarchy whose list of processes counts: v2, else one of v1 that a container seldom divides.
    fn main(&self) -> Option<&Group> {
        let v1 = || v1::find(&self.v1, "freezer").or(v1::find(&self.v1, "pids"));
        self.v2.as_ref().or_else(v1).or(self.v1.first().map(|member| &member.group))
    }

    /// Kills everything in it and waits until nothing is left. Whose children they are, reaps them.
    ///
    /// # Errors
    /// When something lives on for ten seconds.
    pub fn kill_all(&self) -> Result<(), CgroupError> {
        let Some(group) = self.main() else { return Ok(()) };
        // Linux 5.14: all at once, forks included.
        let at_once = match &self.v2 {
            Some(group) => group.write("cgroup.kill", "1")?,
            None => false,
        };
        // A process that v1 has frozen dies only when it is thawed.
        if at_once && let Some(freezer) = v1::find(&self.v1, "freezer") {
            Freezer::V1(freezer).write(false)?;
        }
        let done = wait_until(DIE_MS, || {
            if self.is_empty()? {
                return Ok(true);
            }
            if !at_once {
                self.kill_each(group)?;
            }
            Ok(false)
        })?;
        if done { Ok(()) } else { Err(CgroupError::Late(group.path.clone(), "die", DIE_MS)) }
    }

    /// Frozen, they cannot fork away from under the list. One that will not freeze in this moment is killed all the same.
    fn kill_each(&self, group: &Group) -> Result<(), CgroupError> {
        let freezer = self.freezer();
        freezer.write(true)?;
        let killed = group.pids().and_then(|pids| {
            pids.into_iter().try_for_each(|pid| match kill_process(pid, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(CgroupError::Kill(group.path.clone(), error.into())),
            })
        });
        freezer.write(false)?;
        killed
    }
}

/// Asks again, ever more seldom, until it is so; false when the time is over.
fn wait_until(limit_ms: u64, mut is_so: impl FnMut() -> Result<bool, CgroupError>) -> Result<bool, CgroupError> {
    let begin = Instant::now();
    let mut pause_us = 50;
    loop {
        if is_so()? {
            return Ok(true);
        }
        if begin.elapsed() > Duration::from_millis(limit_ms) {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_micros(pause_us));
        pause_us = (pause_us * 2).min(10_000);
    }
}
