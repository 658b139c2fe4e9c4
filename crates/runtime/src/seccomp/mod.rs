//! Seccomp: a profile becomes one classic BPF program, with no C library.
//!
//! - `docker.rs` holds Docker's default profile, `table.rs` the kernel's numbers, which `numbers.rs` finds.
//! - `select.rs` decides: which rules count here, and what each ABI does with each number. Its answer is a list of spans over all
//!   numbers: calls that follow each other and meet the same fate are one span.
//! - `assemble.rs` makes a balanced tree of comparisons over those spans: some seven steps for any call, and as little work for the
//!   kernel, which walks the program once for each call at install to learn what is always allowed.
//!
//! A program is compiled before clone and installed after it: installing allocates nothing.
//!
//! Where a profile is ambiguous we do as runc with libseccomp, whose profiles these are:
//! - A rule whose action is the default's is passed over. A rule without arguments wins over those with, the first of several wins.
//! - Conditions on one argument repeated within a rule are alternatives; on different arguments all must hold.
//! - A call newer than the newest the profile names gets ENOSYS rather than the default action (unless that lets calls through),
//!   so that libc falls back instead of taking EPERM for an answer.
//! - An architecture that is not listed kills the thread.
//!
//! Among rules with arguments that overlap and disagree, the first that matches counts (libseccomp may refuse those).

mod assemble;
mod docker;
mod numbers;
mod select;
mod table;
#[cfg(test)]
mod tests;

use std::io;

use spec::capability::CapabilitySet;
use spec::seccomp::{Arch, Flag, KernelVersion, Profile};
use sys::seccomp::Flags;

pub use docker::docker_profile;

/// A compiled profile.
#[derive(Debug, Clone)]
pub struct Program {
    filter: Vec<libc::sock_filter>,
    flags: Flags,
}

impl Program {
    /// The instructions.
    #[must_use]
    pub fn filter(&self) -> &[libc::sock_filter] {
        &self.filter
    }

    /// Installs it for the calling thread and whatever it executes. Allocates nothing. Without CAP_SYS_ADMIN it needs no_new_privs.
    pub fn install(&self) -> io::Result<()> {
        sys::seccomp::install(&self.filter, self.flags)
    }
}

/// A profile that cannot become a program.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// We run no agent, and a filter without its agent would hang the container.
    #[error("seccomp action SCMP_ACT_NOTIFY is not supported (rule for {0:?})")]
    Notify(String),
    /// It only means something beside an agent; the kernel refuses it alone.
    #[error("seccomp flag {0} is not supported without SCMP_ACT_NOTIFY")]
    Flag(Flag),
    /// A call has six arguments.
    #[error("seccomp rule for {name:?} looks at argument {index}: a call has arguments 0 to 5")]
    Argument {
        /// The first call of the rule.
        name: String,
        /// What it asked for.
        index: u32,
    },
    /// The kernel would silently cut it.
    #[error("seccomp rule for {name:?} returns errno {errno}, which is out of range")]
    Errno {
        /// The first call of the rule, or `defaultAction`.
        name: String,
        /// What it asked for.
        errno: u32,
    },
    /// Nothing is known of this machine's system calls.
    #[error("seccomp filters cannot be made for architecture {0:?}")]
    Native(Arch),
    /// More than the kernel takes.
    #[error("the seccomp profile needs {0} instructions; the kernel takes 4096")]
    TooLong(usize),
}

/// Compiles `profile` for a process with `capabilities` in its bounding set on this kernel and architecture.
pub fn compile(
    profile: &Profile,
    capabilities: CapabilitySet,
    kernel: KernelVersion,
    native: &Arch,
) -> Result<Program, SeccompError> {
    let plan = select::plan(profile, capabilities, kernel, native)?;
    let filter = assemble::assemble(&plan);
    // BPF_MAXINSNS.
    if filter.len() > 4096 {
        return Err(SeccompError::TooLong(filter.len()));
    }
    Ok(Program { filter, flags: flags(profile)? })
}

/// The kernel that runs, for `compile`.
#[must_use]
pub fn running_kernel() -> KernelVersion {
    let uname = rustix::system::uname();
    // A release that cannot be read is taken for the oldest: no rule is let in that it may not be ready for.
    uname.release().to_str().ok().and_then(KernelVersion::of_release).unwrap_or(KernelVersion(0, 0))
}

fn flags(profile: &Profile) -> Result<Flags, SeccompError> {
    // As runc: a profile that says nothing of flags does not want the slowdown of the mitigation.
    let Some(asked) = &profile.flags else { return Ok(Flags::SPEC_ALLOW) };
    asked.iter().try_fold(Flags::NONE, |flags, flag| match flag {
        Flag::Log => Ok(flags.union(Flags::LOG)),
        Flag::SpecAllow => Ok(flags.union(Flags::SPEC_ALLOW)),
        // A container's first process has a single thread when it installs.
        Flag::Tsync => Ok(flags),
        Flag::WaitKillableRecv => Err(SeccompError::Flag(*flag)),
    })
}
