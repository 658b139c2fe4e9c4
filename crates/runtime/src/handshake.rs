//! The words between the launcher and the process that becomes the container's, over a socket pair that closes on execution:
//!
//! ```text
//! launcher                     init
//!          <- MapIds                    in a new user namespace only
//!             IdsMapped ->
//!          <- Terminal(fd)              with a terminal only
//!          <- Ready                     the command was found; all is set up
//!          (end of file)                the command runs
//! ```
//! At any point init may say `Failed` and end. An end of file before `Ready` means that it died.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};

use crate::failure::InitFailure;

/// What init says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInit {
    /// Write my user and group id maps.
    MapIds,
    /// The master of my pseudo-terminal.
    Terminal(#[serde(skip)] Option<OwnedFd>),
    /// Everything is done but the execution.
    Ready(Vec<String>),
    /// I am about to end.
    Failed(InitFailure),
}

/// What the launcher says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ToInit {
    /// The maps are written.
    IdsMapped = 1,
}

/// The launcher's end.
pub(crate) struct LauncherEnd(OwnedFd);

/// Init's end.
pub(crate) struct InitEnd(OwnedFd);

/// Long enough for any failure (`InitFailure::cut`).
const LONGEST: usize = 32 * 1024;

/// How long init may be silent: its longest step takes milliseconds. Processes of the container that share its pid namespace may stop
/// it, and file systems of theirs that it asks may never answer; nobody shall wait for ever because of that.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected pair. Both close on execution.
pub(crate) fn pair() -> Result<(LauncherEnd, InitEnd), Errno> {
    let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    Ok((LauncherEnd(one), InitEnd(other)))
}

impl LauncherEnd {
    /// The next message; none at the end of file. TIMEDOUT when nothing comes for [`PATIENCE`].
    pub(crate) fn receive(&self) -> Result<Option<FromInit>, Errno> {
        let limit = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
        let mut ports = [PollFd::new(&self.0, PollFlags::IN)];
        if rustix::io::retry_on_intr(|| poll(&mut ports, Some(&limit)))? == 0 {
            return Err(Errno::TIMEDOUT);
        }
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                result => break result?,
            }
        };
        if received.bytes == 0 {
            return Ok(None);
        }
        let mut message: FromInit = serde_json::from_slice(&bytes[..received.bytes]).map_err(|_| Errno::BADMSG)?;
        if let FromInit::Terminal(slot) = &mut message {
            *slot = ancillary.drain().find_map(|part| {
                let RecvAncillaryMessage::ScmRights(mut fds) = part else { return None };
                fds.next()
            });
        }
        Ok(Some(message))
    }

    /// Says a word.
    pub(crate) fn send(&self, message: ToInit) -> Result<(), Errno> {
        rustix::net::send(&self.0, &[message as u8], SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

impl AsFd for InitEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl InitEnd {
    /// Says a word.
    pub(crate) fn send(&self, message: &FromInit) -> Result<(), Errno> {
        let bytes = serde_json::to_vec(message).map_err(|_| Errno::BADMSG)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fd;
        if let FromInit::Terminal(Some(terminal)) = message {
            fd = [terminal.as_fd()];
            ancillary.push(SendAncillaryMessage::ScmRights(&fd));
        }
        sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for exactly this word.
    pub(crate) fn expect(&self, word: ToInit) -> Result<(), Errno> {
        let mut byte = [0_u8; 1];
        match rustix::net::recv(&self.0, &mut byte, RecvFlags::empty())? {
            (_, 1) if byte[0] == word as u8 => Ok(()),
            // The launcher is gone or confused; either way there is nobody to run for.
            _ => Err(Errno::PIPE),
        }
    }
}
