//! Visitors: what they ask is done at once or noted, and nothing they say can hurt the monitor.

use std::os::fd::{AsFd, OwnedFd};

use disk::{Durability, write};
use rustix::net::{RecvFlags, SocketFlags, accept_with};
use spec::container::Settings;
use spec::event::ContainerAct;

use crate::exit::Exit;
use crate::keys::Scanner;
use crate::log;
use crate::owner::{Alarm, Owner, Stage};
use crate::prepare::chain;
use crate::protocol::{
    self, Ask, Attach, Failure, FailureKind, Given, Intent, MAX_BYTES, MAX_ENCLOSED_BYTES, Malformed, Replay, Size,
    Target, Tell, Until,
};
use crate::status::{Refused, Status, Verb};
use crate::viewer::View;
use crate::waits::For;
use crate::wire::{self, Received};

/// Whoever spawned us.
pub(crate) const FIRST: u64 = 0;

/// A connection.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) number: u64,
    pub(crate) socket: OwnedFd,
    /// It has said something: one that just came is not left without an answer.
    pub(crate) asked: bool,
}

impl Owner {
    /// Takes all connections that are waiting.
    pub(crate) fn welcome(&mut self) {
        // Any error ends the round: what is still waiting wakes us again.
        while let Ok(socket) = accept_with(&self.listener, SocketFlags::CLOEXEC) {
            let number = self.number();
            self.visitors.push(Visitor { number, socket, asked: false });
        }
    }

    /// One message of a visitor's.
    pub(crate) fn hear(&mut self, number: u64) {
        let Some(visitor) = self.visitors.iter_mut().find(|visitor| visitor.number == number) else { return };
        visitor.asked = true;
        let malformed = match wire::receive(visitor.socket.as_fd(), MAX_BYTES, RecvFlags::DONTWAIT) {
            Ok(Received::Datagram(bytes, fds)) => match protocol::decode::<Ask>(&bytes) {
                Ok(Ask::Enclosed) => match enclosed(fds) {
                    Ok((ask, fds)) => return self.answer(number, ask, fds),
                    Err(malformed) => malformed,
                },
                Ok(ask) => return self.answer(number, ask, fds),
                Err(malformed) => malformed,
            },
            Ok(Received::TooLong(length)) => Malformed::TooLong(length),
            Err(e) if [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::Interrupted].contains(&e.kind()) => return,
            Ok(Received::End) | Err(_) => return self.bid_farewell(number),
        };
        self.tell(number, &Tell::Misunderstood(chain(&malformed)));
    }

    fn bid_farewell(&mut self, number: u64) {
        self.waits.forget(number);
        if self.paused_for == Some(number) {
            self.thaw();
        }
        self.visitors.retain(|visitor| visitor.number != number);
        if self.habits.is_errand && number == FIRST {
            // Nobody wants to know any more.
            if let Some(run) = &mut self.run {
                run.by_user = true;
            }
            self.kill();
        }
    }

    /// Says something to a visitor. One that is gone, or has left 200 KiB of answers unread, is not told.
    pub(crate) fn tell(&mut self, number: u64, tell: &Tell) {
        let Some(visitor) = self.visitors.iter().find(|visitor| visitor.number == number) else { return };
        let Ok(bytes) = protocol::encode(tell) else { return };
        if wire::send(visitor.socket.as_fd(), &bytes, &[]).is_err() {
            self.bid_farewell(number);
        }
    }

    pub(crate) fn tell_all(&mut self, numbers: Vec<u64>, tell: &Tell) {
        for number in numbers {
            self.tell(number, tell);
        }
    }

    fn answer(&mut self, from: u64, ask: Ask, fds: Vec<OwnedFd>) {
        let answer = match ask {
            // Only a datagram encloses.
            Ask::Enclosed => Ok(Some(Tell::Misunderstood(chain(&Malformed::Unenclosed)))),
            Ask::Start { console, given } => self.asked_to_start(from, console, given.into_iter().zip(fds).collect()),
            Ask::Attach(attach) => self.attach(from, attach, fds),
            Ask::Exec(exec) => self.exec(from, *exec, fds),
            Ask::Resize { process, size } => self.resize(&process, size).map(Some),
            Ask::Signal { number, intent } => self.signal(number, intent).map(Some),
            Ask::Stop { signal, timeout_s } => self.stop(from, signal, timeout_s),
            Ask::Pause => self.pause().map(Some),
            Ask::PauseMeanwhile => self.pause_for(from).map(Some),
            Ask::Unpause => self.unpause().map(Some),
            Ask::Wait(until) => Ok(self.wait_for(from, until)),
            Ask::Update(settings) => self.update(*settings).map(Some),
            Ask::Networks(wanted) => Ok(Some(match self.change_networks(wanted) {
                Ok(()) => Tell::Done,
                Err(error) => failed(FailureKind::Network, &chain(&error)),
            })),
            Ask::Remove => self.asked_to_remove(from),
            Ask::RemoveStopped => match self.state.status.may_start() {
                Ok(()) => self.asked_to_remove(from),
                Err(Refused { met, .. }) => Err(Refused { verb: Verb::Remove, met }),
            },
        };
        match answer {
            Ok(Some(tell)) => self.tell(from, &tell),
            Ok(None) => {}
            Err(refused) => self.tell(from, &Tell::Refused(refused)),
        }
    }

    fn asked_to_start(
        &mut self,
        from: u64,
        console: Option<Size>,
        given: Vec<(Given, OwnedFd)>,
    ) -> Result<Option<Tell>, Refused> {
        self.state.status.may_start()?;
        self.restarts = crate::restart::Restarts::default();
        self.state.restarts = 0;
        self.stage = Stage::Busy;
        match self.start(console, given) {
            Ok((pid, warnings)) => Ok(Some(Tell::Started { pid, warnings })),
            Err(error) => {
                let failure = error.failure();
                // Whoever asked for the start hears why it failed, and does not hear of an end besides: once the exit is recorded and
                // the name of a container with `--rm` is free again.
                self.waits.forget(from);
                self.never_ran(&failure);
                Ok(Some(Tell::Failed(failure)))
            }
        }
    }

    fn attach(&mut self, from: u64, attach: Attach, fds: Vec<OwnedFd>) -> Result<Option<Tell>, Refused> {
        self.state.status.may_attach()?;
        let Some(socket) = fds.into_iter().next() else { return Ok(Some(no_stream())) };
        let replay = match attach.replay {
            Replay::Nothing => None,
            Replay::Log => log::Reader::open(&self.dir, log::Query::ALL).ok(),
        };
        let keys = self.hub.is_terminal().then(|| Scanner::new(attach.detach_keys));
        self.note(ContainerAct::Attach);
        // Told before the first byte comes.
        self.tell(from, &Tell::Attached);
        let number = self.number();
        let view = View { visitor: from, socket, streams: attach.streams, framing: attach.framing, keys, replay };
        self.hub.add(number, view);
        Ok(None)
    }

    fn resize(&mut self, process: &Target, size: Size) -> Result<Tell, Refused> {
        self.state.status.living(Verb::Resize)?;
        let resized = match process {
            Target::Init => {
                let resized = self.hub.resize(size);
                self.note(ContainerAct::Resize { rows: size.rows, columns: size.columns });
                resized
            }
            Target::Exec(id) => match self.execs.iter().find(|exec| exec.is(id)) {
                Some(exec) => exec.hub.resize(size),
                None => return Ok(failed(FailureKind::Exec, &format!("No such exec instance: {id}"))),
            },
        };
        Ok(done("resizing the terminal", resized))
    }

    fn signal(&mut self, number: i32, intent: Intent) -> Result<Tell, Refused> {
        if intent == Intent::End && matches!(self.state.status, Status::Restarting { .. }) {
            self.cancel_restart();
            return Ok(Tell::Done);
        }
        self.state.status.living(Verb::Signal)?;
        let Some(run) = &mut self.run else {
            return Err(Refused { verb: Verb::Signal, met: self.state.status.phase() });
        };
        let sent = run.signal(number);
        if intent == Intent::End {
            run.by_user = true;
        }
        if sent.is_ok() {
            self.note(ContainerAct::Kill { signal: number });
        }
        if intent == Intent::End {
            self.thaw();
        }
        Ok(done("sending the signal", sent))
    }

    fn stop(&mut self, from: u64, signal: i32, timeout_s: Option<u64>) -> Result<Option<Tell>, Refused> {
        if matches!(self.state.status, Status::Restarting { .. }) {
            self.waits.ask(from, For::Stopped, self.state.status.phase());
            self.cancel_restart();
            return Ok(None);
        }
        self.state.status.living(Verb::Stop)?;
        let Some(run) = &mut self.run else { return Err(Refused { verb: Verb::Stop, met: self.state.status.phase() }) };
        run.by_user = true;
        let sent = run.signal(signal);
        self.waits.ask(from, For::Stopped, self.state.status.phase());
        if sent.is_ok() {
            self.note(ContainerAct::Kill { signal });
        }
        self.thaw();
        if sent.is_err() {
            self.kill();
        } else if let Some(seconds) = timeout_s {
            self.alarm(std::time::Duration::from_secs(seconds.min(u64::from(u32::MAX))), Alarm::Kill);
        }
        Ok(None)
    }

    fn pause(&mut self) -> Result<Tell, Refused> {
        let paused = self.state.status.pause()?;
        let frozen = self.run.as_ref().map_or(Ok(()), |run| run.cgroup.freeze());
        if let Err(error) = frozen {
            return Ok(failed(FailureKind::System, &chain(&error)));
        }
        self.state.status = paused;
        let saved = self.save();
        self.note(ContainerAct::Pause);
        Ok(done("writing the status", saved))
    }

    fn pause_for(&mut self, visitor: u64) -> Result<Tell, Refused> {
        let told = self.pause()?;
        self.paused_for = matches!(self.state.status, Status::Paused(_)).then_some(visitor);
        Ok(told)
    }

    fn unpause(&mut self) -> Result<Tell, Refused> {
        let running = self.state.status.unpause()?;
        let thawed = self.run.as_ref().map_or(Ok(()), |run| run.cgroup.thaw());
        if let Err(error) = thawed {
            return Ok(failed(FailureKind::System, &chain(&error)));
        }
        self.state.status = running;
        // Who pauses it from now on does so on his own account.
        self.paused_for = None;
        let saved = self.save();
        self.note(ContainerAct::Unpause);
        Ok(done("writing the status", saved))
    }

    /// Lets a paused container go on, so that it can heed a signal.
    pub(crate) fn thaw(&mut self) {
        if matches!(self.state.status, Status::Paused(_)) {
            // Refusals cannot be; a failure leaves it paused, as `status.json` then says.
            let _ = self.unpause();
        }
    }

    fn wait_for(&mut self, from: u64, until: Until) -> Option<Tell> {
        if !self.waits.ask(from, For::End(until), self.state.status.phase()) {
            return None;
        }
        Some(Tell::Exited(match &self.state.status {
            Status::Exited(exit) | Status::Restarting { last: exit, .. } => exit.clone(),
            Status::Created | Status::Running(_) | Status::Paused(_) | Status::Removing => never_started(),
        }))
    }

    fn update(&mut self, settings: Settings) -> Result<Tell, Refused> {
        let limited = self.bundle().map_err(|e| chain(&e)).and_then(|mut bundle| {
            // Device rules are no limit: an update does not know them.
            let devices = std::mem::take(&mut bundle.resources.devices);
            bundle.resources = settings.resources.clone();
            if let Some(run) = &self.run {
                run.cgroup.update(&bundle.resources).map_err(|e| chain(&e))?;
            }
            bundle.resources.devices = devices;
            write(&self.sandbox, &bundle, Durability::Volatile).map_err(|e| chain(&e))
        });
        // Networks are another verb's.
        self.settings = Settings { networks: std::mem::take(&mut self.settings.networks), ..settings };
        Ok(match limited {
            Ok(()) => Tell::Done,
            Err(message) => failed(FailureKind::System, &message),
        })
    }

    fn asked_to_remove(&mut self, from: u64) -> Result<Option<Tell>, Refused> {
        // Refused only where it is under way already.
        self.state.status.remove()?;
        self.waits.ask(from, For::Removed, self.state.status.phase());
        self.remove = true;
        match &self.state.status {
            Status::Running(_) | Status::Paused(_) => {
                if let Some(run) = &mut self.run {
                    run.by_user = true;
                }
                self.kill();
            }
            Status::Restarting { .. } => self.cancel_restart(),
            Status::Created | Status::Exited(_) | Status::Removing => self.bury(),
        }
        Ok(None)
    }
}

/// The question in the last descriptor, and the others.
fn enclosed(mut fds: Vec<OwnedFd>) -> Result<(Ask, Vec<OwnedFd>), Malformed> {
    let file = fds.pop().ok_or(Malformed::Unenclosed)?;
    let bytes = wire::read_file(file, MAX_ENCLOSED_BYTES).map_err(|_| Malformed::Unenclosed)?;
    Ok((protocol::decode_enclosed(&bytes)?, fds))
}

/// What `wait` answers about a container that never ran: Docker's 0.
fn never_started() -> Exit {
    Exit {
        code: 0,
        signal: None,
        oom_killed: false,
        error: String::new(),
        started: None,
        finished: disk::now(),
        restarts: 0,
        by_user: false,
    }
}

pub(crate) fn no_stream() -> Tell {
    Tell::Misunderstood("the stream socket is missing".into())
}

pub(crate) fn failed(kind: FailureKind, message: &str) -> Tell {
    Tell::Failed(Failure::new(kind, message, 125))
}

fn done<E: std::error::Error>(doing: &str, result: Result<(), E>) -> Tell {
    match result {
        Ok(()) => Tell::Done,
        Err(error) => failed(FailureKind::System, &format!("{doing}: {}", chain(&error))),
    }
}
