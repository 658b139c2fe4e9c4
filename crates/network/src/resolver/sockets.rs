//! The sockets in the container's namespace that are found at 127.0.0.11:53.
//!
//! Bound there, they would take the port from a name server that the container runs itself: its bind of all addresses would fail. So they
//! are bound to any port, and the kernel is told to find them at 53 ([`sys::steer`]); answers by UDP, which come from the port of the socket,
//! are sent as whole packets. Where the kernel cannot do that they are bound to 53 all the same.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, Protocol, SendFlags, SocketAddrAny, SocketFlags, SocketType, bind, ipproto, listen, sendto,
    socket_with,
};

use super::{ADDRESS, PORT};

#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) datagrams: OwnedFd,
    pub(super) listener: OwnedFd,
    steered: Option<Steered>,
}

#[derive(Debug)]
struct Steered {
    _link: OwnedFd,
    /// For answers.
    packets: OwnedFd,
}

const IPV4_BYTES: usize = 20;
const UDP_BYTES: usize = 8;

impl Sockets {
    /// The caller is in the namespace.
    pub(super) fn open(namespace: BorrowedFd<'_>) -> io::Result<Sockets> {
        Sockets::steered(namespace).or_else(|_| {
            let (datagrams, listener) = bound(PORT)?;
            Ok(Sockets { datagrams, listener, steered: None })
        })
    }

    fn steered(namespace: BorrowedFd<'_>) -> io::Result<Sockets> {
        let (datagrams, listener) = bound(0)?;
        let packets = socket(SocketType::RAW, Some(ipproto::RAW))?;
        let address = SocketAddrV4::new(ADDRESS, PORT);
        let link = sys::steer::steer(namespace, address, datagrams.as_fd(), listener.as_fd())?;
        Ok(Sockets { datagrams, listener, steered: Some(Steered { _link: link, packets }) })
    }

    /// Answers by UDP.
    pub(super) fn send(&self, bytes: &[u8], client: &SocketAddrAny) -> io::Result<()> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match &self.steered {
            None => sendto(&self.datagrams, bytes, flags, client)?,
            Some(steered) => {
                let client = SocketAddrV4::try_from(client.clone())?;
                let packet = packet(client, bytes).ok_or(io::ErrorKind::InvalidInput)?;
                sendto(&steered.packets, &packet, flags, &client)?
            }
        };
        Ok(())
    }
}

fn bound(port: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let open = |kind| -> io::Result<OwnedFd> {
        let socket = socket(kind, None)?;
        bind(&socket, &SocketAddrV4::new(ADDRESS, port))?;
        Ok(socket)
    };
    let (datagrams, listener) = (open(SocketType::DGRAM)?, open(SocketType::STREAM)?);
    listen(&listener, 16)?;
    Ok((datagrams, listener))
}

fn socket(kind: SocketType, protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, protocol)?)
}

/// A datagram from 127.0.0.11:53 (RFC 791, RFC 768). The kernel fills in the header's checksum and identifier; that of UDP may be left out.
fn packet(client: SocketAddrV4, bytes: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(UDP_BYTES + bytes.len()).ok()?;
    let length = u16::try_from(IPV4_BYTES + UDP_BYTES + bytes.len()).ok()?;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    // No identifier, not to be cut, 64 hops, UDP, no checksum.
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend(ADDRESS.octets());
    packet.extend(client.ip().octets());
    packet.extend(PORT.to_be_bytes());
    packet.extend(client.port().to_be_bytes());
    packet.extend(udp_length.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(bytes);
    Some(packet)
}
