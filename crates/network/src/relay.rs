//! The relay of one container, owned by the loop of its monitor: who comes to a published TCP port by IPv6 and was not translated by the
//! rules is passed on to the container by hand. No rule translates IPv6 to IPv4, and ::1 gets through no bridge that calls the packet
//! filter.
//!
//! ```text
//! client -> listener (the socket that holds the port) -> connection to the container's address and port
//!                    client -- onward -> container
//!                    client <- back ---- container       the end of one direction is passed on, the other goes on
//! ```
//!
//! It never blocks, and finds bounds: so many connections, beyond which the next wait in the kernel; so many bytes under way of each. Who
//! does not read is not read for. Dead peers are found by the kernel's own timers, so that nothing here wakes the monitor.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use disk::Home;
use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, accept_with, connect, listen, recv, send,
    shutdown, socket_with, sockopt,
};
use spec::network::Endpoint;

use crate::error::NetworkError;
use crate::rules;

/// Connections at once.
pub(crate) const MOST_CONNECTIONS: usize = 320;
/// Connections that wait.
const BACKLOG: i32 = 511;
/// What is under way of one direction, at most.
const PIECE_BYTES: usize = 32 * 1024;
/// Pieces, or connections, before others of the monitor's get their turn.
const TURN: usize = 8;
/// So long a container may take to answer at all.
const CONNECT_MS: u32 = 10_000;
/// Of a peer that says nothing it is asked so often whether it is there, as Go's servers do.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Where no descriptor is left.
const PAUSE: Duration = Duration::from_secs(1);

/// A port that is held, and not listened at yet.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) socket: OwnedFd,
    /// The container's.
    pub(crate) port: u16,
}

/// One container's relay.
#[derive(Debug)]
pub struct Relay {
    held: Vec<Held>,
    listens: bool,
    target: Option<IpAddr>,
    connections: Vec<Connection>,
    serial: u64,
    paused: Option<Instant>,
}

/// One of its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Of one of the ports.
    Listener(usize),
    /// A connection's client.
    Client(u64),
    /// A connection's other end.
    Container(u64),
}

impl Relay {
    pub(crate) fn new(held: Vec<Held>) -> Relay {
        Relay { held, listens: false, target: None, connections: Vec::new(), serial: 0, paused: None }
    }

    /// Published ports lead here from now on; where that is nowhere, who comes is turned away. It begins to listen with the first.
    ///
    /// # Errors
    /// Of listen(2), and of the networks' records.
    pub fn follow(&mut self, home: &Home, endpoints: &[Endpoint]) -> Result<(), NetworkError> {
        self.target = rules::relayed(home, endpoints)?;
        if !self.listens && self.target.is_some() {
            let listening = self.held.iter().try_for_each(|held| {
                // Connections of a run before, over for less than a minute, are in nobody's way then. Two that listen still are.
                sockopt::set_socket_reuseaddr(&held.socket, true)?;
                listen(&held.socket, BACKLOG)
            });
            listening.map_err(|e| NetworkError::Kernel("listening at published ports".into(), e.into()))?;
            self.listens = true;
        }
        Ok(())
    }

    /// What to wait for.
    pub fn sources(&self) -> impl Iterator<Item = (Port, BorrowedFd<'_>, PollFlags)> {
        let accepts = self.listens && self.paused.is_none() && self.connections.len() < MOST_CONNECTIONS;
        let held = self.held.iter().enumerate().filter(move |_| accepts);
        let listeners = held.map(|(at, held)| (Port::Listener(at), held.socket.as_fd(), PollFlags::IN));
        listeners.chain(self.connections.iter().flat_map(Connection::sources))
    }

    /// When [`Relay::ring`] is to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.paused
    }

    /// A descriptor has something.
    pub fn ready(&mut self, port: Port, events: PollFlags) {
        let (number, is_client) = match port {
            Port::Listener(at) => return self.accept(at),
            Port::Client(number) => (number, true),
            Port::Container(number) => (number, false),
        };
        let Some(at) = self.connections.iter().position(|connection| connection.number == number) else { return };
        let connection = &mut self.connections[at];
        match connection.ready(is_client, events) {
            Ok(Goes::On) => return,
            Ok(Goes::Home) => {}
            Err(_) => connection.reset(),
        }
        self.connections.swap_remove(at);
        self.paused = None;
        // A monitor sleeps for days: what a busy minute took is given back.
        if self.connections.is_empty() {
            self.connections = Vec::new();
        }
    }

    /// Tries again where no descriptor was left.
    pub fn ring(&mut self, now: Instant) {
        self.paused = self.paused.filter(|until| *until > now);
    }

    fn accept(&mut self, at: usize) {
        let Some(held) = self.held.get(at) else { return };
        for _ in 0..TURN {
            if self.connections.len() == MOST_CONNECTIONS {
                return;
            }
            let client = match accept_with(&held.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(client) => client,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(_) => return self.paused = Some(Instant::now() + PAUSE),
            };
            let opened = self.target.ok_or(Errno::HOSTUNREACH);
            match opened.and_then(|target| open(&client, SocketAddr::new(target, held.port))) {
                Ok(container) => {
                    self.serial += 1;
                    self.connections.push(Connection::new(self.serial, client, container));
                }
                Err(_) => reset(client.as_fd()),
            }
        }
    }
}

/// Sets a client's socket up, and begins to connect to the container.
fn open(client: &OwnedFd, target: SocketAddr) -> Result<OwnedFd, Errno> {
    // Its last minute, when it is over, shall not keep the port from the next container.
    sockopt::set_socket_reuseaddr(client, true)?;
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let container = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    for socket in [client, &container] {
        sockopt::set_tcp_nodelay(socket, true)?;
        sockopt::set_tcp_keepidle(socket, KEEPALIVE)?;
        sockopt::set_tcp_keepintvl(socket, KEEPALIVE)?;
        sockopt::set_socket_keepalive(socket, true)?;
    }
    sockopt::set_tcp_user_timeout(&container, CONNECT_MS)?;
    match connect(&container, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(container),
        Err(e) => Err(e),
    }
}

/// Its end will be told as a broken connection.
fn reset(socket: BorrowedFd<'_>) {
    // Where that fails it ends as if nothing were wrong.
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// A client's connection and that to the container.
#[derive(Debug)]
struct Connection {
    number: u64,
    client: OwnedFd,
    container: OwnedFd,
    is_connected: bool,
    /// From the client to the container.
    onward: Stream,
    back: Stream,
}

/// Whether a connection is over.
enum Goes {
    On,
    Home,
}

impl Connection {
    fn new(number: u64, client: OwnedFd, container: OwnedFd) -> Connection {
        let (onward, back) = (Stream::default(), Stream::default());
        Connection { number, client, container, is_connected: false, onward, back }
    }

    fn sources(&self) -> impl Iterator<Item = (Port, BorrowedFd<'_>, PollFlags)> {
        let (client, container) = if self.is_connected {
            (wants(&self.onward, &self.back), wants(&self.back, &self.onward))
        } else {
            (Some(PollFlags::empty()), Some(PollFlags::OUT))
        };
        let client = client.map(|flags| (Port::Client(self.number), self.client.as_fd(), flags));
        let container = container.map(|flags| (Port::Container(self.number), self.container.as_fd(), flags));
        client.into_iter().chain(container)
    }

    /// One of its sockets has something.
    fn ready(&mut self, is_client: bool, events: PollFlags) -> Result<Goes, Errno> {
        let (client, container) = (self.client.as_fd(), self.container.as_fd());
        if !self.is_connected {
            // A client is waited for only if it breaks off.
            if is_client {
                return Err(Errno::CONNRESET);
            }
            sockopt::socket_error(container)??;
            sockopt::set_tcp_user_timeout(container, 0)?;
            self.is_connected = true;
            return Ok(Goes::On);
        }
        let (own, other) = if is_client { (client, container) } else { (container, client) };
        let (from, to) =
            if is_client { (&mut self.onward, &mut self.back) } else { (&mut self.back, &mut self.onward) };
        match wants(from, to) {
            // It broke off. What is only readable was read by now, when the other socket had its turn.
            Some(flags) if flags.is_empty() && events.intersects(PollFlags::HUP | PollFlags::ERR) => {
                return Err(Errno::CONNRESET);
            }
            None => {}
            Some(flags) => {
                if flags.contains(PollFlags::OUT) {
                    to.carry(other, own)?;
                }
                if flags.contains(PollFlags::IN) {
                    from.carry(own, other)?;
                }
            }
        }
        Ok(if self.onward.is_over && self.back.is_over { Goes::Home } else { Goes::On })
    }

    fn reset(&self) {
        reset(self.client.as_fd());
        reset(self.container.as_fd());
    }
}

/// What a socket is waited for: `from` is what it says, `to` what it is told. None: nothing, not even its end.
fn wants(from: &Stream, to: &Stream) -> Option<PollFlags> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, !from.is_over && from.pending.is_empty());
    flags.set(PollFlags::OUT, !to.pending.is_empty());
    // Poll always tells of an end in both directions: who was told his, and has said all that is wanted, would wake us without end.
    (!flags.is_empty() || !to.is_over).then_some(flags)
}

/// One direction.
#[derive(Debug, Default)]
struct Stream {
    /// What was read and not sent, from `sent` on; it has memory only while there is something.
    pending: Vec<u8>,
    sent: usize,
    /// The end has been passed on, or nobody hears any more.
    is_over: bool,
}

impl Stream {
    /// Reads and sends as much as goes at once. An error is one of reading: nothing more is to be had of this connection.
    fn carry(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
        for _ in 0..TURN {
            if !self.send(to) || self.is_over {
                return Ok(());
            }
            self.pending.reserve_exact(PIECE_BYTES);
            match recv(from, spare_capacity(&mut self.pending), RecvFlags::DONTWAIT) {
                Ok((0, _)) => {
                    self.end();
                    // Who is gone has heard it.
                    let _ = shutdown(to, Shutdown::Write);
                    return Ok(());
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.pending = Vec::new();
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        self.send(to);
        Ok(())
    }

    /// False: not all could be sent.
    fn send(&mut self, to: BorrowedFd<'_>) -> bool {
        while self.sent < self.pending.len() {
            match send(to, &self.pending[self.sent..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => self.sent += sent,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                // What he has said before may still be read, and its end is the connection's.
                Err(_) => self.end(),
            }
        }
        self.pending.clear();
        self.sent = 0;
        true
    }

    fn end(&mut self) {
        *self = Stream { is_over: true, ..Stream::default() };
    }
}
