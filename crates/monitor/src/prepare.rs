//! What a process needs before it is started: its streams, the namespaces it joins, its control groups.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use disk::{Home, Journal};
use runtime::cgroup::{Cgroup, Layout, Placement};
use runtime::{Joined, LaunchError, Stdio};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::Winsize;
use spec::bundle::{Bundle, Namespace};
use spec::container::Streams;
use spec::id::ContainerId;
use spec::volume::VolumeName;
use store::MountError;

use crate::burial::Claim;
use crate::hub;
use crate::networks::JoinError;
use crate::protocol::{Failure, FailureKind, Size};
use crate::status;

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("unable to start container process: unable to apply cgroup configuration")]
    Cgroup(#[source] runtime::cgroup::CgroupError),
    #[error("unable to start container process: error preparing rootfs")]
    Rootfs(#[source] MountError),
    #[error("unable to start container process: error mounting an image")]
    Image(#[source] MountError),
    #[error("error while mounting volume '{0}': failed to mount local volume: {1}")]
    Volume(VolumeName, String),
    #[error("cannot join {0} namespace of a non running container: {1}")]
    NotRunning(&'static str, ContainerId),
    #[error("failed to set up container networking")]
    Network(#[from] JoinError),
    #[error("unable to start container process: {0}")]
    Io(&'static str, #[source] io::Error),
    #[error("unable to start container process: the container's records")]
    Disk(#[from] disk::DiskError),
    #[error("unable to start container process: {0} is missing")]
    Missing(&'static str),
}

impl StartError {
    pub(crate) fn failure(&self) -> Failure {
        let exit_code = match self {
            StartError::Launch(error) => error.exit_code().into(),
            StartError::Network(_) => return Failure::new(FailureKind::Network, &chain(self), 125),
            StartError::Cgroup(_)
            | StartError::Rootfs(_)
            | StartError::Image(_)
            | StartError::Volume(..)
            | StartError::NotRunning(..)
            | StartError::Io(..)
            | StartError::Disk(_)
            | StartError::Missing(_) => 128,
        };
        Failure::new(FailureKind::Command, &chain(self), exit_code)
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Both ends of a process's streams: one for the process, one for its hub.
pub(crate) struct Ends {
    pub(crate) its: Stdio,
    pub(crate) ours: hub::Stdio,
}

/// Makes streams; those not wanted are /dev/null.
pub(crate) fn streams(terminal: bool, wanted: Streams, size: Option<Size>) -> Result<Ends, StartError> {
    if terminal {
        let size: Option<Winsize> = size.map(hub::winsize);
        return Ok(Ends { its: Stdio::Terminal { size }, ours: hub::Stdio::Nothing });
    }
    let made = || -> io::Result<Ends> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC);
        let output = |wanted| match wanted {
            true => pipe().map(|(read, write)| (write, Some(read))).map_err(io::Error::from),
            false => Ok((null()?, None)),
        };
        let (stdin, to_stdin) = if wanted.stdin {
            let (read, write) = pipe()?;
            (read, Some(write))
        } else {
            (null()?, None)
        };
        let (stdout, from_stdout) = output(wanted.stdout)?;
        let (stderr, from_stderr) = output(wanted.stderr)?;
        let ours = hub::Stdio::Pipes { stdin: to_stdin, stdout: from_stdout, stderr: from_stderr };
        Ok(Ends { its: Stdio::Pipes([stdin, stdout, stderr]), ours })
    };
    made().map_err(|e| StartError::Io("making its streams", e))
}

/// Namespaces of others, opened.
pub(crate) fn joined(home: &Home, bundle: &Bundle) -> Result<Joined, StartError> {
    let open = |what: &'static str, file: &str, namespace: &Namespace| -> Result<Option<OwnedFd>, StartError> {
        match namespace {
            Namespace::Host | Namespace::Private => Ok(None),
            Namespace::Path(path) => {
                let opened = File::open(path).map_err(|e| StartError::Io("opening a namespace to join", e))?;
                Ok(Some(opened.into()))
            }
            Namespace::Container(other) => {
                let gone = || StartError::NotRunning(what, other.clone());
                let life = status::of(home, other)?.status.life().ok_or_else(gone)?;
                let opened = File::open(format!("/proc/{}/ns/{file}", life.pid)).map_err(|_| gone())?;
                // The number may be another process's by now: ask after opening.
                if status::start_time(life.pid) != Some(life.start_time) {
                    return Err(gone());
                }
                Ok(Some(opened.into()))
            }
        }
    };
    let namespaces = &bundle.namespaces;
    let mounts = match &namespaces.ipc {
        Namespace::Container(_) => open("IPC", "mnt", &namespaces.ipc)?,
        Namespace::Host | Namespace::Private | Namespace::Path(_) => None,
    };
    let shared_memory = mounts.map(|mounts| runtime::shared_memory(mounts.as_fd())).transpose();
    Ok(Joined {
        shared_memory: shared_memory.map_err(|e| StartError::Io("opening the /dev/shm to share", e))?,
        pid: open("PID", "pid", &namespaces.pid)?,
        network: open("network", "net", &namespaces.network)?,
        ipc: open("IPC", "ipc", &namespaces.ipc)?,
        uts: open("UTS", "uts", &namespaces.uts)?,
        cgroup: open("cgroup", "cgroup", &namespaces.cgroup)?,
    })
}

/// Control groups with their limits, claimed before they are made, and which limits this machine does not know.
pub(crate) fn cgroup(bundle: &Bundle, claims: &mut Journal<Claim>) -> Result<(Cgroup, Vec<String>), StartError> {
    let layout = Layout::probe().map_err(|e| StartError::Io("looking for control groups", e))?;
    let placement = Placement { id: &bundle.id, at: &bundle.cgroup };
    let paths = placement.paths(&layout).map_err(StartError::Cgroup)?;
    claims.take(Claim::Cgroup(paths.clone())).map_err(|e| StartError::Io("claiming control groups", e))?;
    let (cgroup, warnings) = Cgroup::create(paths, &bundle.resources).map_err(StartError::Cgroup)?;
    Ok((cgroup, warnings.iter().map(ToString::to_string).collect()))
}

fn null() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}
