//! An ssh agent that a command may speak to: a socket of the command's own, behind which questions are passed on to the user's. So it
//! has the owner and the mode that the Dockerfile says, and goes with the command.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

/// `SSH_AGENTC_REQUEST_IDENTITIES`, `SSH_AGENTC_SIGN_REQUEST`, `SSH_AGENT_FAILURE` (draft-ietf-sshm-ssh-agent).
const LIST: u8 = 11;
const SIGN: u8 = 13;
const FAILURE: u8 = 5;
/// OpenSSH's own bound.
const MESSAGE_MAX_BYTES: u32 = 256 << 10;

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
        let connected = its.set_nonblocking(false).and_then(|()| UnixStream::connect(socket));
        let _ = connected
            .and_then(|agents| thread::Builder::new().name("ssh agent".into()).spawn(move || pass(its, agents)));
    }
}

/// Question by question, until one side is gone. Keys are listed and used; all else that an agent can do is for its owner alone (BuildKit's
/// `readOnlyAgent`).
fn pass(mut its: UnixStream, mut agents: UnixStream) -> io::Result<()> {
    while let Some(question) = message(&mut its)? {
        let answer = match question.first() {
            Some(&(LIST | SIGN)) => {
                say(&mut agents, &question)?;
                message(&mut agents)?.ok_or(io::ErrorKind::UnexpectedEof)?
            }
            Some(_) | None => vec![FAILURE],
        };
        say(&mut its, &answer)?;
    }
    Ok(())
}

/// The next message; none after the last.
fn message(from: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length);
    if length > MESSAGE_MAX_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut message)?;
    Ok(Some(message))
}

fn say(to: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    to.write_all(&[&length.to_be_bytes(), message].concat())
}
