//! A terminal for interactive commands: types, waits for text, changes its size.

use crate::kist::{code, wait};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long text may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A command whose controlling terminal we hold. Dropping it kills the command.
pub struct Pty {
    terminal: OwnedFd,
    child: Child,
    /// What was read and not yet asked for.
    seen: Vec<u8>,
}

impl Pty {
    /// Starts the command's program with its arguments and environment on a new terminal of 24 rows and 80 columns. Through setsid(1),
    /// since taking a terminal between fork and exec needs code that Rust calls unsafe.
    pub fn spawn(command: &Command) -> Pty {
        let terminal = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        rustix::pty::grantpt(&terminal).unwrap();
        rustix::pty::unlockpt(&terminal).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let user = rustix::pty::ioctl_tiocgptpeer(&terminal, flags).unwrap();
        let mut setsid = Command::new("setsid");
        setsid.arg("--ctty").arg(command.get_program()).args(command.get_args()).env("TERM", "xterm");
        setsid.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        setsid.stdin(user.try_clone().unwrap()).stdout(user.try_clone().unwrap()).stderr(user);
        let child = setsid.spawn().unwrap();
        let pty = Pty { terminal, child, seen: Vec::new() };
        pty.resize(24, 80);
        pty
    }

    /// Types. A newline is the key Enter.
    pub fn write(&self, text: &str) {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            let written = rustix::io::write(&self.terminal, bytes).unwrap();
            bytes = &bytes[written..];
        }
    }

    /// Reads until the text has come and returns everything up to its end, as the terminal got it (`\r\n`).
    ///
    /// # Panics
    /// When it has not come after twenty seconds or the terminal was hung up; the message has what came instead.
    pub fn read_until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.seen.windows(text.len().max(1)).position(|window| window == text.as_bytes());
            if let Some(at) = found {
                let rest = self.seen.split_off(at + text.len());
                return String::from_utf8_lossy(&std::mem::replace(&mut self.seen, rest)).into_owned();
            }
            let open = self.read_some(deadline);
            let seen = String::from_utf8_lossy(&self.seen);
            assert!(open, "the terminal was hung up before {text:?}; it showed {seen:?}");
            assert!(Instant::now() < deadline, "no {text:?} in time; the terminal showed {seen:?}");
        }
    }

    /// Reads to the end, waits for the command, and returns what came and its exit code.
    ///
    /// # Panics
    /// When it does not end within twenty seconds.
    pub fn finish(mut self) -> (String, i32) {
        let deadline = Instant::now() + PATIENCE;
        while self.read_some(deadline) {
            let seen = String::from_utf8_lossy(&self.seen);
            assert!(Instant::now() < deadline, "the command does not end; the terminal showed {seen:?}");
        }
        let status = wait(&mut self.child, PATIENCE).expect("the command ends after its terminal was closed");
        (String::from_utf8_lossy(&self.seen).into_owned(), code(status))
    }

    /// Changes the terminal's size; the command's process group gets SIGWINCH.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.terminal, size).unwrap();
    }

    /// Sends the command a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// The command's process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether the terminal is still open. Returns at the deadline at the latest.
    fn read_some(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = left.try_into().unwrap();
        let mut fds = [PollFd::new(&self.terminal, PollFlags::IN)];
        if rustix::io::retry_on_intr(|| poll(&mut fds, Some(&timeout))).unwrap() == 0 {
            return true;
        }
        let mut buffer = [0; 4096];
        // A terminal whose last user is gone answers EIO.
        match rustix::io::read(self.terminal.as_fd(), &mut buffer) {
            Ok(0) | Err(rustix::io::Errno::IO) => false,
            Ok(read) => {
                self.seen.extend(&buffer[..read]);
                true
            }
            Err(error) => panic!("reading the terminal: {error}"),
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pty;
    use std::process::Command;

    #[test]
    fn a_shell_reads_a_line_and_sees_the_new_size() {
        let mut command = Command::new("sh");
        command.args(["-c", "read x; echo got $x; read y; stty size; exit 3"]);
        let mut pty = Pty::spawn(&command);
        pty.write("hello\n");
        assert_eq!(pty.read_until("got hello"), "hello\r\ngot hello");
        pty.resize(30, 100);
        pty.write("\n");
        let (rest, code) = pty.finish();
        assert_eq!((rest.as_str(), code), ("\r\n\r\n30 100\r\n", 3));
    }
}
