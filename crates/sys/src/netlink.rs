//! Netlink sockets (netlink(7)), set up so that the kernel explains its refusals and does not send requests back.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, netlink, socket_with};

/// Nobody waits longer for an answer of the kernel's, which comes at once or never.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whom to speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Devices, addresses, routes.
    Route,
    /// Packet filters.
    Filter,
}

/// A socket in the caller's network namespace.
pub fn socket(family: Family) -> io::Result<OwnedFd> {
    let protocol: Option<Protocol> = match family {
        Family::Route => None,
        Family::Filter => Some(netlink::NETFILTER),
    };
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
        let on: libc::c_int = 1;
        let size = libc::socklen_t::try_from(size_of_val(&on)).map_err(|_| io::ErrorKind::Other)?;
        // SAFETY: setsockopt reads an int, whose address and size are given.
        let result =
            unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, (&raw const on).cast(), size) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}
