//! An ssh agent that a command may speak to: a socket of the command's own, behind which everything is passed on to the user's. So it
//! has the owner and the mode that the Dockerfile says, and goes with the command.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

/// Dropped, nobody is listened to any more.
pub(super) struct Agent {
    _stop: UnixStream,
}

impl Agent {
    /// Listens at `name` in the directory; who connects speaks to `socket`.
    pub(super) fn listen(
        dir: BorrowedFd<'_>,
        name: &str,
        socket: PathBuf,
        mode: u32,
        (uid, gid): (u32, u32),
    ) -> io::Result<Agent> {
        let path = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        let listener = UnixListener::bind(&path)?;
        chown(&path, Some(uid), Some(gid))?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode & 0o7777))?;
        listener.set_nonblocking(true)?;
        let (ours, its) = UnixStream::pair()?;
        thread::Builder::new().name("ssh agent".into()).spawn(move || serve(&listener, &its, &socket))?;
        Ok(Agent { _stop: ours })
    }
}

fn serve(listener: &UnixListener, stop: &UnixStream, socket: &std::path::Path) {
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(_) if fds[1].revents().is_empty() => {}
            Ok(_) | Err(_) => return,
        }
        let Ok((its, _)) = listener.accept() else { continue };
        // One whom nobody answers sees the connection end, as where there is no agent.
        let _ =
            its.set_nonblocking(false).and_then(|()| UnixStream::connect(socket)).and_then(|agents| pass(its, agents));
    }
}

/// Both ways, until either side has said all.
fn pass(its: UnixStream, agents: UnixStream) -> io::Result<()> {
    let ways = [(its.try_clone()?, agents.try_clone()?), (agents, its)];
    for (mut from, mut to) in ways {
        thread::Builder::new().name("ssh agent".into()).spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })?;
    }
    Ok(())
}
