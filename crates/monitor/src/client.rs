//! A visitor's side: finding a monitor or making one, and talking to it.

use std::ffi::{CStr, CString};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use disk::{DiskError, Durability, Home, Lock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;
use spec::bundle::Bundle;
use spec::id::ContainerId;

use crate::burial::CLAIMS;
use crate::protocol::{self, Ask, MAX_BYTES, Malformed, Tell};
use crate::recovery;
use crate::wire::{self, Received};

/// What a monitor's command line begins with; `main` goes by it.
pub const ROLE: &str = "kist-monitor";

/// All there is of an environment: glibc's allocator keeps no freed pieces for later. They would hold on to a third of a sleeping
/// monitor's heap (72 KB with, 40 KB without).
const ENVIRONMENT: &[&CStr] = &[c"GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"];

/// Why a monitor cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The container has a living monitor already.
    #[error("the container has a monitor already")]
    Living,
    /// The monitor went away before it answered.
    #[error("the container's monitor went away")]
    Gone,
    /// No answer in time.
    #[error("the container's monitor did not answer in time")]
    Slow,
    /// Words that one side cannot say to the other.
    #[error("talking to the container's monitor")]
    Malformed(#[from] Malformed),
    /// The run directory.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The kernel said no to what the text says.
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
}

/// A container's run directory, held by this process until its monitor takes over: nobody else starts a monitor there or cleans it up.
#[derive(Debug)]
pub struct Berth {
    dir: PathBuf,
    lock: Lock,
}

impl Berth {
    /// Makes and takes the run directory.
    ///
    /// # Errors
    /// [`ClientError::Living`]: a monitor has it.
    pub fn take(home: &Home, id: &ContainerId) -> Result<Berth, ClientError> {
        let dir = home.sandbox(id);
        // Whoever recovers the remains of a dead monitor holds the lock for a moment; so does who asks whether it is held.
        let patience = Instant::now() + Duration::from_secs(10);
        loop {
            match DirBuilder::new().mode(0o711).create(&dir) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(ClientError::Io("making the container's run directory", e));
                }
                Ok(()) | Err(_) => {}
            }
            match Lock::try_exclusive(&dir.join("lock")) {
                Ok(Some(lock)) if is_at(&lock, &dir) => return Ok(Berth { dir, lock }),
                // Taken away between opening and locking.
                Ok(Some(_)) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Ok(None) if Client::at(&dir)?.is_some() || Instant::now() > patience => {
                    return Err(ClientError::Living);
                }
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                Err(e) => return Err(ClientError::Io("locking the container's run directory", e)),
            }
        }
    }

    /// Gives the run directory up: there is to be no monitor. What a monitor that died a moment ago held stays written down in it, for
    /// the next command's recovery.
    ///
    /// # Errors
    /// Of the file system.
    pub fn leave(self) -> io::Result<()> {
        if self.dir.join(CLAIMS).symlink_metadata().is_ok() { Ok(()) } else { recovery::remove_sandbox(&self.dir) }
    }

    /// Starts the monitor. It reads nothing of the container before it is asked something, so its records may still be written; when
    /// its last visitor leaves without [`Ask::Start`] it gives up.
    /// This process must have a single thread, or none that opens descriptors without CLOEXEC.
    ///
    /// # Errors
    /// No process to be had.
    pub fn spawn(self, home: &Home, id: &ContainerId, whose: Whose, ahead: Ahead) -> Result<Spawned, ClientError> {
        let text = |bytes: &[u8]| {
            CString::new(bytes).map_err(|e| ClientError::Io("naming the container's directories", e.into()))
        };
        let argv = [
            text(ROLE.as_bytes())?,
            text(home.root().as_os_str().as_bytes())?,
            text(home.run().as_os_str().as_bytes())?,
            text(id.as_str().as_bytes())?,
            text(whose.word().as_bytes())?,
            text(ahead.word().as_bytes())?,
        ];
        let argv = argv.each_ref().map(|word| word.as_c_str());
        let start = || -> io::Result<OwnedFd> {
            let (ours, its) = wire::pair()?;
            let null = File::options().read(true).write(true).open("/dev/null")?;
            let null = null.as_fd();
            let exe = sys::exe::read_only()?;
            // The last for the monitor to close: who closes a detached mount last waits 0.1 ms and more for its end.
            let fds = [(null, 0), (null, 1), (null, 2), (its.as_fd(), 3), (self.lock.as_fd(), 4), (exe.as_fd(), 5)];
            // In test builds the monitor shares the fault switch.
            let switches = disk::faults::switches();
            let env: Vec<_> = ENVIRONMENT.iter().copied().chain(switches.iter().map(|pair| pair.as_c_str())).collect();
            sys::exec::spawn(exe.as_fd(), &argv, &env, &fds)?;
            Ok(ours)
        };
        let client = start().map(Client).map_err(|e| ClientError::Io("starting the container's monitor", e))?;
        Ok(Spawned { dir: self.dir, client })
    }
}

/// Whose process a monitor owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A container's.
    Container,
    /// An errand's: a build's command on a draft of the build. Its records lie beside the draft ([`Home::errand`]), nobody sees it or hears
    /// of it, and it ends with the connection of whoever spawned the monitor.
    Errand,
}

impl Whose {
    /// On the monitor's command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Whose::Container => "container",
            Whose::Errand => "errand",
        }
    }
}

/// What a monitor makes while it waits for the first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing.
    Nothing,
    /// A network namespace, for a container that is going to have its own.
    Network,
}

impl Ahead {
    /// On the monitor's command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Ahead::Nothing => "nothing",
            Ahead::Network => "network",
        }
    }
}

/// A monitor that gets up, or waits for the first word. Dropped, it gives up.
#[derive(Debug)]
pub struct Spawned {
    dir: PathBuf,
    client: Client,
}

impl Spawned {
    /// Writes the bundle down, the last of what the monitor will read.
    ///
    /// # Errors
    /// Of the file system.
    pub fn brief(self, bundle: &Bundle) -> Result<Client, ClientError> {
        disk::write(&self.dir, bundle, Durability::Volatile)?;
        Ok(self.client)
    }

    /// There is no command after all. Returns when the monitor is gone.
    pub fn give_up(self) {
        self.client.see_off();
    }
}

/// Whether the lock is of the file that is in the directory now.
pub(crate) fn is_at(lock: &Lock, dir: &Path) -> bool {
    let held = rustix::fs::fstat(lock);
    let there = std::fs::metadata(dir.join("lock"));
    matches!((held, there), (Ok(held), Ok(there)) if held.st_ino == there.ino() && held.st_dev == there.dev())
}

/// A connection to a living monitor.
#[derive(Debug)]
pub struct Client(OwnedFd);

impl Client {
    /// A connection to the container's monitor; none if none lives.
    ///
    /// # Errors
    /// Of the kernel.
    pub fn connect(home: &Home, id: &ContainerId) -> Result<Option<Client>, ClientError> {
        Client::at(&home.sandbox(id))
    }

    fn at(dir: &Path) -> Result<Option<Client>, ClientError> {
        let connection = wire::connect(dir).map_err(|e| ClientError::Io("connecting to the container's monitor", e))?;
        Ok(connection.map(Client))
    }

    /// Asks. The answers come by [`Client::tell`].
    ///
    /// # Errors
    /// [`ClientError::Gone`], or the message is too long.
    pub fn ask(&self, ask: &Ask, fds: &[BorrowedFd<'_>]) -> Result<(), ClientError> {
        let bytes = protocol::encode_enclosed(ask)?;
        let sent = if bytes.len() <= MAX_BYTES {
            wire::send(self.0.as_fd(), &bytes, fds)
        } else {
            // Closed by us and read by the monitor, it is gone: nothing is left of it whoever dies.
            let file = wire::memory_file(&bytes).map_err(|e| ClientError::Io("writing a long message", e))?;
            let fds: Vec<_> = fds.iter().copied().chain([file.as_fd()]).collect();
            wire::send(self.0.as_fd(), &protocol::encode(&Ask::Enclosed)?, &fds)
        };
        sent.map_err(|e| {
            if [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset].contains(&e.kind()) {
                ClientError::Gone
            } else {
                ClientError::Io("talking to the container's monitor", e)
            }
        })
    }

    /// The next answer, however long it takes.
    ///
    /// # Errors
    /// [`ClientError::Gone`], or words this program does not know.
    pub fn tell(&self) -> Result<Tell, ClientError> {
        match wire::receive(self.0.as_fd(), MAX_BYTES, RecvFlags::empty()) {
            Ok(Received::Datagram(bytes, _)) => Ok(protocol::decode(&bytes)?),
            Ok(Received::TooLong(length)) => Err(Malformed::TooLong(length).into()),
            Ok(Received::End) => Err(ClientError::Gone),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Err(ClientError::Gone),
            Err(e) => Err(ClientError::Io("listening to the container's monitor", e)),
        }
    }

    /// Leaves, and returns when the monitor is gone: for one that stays no longer than this visitor.
    pub fn see_off(self) {
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write);
        while self.tell().is_ok() {}
    }

    /// The next answer, if it comes in time.
    ///
    /// # Errors
    /// [`ClientError::Slow`], or as [`Client::tell`].
    pub fn tell_within(&self, limit: Duration) -> Result<Tell, ClientError> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Err(ClientError::Slow),
                Ok(_) => return self.tell(),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(ClientError::Io("listening to the container's monitor", e.into())),
            }
        }
    }
}

impl AsFd for Client {
    /// Readable when [`Client::tell`] would not wait.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
