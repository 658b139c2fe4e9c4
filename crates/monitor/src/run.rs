//! One run of the container's process: start, end, restart, burial.
//!
//! ```text
//! networks (networks.rs) -> control groups -> root file system -> process -> status.json -> "started"
//! end seen -> output read to its end -> leftovers killed -> exit.json -> networks left -> waiting visitors told, end of file to all
//!          -> claims given back -> started again after a pause, or (with --rm) the container removed
//! ```

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use disk::{Durability, read, write};
use runtime::cgroup::{Cgroup, OomWatch};
use runtime::{Launch, Launched, launch};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use spec::bundle::{Bundle, Namespace};
use spec::event::ContainerAct;
use spec::time::Time;
use store::{Mount, Store};

use crate::burial::{self, Remains};
use crate::events;
use crate::exit::Exit;
use crate::health::Health;
use crate::hub;
use crate::mounts;
use crate::networks::Wired;
use crate::owner::{Alarm, Owner, Stage};
use crate::prepare::{self, Ends, StartError};
use crate::protocol::{Failure, Given, Size, Tell};
use crate::restart::Ended;
use crate::status::{Life, StartMark, Status};

/// How long a dead process's streams are read if somebody else still holds them (moby: 2 s).
pub(crate) const DRAIN: Duration = Duration::from_secs(2);
const SIGKILL: i32 = 9;

/// A running container.
#[derive(Debug)]
pub(crate) struct Run {
    pidfd: OwnedFd,
    life: Life,
    pub(crate) began: Instant,
    pub(crate) cgroup: Cgroup,
    pub(crate) oom: Option<OomWatch>,
    /// Its memory limit was met.
    memory_met: bool,
    /// So many processes of it were killed for that.
    oom_kills: u64,
    /// Its mount namespace, which would else end with its last process and keep that process's end waiting (0.4 ms).
    mounts: Option<OwnedFd>,
    /// Its links on networks; none where it is on none.
    pub(crate) wired: Option<Wired>,
    /// A user wanted it to end.
    pub(crate) by_user: bool,
    /// How it ended, while its output is still read.
    ended: Option<Fate>,
}

/// A root file system, and mounts that are given beside it.
type Rooted = (OwnedFd, Vec<(Given, OwnedFd)>);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// As a shell counts.
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
}

impl Run {
    /// The process, as long as its end was not seen.
    pub(crate) fn alive(&self) -> Option<BorrowedFd<'_>> {
        self.ended.is_none().then(|| self.pidfd.as_fd())
    }

    /// Something about its memory has happened; true: the kernel has killed again for it.
    pub(crate) fn memory_event(&mut self) -> bool {
        if !self.oom.as_ref().is_some_and(OomWatch::drain) {
            return false;
        }
        self.memory_met = true;
        self.killed_again()
    }

    fn killed_again(&mut self) -> bool {
        let before = self.oom_kills;
        self.oom_kills = self.oom_kills.max(self.cgroup.oom_kills().unwrap_or(0));
        self.oom_kills > before
    }

    /// systemd takes a scope's group away together with its last process, and the count of kills with it: then SIGKILL after an event
    /// of the group's memory is as much as can be known.
    /// Whether it was killed for that, and whether that was not known yet.
    fn was_oom_killed(&mut self, fate: Fate) -> (bool, bool) {
        let known = self.oom_kills;
        self.memory_event();
        self.killed_again();
        let is_gone = self.cgroup.paths().v2.as_ref().is_some_and(|path| path.symlink_metadata().is_err());
        let guessed = is_gone && self.memory_met && fate.signal == Some(SIGKILL) && !self.by_user;
        (self.oom_kills > 0 || guessed, self.oom_kills > known || known == 0 && guessed)
    }

    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub(crate) fn signal(&self, number: i32) -> io::Result<()> {
        sys::pidfd::send(self.pidfd.as_fd(), number)
    }
}

/// Reaps an ended process; none: it has not ended.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> Option<Fate> {
    match rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)) {
        Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Fate { code, signal: None },
            (None, Some(signal)) => Fate { code: 128 + signal, signal: Some(signal) },
            (None, None) => Fate { code: 255, signal: None },
        }),
        Ok(None) => None,
        // Not our child, or reaped before: nobody can say how it ended.
        Err(_) => Some(Fate { code: 255, signal: None }),
    }
}

impl Owner {
    /// Starts the container's process and answers its number and what it could not have. What was taken when it fails is given back by [`Owner::never_ran`].
    pub(crate) fn start(
        &mut self,
        console: Option<Size>,
        given: Vec<(Given, OwnedFd)>,
    ) -> Result<(i32, Vec<String>), StartError> {
        let bundle = self.bundle()?;
        let config = match self.config.take() {
            Some(config) => config,
            None => read(&self.dir)?.ok_or(StartError::Missing("config.json"))?,
        };
        let store = Store::open(self.home.root()).map_err(|e| StartError::Rootfs(e.into()))?;
        let mut joined = prepare::joined(&self.home, &bundle)?;
        let mut joining = self.join(&config, &bundle)?;
        let mut wired = None;
        // Of a user namespace of the container's own, its network must be, too: that is made with the process.
        if bundle.namespaces.network == Namespace::Private && bundle.namespaces.user == Namespace::Host {
            joined.network = self.network.take();
            if let Some(joining) = &mut joining {
                wired = Some(self.wire_ahead(&config, &bundle.networks, joining, &mut joined)?);
            }
        }
        let (mut cgroup, mut warned) = prepare::cgroup(&bundle, &mut self.claims)?;
        let (rootfs, given) = self.rootfs(&store, &bundle, given)?;
        let made = mounts::make(&self.home, &store, &bundle, given)?;
        let Ends { its, ours } = prepare::streams(self.habits.tty, self.wanted_streams(), console)?;
        let staging = self.sandbox.clone();
        let launching = Launch {
            bundle: &bundle,
            rootfs,
            mounts: made.mounts,
            joined,
            stdio: its,
            cgroup: Some(&cgroup),
            staging: &staging,
        };
        let mut unwired = None;
        let launched = launch(launching, &mut |namespace| {
            let Some(joining) = &mut joining else { return Ok(()) };
            match self.wire_made(&config, &bundle.networks, joining, namespace) {
                Ok(made) => wired = Some(made),
                Err(error) => {
                    unwired = Some(error);
                    return Err(io::ErrorKind::Other.into());
                }
            }
            Ok(())
        });
        if let Some(error) = unwired {
            return Err(error.into());
        }
        let Launched { pid, pidfd, start_time, terminal, warnings } = launched?;
        warned.extend(warnings);
        cgroup.occupied();
        let life = Life { pid: pid.as_raw_nonzero().get(), start_time, since: disk::now() };
        // A machine that cannot watch for kills can still count them at the end.
        let oom = cgroup.oom_watch().ok().flatten();
        // A process that has ended already has none.
        let own_mounts = File::open(format!("/proc/{}/ns/mnt", life.pid)).ok().map(OwnedFd::from);
        self.run = Some(Run {
            pidfd,
            life,
            began: Instant::now(),
            cgroup,
            oom,
            memory_met: false,
            oom_kills: 0,
            mounts: own_mounts,
            wired,
            by_user: false,
            ended: None,
        });
        self.begin(life, terminal.map_or(ours, hub::Stdio::Terminal))?;
        self.teller.tell_mounted(&self.home, &config);
        self.note(ContainerAct::Start);
        Ok((life.pid, warned))
    }

    /// The root file system, which may be among what is given, and the rest of that.
    fn rootfs(&self, store: &Store, bundle: &Bundle, given: Vec<(Given, OwnedFd)>) -> Result<Rooted, StartError> {
        let (root, rest): (Vec<_>, Vec<_>) = given.into_iter().partition(|(what, _)| *what == Given::Root);
        let mount = Mount { id_maps: bundle.namespaces.id_maps.as_ref() };
        let root = match root.into_iter().next() {
            Some((_, root)) => root,
            None => store.mount(&self.id, mount).map_err(StartError::Rootfs)?,
        };
        Ok((root, rest))
    }

    fn begin(&mut self, life: Life, stdio: hub::Stdio) -> Result<(), StartError> {
        self.state.status = Status::Running(life);
        self.state.health = self.habits.health.as_ref().map(|_| Health::starting());
        write(&self.dir, &StartMark { since: life.since }, Durability::Volatile)?;
        self.save()?;
        self.hub.connect(stdio).map_err(|e| StartError::Io("connecting its streams", e))?;
        self.plan_check();
        Ok(())
    }

    /// A start failed: what was taken is given back, and what it means is recorded.
    pub(crate) fn never_ran(&mut self, failure: &Failure) {
        if let Some(run) = self.run.take() {
            // It was launched, and what follows the launch failed.
            let _ = run.signal(SIGKILL);
            let _ = rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(run.pidfd.as_fd()), WaitIdOptions::EXITED));
        }
        self.hub.disconnect(disk::now());
        let exit = Exit {
            code: failure.exit_code,
            signal: None,
            oom_killed: false,
            error: failure.message.clone(),
            // Of the run before, if there was one.
            started: if let Status::Exited(last) = &self.state.status { last.started } else { None },
            finished: disk::now(),
            restarts: self.restarts.count,
            by_user: false,
        };
        self.record(&exit);
        self.leave_networks();
        self.publish(&exit);
        self.bury();
    }

    /// The process's end was seen.
    pub(crate) fn process_ended(&mut self) {
        let Some(run) = &mut self.run else { return };
        if run.ended.is_some() {
            return;
        }
        run.ended = reap(run.pidfd.as_fd());
        if run.ended.is_none() {
            return;
        }
        if self.hub.drain(disk::now()) {
            self.finish_run();
        } else {
            self.alarm(DRAIN, Alarm::Undrained);
        }
    }

    /// Some output was read: perhaps the last.
    pub(crate) fn finish_if_drained(&mut self) {
        if self.hub.is_drained() && self.run.as_ref().is_some_and(|run| run.ended.is_some()) {
            self.finish_run();
        }
    }

    /// The run is over.
    pub(crate) fn finish_run(&mut self) {
        let Some(fate) = self.run.as_ref().and_then(|run| run.ended) else { return };
        let Some(mut run) = self.run.take() else { return };
        let mounts = run.mounts.take();
        // Whoever sent an errand goes on with its draft when it hears of the end.
        let _mounts = mounts.filter(|_| !self.habits.is_errand);
        self.alarms.clear();
        let now = disk::now();
        self.hub.disconnect(now);
        let (oom_killed, unheard) = run.was_oom_killed(fate);
        if unheard {
            self.note(ContainerAct::Oom);
        }
        // Without a pid namespace of its own its children outlive it. What does not die is told by the burial, which tries the same.
        if self.habits.shares_pids {
            let _ = run.cgroup.kill_all();
        }
        self.end_execs();
        let exit = self.exit_of(&run, fate, oom_killed, now);
        let ended = Ended { code: exit.code, ran: run.began.elapsed(), by_user: run.by_user || self.remove };
        drop(run);
        let pause = self.restarts.after(ended, self.settings.restart);
        self.record(&exit);
        self.note(events::die(&exit));
        match pause {
            None => {
                self.leave_networks();
                self.teller.tell_unmounted(&self.home, &self.id);
                self.publish(&exit);
                self.bury();
            }
            Some(pause) => {
                self.teller.tell_unmounted(&self.home, &self.id);
                let ns = i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX);
                self.state.restarts = self.restarts.count;
                self.state.status =
                    Status::Restarting { due: Time::from_ns(now.ns().saturating_add(ns)), last: exit.clone() };
                self.announce(&exit);
                // What cannot be given back now is given back with the last of it.
                let _ = burial::give_back_run(&self.home, &mut self.claims);
                self.alarm(pause, Alarm::Restart);
            }
        }
    }

    fn exit_of(&self, run: &Run, fate: Fate, oom_killed: bool, finished: Time) -> Exit {
        Exit {
            code: fate.code,
            signal: fate.signal,
            oom_killed,
            error: String::new(),
            started: Some(run.life.since),
            finished,
            restarts: self.restarts.count,
            by_user: run.by_user,
        }
    }

    /// `exit.json`, before anybody can see that it ended. A container that is about to vanish needs no sync.
    fn record(&self, exit: &Exit) {
        let vanishes = self.habits.auto_remove || self.habits.is_errand || self.remove;
        let durability = if vanishes { Durability::Volatile } else { Durability::Durable };
        // On a full disk the status still says it until the monitor leaves, and whoever waits is told.
        let _ = write(&self.dir, exit, durability);
    }

    fn publish(&mut self, exit: &Exit) {
        self.state.status = Status::Exited(exit.clone());
        self.announce(exit);
    }

    fn announce(&mut self, exit: &Exit) {
        self.state.health = None;
        let _ = self.save();
        let waiting = self.waits.ended();
        self.tell_all(waiting, &Tell::Exited(exit.clone()));
        self.hub.close_viewers();
    }

    /// It stays down: all that it holds is given back, and it is removed if it is to be.
    pub(crate) fn bury(&mut self) {
        self.alarms.clear();
        self.stage = Stage::Over;
        if self.waits.is_stop_awaited() {
            self.note(ContainerAct::Stop);
        }
        let removed = (self.habits.auto_remove || self.remove).then(|| self.vanish());
        let buried = burial::give_back(&self.home, &mut self.claims);
        let stopped = self.waits.stopped();
        self.tell_all(stopped, &Tell::Done);
        let Some(removed) = removed else {
            return;
        };
        let answer = match buried.and(removed.and_then(|remains| remains.clear(&self.id))) {
            Ok(()) => Tell::Done,
            Err(error) => crate::visits::failed(crate::protocol::FailureKind::System, &prepare::chain(&error)),
        };
        let removing = self.waits.removed();
        self.tell_all(removing, &answer);
    }

    /// Nobody finds the container any more, its name is free and its image is not used: who waits for that hears of it now. What is
    /// left is taken away after, by the next command if need be.
    fn vanish(&mut self) -> Result<Remains, burial::BurialError> {
        let status = std::mem::replace(&mut self.state.status, Status::Removing);
        self.learn_name();
        let remains = Store::open(self.home.root())
            .map_err(burial::BurialError::from)
            .and_then(|store| Remains::of(&self.home, store, &self.id));
        if remains.is_ok() {
            self.note_last(ContainerAct::Destroy);
        }
        if let Status::Exited(exit) = status {
            let waiting = self.waits.vanished();
            self.tell_all(waiting, &Tell::Exited(exit));
        }
        remains
    }

    /// The pause of the restart policy is over.
    pub(crate) fn start_again(&mut self) {
        if let Err(error) = self.start(None, Vec::new()) {
            self.never_ran(&error.failure());
        }
    }

    /// It shall stay down although its restart policy says otherwise.
    pub(crate) fn cancel_restart(&mut self) {
        let Status::Restarting { last, .. } = &self.state.status else { return };
        let exit = Exit { by_user: true, restarts: self.restarts.count, ..last.clone() };
        self.record(&exit);
        self.leave_networks();
        self.publish(&exit);
        self.bury();
    }

    /// SIGKILL, to a frozen process too.
    pub(crate) fn kill(&mut self) {
        // It may have ended this moment.
        if self.run.as_ref().is_some_and(|run| run.signal(SIGKILL).is_ok()) {
            self.note(ContainerAct::Kill { signal: SIGKILL });
        }
        self.thaw();
    }
}
