//! Datagrams with descriptors over a SOCK_SEQPACKET socket.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::cmsg_space;
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, memfd_create, openat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, recv, recvmsg, sendmsg,
};

/// How many descriptors a datagram may carry: a stream, and a message too long for a datagram; or the mounts of an errand.
pub(crate) const MAX_FDS: usize = 64;

/// Sends one datagram. Never blocks and never raises SIGPIPE: who does not read what was told is as good as gone.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
    Ok(())
}

/// What arrived.
pub(crate) enum Received {
    /// A datagram.
    Datagram(Vec<u8>, Vec<OwnedFd>),
    /// One longer than the limit; it was thrown away.
    TooLong(usize),
    /// The other end is gone.
    End,
}

/// Receives one datagram of at most `limit` bytes, waiting for it unless `flags` say otherwise. Takes no more memory than it has.
pub(crate) fn receive(socket: BorrowedFd<'_>, limit: usize, flags: RecvFlags) -> io::Result<Received> {
    // A peer that closes with unread datagrams leaves ECONNRESET before what it sent; what it sent follows.
    let attempt = |flags| match rustix::io::retry_on_intr(|| recv(socket, &mut [0_u8; 0][..], flags)) {
        Err(Errno::CONNRESET) => rustix::io::retry_on_intr(|| recv(socket, &mut [0_u8; 0][..], flags)),
        other => other,
    };
    let (_, length) = attempt(flags | RecvFlags::PEEK | RecvFlags::TRUNC)?;
    if length == 0 {
        return Ok(Received::End);
    }
    let mut bytes = vec![0; length.min(limit)];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::io::retry_on_intr(|| {
        recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags | RecvFlags::CMSG_CLOEXEC)
    })?;
    let fds = ancillary
        .drain()
        .filter_map(|message| if let RecvAncillaryMessage::ScmRights(fds) = message { Some(fds) } else { None })
        .flatten()
        .collect();
    if length > limit || got.flags.contains(ReturnFlags::TRUNC) {
        return Ok(Received::TooLong(length));
    }
    bytes.truncate(got.bytes);
    Ok(Received::Datagram(bytes, fds))
}

/// A file of these bytes that has no name.
pub(crate) fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = memfd_create("kist message", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// What is in such a file, if it is one and has at most `limit` bytes.
pub(crate) fn read_file(file: OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    let file = std::fs::File::from(file);
    let about = file.metadata()?;
    let length = usize::try_from(about.len()).unwrap_or(usize::MAX);
    if !about.is_file() || length > limit {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Waits until something can be received, and leaves it there. False: the other end is gone.
pub(crate) fn wait(socket: BorrowedFd<'_>) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
    rustix::io::retry_on_intr(|| recv(socket, &mut [0_u8; 0][..], flags)).is_ok_and(|(_, length)| length > 0)
}

/// Both ends of a connection.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

fn socket() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Runs `act` with the address of `dir`/ask.sock. An address holds 107 bytes and a run directory may lie deep, so the directory goes
/// by descriptor.
fn with_address<T>(dir: &Path, act: impl FnOnce(&SocketAddrUnix) -> rustix::io::Result<T>) -> io::Result<T> {
    let dir = openat(CWD, dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/ask.sock", dir.as_fd().as_raw_fd()))?;
    Ok(act(&address)?)
}

/// A connection to whoever listens in `dir`; none if nobody does.
pub(crate) fn connect(dir: &Path) -> io::Result<Option<OwnedFd>> {
    let socket = socket()?;
    match with_address(dir, |address| rustix::net::connect(&socket, address)) {
        Ok(()) => Ok(Some(socket)),
        Err(e) if [Errno::NOENT, Errno::CONNREFUSED].iter().any(|no| e.raw_os_error() == Some(no.raw_os_error())) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

/// Listens in `dir`, for root alone; what a dead monitor left there is replaced.
pub(crate) fn listen(dir: &Path) -> io::Result<OwnedFd> {
    let socket = socket()?;
    match std::fs::remove_file(dir.join("ask.sock")) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    // The mode of a socket file is that of its descriptor less the umask.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    with_address(dir, |address| rustix::net::bind(&socket, address))?;
    rustix::net::listen(&socket, 64)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}
