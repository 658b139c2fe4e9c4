//! The resolver at 127.0.0.11 of one container, owned by the loop of its monitor.
//!
//! It listens in the container's network namespace and asks from the host's. It never blocks, and a container that asks without end, or
//! asks and does not listen, finds bounds: so many questions under way, so many connections, so many seconds.
//!
//! ```text
//! question -> names of the container's networks (scope.rs) -> answer
//!          -> forbidden by a policy -> REFUSED, noted (notes.rs)
//!          -> servers of the host or of --dns (servers.rs), by UDP (datagrams.rs) or TCP (streams.rs) as the client asked
//!               -> addresses opened in the kernel, where there are policies -> answer, byte for byte the server's
//! ```

mod datagrams;
mod notes;
mod scope;
mod servers;
mod sockets;
mod streams;

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketAddrAny, SocketFlags, accept_with, recvfrom};
use spec::time::Time;

use crate::dns::{Code, Query, Record, Reply, Unasked};
use crate::rules;
use datagrams::{Asked, Come};
use notes::Notes;
pub use notes::{FILE as NOTES, Note, OLDER as OLDER_NOTES, Verdict};
use scope::Decision;
pub use scope::{Bare, Forward, Known, NameOf, Scope};
use servers::Servers;
use sockets::Sockets;
use streams::{Connection, Needs};

/// Where containers find it.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
/// Questions under way by UDP; one more hears that it failed.
const MOST_ASKED: usize = 128;
/// Connections; for one more the oldest is closed.
const MOST_CONNECTIONS: usize = 16;
/// Questions longer than this are none.
const LONGEST_QUESTION_BYTES: usize = 4096;
/// Questions answered before others of the monitor's get their turn.
const TURN: usize = 32;

/// One container's resolver.
#[derive(Debug)]
pub struct Resolver {
    scope: Scope,
    namespace: OwnedFd,
    sockets: Sockets,
    servers: Servers,
    notes: Notes,
    asked: Vec<Asked>,
    connections: Vec<Connection>,
    serial: u64,
}

/// One of its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Questions by UDP.
    Datagrams,
    /// Connections.
    Listener,
    /// A server's answer by UDP.
    Asked(u64),
    /// A connection's client or server.
    Connection(u64),
}

impl Resolver {
    /// Listens in `namespace`, whose loopback device is on.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn open(namespace: BorrowedFd<'_>, scope: Scope) -> io::Result<Resolver> {
        let sockets = sys::netns::within(namespace, || Sockets::open(namespace))?;
        Ok(Resolver {
            notes: Notes::new(scope.notes.clone()),
            scope,
            namespace: namespace.try_clone_to_owned()?,
            sockets,
            servers: Servers::default(),
            asked: Vec::new(),
            connections: Vec::new(),
            serial: 0,
        })
    }

    /// A network came or went.
    pub fn follow(&mut self, scope: Scope) {
        self.scope = scope;
    }

    /// What to wait for.
    pub fn sources(&self) -> impl Iterator<Item = (Port, BorrowedFd<'_>, PollFlags)> {
        let own = [(Port::Datagrams, &self.sockets.datagrams), (Port::Listener, &self.sockets.listener)];
        let own = own.into_iter().map(|(port, fd)| (port, fd.as_fd(), PollFlags::IN));
        let asked = self.asked.iter().map(|asked| (Port::Asked(asked.number), asked.socket.as_fd(), PollFlags::IN));
        let connections = self.connections.iter().flat_map(|connection| {
            connection.sources().map(|(fd, flags)| (Port::Connection(connection.number), fd, flags))
        });
        own.chain(asked).chain(connections)
    }

    /// When [`Resolver::ring`] is to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let asked = self.asked.iter().map(|asked| asked.deadline);
        asked.chain(self.connections.iter().map(|connection| connection.deadline)).min()
    }

    /// A descriptor has something.
    pub fn ready(&mut self, port: Port, events: PollFlags) {
        match port {
            Port::Datagrams => self.hear(),
            Port::Listener => self.accept(),
            Port::Asked(number) => self.answered(number),
            Port::Connection(number) => {
                if let Some(at) = self.connections.iter().position(|connection| connection.number == number) {
                    let needs = self.connections[at].ready(events, self.namespace.as_fd());
                    self.attend(at, needs);
                }
            }
        }
        self.shrink();
    }

    /// Gives up, or asks the next, where time is up.
    pub fn ring(&mut self, now: Instant) {
        while let Some(at) = self.asked.iter().position(|asked| asked.deadline <= now) {
            if !self.asked[at].next(self.namespace.as_fd()) {
                let asked = self.asked.swap_remove(at);
                self.fail(&asked);
            }
        }
        while let Some(at) = self.connections.iter().position(|connection| connection.deadline <= now) {
            let needs = self.connections[at].late(self.namespace.as_fd());
            self.attend(at, needs);
        }
        self.shrink();
    }

    fn hear(&mut self) {
        let mut bytes = [0; LONGEST_QUESTION_BYTES];
        for _ in 0..TURN {
            let received = recvfrom(&self.sockets.datagrams, &mut bytes[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC);
            let (read, length, client) = match received {
                Ok((read, length, Some(client))) => (read, length, client),
                Ok((_, _, None)) | Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            if length > LONGEST_QUESTION_BYTES {
                continue;
            }
            match Query::parse(&bytes[..read]) {
                Ok(query) => self.asked_by(query, &bytes[..read], client),
                Err(Unasked::Answered(answer)) => self.send(&answer, &client),
                Err(Unasked::Ignored) => {}
            }
        }
    }

    fn asked_by(&mut self, query: Query, bytes: &[u8], client: SocketAddrAny) {
        let limit = query.datagram_bytes();
        match self.scope.decide(&query) {
            Decision::Answer(code, records) => self.send(&query.answer(code, &records, limit), &client),
            Decision::Refuse => {
                self.note(&query);
                self.send(&query.answer(Code::Refused, &[], limit), &client);
            }
            Decision::Forward => {
                let failure = query.answer(Code::ServerFailure, &[], limit);
                let servers = self.servers.of(&self.scope.forward);
                let number = self.number();
                let asked = (self.asked.len() < MOST_ASKED)
                    .then(|| Asked::new(number, query, bytes, client.clone(), servers, self.namespace.as_fd()));
                match asked.flatten() {
                    Some(asked) => self.asked.push(asked),
                    None => self.send(&failure, &client),
                }
            }
        }
    }

    fn answered(&mut self, number: u64) {
        let Some(at) = self.asked.iter().position(|asked| asked.number == number) else { return };
        match self.asked[at].ready(self.namespace.as_fd()) {
            Come::Waiting => {}
            Come::Failed => {
                let asked = self.asked.swap_remove(at);
                self.fail(&asked);
            }
            Come::Answer(bytes, reply) => {
                let asked = self.asked.swap_remove(at);
                if self.open_up(&reply) {
                    self.send(&bytes, &asked.client);
                } else {
                    self.fail(&asked);
                }
            }
        }
    }

    fn fail(&self, asked: &Asked) {
        self.send(&asked.query.answer(Code::ServerFailure, &[], asked.query.datagram_bytes()), &asked.client);
    }

    /// A client that does not listen hears nothing.
    fn send(&self, bytes: &[u8], client: &SocketAddrAny) {
        let _ = self.sockets.send(bytes, client);
    }

    fn accept(&mut self) {
        for _ in 0..MOST_CONNECTIONS {
            let Ok(client) = accept_with(&self.sockets.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) else {
                return;
            };
            if self.connections.len() == MOST_CONNECTIONS {
                self.connections.remove(0);
            }
            let number = self.number();
            self.connections.push(Connection::new(number, client));
        }
    }

    /// Does what a connection cannot do by itself.
    fn attend(&mut self, at: usize, needs: Needs) {
        match needs {
            Needs::Nothing => {}
            Needs::End => drop(self.connections.remove(at)),
            Needs::Failure(query) => self.tell(at, &query, Code::ServerFailure, &[]),
            Needs::Leave(query, message, reply) => {
                if self.open_up(&reply) {
                    self.connections[at].tell(&message);
                } else {
                    self.tell(at, &query, Code::ServerFailure, &[]);
                }
            }
            Needs::Word(message) => match Query::parse(&message) {
                Ok(query) => self.asked_on(at, query, &message),
                Err(Unasked::Answered(answer)) => self.connections[at].tell(&answer),
                Err(Unasked::Ignored) => drop(self.connections.remove(at)),
            },
        }
    }

    fn asked_on(&mut self, at: usize, query: Query, message: &[u8]) {
        match self.scope.decide(&query) {
            Decision::Answer(code, records) => self.tell(at, &query, code, &records),
            Decision::Refuse => {
                self.note(&query);
                self.tell(at, &query, Code::Refused, &[]);
            }
            Decision::Forward => {
                let servers = self.servers.of(&self.scope.forward);
                if !self.connections[at].forward(query.clone(), message, servers, self.namespace.as_fd()) {
                    self.tell(at, &query, Code::ServerFailure, &[]);
                }
            }
        }
    }

    fn tell(&mut self, at: usize, query: &Query, code: Code, records: &[Record]) {
        let answer = query.answer(code, records, u16::MAX.into());
        self.connections[at].tell(&answer);
    }

    /// Where there are policies the addresses of an allowed name are opened, before anybody can use them. False: they could not be.
    fn open_up(&self, reply: &Reply) -> bool {
        let scope = &self.scope;
        scope.policies.is_empty()
            || reply.addresses.is_empty()
            || rules::allow(&scope.home, &scope.endpoints, &reply.addresses).is_ok()
    }

    fn note(&mut self, query: &Query) {
        let Ok(since_1970) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) else { return };
        let time = Time::from_ns(i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX));
        self.notes.add(&Note { time, name: query.name.clone(), kind: query.kind, verdict: Verdict::Refused });
    }

    fn number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A monitor sleeps for days: what a busy minute took is given back.
    fn shrink(&mut self) {
        if self.asked.is_empty() && self.connections.is_empty() {
            self.asked = Vec::new();
            self.connections = Vec::new();
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests give addresses to a namespace of their own")]
mod tests;
