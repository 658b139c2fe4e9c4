//! One visitor's stream socket: output goes out at the visitor's pace, input comes in at the container's.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown};
use spec::container::Streams;

use crate::framing::{Stream, head};
use crate::keys::Scanner;
use crate::log;
use crate::protocol::Framing;

/// With so much output unread by one visitor, the container waits.
const ENOUGH: usize = 64 * 1024;

/// A connected visitor.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// Names it to the poll loop.
    pub(crate) number: u64,
    /// The connection that attached it, to be told of a detachment.
    pub(crate) visitor: u64,
    socket: OwnedFd,
    streams: Streams,
    framing: Framing,
    /// None: there is no terminal to detach from.
    keys: Option<Scanner>,
    /// Output that the socket had no room for.
    unsent: Vec<u8>,
    input: Input,
    /// The log that comes before what is new.
    replay: Option<log::Reader>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// Its end was seen, or none was ever wanted.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// It gets what is unsent and then end of file.
    Closing,
    /// It does not read any more; what it wrote before is still input.
    Deaf,
}

/// What a visitor's input was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// These bytes for the container.
    Bytes(Vec<u8>),
    /// These, and then the detach keys.
    Detach(Vec<u8>),
    /// It ended.
    End,
    /// Nothing now.
    Nothing,
}

/// What a new viewer is made of.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) visitor: u64,
    pub(crate) socket: OwnedFd,
    pub(crate) streams: Streams,
    pub(crate) framing: Framing,
    pub(crate) keys: Option<Scanner>,
    pub(crate) replay: Option<log::Reader>,
}

impl Viewer {
    pub(crate) fn new(number: u64, view: View) -> Viewer {
        let View { visitor, socket, streams, framing, keys, replay } = view;
        let input = if streams.stdin { Input::Open } else { Input::Ended };
        Viewer {
            number,
            visitor,
            socket,
            streams,
            framing,
            keys,
            unsent: Vec::new(),
            input,
            replay,
            phase: Phase::Open,
        }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What to wake up for; none: not to be polled at all, because a hung-up socket would wake us for ever.
    pub(crate) fn interest(&self, input_wanted: bool) -> Option<PollFlags> {
        let mut flags = PollFlags::empty();
        if self.input == Input::Open && input_wanted {
            flags |= PollFlags::IN;
        }
        if !self.unsent.is_empty() || self.replay.is_some() {
            flags |= PollFlags::OUT;
        }
        (self.phase != Phase::Deaf || flags.contains(PollFlags::IN)).then_some(flags)
    }

    /// Whether the container may go on writing for all this visitor cares.
    pub(crate) fn keeps_up(&self) -> bool {
        self.unsent.len() < ENOUGH
    }

    pub(crate) fn has_input(&self) -> bool {
        self.input == Input::Open
    }

    /// Nothing will come from it or go to it any more.
    pub(crate) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closing => self.unsent.is_empty() && self.replay.is_none(),
            Phase::Deaf => self.input == Input::Ended,
        }
    }

    /// Output of the container. One that still replays the log will find it there.
    pub(crate) fn output(&mut self, stream: Stream, bytes: &[u8]) {
        if self.replay.is_none() {
            self.put(stream, bytes);
        }
    }

    fn put(&mut self, stream: Stream, bytes: &[u8]) {
        let wanted = match stream {
            Stream::Stdout => self.streams.stdout,
            Stream::Stderr => self.streams.stderr,
        };
        if !wanted || self.phase == Phase::Deaf || bytes.is_empty() {
            return;
        }
        // Reads are far smaller than 4 GB.
        let Ok(length) = u32::try_from(bytes.len()) else { return };
        let head = head(stream, length);
        let head: &[u8] = if self.framing == Framing::Mux { &head } else { &[] };
        let sent = if self.unsent.is_empty() { self.attempt(&[IoSlice::new(head), IoSlice::new(bytes)]) } else { 0 };
        self.unsent.extend_from_slice(head.get(sent..).unwrap_or_default());
        self.unsent.extend_from_slice(&bytes[sent.saturating_sub(head.len()).min(bytes.len())..]);
    }

    /// How much the socket took. A socket that is broken takes all there is: nobody will miss it.
    fn attempt(&mut self, parts: &[IoSlice<'_>]) -> usize {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(&self.socket, parts, &mut SendAncillaryBuffer::default(), flags) {
            Ok(sent) => sent,
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => 0,
            Err(_) => {
                self.go_deaf();
                usize::MAX
            }
        }
    }

    /// It hung up. What it wrote before that is still read.
    pub(crate) fn go_deaf(&mut self) {
        self.phase = Phase::Deaf;
        self.unsent = Vec::new();
        self.replay = None;
    }

    /// The socket has room: `unwritten` is, for each stream, what the log does not hold yet.
    pub(crate) fn flush(&mut self, unwritten: impl Fn(Stream) -> Vec<u8>) {
        loop {
            if !self.unsent.is_empty() {
                match send(&self.socket, &self.unsent, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                    Ok(sent) if sent == self.unsent.len() => self.unsent = Vec::new(),
                    Ok(sent) => {
                        self.unsent.drain(..sent);
                    }
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN | Errno::NOBUFS) => return,
                    Err(_) => return self.go_deaf(),
                }
            }
            if !self.keeps_up() || self.replay.is_none() {
                return;
            }
            self.replay_more(&unwritten);
        }
    }

    fn replay_more(&mut self, unwritten: &impl Fn(Stream) -> Vec<u8>) {
        let Some(mut reader) = self.replay.take() else { return };
        while self.keeps_up() {
            match reader.next() {
                Ok(Some(entry)) => self.put(entry.stream, entry.text.as_bytes()),
                // A log that cannot be read is as good as ended.
                Ok(None) | Err(_) => {
                    for stream in [Stream::Stdout, Stream::Stderr] {
                        self.put(stream, &unwritten(stream));
                    }
                    return;
                }
            }
            if self.phase == Phase::Deaf || !self.unsent.is_empty() {
                break;
            }
        }
        if self.phase != Phase::Deaf {
            self.replay = Some(reader);
        }
    }

    /// What it typed.
    pub(crate) fn read(&mut self) -> Typed {
        let mut bytes = Vec::with_capacity(16 * 1024);
        match recv(&self.socket, rustix::buffer::spare_capacity(&mut bytes), RecvFlags::DONTWAIT) {
            Ok(_) if bytes.is_empty() => {
                self.input = Input::Ended;
                Typed::End
            }
            Ok(_) => match &mut self.keys {
                None => Typed::Bytes(bytes),
                Some(scanner) => {
                    let mut clean = Vec::with_capacity(bytes.len());
                    if scanner.feed(&bytes, &mut clean) { Typed::Detach(clean) } else { Typed::Bytes(clean) }
                }
            },
            Err(Errno::AGAIN | Errno::INTR) => Typed::Nothing,
            Err(_) => {
                self.input = Input::Ended;
                self.go_deaf();
                Typed::End
            }
        }
    }

    /// Its input is wanted no more.
    pub(crate) fn ignore_input(&mut self) {
        self.input = Input::Ended;
    }

    /// No output follows.
    pub(crate) fn close(&mut self) {
        self.input = Input::Ended;
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }
}

impl Drop for Viewer {
    /// End of file for the visitor. What it wrote and nobody read is taken off the socket first: a TCP connection closed with unread
    /// bytes is reset, and takes with it what its peer has not read yet.
    fn drop(&mut self) {
        let _ = shutdown(&self.socket, Shutdown::Write);
        let mut sink = Vec::with_capacity(16 * 1024);
        // Bounded: a visitor that never stops writing gets its reset.
        for _ in 0..64 {
            sink.clear();
            match recv(&self.socket, rustix::buffer::spare_capacity(&mut sink), RecvFlags::DONTWAIT) {
                Ok(_) if !sink.is_empty() => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}
