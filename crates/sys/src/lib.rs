//! sys
pub mod bpf;
pub mod clone;
pub mod exe;
pub mod exec;
pub mod fds;
pub mod fsids;
pub mod idle;
pub mod inherit;
pub mod keyring;
pub mod loopback;
pub mod memory;
pub mod mntns;
pub mod mount;
pub mod seccomp;
pub mod signalfd;
pub mod signals;
pub mod userns;
