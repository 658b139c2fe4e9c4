//! Questions by UDP that are passed on.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketAddrAny, SocketType, recv, send};

use super::scope::random;
use super::servers::{self, Server};
use crate::dns::{self, Query, Reply};
use std::os::fd::BorrowedFd;

/// The longest datagram there is.
const LONGEST_BYTES: usize = 65_535;
/// So many wrong answers are read before others get their turn.
const PATIENCE: usize = 16;

/// A question under way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) query: Query,
    /// Who wants to know.
    pub(super) client: SocketAddrAny,
    pub(super) socket: OwnedFd,
    pub(super) deadline: Instant,
    /// What is sent: the client's bytes under an identifier of ours.
    message: Vec<u8>,
    id: u16,
    /// Those still to be asked.
    left: std::vec::IntoIter<Server>,
}

/// What has come of it.
pub(super) enum Come {
    /// Nothing yet.
    Waiting,
    /// The answer, under the client's identifier, with the addresses in it.
    Answer(Vec<u8>, Reply),
    /// Nobody knows.
    Failed,
}

impl Asked {
    /// Asks the first of the servers that can be asked.
    pub(super) fn new(
        number: u64,
        query: Query,
        bytes: &[u8],
        client: SocketAddrAny,
        servers: Vec<Server>,
        namespace: BorrowedFd<'_>,
    ) -> Option<Asked> {
        let id = random();
        let mut message = bytes.to_vec();
        dns::rename(&mut message, id);
        let mut left = servers.into_iter();
        let (socket, deadline) = ask(&message, &mut left, namespace)?;
        Some(Asked { number, query, client, socket, deadline, message, id, left })
    }

    /// The next server, under another identifier. False: there is none.
    pub(super) fn next(&mut self, namespace: BorrowedFd<'_>) -> bool {
        self.id = random();
        dns::rename(&mut self.message, self.id);
        let Some((socket, deadline)) = ask(&self.message, &mut self.left, namespace) else { return false };
        (self.socket, self.deadline) = (socket, deadline);
        true
    }

    /// The socket has something.
    pub(super) fn ready(&mut self, namespace: BorrowedFd<'_>) -> Come {
        let mut bytes = vec![0; LONGEST_BYTES];
        for _ in 0..PATIENCE {
            match recv(&self.socket, bytes.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((_, length)) => {
                    let Some(reply) = Reply::to(&self.query, self.id, &bytes[..length]) else { continue };
                    // The last word is passed on whatever it is.
                    if reply.is_failure && self.next(namespace) {
                        return Come::Waiting;
                    }
                    bytes.truncate(length);
                    dns::rename(&mut bytes, self.query.id);
                    return Come::Answer(bytes, reply);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Come::Waiting,
                // Nobody is there.
                Err(_) => return if self.next(namespace) { Come::Waiting } else { Come::Failed },
            }
        }
        Come::Waiting
    }
}

fn ask(message: &[u8], left: &mut std::vec::IntoIter<Server>, namespace: BorrowedFd<'_>) -> Option<(OwnedFd, Instant)> {
    while let Some(server) = left.next() {
        let Ok(socket) = servers::open(server, SocketType::DGRAM, namespace) else { continue };
        if send(socket.as_fd(), message, SendFlags::NOSIGNAL).is_ok() {
            return Some((socket, Instant::now() + patience(left.len())));
        }
    }
    None
}

/// How long a server is waited for: less where others are left to ask, since clients ask again after five seconds.
pub(super) fn patience(left: usize) -> Duration {
    Duration::from_secs(if left > 0 { 2 } else { 5 })
}
