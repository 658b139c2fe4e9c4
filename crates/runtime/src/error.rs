//! Why a container did not start.

use std::io;

use crate::failure::InitFailure;
use crate::seccomp::SeccompError;

/// A launch or exec that failed. Nothing of it is left: the process, if there was one, is dead and reaped.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The user or group is unknown in the image: Docker says it without the words about a process.
    #[error("{0}")]
    User(InitFailure),
    /// The container's first process failed before its command ran.
    #[error("unable to start container process: error during container init: {0}")]
    Init(InitFailure),
    /// A further process failed before its command ran.
    #[error("unable to start container process: {0}")]
    Exec(InitFailure),
    /// A step of the caller's side.
    #[error("unable to start container process: {doing}")]
    Step {
        /// What we were doing.
        doing: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The source of a bind mount.
    #[error("unable to start container process: {0}")]
    Source(InitFailure),
    /// A kernel setting that is not the container's alone.
    #[error("unable to start container process")]
    Sysctl(#[from] crate::sysctl::SysctlError),
    /// The kernel lacks something.
    #[error("unable to start container process: {what} needs {feature}, which this kernel lacks")]
    Missing {
        /// What would be missing it.
        what: &'static str,
        /// Named with the Linux that has it.
        feature: &'static str,
    },
    /// The profile cannot become a filter.
    #[error("unable to start container process: unable to init seccomp")]
    Seccomp(#[from] SeccompError),
    /// The child ended without a word: killed, most likely for want of memory.
    #[error(
        "unable to start container process: container init was terminated ({0}): maybe it was killed for want of memory"
    )]
    Died(String),
}

impl LaunchError {
    /// Docker's code: 126, 127 or 128.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            LaunchError::User(failure)
            | LaunchError::Init(failure)
            | LaunchError::Exec(failure)
            | LaunchError::Source(failure) => failure.exit_code(),
            LaunchError::Step { .. }
            | LaunchError::Sysctl(_)
            | LaunchError::Missing { .. }
            | LaunchError::Seccomp(_)
            | LaunchError::Died(_) => 128,
        }
    }
}

/// Names a step of the caller's side.
pub(crate) fn step<E: Into<io::Error>>(doing: &str) -> impl FnOnce(E) -> LaunchError + '_ {
    move |source| LaunchError::Step { doing: doing.to_owned(), source: source.into() }
}
