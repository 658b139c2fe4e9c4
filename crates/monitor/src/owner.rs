//! The monitor at work: one loop that waits for visitors, output, ends and alarms, and does one thing after the other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use disk::{Durability, Home, Journal, read, write};
use network::relay;
use network::resolver::{self, Resolver};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use spec::bundle::Bundle;
use spec::container::{Config, LogDriver, NamespaceMode, Settings, Streams};
use spec::event::ContainerAct;
use spec::id::ContainerId;

use crate::burial::{CLAIMS, Claim};
use crate::client::Whose;
use crate::events::Teller;
use crate::execs::ExecRun;
use crate::health::Rules;
use crate::hub::{AtEnd, Hub, Port};
use crate::networks::Held;
use crate::prepare::StartError;
use crate::protocol::Tell;
use crate::restart::Restarts;
use crate::run::Run;
use crate::status::{self, State};
use crate::visits::{FIRST, Visitor};
use crate::waits::Waits;
use crate::{log, recovery, wire};

/// After so long without anything to do, memory goes back to the kernel.
const QUIET: Duration = Duration::from_millis(500);

/// What of a container's configuration is needed again and again.
#[derive(Debug)]
pub(crate) struct Habits {
    pub(crate) tty: bool,
    pub(crate) open_stdin: bool,
    pub(crate) auto_remove: bool,
    /// It is a build's: see [`Whose::Errand`].
    pub(crate) is_errand: bool,
    pub(crate) shares_pids: bool,
    pub(crate) health: Option<Rules>,
}

/// The monitor of one container.
pub(crate) struct Owner {
    pub(crate) home: Home,
    pub(crate) id: ContainerId,
    /// The run directory.
    pub(crate) sandbox: PathBuf,
    /// The container's directory.
    pub(crate) dir: PathBuf,
    _lock: OwnedFd,
    pub(crate) listener: OwnedFd,
    pub(crate) habits: Habits,
    pub(crate) teller: Teller,
    pub(crate) settings: Settings,
    pub(crate) state: State,
    pub(crate) claims: Journal<Claim>,
    pub(crate) hub: Hub,
    /// Its configuration, until it is started.
    pub(crate) config: Option<Config>,
    /// A network namespace that was made ahead.
    pub(crate) network: Option<OwnedFd>,
    /// What it holds of networks.
    pub(crate) held: Held,
    pub(crate) run: Option<Run>,
    pub(crate) execs: Vec<ExecRun>,
    pub(crate) restarts: Restarts,
    pub(crate) visitors: Vec<Visitor>,
    /// The visitor for whom it is paused: with him goes the pause.
    pub(crate) paused_for: Option<u64>,
    pub(crate) waits: Waits,
    pub(crate) alarms: Vec<(Instant, Alarm)>,
    pub(crate) stage: Stage,
    /// A user wants it gone for good.
    pub(crate) remove: bool,
    serial: u64,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody has said Start: it gives up when nobody is left to say it.
    Waiting,
    /// The container runs or will run again.
    Busy,
    /// It is over; what visitors have not read yet is still theirs.
    Over,
}

/// Something to be done at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Whoever still holds the dead process's streams is not waited for any longer.
    Undrained,
    /// The same for an exec.
    ExecUndrained(u64),
    /// The signal did not stop it.
    Kill,
    /// The restart policy's pause is over.
    Restart,
    /// A health check is due.
    Check,
    /// A health check takes too long.
    CheckTooLong(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Listener,
    Visitor(u64),
    Process,
    Oom,
    Hub(Port),
    Exec(u64),
    ExecHub(u64, Port),
    Resolver(resolver::Port),
    Relay(relay::Port),
}

impl Owner {
    pub(crate) fn new(
        home: Home,
        id: ContainerId,
        whose: Whose,
        first: OwnedFd,
        lock: OwnedFd,
    ) -> Result<Owner, StartError> {
        let sandbox = home.sandbox(&id);
        let dir = match whose {
            Whose::Container => home.container(&id),
            Whose::Errand => home.errand(&id),
        };
        let failed = |doing| move |e: io::Error| StartError::Io(doing, e);
        let config: Config = read(&dir)?.ok_or(StartError::Missing("config.json"))?;
        let settings: Settings = read(&dir)?.ok_or(StartError::Missing("settings.json"))?;
        // What is there is from before: no status was written yet.
        let state = status::of(&home, &id)?;
        let writer = (config.host.log.driver == LogDriver::JsonFile).then(|| log::Writer::new(&dir, &config.host.log));
        let at_end = if config.stdin_once { AtEnd::Close } else { AtEnd::Keep };
        let habits = Habits {
            tty: config.tty,
            open_stdin: config.open_stdin,
            auto_remove: config.host.auto_remove,
            is_errand: whose == Whose::Errand,
            shares_pids: !matches!(config.host.pid, NamespaceMode::Private | NamespaceMode::Default),
            health: config.healthcheck.as_ref().and_then(Rules::new),
        };
        Ok(Owner {
            listener: wire::listen(&sandbox).map_err(failed("listening for visitors"))?,
            claims: Journal::open(&sandbox.join(CLAIMS)).map_err(failed("opening the claims journal"))?,
            hub: Hub::new(at_end, habits.tty, writer),
            home,
            id,
            sandbox,
            dir,
            _lock: lock,
            teller: Teller::new(whose, &config),
            habits,
            settings,
            state,
            config: Some(config),
            network: None,
            held: Held::default(),
            run: None,
            execs: Vec::new(),
            restarts: Restarts::default(),
            visitors: vec![Visitor { number: FIRST, socket: first, asked: false }],
            paused_for: None,
            waits: Waits::default(),
            alarms: Vec::new(),
            stage: Stage::Waiting,
            remove: false,
            serial: 1,
        })
    }

    /// Serves until there is nothing left to serve.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        loop {
            if self.is_over() && self.leave()? {
                return Ok(());
            }
            let ready = self.wait()?;
            for (source, events) in ready {
                self.handle(source, events);
            }
            self.ring();
        }
    }

    fn is_over(&self) -> bool {
        match self.stage {
            Stage::Waiting => self.visitors.is_empty(),
            Stage::Busy => false,
            Stage::Over => {
                !self.hub.has_viewers() && self.execs.is_empty() && self.visitors.iter().all(|visitor| visitor.asked)
            }
        }
    }

    /// Gives up the run directory, unless somebody came at the last moment. When the name of the socket is gone nobody can come any
    /// more, and who came before that is served.
    fn leave(&mut self) -> io::Result<bool> {
        match std::fs::remove_file(self.sandbox.join("ask.sock")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        let before = self.visitors.len();
        self.welcome();
        if self.visitors.len() > before {
            // Served as at any time: who waits for a next end is told by our leaving that there is none.
            self.listener = wire::listen(&self.sandbox)?;
            return Ok(false);
        }
        recovery::remove_sandbox(&self.sandbox)?;
        Ok(true)
    }

    fn sources(&self) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let mut sources = vec![(Source::Listener, self.listener.as_fd(), PollFlags::IN)];
        sources.extend(self.visitors.iter().map(|v| (Source::Visitor(v.number), v.socket.as_fd(), PollFlags::IN)));
        sources.extend(self.hub.ports().map(|(port, fd, flags)| (Source::Hub(port), fd, flags)));
        if let Some(run) = &self.run {
            sources.extend(run.alive().map(|fd| (Source::Process, fd, PollFlags::IN)));
            sources.extend(run.oom.as_ref().map(|oom| (Source::Oom, oom.as_fd(), PollFlags::IN)));
        }
        for exec in &self.execs {
            sources.extend(exec.alive().map(|fd| (Source::Exec(exec.number), fd, PollFlags::IN)));
            let ports = exec.hub.ports();
            sources.extend(ports.map(|(port, fd, flags)| (Source::ExecHub(exec.number, port), fd, flags)));
        }
        if let Some(resolver) = self.resolver() {
            sources.extend(resolver.sources().map(|(port, fd, flags)| (Source::Resolver(port), fd, flags)));
        }
        if let Some(ports) = &self.held.ports {
            sources.extend(ports.relay.sources().map(|(port, fd, flags)| (Source::Relay(port), fd, flags)));
        }
        sources
    }

    fn wait(&self) -> io::Result<Vec<(Source, PollFlags)>> {
        let sources = self.sources();
        let mut fds: Vec<PollFd<'_>> =
            sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let now = Instant::now();
        let relay = self.held.ports.as_ref().and_then(|ports| ports.relay.deadline());
        let alarms = self.alarms.iter().map(|(at, _)| *at).chain(self.resolver().and_then(Resolver::deadline));
        let alarm = alarms.chain(relay).map(|at| at.saturating_duration_since(now)).min();
        let quiet = alarm.map_or(QUIET, |alarm| alarm.min(QUIET));
        if interruptible(poll(&mut fds, Some(&timespec(quiet))))? == 0 && alarm.is_none_or(|alarm| alarm > QUIET) {
            let limit = alarm.map(|alarm| timespec(alarm.saturating_sub(QUIET)));
            interruptible(sys::memory::poll_at_rest(&mut fds, limit.as_ref()))?;
        }
        let events = sources.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
        Ok(events.map(|((source, _, _), fd)| (*source, fd.revents())).collect())
    }

    fn handle(&mut self, source: Source, events: PollFlags) {
        match source {
            Source::Listener => self.welcome(),
            Source::Visitor(number) => self.hear(number),
            Source::Process => self.process_ended(),
            Source::Oom => {
                if self.run.as_mut().is_some_and(Run::memory_event) {
                    self.note(ContainerAct::Oom);
                }
            }
            Source::Hub(port) => {
                if let Some(detached) = self.hub.ready(port, events, disk::now()) {
                    self.note(ContainerAct::Detach);
                    self.tell(detached.visitor, &Tell::Detached);
                }
                self.finish_if_drained();
            }
            Source::Exec(number) => self.exec_ended(number),
            Source::ExecHub(number, port) => self.exec_port_ready(number, port, events),
            Source::Resolver(port) => {
                if let Some(resolver) = self.resolver_mut() {
                    resolver.ready(port, events);
                }
            }
            Source::Relay(port) => {
                if let Some(ports) = &mut self.held.ports {
                    ports.relay.ready(port, events);
                }
            }
        }
    }

    fn ring(&mut self) {
        let now = Instant::now();
        if let Some(resolver) = self.resolver_mut() {
            resolver.ring(now);
        }
        if let Some(ports) = &mut self.held.ports {
            ports.relay.ring(now);
        }
        while let Some(at) = self.alarms.iter().position(|(at, _)| *at <= now) {
            let (_, alarm) = self.alarms.remove(at);
            match alarm {
                Alarm::Undrained => self.finish_run(),
                Alarm::ExecUndrained(number) => self.finish_exec(number),
                Alarm::Kill => self.kill(),
                Alarm::Restart => self.start_again(),
                Alarm::Check => self.check(),
                Alarm::CheckTooLong(number) => self.check_took_too_long(number),
            }
        }
    }

    /// Sets an alarm.
    pub(crate) fn alarm(&mut self, after: Duration, alarm: Alarm) {
        self.alarms.push((Instant::now() + after, alarm));
    }

    /// Writes an event down. Whoever waits for what it says is told after.
    pub(crate) fn note(&mut self, act: ContainerAct<'_>) {
        if self.habits.is_errand {
            return;
        }
        self.teller.learn_name(&self.home, &self.id);
        self.teller.tell(&self.home, &self.id, act);
    }

    /// What it is called, as long as it is.
    pub(crate) fn learn_name(&mut self) {
        self.teller.learn_name(&self.home, &self.id);
    }

    /// The same of a container that nobody finds any more, and that is called nothing.
    pub(crate) fn note_last(&self, act: ContainerAct<'_>) {
        self.teller.tell(&self.home, &self.id, act);
    }

    /// A number that nothing else here has.
    pub(crate) fn number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The bundle, read anew each time: it is large and seldom needed.
    pub(crate) fn bundle(&self) -> Result<Bundle, StartError> {
        read(&self.sandbox)?.ok_or(StartError::Missing("bundle.json"))
    }

    /// Replaces `status.json`.
    pub(crate) fn save(&self) -> Result<(), disk::DiskError> {
        write(&self.sandbox, &self.state, Durability::Volatile)
    }

    /// The streams its process has. A log wants both outputs; without one they are read for whoever attaches.
    pub(crate) fn wanted_streams(&self) -> Streams {
        Streams { stdin: self.habits.open_stdin, stdout: true, stderr: true }
    }
}

fn timespec(limit: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX), tv_nsec: limit.subsec_nanos().into() }
}

fn interruptible(polled: rustix::io::Result<usize>) -> io::Result<usize> {
    match polled {
        Err(Errno::INTR) => Ok(0),
        other => Ok(other?),
    }
}
