//! One bundle becomes one process: namespaces, mounts, control groups, capabilities, seccomp, AppArmor.
//!
//! - [`launch`] and [`exec`] are what callers use. Both clone, so both want a single-threaded caller: the container's monitor.
//! - The child sets itself up (`init.rs`, `rootfs/`, `process.rs`) and talks to the launcher over a typed handshake
//!   (`handshake.rs`); what goes wrong is a message like any other, in Docker's words (`failure.rs`).
//! - Files are reached by descriptors below the container's root (`rootfs/target.rs`), never by a path joined and walked again.
//! - No program of the host runs inside, and no C library is asked anything there: users and groups are read by our own parser.

pub mod apparmor;
pub mod cgroup;
mod error;
mod exec;
mod failure;
mod handshake;
mod init;
mod launch;
mod lookup;
mod namespaces;
mod process;
mod rootfs;
pub mod seccomp;
mod sysctl;
mod terminal;
mod tiny_init;
mod user;

pub use error::LaunchError;
pub use exec::{Exec, exec};
pub use failure::{Errno, InitFailure};
pub use launch::{Launch, Launched, OnNetwork, Stdio, launch};
pub use namespaces::{Joined, memory_at, new_network, shared_memory};
pub use rootfs::filesystem;
pub use rootfs::view::{Access, View, root_of};
pub use sysctl::{SysctlError, check as check_sysctls};
pub use user::ids as user_ids;
