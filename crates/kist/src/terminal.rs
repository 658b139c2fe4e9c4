//! The user's end of an attached process: standard streams or a raw terminal on one side, the monitor's stream socket on the other.
//!
//! ```text
//! stdin ---------> stream ---------> monitor      end of input: the socket's write side is shut
//! stdout, stderr <- stream (framed) <- monitor    a terminal's bytes come unframed
//! signals, window size ---- ask ---> monitor      answers (ended, detached) come by the same connection
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(crate) use monitor::protocol::Size;
use monitor::protocol::{Ask, Intent, Target, Tell};
use monitor::{Client, ClientError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, write};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown, socketpair,
};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use sys::signalfd::Signals;

const SIGCHLD: i32 = 17;
const SIGURG: i32 = 23;
const SIGWINCH: i32 = 28;
const SIGPIPE: i32 = 13;

/// A pair of stream sockets: ours, and the one that goes to the monitor.
pub(crate) fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Whether standard input is a terminal.
pub(crate) fn stdin_is_terminal() -> bool {
    isatty(stdin())
}

/// Whether standard output is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    isatty(stdout())
}

/// Whether standard error is a terminal.
pub(crate) fn stderr_is_terminal() -> bool {
    isatty(stderr())
}

/// The size of the user's terminal, if there is one.
pub(crate) fn size() -> Option<Size> {
    let size = [stdout(), stdin(), stderr()].into_iter().find_map(|fd| tcgetwinsize(fd).ok())?;
    (size.ws_row > 0 && size.ws_col > 0).then_some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// The user's terminal in raw mode; as it was again when dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> io::Result<Raw> {
        let old = tcgetattr(stdin())?;
        let mut raw = old.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Raw(old))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing better can be done on the way out.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.0);
    }
}

/// One attached process.
pub(crate) struct Session<'a> {
    /// The connection to its monitor.
    pub(crate) client: &'a Client,
    /// Our end of its streams.
    pub(crate) stream: OwnedFd,
    /// Which process.
    pub(crate) target: Target,
    /// Whether it has a terminal: then nothing is framed.
    pub(crate) terminal: bool,
    /// Whether our input goes to it.
    pub(crate) input: bool,
    /// Whether our signals go to it.
    pub(crate) signals: Option<Signals>,
}

/// Our input on its way to the process. What the process does not take yet is kept here, and no more is read meanwhile: a write that
/// waited would keep us from its output, which it may be waiting for us to read.
enum Input {
    /// The next is read.
    Open,
    /// This must go first.
    Untaken(Vec<u8>),
    /// No more comes.
    Ended,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The process ended; this is the message that says how.
    Told(Tell),
    /// The user typed the detach keys.
    Detached,
    /// The monitor died.
    Lost,
}

/// Signals for the process: all but those that concern our own terminal and children (docker/cli `signals.go`).
pub(crate) fn watch_signals(proxy: bool, terminal: bool) -> io::Result<Signals> {
    let all = (1..=64).filter(|n| !matches!(*n, SIGCHLD | SIGPIPE | SIGURG | 9 | 19 | 32 | 33));
    // Synchronous faults are ours, whoever asks; stop and background signals keep the shell's job control working.
    let all = all.filter(|n| !matches!(*n, 4 | 5 | 7 | 8 | 11 | 20 | 21 | 22));
    let wanted: Vec<i32> = all.filter(|n| *n == SIGWINCH || (proxy && !terminal)).collect();
    Signals::watch(&wanted)
}

impl Session<'_> {
    /// Passes bytes, signals and sizes until it ends. All output that came before the end is written first.
    ///
    /// # Errors
    /// Of the user's own streams.
    pub(crate) fn run(mut self) -> io::Result<Ended> {
        let _raw = (self.terminal && self.input && stdin_is_terminal()).then(Raw::enter).transpose()?;
        let mut frames = Frames::default();
        let (mut input, mut output) = (if self.input { Input::Open } else { Input::Ended }, true);
        let mut told = None;
        loop {
            let nobody = PollFlags::empty();
            let ready = {
                let when = |wanted: bool| if wanted { PollFlags::IN } else { nobody };
                let signals = self.signals.as_ref().map_or(self.client.as_fd(), |signals| signals.as_fd());
                let (typed, how) = match &input {
                    Input::Open => (stdin(), PollFlags::IN),
                    Input::Untaken(_) => (self.stream.as_fd(), PollFlags::OUT),
                    Input::Ended => (self.client.as_fd(), nobody),
                };
                let stream = if output { self.stream.as_fd() } else { self.client.as_fd() };
                let mut fds = [
                    PollFd::from_borrowed_fd(self.client.as_fd(), when(told.is_none())),
                    PollFd::from_borrowed_fd(stream, when(output)),
                    PollFd::from_borrowed_fd(typed, how),
                    PollFd::from_borrowed_fd(signals, when(self.signals.is_some())),
                ];
                match poll(&mut fds, None) {
                    Err(Errno::INTR) => continue,
                    other => other?,
                };
                let any = |n: usize, on: bool| on && !fds[n].revents().is_empty();
                [
                    any(0, told.is_none()),
                    any(1, output),
                    any(2, !matches!(input, Input::Ended)),
                    any(3, self.signals.is_some()),
                ]
            };
            if ready[1] {
                output = self.copy_output(&mut frames)?;
            }
            if ready[2] {
                input = self.copy_input(input);
            }
            if ready[3] {
                self.pass_signals()?;
            }
            if ready[0] {
                match self.client.tell() {
                    Ok(Tell::Detached) => return Ok(Ended::Detached),
                    Ok(
                        tell @ (Tell::Exited(_)
                        | Tell::ExecExited { .. }
                        | Tell::Failed(_)
                        | Tell::Refused(_)
                        | Tell::Misunderstood(_)),
                    ) => {
                        told = Some(Ended::Told(tell));
                    }
                    Ok(Tell::Started { .. } | Tell::Attached | Tell::ExecStarted { .. } | Tell::Done) => {}
                    Err(ClientError::Gone) => told = Some(Ended::Lost),
                    Err(other) => return Err(io::Error::other(other)),
                }
            }
            if !output && let Some(ended) = told.take() {
                return Ok(ended);
            }
        }
    }

    /// Whether more may come.
    fn copy_output(&self, frames: &mut Frames) -> io::Result<bool> {
        let mut buffer = [0u8; 32 * 1024];
        let count = match recv(&self.stream, &mut buffer[..], RecvFlags::empty()) {
            Ok((0, _)) | Err(Errno::CONNRESET) => return Ok(false),
            Ok((count, _)) => count,
            Err(Errno::INTR) => return Ok(true),
            Err(e) => return Err(e.into()),
        };
        if self.terminal {
            write_all(stdout(), &buffer[..count])?;
        } else {
            frames.feed(&buffer[..count], &mut |stream, bytes| {
                write_all(if stream == 2 { stderr() } else { stdout() }, bytes)
            })?;
        }
        Ok(true)
    }

    /// One step. What the process will never take is lost, as on any broken pipe.
    fn copy_input(&self, input: Input) -> Input {
        let bytes = match input {
            Input::Ended => return Input::Ended,
            Input::Untaken(bytes) => bytes,
            Input::Open => {
                let mut buffer = [0u8; 32 * 1024];
                match read(stdin(), &mut buffer) {
                    Ok(count) if count > 0 => buffer[..count].to_vec(),
                    Err(Errno::INTR | Errno::AGAIN) => return Input::Open,
                    Ok(_) | Err(_) => return self.end_input(),
                }
            }
        };
        match send(&self.stream, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(taken) if taken == bytes.len() => Input::Open,
            Ok(taken) => Input::Untaken(bytes[taken..].to_vec()),
            Err(Errno::INTR | Errno::AGAIN | Errno::NOBUFS) => Input::Untaken(bytes),
            Err(_) => self.end_input(),
        }
    }

    fn end_input(&self) -> Input {
        // A process that is gone already needs no word of it.
        let _ = shutdown(&self.stream, Shutdown::Write);
        Input::Ended
    }

    fn pass_signals(&mut self) -> io::Result<()> {
        while let Some(number) = self.signals.as_ref().map(Signals::next).transpose()?.flatten() {
            let ask = match (number, size()) {
                (SIGWINCH, Some(size)) if self.terminal => Ask::Resize { process: self.target.clone(), size },
                (SIGWINCH, _) => continue,
                (number, _) => Ask::Signal { number, intent: Intent::Notify },
            };
            // A monitor that is gone is noticed by the loop.
            let _ = self.client.ask(&ask, &[]);
        }
        Ok(())
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // A user's pipe may be non-blocking.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None)?;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Takes Docker's frames apart: `[stream, 0, 0, 0, length as 32 bits big-endian]` and the bytes.
#[derive(Default)]
struct Frames {
    header: Vec<u8>,
    left: usize,
}

impl Frames {
    fn feed(&mut self, mut bytes: &[u8], to: &mut dyn FnMut(u8, &[u8]) -> io::Result<()>) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let take = bytes.len().min(8 - self.header.len());
                self.header.extend_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                if let [_, _, _, _, a, b, c, d] = *self.header.as_slice() {
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    if self.left == 0 {
                        self.header.clear();
                    }
                }
                continue;
            }
            let take = bytes.len().min(self.left);
            to(self.header[0], &bytes[..take])?;
            bytes = &bytes[take..];
            self.left -= take;
            if self.left == 0 {
                self.header.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_in_any_pieces() {
        let mut stream = Vec::new();
        for (kind, text) in [(1u8, "hello"), (2, ""), (2, "oops"), (1, "bye")] {
            stream.extend([kind, 0, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap()]);
            stream.extend(text.as_bytes());
        }
        for size in 1..=stream.len() {
            let (mut frames, mut out, mut err) = (Frames::default(), Vec::new(), Vec::new());
            for piece in stream.chunks(size) {
                frames
                    .feed(piece, &mut |kind, bytes| {
                        if kind == 2 {
                            err.extend_from_slice(bytes)
                        } else {
                            out.extend_from_slice(bytes)
                        }
                        Ok(())
                    })
                    .unwrap();
            }
            assert_eq!((out.as_slice(), err.as_slice()), (&b"hellobye"[..], &b"oops"[..]));
        }
    }
}
