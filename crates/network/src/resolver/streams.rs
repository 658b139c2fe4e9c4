//! Questions by TCP: each message has its length before it. A client asks one after the other.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, recv, send};

use super::datagrams::patience;
use super::scope::random;
use super::servers::{self, Server};
use crate::dns::{self, Query, Reply};

/// A client that says nothing, or does not listen.
const QUIET: Duration = Duration::from_secs(10);

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) number: u64,
    client: OwnedFd,
    stage: Stage,
    pub(super) deadline: Instant,
}

#[derive(Debug)]
enum Stage {
    /// The client says something.
    Hearing(Incoming),
    /// A server is asked.
    Asking(Box<Asked>),
    /// The client is told.
    Telling(Outgoing),
}

#[derive(Debug)]
struct Asked {
    query: Query,
    id: u16,
    server: OwnedFd,
    question: Outgoing,
    answer: Incoming,
    left: std::vec::IntoIter<Server>,
}

/// What a connection needs its owner for.
#[derive(Debug)]
pub(super) enum Needs {
    /// Time.
    Nothing,
    /// Something to say to this message.
    Word(Vec<u8>),
    /// Leave to pass an answer on; it is under the client's identifier.
    Leave(Query, Vec<u8>, Reply),
    /// A word that nobody knows.
    Failure(Query),
    /// Its end.
    End,
}

impl Connection {
    pub(super) fn new(number: u64, client: OwnedFd) -> Connection {
        Connection { number, client, stage: Stage::Hearing(Incoming::default()), deadline: Instant::now() + QUIET }
    }

    /// The client's socket, and the server's while one is asked.
    pub(super) fn sources(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let (client, server) = match &self.stage {
            Stage::Hearing(_) => (PollFlags::IN, None),
            // Only its end.
            Stage::Asking(asked) => {
                let flags = if asked.question.is_sent() { PollFlags::IN } else { PollFlags::OUT };
                (PollFlags::empty(), Some((asked.server.as_fd(), flags)))
            }
            Stage::Telling(_) => (PollFlags::OUT, None),
        };
        std::iter::once((self.client.as_fd(), client)).chain(server)
    }

    /// A socket of it has something.
    pub(super) fn ready(&mut self, events: PollFlags, namespace: BorrowedFd<'_>) -> Needs {
        match &mut self.stage {
            Stage::Hearing(incoming) => match incoming.take(self.client.as_fd()) {
                Taken::Whole(message) => Needs::Word(message),
                Taken::Part => Needs::Nothing,
                Taken::End => Needs::End,
            },
            Stage::Asking(_) => {
                let gone = events.intersects(PollFlags::HUP | PollFlags::ERR) && hung_up(self.client.as_fd());
                if gone { Needs::End } else { self.ask(namespace) }
            }
            Stage::Telling(outgoing) => match outgoing.send(self.client.as_fd()) {
                Ok(true) => {
                    self.stage = Stage::Hearing(Incoming::default());
                    self.deadline = Instant::now() + QUIET;
                    Needs::Nothing
                }
                Ok(false) => Needs::Nothing,
                Err(_) => Needs::End,
            },
        }
    }

    /// Says something to the client.
    pub(super) fn tell(&mut self, message: &[u8]) {
        self.stage = Stage::Telling(Outgoing::new(message));
        self.deadline = Instant::now() + QUIET;
    }

    /// Asks servers. False: none can be asked.
    pub(super) fn forward(
        &mut self,
        query: Query,
        bytes: &[u8],
        servers: Vec<Server>,
        namespace: BorrowedFd<'_>,
    ) -> bool {
        let id = random();
        let mut message = bytes.to_vec();
        dns::rename(&mut message, id);
        let mut left = servers.into_iter();
        let Some(server) = connect(&mut left, namespace) else { return false };
        self.deadline = Instant::now() + patience(left.len());
        let (question, answer) = (Outgoing::new(&message), Incoming::default());
        self.stage = Stage::Asking(Box::new(Asked { query, id, server, question, answer, left }));
        true
    }

    /// Time is up.
    pub(super) fn late(&mut self, namespace: BorrowedFd<'_>) -> Needs {
        match &self.stage {
            Stage::Hearing(_) | Stage::Telling(_) => Needs::End,
            Stage::Asking(_) => self.ask_next(namespace),
        }
    }

    fn ask(&mut self, namespace: BorrowedFd<'_>) -> Needs {
        let Stage::Asking(asked) = &mut self.stage else { return Needs::Nothing };
        match asked.question.send(asked.server.as_fd()) {
            Ok(true) => {}
            Ok(false) => return Needs::Nothing,
            Err(_) => return self.ask_next(namespace),
        }
        match asked.answer.take(asked.server.as_fd()) {
            Taken::Part => Needs::Nothing,
            Taken::End => self.ask_next(namespace),
            Taken::Whole(mut message) => {
                let reply = Reply::to(&asked.query, asked.id, &message);
                match reply {
                    Some(reply) if !reply.is_failure || asked.left.len() == 0 => {
                        dns::rename(&mut message, asked.query.id);
                        Needs::Leave(asked.query.clone(), message, reply)
                    }
                    Some(_) | None => self.ask_next(namespace),
                }
            }
        }
    }

    fn ask_next(&mut self, namespace: BorrowedFd<'_>) -> Needs {
        let Stage::Asking(asked) = &mut self.stage else { return Needs::Nothing };
        let Some(server) = connect(&mut asked.left, namespace) else { return Needs::Failure(asked.query.clone()) };
        asked.server = server;
        asked.question.again();
        asked.answer = Incoming::default();
        self.deadline = Instant::now() + patience(asked.left.len());
        Needs::Nothing
    }
}

fn connect(left: &mut std::vec::IntoIter<Server>, namespace: BorrowedFd<'_>) -> Option<OwnedFd> {
    left.find_map(|server| servers::open(server, SocketType::STREAM, namespace).ok())
}

/// Both directions are closed, or it is broken; what was said before is not read.
fn hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [rustix::event::PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// A message that arrives, with its length before it. It takes no more memory than has arrived.
#[derive(Debug, Default)]
struct Incoming(Vec<u8>);

enum Taken {
    Whole(Vec<u8>),
    Part,
    End,
}

impl Incoming {
    fn take(&mut self, socket: BorrowedFd<'_>) -> Taken {
        let mut piece = [0; 4096];
        loop {
            let length = self.0.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)));
            let missing = length.map_or(2, |length| length + 2) - self.0.len();
            if missing == 0 {
                return Taken::Whole(self.0.split_off(2));
            }
            let wanted = missing.min(piece.len());
            match recv(socket, &mut piece[..wanted], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Taken::End,
                Ok((_, got)) => self.0.extend(&piece[..got]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Taken::Part,
                Err(_) => return Taken::End,
            }
        }
    }
}

/// A message on its way, with its length before it.
#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn new(message: &[u8]) -> Outgoing {
        // Nothing that is answered or passed on is longer.
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        let bytes = length.to_be_bytes().into_iter().chain(message.iter().copied().take(length.into())).collect();
        Outgoing { bytes, sent: 0 }
    }

    fn is_sent(&self) -> bool {
        self.sent == self.bytes.len()
    }

    fn again(&mut self) {
        self.sent = 0;
    }

    /// True: all of it is sent.
    fn send(&mut self, socket: BorrowedFd<'_>) -> Result<bool, Errno> {
        while !self.is_sent() {
            match send(socket, &self.bytes[self.sent..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => self.sent += sent,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOTCONN) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
