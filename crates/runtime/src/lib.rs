//! runtime
pub mod apparmor;
pub mod seccomp;
