//! Whom a resolver asks what it does not know, and the sockets it asks by: in the host's namespace, where the host's own servers are
//! reached, on its loopback device too.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::scope::Forward;

const PORT: u16 = 53;
/// More are not asked (resolv.conf(5) has 3).
const MOST: usize = 8;
const FILE: &str = "/etc/resolv.conf";

/// A server, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// `--dns 127.0.0.1` means the container's own loopback device.
    is_inside: bool,
}

/// The host's servers as its file says; read again when the file is another one.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// Device, inode, seconds, nanoseconds, length.
    seen: Option<[i64; 5]>,
    of_host: Vec<SocketAddr>,
}

impl Servers {
    pub(super) fn of(&mut self, forward: &Forward) -> Vec<Server> {
        match forward {
            Forward::Nobody => Vec::new(),
            Forward::To(given) => given
                .iter()
                .take(MOST)
                .map(|address| Server { address: (*address, PORT).into(), is_inside: address.is_loopback() })
                .collect(),
            Forward::Host => {
                self.look();
                self.of_host.iter().map(|address| Server { address: *address, is_inside: false }).collect()
            }
        }
    }

    fn look(&mut self) {
        let stamp = fs::metadata(FILE).ok().map(|about| {
            let number = |n: u64| n.cast_signed();
            [number(about.dev()), number(about.ino()), about.mtime(), about.mtime_nsec(), number(about.size())]
        });
        if stamp != self.seen || stamp.is_none() {
            self.of_host = addresses(&fs::read_to_string(FILE).unwrap_or_default());
            self.seen = stamp;
        }
    }
}

/// The servers in a resolv.conf(5).
fn addresses(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver") { address(words.next()?) } else { None }
    });
    servers.take(MOST).collect()
}

/// `fe80::1%eth0` is as good as `10.0.0.1`.
fn address(word: &str) -> Option<SocketAddr> {
    let Some((address, zone)) = word.split_once('%') else {
        return Some((word.parse::<IpAddr>().ok()?, PORT).into());
    };
    let scope = zone.parse().ok().or_else(|| index(zone))?;
    Some(SocketAddrV6::new(address.parse::<Ipv6Addr>().ok()?, PORT, 0, scope).into())
}

fn index(device: &str) -> Option<u32> {
    if device.contains('/') {
        return None;
    }
    fs::read_to_string(format!("/sys/class/net/{device}/ifindex")).ok()?.trim().parse().ok()
}

/// A socket that hears from this server alone. Its port is the kernel's choice, another one each time.
pub(super) fn open(server: Server, kind: SocketType, namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let open = || -> io::Result<OwnedFd> {
        let family = if server.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        match connect(socket.as_fd(), &server.address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    };
    if server.is_inside { sys::netns::within(namespace, open) } else { open() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_resolvers_read_them() {
        let text = "# nameserver 9.9.9.9\nnameserver 10.0.0.1\nnameserver\tfe80::1%7  trailing\n nameserver ::1\nnameservers 1.1.1.1\n\
                    nameserver nonsense\nsearch a b\nnameserver";
        let read: Vec<String> = addresses(text).iter().map(ToString::to_string).collect();
        assert_eq!(read, ["10.0.0.1:53", "[fe80::1%7]:53", "[::1]:53"]);
        assert_eq!(address("fe80::1%lo").map(|a| a.to_string()).as_deref(), Some("[fe80::1%1]:53"));
        assert_eq!(addresses(&"nameserver 10.0.0.1\n".repeat(100)).len(), MOST);
    }

    #[test]
    fn servers_of_the_user_come_instead_of_the_hosts() {
        let given = Forward::To(vec!["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
        let servers = Servers::default().of(&given);
        assert_eq!(servers.iter().map(|server| server.is_inside).collect::<Vec<_>>(), [false, true]);
        assert!(Servers::default().of(&Forward::Nobody).is_empty());
    }
}
