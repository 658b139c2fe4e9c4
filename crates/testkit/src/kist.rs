//! The driver: runs the program under test as a user would, with roots of its own, and checks when it is dropped that nothing is left.

use crate::{Faults, Machine, Marker, Pty, Root, Snapshot, scrub};
use rustix::process::{Pid, Signal};
use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// No command of a test takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One engine with a private `--root` and `--run-root`. When it is dropped it removes all its containers with `rm -f`; then no mount,
/// process, cgroup, network namespace and open file that carries its mark may be left. A failing test is cleaned up by force instead.
pub struct Kist {
    program: PathBuf,
    root: Root,
    env: Vec<(String, String)>,
    marker: RefCell<Marker>,
    /// The host it is on, which ends after it; without one, the computer itself.
    machine: Option<Machine>,
}

/// What a finished command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; 128 + n when signal n killed it, as a shell says it.
    pub code: i32,
    root: PathBuf,
}

impl Kist {
    /// An engine without images. `program` is `env!("CARGO_BIN_EXE_kist")`, which only the calling test knows; `KIST_TEST_BIN` overrules
    /// it where the tests run on another machine than they were built on.
    pub fn new(program: &str) -> Kist {
        Kist::at(std::env::var_os("KIST_TEST_BIN").map_or_else(|| PathBuf::from(program), PathBuf::from))
    }

    /// The same on a host of the test's own.
    pub(crate) fn on(program: &str, machine: &Machine) -> Kist {
        let mut kist = Kist::new(program);
        kist.machine = Some(machine.clone());
        kist
    }

    fn at(program: PathBuf) -> Kist {
        let root = Root::new();
        Kist { program, marker: RefCell::new(root.marker()), env: Vec::new(), root, machine: None }
    }

    /// An engine with the image `busybox:latest`.
    pub fn with_busybox(program: &str) -> Kist {
        let kist = Kist::new(program);
        kist.load(&crate::busybox_image());
        kist
    }

    /// Loads an archive and says what `load` says.
    pub fn load(&self, archive: &Path) -> String {
        self.ok(&["load", "-i", archive.to_str().unwrap()])
    }

    /// Loads an image that was just made.
    pub fn load_image(&self, image: &crate::ImageBuilder) -> String {
        self.load(&self.root.write("image.tar", image.docker_archive()))
    }

    /// The directory given as `--root`.
    pub fn root(&self) -> PathBuf {
        self.root.join("root")
    }

    /// The directory given as `--run-root`.
    pub fn run_root(&self) -> PathBuf {
        self.root.join("run")
    }

    /// A private directory for the test's own files: the parent of both.
    pub fn scratch(&self) -> &Root {
        &self.root
    }

    /// Adds a variable to the environment of each command from now on.
    pub fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// The command with its roots and the given arguments, not yet started; for what the other methods cannot do.
    pub fn command(&self, args: &[&str]) -> Command {
        let on = |machine: &Machine| machine.command(&self.program);
        let mut command = self.machine.as_ref().map_or_else(|| Command::new(&self.program), on);
        command.arg("--root").arg(self.root()).arg("--run-root").arg(self.run_root()).args(args);
        // The mark in the environment is inherited by the monitor, whose command line may say anything.
        command.env("KIST_TEST", self.root.path()).env("DOCKER_CONFIG", self.root.join("docker-config"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end with empty input.
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_with_input(args, "")
    }

    /// Runs a command to its end with the given input.
    pub fn run_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> Output {
        let mut running = self.spawn(args);
        // A program that does not read its input is no error of the test.
        let _ = running.stdin().write_all(input.as_ref());
        running.close_stdin();
        running.wait()
    }

    /// Runs a command to its end while a fault is armed; see [`crate::for_each_fault`].
    pub fn run_with_faults(&self, args: &[&str], faults: &Faults) -> Output {
        let mut command = self.command(args);
        faults.arm(&mut command);
        let mut running = self.start(command);
        running.close_stdin();
        running.wait()
    }

    /// Runs a command that must succeed and returns its standard output without the last newline.
    ///
    /// # Panics
    /// When it fails.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.code, 0, "kist {}\n{}{}", args.join(" "), output.stdout, output.stderr);
        output.stdout.strip_suffix('\n').unwrap_or(&output.stdout).to_owned()
    }

    /// Runs a command that must fail.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn fails(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert_ne!(output.code, 0, "kist {} should have failed\n{}{}", args.join(" "), output.stdout, output.stderr);
        output
    }

    /// Starts a command and leaves it running, input and outputs being pipes.
    pub fn spawn(&self, args: &[&str]) -> Running<'_> {
        self.start(self.command(args))
    }

    /// Starts a command on a terminal of 24 rows and 80 columns.
    pub fn pty(&self, args: &[&str]) -> Pty {
        Pty::spawn(&self.command(args))
    }

    /// Waits until `probe` says true.
    ///
    /// # Panics
    /// After ten seconds.
    pub fn wait_until(&self, what: &str, mut probe: impl FnMut(&Kist) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !probe(self) {
            assert!(Instant::now() < deadline, "waited ten seconds for: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Removes all containers and asserts that nothing carries this engine's mark; also done when it is dropped.
    ///
    /// # Panics
    /// When something is left.
    pub fn assert_clean(&self) {
        self.remove_all();
        self.learn_ids();
        Snapshot::nothing(&self.marker.borrow()).assert_unchanged();
    }

    fn start(&self, mut command: Command) -> Running<'_> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Running { kist: self, child, stdin, stdout: collect(stdout), stderr: collect(stderr) }
    }

    fn remove_all(&self) {
        let listed = self.run(&["ps", "-aq", "--no-trunc"]);
        self.marker.borrow_mut().add_ids_of(&listed.stdout);
        for id in listed.stdout.split_whitespace() {
            self.run(&["rm", "-f", id]);
        }
        // On a host of the test's own it has networks; their idle devices stay until somebody asks for them to go.
        if self.machine.is_some() {
            self.run(&["network", "prune", "-f"]);
        }
    }

    /// Containers that were removed are known from what was written while they lived.
    fn learn_ids(&self) {
        let mut marker = self.marker.borrow_mut();
        for dir in [self.root().join("containers"), self.run_root()] {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                marker.add_ids_of(&entry.file_name().to_string_lossy());
            }
        }
        marker.add_ids_of(&fs::read_to_string(self.root().join("events.log")).unwrap_or_default());
    }
}

impl Drop for Kist {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_clean();
            return;
        }
        self.remove_all();
        for thing in Snapshot::nothing(&self.marker.borrow()).grown() {
            let pid = thing.strip_prefix("process ").and_then(|rest| rest.split(' ').next()?.parse().ok());
            if let Some(pid) = pid.and_then(Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// A command that runs. Dropping it kills it.
pub struct Running<'a> {
    kist: &'a Kist,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: mpsc::Receiver<Vec<u8>>,
    stderr: mpsc::Receiver<Vec<u8>>,
}

impl Running<'_> {
    /// Its input.
    ///
    /// # Panics
    /// After [`Running::close_stdin`].
    pub fn stdin(&mut self) -> &mut ChildStdin {
        self.stdin.as_mut().expect("the input is still open")
    }

    /// Ends its input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time, or another process still holds its outputs five seconds later.
    pub fn wait(mut self) -> Output {
        self.close_stdin();
        let status = wait(&mut self.child, PATIENCE).expect("the command ends within a minute");
        let output = Output {
            stdout: all(&self.stdout, "standard output"),
            stderr: all(&self.stderr, "standard error"),
            code: code(status),
            root: self.kist.root.path().to_owned(),
        };
        self.kist.marker.borrow_mut().add_ids_of(&output.stdout);
        output
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Output {
    /// Both outputs and a code that is not 0, without what differs from run to run, for a snapshot; [`crate::scrub`] says what goes.
    pub fn scrubbed(&self) -> String {
        let mut text = scrub(&self.stdout, &self.root);
        if !self.stderr.is_empty() {
            text.push_str("[stderr]\n");
            text.push_str(&scrub(&self.stderr, &self.root));
        }
        if self.code != 0 {
            text.push_str(&format!("[exit {}]\n", self.code));
        }
        text
    }
}

/// Reads to the end in a thread of its own, so that neither output can fill up and block the other.
fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

fn all(receiver: &mpsc::Receiver<Vec<u8>>, what: &str) -> String {
    let bytes = receiver.recv_timeout(Duration::from_secs(5));
    let bytes = bytes.unwrap_or_else(|_| panic!("the command has ended, but another process still holds its {what}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits on a descriptor of the process, so that nothing polls the clock; `None` when time is up.
pub(crate) fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let pidfd = rustix::process::pidfd_open(Pid::from_child(child), rustix::process::PidfdFlags::empty()).unwrap();
    let timeout = rustix::time::Timespec { tv_sec: patience.as_secs().try_into().unwrap(), tv_nsec: 0 };
    let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&timeout))).unwrap();
    (ready > 0).then(|| child.wait().unwrap())
}

pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::Kist;
    use rustix::process::Signal;

    #[test]
    fn roots_come_before_the_arguments_and_are_scrubbed() {
        let kist = Kist::at("/bin/echo".into());
        assert_eq!(kist.run(&["hello"]).scrubbed(), "--root <root>/root --run-root <root>/run hello\n");
        assert_eq!(kist.ok(&["x"]).lines().count(), 1);
    }

    #[test]
    fn a_failure_and_a_signal_are_codes() {
        assert_eq!(Kist::at("/bin/false".into()).fails(&["x"]).scrubbed(), "[exit 1]\n");
        let kist = Kist::at("/bin/true".into());
        let mut sleep = std::process::Command::new("sleep");
        sleep.arg("100");
        let running = kist.start(sleep);
        running.signal(Signal::KILL);
        assert_eq!(running.wait().code, 137);
    }
}
