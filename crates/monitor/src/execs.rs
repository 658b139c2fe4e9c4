//! Processes beside the container's first: those that users run, and health checks.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use runtime::{Exec as RuntimeExec, Launched};
use rustix::event::PollFlags;
use spec::bundle::{Bundle, Process};
use spec::container::Streams;
use spec::event::ContainerAct;
use spec::time::Time;

use crate::events;
use crate::health::{Check, OUTPUT_BYTES};
use crate::hub::{self, AtEnd, Hub, Port};
use crate::keys::Scanner;
use crate::owner::{Alarm, Owner};
use crate::prepare::{self, Ends, StartError};
use crate::protocol::{Exec, ExecId, FailureKind, Size, Tell};
use crate::run::{DRAIN, Fate, reap};
use crate::status::{ExecEnd, ExecState, Refused, Status, Verb};
use crate::viewer::View;
use crate::visits::{failed, no_stream};

/// So many execs that ended are remembered.
const REMEMBERED: usize = 32;
const SIGKILL: i32 = 9;

/// A process beside the first.
#[derive(Debug)]
pub(crate) struct ExecRun {
    pub(crate) number: u64,
    pidfd: OwnedFd,
    pub(crate) hub: Hub,
    purpose: Purpose,
    ended: Option<Fate>,
    /// Its end was told; only its viewers have not read all.
    told: bool,
}

#[derive(Debug)]
enum Purpose {
    /// A user's.
    User { id: ExecId, visitor: u64 },
    /// A health check.
    Check { id: ExecId, start: Time },
}

impl ExecRun {
    pub(crate) fn is(&self, wanted: &ExecId) -> bool {
        matches!(&self.purpose, Purpose::User { id, .. } if id == wanted)
    }

    fn id(&self) -> &ExecId {
        match &self.purpose {
            Purpose::User { id, .. } | Purpose::Check { id, .. } => id,
        }
    }

    /// The process, as long as its end was not seen.
    pub(crate) fn alive(&self) -> Option<BorrowedFd<'_>> {
        self.ended.is_none().then(|| self.pidfd.as_fd())
    }
}

impl Owner {
    pub(crate) fn exec(&mut self, from: u64, exec: Exec, fds: Vec<OwnedFd>) -> Result<Option<Tell>, Refused> {
        self.state.status.running(Verb::Exec)?;
        if self.state.execs.iter().any(|known| known.id == exec.id) {
            return Ok(Some(failed(FailureKind::Exec, &format!("exec {} was run already", exec.id))));
        }
        let Exec { id, process, streams, framing, detach_keys, console } = exec;
        let socket = fds.into_iter().next();
        if socket.is_none() && streams != Streams::default() {
            return Ok(Some(no_stream()));
        }
        self.note_exec(&id, &process.args);
        let (launched, mut hub) = match self.launch_beside(&process, streams, console, None) {
            Ok(started) => started,
            Err(error) => {
                let failure = error.failure();
                let ended = Some(ExecEnd { code: failure.exit_code, at: disk::now() });
                self.remember(ExecState { id, pid: 0, ended });
                return Ok(Some(Tell::Failed(failure)));
            }
        };
        let pid = launched.pid.as_raw_nonzero().get();
        self.remember(ExecState { id: id.clone(), pid, ended: None });
        // Told before the first byte comes.
        self.tell(from, &Tell::ExecStarted { id: id.clone(), pid });
        if let Some(socket) = socket {
            let keys = process.terminal.then(|| Scanner::new(detach_keys));
            let number = self.number();
            hub.add(number, View { visitor: from, socket, streams, framing, keys, replay: None });
        }
        let number = self.number();
        let purpose = Purpose::User { id, visitor: from };
        self.execs.push(ExecRun { number, pidfd: launched.pidfd, hub, purpose, ended: None, told: false });
        Ok(None)
    }

    /// Docker's two steps: made, and about to be started.
    fn note_exec(&mut self, id: &ExecId, command: &[String]) {
        self.note(ContainerAct::ExecCreate { exec: id.as_str(), command });
        self.note(ContainerAct::ExecStart { exec: id.as_str(), command });
    }

    fn launch_beside(
        &self,
        process: &Process,
        streams: Streams,
        console: Option<Size>,
        keep: Option<usize>,
    ) -> Result<(Launched, Hub), StartError> {
        let bundle: Bundle = self.bundle()?;
        let Some(run) = &self.run else { return Err(StartError::Missing("the container's process")) };
        let Ends { its, ours } = prepare::streams(process.terminal, streams, console)?;
        let mut launched = runtime::exec(RuntimeExec {
            process,
            target: run.pidfd(),
            namespaces: &bundle.namespaces,
            seccomp: &bundle.seccomp,
            stdio: its,
            cgroup: Some(&run.cgroup),
        })?;
        let mut hub = Hub::new(AtEnd::Close, process.terminal, None);
        if let Some(bytes) = keep {
            hub.keep(bytes);
        }
        hub.connect(launched.terminal.take().map_or(ours, hub::Stdio::Terminal))
            .map_err(|e| StartError::Io("connecting its streams", e))?;
        Ok((launched, hub))
    }

    fn remember(&mut self, exec: ExecState) {
        self.state.execs.push(exec);
        while self.state.execs.iter().filter(|exec| exec.ended.is_some()).count() > REMEMBERED
            && let Some(oldest) = self.state.execs.iter().position(|exec| exec.ended.is_some())
        {
            self.state.execs.remove(oldest);
        }
        let _ = self.save();
    }

    fn exec_numbered(&mut self, number: u64) -> Option<&mut ExecRun> {
        self.execs.iter_mut().find(|exec| exec.number == number)
    }

    pub(crate) fn exec_port_ready(&mut self, number: u64, port: Port, events: PollFlags) {
        let Some(exec) = self.exec_numbered(number) else { return };
        let detached = exec.hub.ready(port, events, disk::now());
        let over = exec.ended.is_some() && exec.hub.is_drained();
        let id = exec.id().clone();
        if let Some(detached) = detached {
            self.note(ContainerAct::ExecDetach { exec: id.as_str() });
            self.tell(detached.visitor, &Tell::Detached);
        }
        if over {
            self.finish_exec(number);
        }
    }

    pub(crate) fn exec_ended(&mut self, number: u64) {
        let Some(exec) = self.exec_numbered(number) else { return };
        exec.ended = reap(exec.pidfd.as_fd());
        if exec.ended.is_none() {
            return;
        }
        if exec.hub.drain(disk::now()) {
            self.finish_exec(number);
        } else {
            self.alarm(DRAIN, Alarm::ExecUndrained(number));
        }
    }

    /// The end is recorded, told, and then released as end of file. Called again for viewers that have read the rest.
    pub(crate) fn finish_exec(&mut self, number: u64) {
        let now = disk::now();
        let Some(at) = self.execs.iter().position(|exec| exec.number == number) else { return };
        let exec = &mut self.execs[at];
        let Some(fate) = exec.ended else { return };
        if !exec.told {
            exec.told = true;
            exec.hub.disconnect(now);
            self.alarms.retain(
                |(_, alarm)| !matches!(alarm, Alarm::ExecUndrained(n) | Alarm::CheckTooLong(n) if *n == number),
            );
            let id = self.execs[at].id().clone();
            self.note(ContainerAct::ExecDie { exec: id.as_str(), exit_code: fate.code });
            match &self.execs[at].purpose {
                Purpose::User { id, visitor } => {
                    let (id, visitor) = (id.clone(), *visitor);
                    if let Some(state) = self.state.execs.iter_mut().find(|state| state.id == id) {
                        state.ended = Some(ExecEnd { code: fate.code, at: now });
                    }
                    let _ = self.save();
                    self.tell(visitor, &Tell::ExecExited { id, code: fate.code });
                }
                Purpose::Check { start, .. } => {
                    let start = *start;
                    let output = String::from_utf8_lossy(&self.execs[at].hub.kept()).into_owned();
                    self.checked(Check { start, end: now, code: fate.code, output });
                }
            }
        }
        self.execs[at].hub.close_viewers();
        if !self.execs[at].hub.has_viewers() {
            self.execs.remove(at);
        }
    }

    /// The container has ended, and with it all its processes.
    pub(crate) fn end_execs(&mut self) {
        let numbers: Vec<u64> = self.execs.iter().filter(|exec| !exec.told).map(|exec| exec.number).collect();
        for number in numbers {
            let Some(exec) = self.exec_numbered(number) else { continue };
            if exec.ended.is_none() {
                // Without control groups of its own nobody has killed it yet.
                let _ = sys::pidfd::send(exec.pidfd.as_fd(), SIGKILL);
                exec.ended = wait_and_reap(exec.pidfd.as_fd());
            }
            exec.hub.drain(disk::now());
            if matches!(exec.purpose, Purpose::Check { .. }) {
                let (id, fate) = (exec.id().clone(), exec.ended);
                self.execs.retain(|exec| exec.number != number);
                let exit_code = fate.map_or(128 + SIGKILL, |fate| fate.code);
                self.note(ContainerAct::ExecDie { exec: id.as_str(), exit_code });
            } else {
                self.finish_exec(number);
            }
        }
    }

    /// Plans the next health check.
    pub(crate) fn plan_check(&mut self) {
        let (Some(rules), Some(health), Some(run)) = (&self.habits.health, &self.state.health, &self.run) else {
            return;
        };
        let pause = health.pause(rules, run.began.elapsed());
        self.alarm(pause, Alarm::Check);
    }

    /// A health check is due.
    pub(crate) fn check(&mut self) {
        let Some(rules) = &self.habits.health else { return };
        // A paused container is neither well nor ill.
        if !matches!(self.state.status, Status::Running(_)) {
            return self.plan_check();
        }
        let (command, timeout) = (rules.command.clone(), rules.timeout);
        let start = disk::now();
        let id = check_id();
        self.note_exec(&id, &command);
        let launched = self.bundle().and_then(|bundle| {
            let process = Process { args: command, terminal: false, ..bundle.process };
            let output = Streams { stdin: false, stdout: true, stderr: true };
            self.launch_beside(&process, output, None, Some(OUTPUT_BYTES))
        });
        match launched {
            Ok((launched, hub)) => {
                let number = self.number();
                let purpose = Purpose::Check { id, start };
                self.execs.push(ExecRun { number, pidfd: launched.pidfd, hub, purpose, ended: None, told: false });
                self.alarm(timeout, Alarm::CheckTooLong(number));
            }
            Err(error) => {
                let output = prepare::chain(&error);
                self.checked(Check { start, end: disk::now(), code: -1, output });
            }
        }
    }

    pub(crate) fn check_took_too_long(&mut self, number: u64) {
        let Some(rules) = &self.habits.health else { return };
        let output = format!("Health check exceeded timeout ({:?})", rules.timeout);
        let Some(at) = self.execs.iter().position(|exec| exec.number == number && !exec.told) else { return };
        let exec = self.execs.remove(at);
        let _ = sys::pidfd::send(exec.pidfd.as_fd(), SIGKILL);
        let exit_code = wait_and_reap(exec.pidfd.as_fd()).map_or(128 + SIGKILL, |fate| fate.code);
        self.note(ContainerAct::ExecDie { exec: exec.id().as_str(), exit_code });
        if let Purpose::Check { start, .. } = exec.purpose {
            self.checked(Check { start, end: disk::now(), code: -1, output });
        }
    }

    fn checked(&mut self, check: Check) {
        let age = self.run.as_ref().map_or(Instant::now().elapsed(), |run| run.began.elapsed());
        if let (Some(rules), Some(health)) = (&self.habits.health, &mut self.state.health) {
            let before = health.verdict;
            health.record(check, rules, age);
            let verdict = health.verdict;
            let _ = self.save();
            if verdict != before {
                self.note(events::health(verdict));
            }
        }
        self.plan_check();
    }
}

/// What a health check is called: nobody asks for it, so it need not be known beforehand.
fn check_id() -> ExecId {
    let mut bytes = [0; 32];
    // Only a signal could make it shorter, and then it is not as random.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    spec::digest::hex(&bytes).try_into().expect("hexadecimal digits")
}

/// Reaps a process that was killed.
fn wait_and_reap(pidfd: BorrowedFd<'_>) -> Option<Fate> {
    let mut ports = [rustix::event::PollFd::new(&pidfd, PollFlags::IN)];
    // A process that hangs in the kernel dies later, and is the system's to reap then.
    let limit = rustix::event::Timespec { tv_sec: DRAIN.as_secs().cast_signed(), tv_nsec: 0 };
    let _ = rustix::event::poll(&mut ports, Some(&limit));
    reap(pidfd).or(Some(Fate { code: 137, signal: Some(SIGKILL) }))
}
