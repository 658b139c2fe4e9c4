//! The stdio of one process: its pipes or its terminal on one side, any number of visitors and the log on the other.
//!
//! Output is read only while every visitor keeps up: a slow one makes the container wait, as with Docker, and a dead one is dropped at
//! once. Bytes go to all in the order they were read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::{Errno, read, write};
use rustix::termios::{Winsize, tcsetwinsize};
use spec::time::Time;

use crate::framing::Stream;
use crate::log;
use crate::protocol::Size;
use crate::viewer::{Typed, View, Viewer};

/// As much as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// What becomes of a process's input when a visitor's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// It ends too.
    Close,
    /// It waits for the next visitor.
    Keep,
}

/// A process's side.
#[derive(Debug)]
pub(crate) enum Stdio {
    /// It reads and writes nothing of ours.
    Nothing,
    /// Pipes, where wanted.
    Pipes { stdin: Option<OwnedFd>, stdout: Option<OwnedFd>, stderr: Option<OwnedFd> },
    /// The master of its terminal.
    Terminal(OwnedFd),
}

/// A hub.
#[derive(Debug)]
pub(crate) struct Hub {
    viewers: Vec<Viewer>,
    outputs: Vec<(Stream, OwnedFd)>,
    input: Option<OwnedFd>,
    /// Input that the process has not taken yet.
    untaken: Vec<u8>,
    input_ends: bool,
    at_end: AtEnd,
    terminal: bool,
    log: Option<log::Writer>,
    /// So much of the output is kept here, where it goes to nobody else.
    keep: usize,
    kept: Vec<u8>,
}

/// One thing to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Input,
    Output(Stream),
    Viewer(u64),
}

/// A visitor left by the detach keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Detached {
    pub(crate) visitor: u64,
}

impl Hub {
    pub(crate) fn new(at_end: AtEnd, terminal: bool, log: Option<log::Writer>) -> Hub {
        let at_end = if terminal { AtEnd::Keep } else { at_end };
        Hub {
            viewers: Vec::new(),
            outputs: Vec::new(),
            input: None,
            untaken: Vec::new(),
            input_ends: false,
            at_end,
            terminal,
            log,
            keep: 0,
            kept: Vec::new(),
        }
    }

    /// Keeps the first `bytes` of the output.
    pub(crate) fn keep(&mut self, bytes: usize) {
        self.keep = bytes;
    }

    /// What was kept.
    pub(crate) fn kept(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A process begins.
    pub(crate) fn connect(&mut self, stdio: Stdio) -> io::Result<()> {
        self.outputs.clear();
        self.untaken = Vec::new();
        self.input_ends = false;
        self.input = match stdio {
            Stdio::Nothing => None,
            Stdio::Pipes { stdin, stdout, stderr } => {
                self.outputs.extend(stdout.map(|fd| (Stream::Stdout, fd)));
                self.outputs.extend(stderr.map(|fd| (Stream::Stderr, fd)));
                stdin
            }
            Stdio::Terminal(master) => {
                let input = master.try_clone()?;
                self.outputs.push((Stream::Stdout, master));
                Some(input)
            }
        };
        if let Some(input) = &self.input {
            // Ours alone: the process has the other end, which is another open file.
            rustix::io::ioctl_fionbio(input, true)?;
        } else {
            self.viewers.iter_mut().for_each(Viewer::ignore_input);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, number: u64, view: View) {
        let mut viewer = Viewer::new(number, view);
        viewer.flush(|stream| unwritten(self.log.as_ref(), stream));
        self.viewers.push(viewer);
        self.sweep();
    }

    /// The visitor that attached them is gone: only those with a socket of their own go on.
    pub(crate) fn has_viewers(&self) -> bool {
        !self.viewers.is_empty()
    }

    pub(crate) fn resize(&self, size: Size) -> io::Result<()> {
        match self.outputs.first() {
            Some((_, master)) if self.terminal => Ok(tcsetwinsize(master, winsize(size))?),
            Some(_) | None => Ok(()),
        }
    }

    /// What to wake up for.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (Port, BorrowedFd<'_>, PollFlags)> {
        let keeps_up = self.viewers.iter().all(Viewer::keeps_up);
        let outputs = self.outputs.iter().filter(move |_| keeps_up);
        let outputs = outputs.map(|(stream, fd)| (Port::Output(*stream), fd.as_fd(), PollFlags::IN));
        let input = self.input.as_ref().filter(|_| !self.untaken.is_empty());
        let input = input.map(|fd| (Port::Input, fd.as_fd(), PollFlags::OUT));
        let wanted = self.input.is_some() && self.untaken.is_empty();
        let viewers = self
            .viewers
            .iter()
            .filter_map(move |viewer| Some((Port::Viewer(viewer.number), viewer.socket(), viewer.interest(wanted)?)));
        outputs.chain(input).chain(viewers)
    }

    /// Something happened at a port.
    pub(crate) fn ready(&mut self, port: Port, events: PollFlags, now: Time) -> Option<Detached> {
        let detached = match port {
            Port::Input => {
                self.feed();
                None
            }
            Port::Output(stream) => {
                self.pass_on(stream, now);
                None
            }
            Port::Viewer(number) => self.viewer_ready(number, events),
        };
        self.sweep();
        detached
    }

    fn viewer_ready(&mut self, number: u64, events: PollFlags) -> Option<Detached> {
        let wanted = self.input.is_some() && self.untaken.is_empty();
        let log = self.log.as_ref();
        let viewer = self.viewers.iter_mut().find(|viewer| viewer.number == number)?;
        if events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            viewer.go_deaf();
        }
        if events.contains(PollFlags::OUT) {
            viewer.flush(|stream| unwritten(log, stream));
        }
        if !(wanted && viewer.has_input() && events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)) {
            return None;
        }
        match viewer.read() {
            Typed::Nothing => None,
            Typed::Bytes(bytes) => {
                self.untaken = bytes;
                self.feed();
                None
            }
            Typed::End => {
                self.end_input();
                None
            }
            Typed::Detach(bytes) => {
                let visitor = viewer.visitor;
                viewer.close();
                self.untaken = bytes;
                self.feed();
                Some(Detached { visitor })
            }
        }
    }

    fn end_input(&mut self) {
        if self.at_end == AtEnd::Close {
            self.input_ends = true;
            self.feed();
        }
    }

    fn feed(&mut self) {
        let Some(input) = &self.input else { return };
        while !self.untaken.is_empty() {
            match write(input, &self.untaken) {
                Ok(taken) if taken == self.untaken.len() => self.untaken = Vec::new(),
                Ok(taken) => {
                    self.untaken.drain(..taken);
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                // The process closed it: nothing more will be read from anybody.
                Err(_) => {
                    self.untaken = Vec::new();
                    self.input_ends = true;
                }
            }
        }
        if self.input_ends {
            self.input = None;
            self.viewers.iter_mut().for_each(Viewer::ignore_input);
        }
    }

    fn pass_on(&mut self, stream: Stream, now: Time) {
        let Some(at) = self.outputs.iter().position(|(of, _)| *of == stream) else { return };
        let mut bytes = Vec::with_capacity(CHUNK);
        match read(&self.outputs[at].1, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(_) if bytes.is_empty() => {
                self.outputs.remove(at);
            }
            Ok(_) => {
                for viewer in &mut self.viewers {
                    viewer.output(stream, &bytes);
                }
                if let Some(log) = &mut self.log {
                    log.write(stream, &bytes, now);
                }
                let room = self.keep - self.kept.len();
                self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // EIO: nobody has the terminal open any more.
            Err(_) => {
                self.outputs.remove(at);
            }
        }
    }

    /// Whether all output was read to its end.
    pub(crate) fn is_drained(&self) -> bool {
        self.outputs.is_empty()
    }

    /// The process has ended: takes what is in its pipes, whoever keeps up or not. True when they were read to their ends.
    pub(crate) fn drain(&mut self, now: Time) -> bool {
        // What a dead process left is at most what pipes hold; a living one that inherited them may write on, so this is bounded.
        for _ in 0..64 {
            let ready = |fd: &OwnedFd| {
                let mut ports = [rustix::event::PollFd::new(fd, PollFlags::IN)];
                rustix::event::poll(&mut ports, Some(&rustix::event::Timespec::default())).is_ok_and(|n| n > 0)
            };
            let readable: Vec<Stream> =
                self.outputs.iter().filter(|(_, fd)| ready(fd)).map(|(stream, _)| *stream).collect();
            if readable.is_empty() {
                break;
            }
            for stream in readable {
                self.pass_on(stream, now);
            }
        }
        self.is_drained()
    }

    /// The process is gone: its side is closed and the log's last line written.
    pub(crate) fn disconnect(&mut self, now: Time) {
        self.outputs.clear();
        self.input = None;
        self.untaken = Vec::new();
        if let Some(log) = &mut self.log {
            log.finish(now);
        }
    }

    /// Releases end of file to all visitors, after what they have not read yet.
    pub(crate) fn close_viewers(&mut self) {
        self.viewers.iter_mut().for_each(Viewer::close);
        self.sweep();
    }

    fn sweep(&mut self) {
        self.viewers.retain(|viewer| !viewer.is_over());
    }
}

fn unwritten(log: Option<&log::Writer>, stream: Stream) -> Vec<u8> {
    log.map(|log| log.unwritten(stream).to_vec()).unwrap_or_default()
}

pub(crate) fn winsize(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use spec::container::{LogConfig, LogDriver, Streams};
    use testkit::Root;

    use super::*;
    use crate::protocol::Framing;

    fn now() -> Time {
        Time::from_ns(0)
    }

    const ALL: Streams = Streams { stdin: true, stdout: true, stderr: true };

    /// A hub whose process is played by the test, and the process's ends.
    fn hub(at_end: AtEnd, log: Option<log::Writer>) -> (Hub, std::io::PipeReader, std::io::PipeWriter) {
        let mut hub = Hub::new(at_end, false, log);
        let (stdin, to_stdin) = std::io::pipe().unwrap();
        let (from_stdout, stdout) = std::io::pipe().unwrap();
        let stdio = Stdio::Pipes { stdin: Some(to_stdin.into()), stdout: Some(from_stdout.into()), stderr: None };
        hub.connect(stdio).unwrap();
        (hub, stdin, stdout)
    }

    fn view(socket: UnixStream, replay: Option<log::Reader>) -> View {
        View { visitor: 0, socket: socket.into(), streams: ALL, framing: Framing::Raw, keys: None, replay }
    }

    /// Does what the poll loop would until nothing more happens.
    fn settle(hub: &mut Hub) {
        loop {
            let ports: Vec<_> = hub.ports().collect();
            let mut fds: Vec<_> =
                ports.iter().map(|(_, fd, flags)| rustix::event::PollFd::from_borrowed_fd(*fd, *flags)).collect();
            if rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap() == 0 {
                return;
            }
            let ready: Vec<_> = ports.iter().zip(&fds).map(|((port, _, _), fd)| (*port, fd.revents())).collect();
            for (port, events) in ready.into_iter().filter(|(_, events)| !events.is_empty()) {
                hub.ready(port, events, now());
            }
        }
    }

    fn available(stream: &mut UnixStream) -> String {
        stream.set_nonblocking(true).unwrap();
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_dead_visitor_disturbs_nobody_and_its_last_words_are_input() {
        let (mut hub, mut stdin, mut stdout) = hub(AtEnd::Close, None);
        let (mut dead, its) = UnixStream::pair().unwrap();
        hub.add(1, view(its, None));
        let (mut alive, its) = UnixStream::pair().unwrap();
        hub.add(2, view(its, None));
        dead.write_all(b"last words").unwrap();
        drop(dead);
        stdout.write_all(b"output").unwrap();
        settle(&mut hub);
        assert_eq!(available(&mut alive), "output");
        assert_eq!(hub.viewers.len(), 1);
        let mut input = String::new();
        stdin.read_to_string(&mut input).unwrap();
        assert_eq!(input, "last words", "and its end is the end of input");
    }

    #[test]
    fn a_slow_visitor_makes_the_process_wait_and_loses_nothing() {
        let (mut hub, _stdin, mut stdout) = hub(AtEnd::Keep, None);
        let (mut slow, its) = UnixStream::pair().unwrap();
        hub.add(1, view(its, None));
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
        let wanted = sent.clone();
        let process = std::thread::spawn(move || stdout.write_all(&sent).unwrap());
        while hub.viewers[0].keeps_up() {
            settle(&mut hub);
        }
        assert!(!process.is_finished());
        assert!(hub.ports().all(|(port, _, _)| port != Port::Output(Stream::Stdout)), "nothing is read for it");
        let mut got = String::new();
        while got.len() < wanted.len() {
            got += &available(&mut slow);
            settle(&mut hub);
        }
        process.join().unwrap();
        assert!(got.as_bytes() == wanted);
    }

    #[test]
    fn a_late_visitor_gets_the_log_and_the_line_in_the_making() {
        let root = Root::new();
        let config = LogConfig { driver: LogDriver::JsonFile, max_size_bytes: 0, max_files: 1 };
        let (mut hub, _stdin, mut stdout) = hub(AtEnd::Keep, Some(log::Writer::new(root.path(), &config)));
        stdout.write_all(b"one\nhal").unwrap();
        settle(&mut hub);
        let (mut late, its) = UnixStream::pair().unwrap();
        let reader = log::Reader::open(root.path(), log::Query::ALL).unwrap();
        hub.add(1, view(its, Some(reader)));
        stdout.write_all(b"f\ntwo\n").unwrap();
        settle(&mut hub);
        assert_eq!(available(&mut late), "one\nhalf\ntwo\n");
        hub.close_viewers();
        assert!(!hub.has_viewers());
    }

    #[test]
    fn input_is_kept_for_the_next_visitor_or_ends_with_the_first() {
        for at_end in [AtEnd::Keep, AtEnd::Close] {
            let (mut hub, _stdin, _stdout) = hub(at_end, None);
            let (one, its) = UnixStream::pair().unwrap();
            hub.add(1, view(its, None));
            one.shutdown(std::net::Shutdown::Write).unwrap();
            settle(&mut hub);
            assert_eq!(hub.input.is_some(), at_end == AtEnd::Keep);
            assert!(hub.has_viewers(), "it still reads");
        }
    }
}
