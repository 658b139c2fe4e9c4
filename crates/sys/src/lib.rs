//! sys
pub mod exe;
pub mod exec;
pub mod fds;
pub mod mount;
pub mod seccomp;
pub mod signals;
