//! Published ports: bound sockets. Nobody listens on them but the relay, by TCP and IPv6.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use disk::Home;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use rustix::process::{Resource, getrlimit, setrlimit};
use spec::address::Protocol;
use spec::network::{Publish, Published};

use crate::error::NetworkError;
use crate::relay::{self, Relay};
use crate::rules;

/// Ports held for a container; dropped, they are free again.
#[derive(Debug)]
pub struct Reserved {
    /// What came of the wishes. One without a host address is two, as Docker shows it: where the container has both families, and by TCP
    /// also where it has IPv4 alone, as there is the relay.
    pub published: Vec<Published>,
    /// Serves who comes by TCP and IPv6 and is not translated.
    pub relay: Relay,
    /// Each keeps its port.
    _sockets: Vec<OwnedFd>,
}

/// The same while it is being made.
#[derive(Default)]
struct Reserving {
    published: Vec<Published>,
    relayed: Vec<relay::Held>,
    sockets: Vec<OwnedFd>,
}

/// Reserves host ports. Ranges and "any" take the first free one; of a fixed one the loser hears who has it.
///
/// # Errors
/// [`NetworkError::PortAllocated`], [`NetworkError::PortInUse`], [`NetworkError::Bind`]; then nothing is held.
pub fn reserve(
    home: &Home,
    wanted: &[Publish],
    families: [bool; 2],
    default: IpAddr,
) -> Result<Reserved, NetworkError> {
    make_room(wanted.len());
    let mut reserving = Reserving::default();
    let speaks_ipv6 = has_ipv6();
    for (index, wish) in wanted.iter().enumerate() {
        if !wanted[..index].contains(wish) {
            let is_relayed = families[0] && wish.port.protocol == Protocol::Tcp;
            let families = [families[0], speaks_ipv6 && (families[1] || is_relayed)];
            let addresses = addresses(wish, families, default);
            reserving.take(home, wish, &addresses)?;
        }
    }
    let Reserving { published, relayed, sockets } = reserving;
    Ok(Reserved { published, relay: Relay::new(relayed), _sockets: sockets })
}

/// Where a port is to be found: at most one address of each family.
fn addresses(wish: &Publish, families: [bool; 2], default: IpAddr) -> Vec<IpAddr> {
    match wish.host_ip {
        Some(one) => vec![one],
        None if !default.is_unspecified() => vec![default],
        None => {
            let any = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
            any.into_iter().zip(families).filter_map(|(any, has)| has.then_some(any)).collect()
        }
    }
}

impl Reserving {
    fn take(&mut self, home: &Home, wish: &Publish, addresses: &[IpAddr]) -> Result<(), NetworkError> {
        let Some(address) = addresses.first() else { return Ok(()) };
        let protocol = wish.port.protocol;
        let published = |host_ip, host_port| Published { port: wish.port, host_ip, host_port };
        let mut lost = None;
        for number in numbers(wish) {
            match hold_all(protocol, addresses, number) {
                Ok(sockets) => {
                    for (address, (socket, number)) in addresses.iter().zip(sockets) {
                        self.published.push(published(*address, number));
                        if address.is_ipv6() && protocol == Protocol::Tcp {
                            self.relayed.push(relay::Held { socket, port: wish.port.number });
                        } else {
                            self.sockets.push(socket);
                        }
                    }
                    return Ok(());
                }
                Err((at, e)) if e.kind() == io::ErrorKind::AddrInUse => {
                    lost.get_or_insert(published(at, number));
                }
                Err((_, e)) if is_missing(&e) && protocol == Protocol::Sctp => {
                    return Err(NetworkError::Unsupported(
                        "this kernel has no SCTP (CONFIG_IP_SCTP): its ports cannot be published".into(),
                    ));
                }
                Err((at, e)) => return Err(NetworkError::Bind(published(at, number), e)),
            }
        }
        let lost = lost.unwrap_or(published(*address, 0));
        let is_ours = self
            .published
            .iter()
            .any(|ours| (ours.host_port, ours.port.protocol) == (lost.host_port, lost.port.protocol));
        if is_ours || rules::is_published(home, &lost)? {
            Err(NetworkError::PortAllocated(lost))
        } else {
            Err(NetworkError::PortInUse(lost))
        }
    }
}

/// What is tried. The kernel's choice for one address may be taken at the other: then it chooses again.
fn numbers(wish: &Publish) -> impl Iterator<Item = u16> {
    const CHOICES: usize = 64;
    let choices = std::iter::repeat_n(0, if wish.host_ports.is_none() { CHOICES } else { 0 });
    wish.host_ports.map(|(first, last)| first..=last).into_iter().flatten().chain(choices)
}

/// Sockets that have one number at all addresses, or where it failed.
fn hold_all(
    protocol: Protocol,
    addresses: &[IpAddr],
    mut number: u16,
) -> Result<Vec<(OwnedFd, u16)>, (IpAddr, io::Error)> {
    let mut sockets = Vec::new();
    for address in addresses {
        let held = hold(protocol, SocketAddr::new(*address, number));
        let socket =
            held.and_then(|socket| bound(&socket).map(|number| (socket, number))).map_err(|e| (*address, e))?;
        number = socket.1;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// A kernel without the protocol.
fn is_missing(error: &io::Error) -> bool {
    let missing = [Errno::PROTONOSUPPORT, Errno::SOCKTNOSUPPORT, Errno::NOPROTOOPT];
    missing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// A socket that has the port in one family: one of IPv6 that took both would listen at IPv4, too, where rules serve.
fn hold(protocol: Protocol, address: SocketAddr) -> io::Result<OwnedFd> {
    let open = || -> io::Result<OwnedFd> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let (kind, protocol) = match protocol {
            Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
            Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
            Protocol::Sctp => (SocketType::STREAM, ipproto::SCTP),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, kind, flags, Some(protocol))?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        Ok(socket)
    };
    let socket = open()?;
    match net::bind(&socket, &address) {
        Ok(()) => {}
        Err(Errno::ADDRINUSE) if protocol == Protocol::Tcp => return outlive(open()?, address),
        Err(e) => return Err(e.into()),
    }
    if protocol == Protocol::Udp {
        // While the rules are gone, datagrams come here, and nobody reads them.
        sockopt::set_socket_recv_buffer_size(&socket, 0)?;
    }
    Ok(socket)
}

/// Where only connections that are over for a minute have the port, SO_REUSEADDR gets it. But then two could: so it listens for a moment,
/// which is granted to one, and is as if it had never asked for anything.
fn outlive(socket: OwnedFd, address: SocketAddr) -> io::Result<OwnedFd> {
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    net::listen(&socket, 0)?;
    sockopt::set_socket_reuseaddr(&socket, false)?;
    net::shutdown(&socket, net::Shutdown::Read)?;
    Ok(socket)
}

fn bound(socket: &OwnedFd) -> io::Result<u16> {
    let address: SocketAddr = net::getsockname(socket)?.try_into()?;
    Ok(address.port())
}

/// Whether this machine speaks IPv6 at all.
fn has_ipv6() -> bool {
    let probe = net::socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    probe.is_ok_and(|probe| net::bind(&probe, &SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0)).is_ok())
}

/// Raises the soft limit of descriptors, as far as the hard one lets it, where so many ports need it.
fn make_room(wishes: usize) {
    const BESIDE: usize = 128;
    let needed = u64::try_from(2 * (wishes + relay::MOST_CONNECTIONS) + BESIDE).unwrap_or(u64::MAX);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        // Where it is refused, socket(2) says what is missing.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
