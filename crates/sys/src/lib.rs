//! sys
pub mod bpf;
pub mod clone;
pub mod exe;
pub mod exec;
pub mod fds;
pub mod idle;
pub mod inherit;
pub mod keyring;
pub mod loopback;
pub mod mount;
pub mod seccomp;
pub mod signals;
