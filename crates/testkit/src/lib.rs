//! What the tests of every room share: private roots, odd images, a driver for the program under test, a terminal, and the
//! check that nothing is left on the machine. For tests only, and it knows no room: what it says about kist it learns from
//! outside, as a user would.
//!
//! Everything a test makes carries the path of its private [`Root`], `/var/tmp/kist-test-<pid>-<n>`: in a command line, an
//! environment, a mount's options or a descriptor. The leak check looks for that mark alone, so tests run in parallel, and
//! `cargo xtask leaks` finds what a killed test left.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests run programs, read the environment, and stop at the first surprise"
)]

mod apps;
mod busybox;
mod docker_registry;
mod faults;
mod image;
mod kist;
mod machine;
mod peers;
mod pty;
mod registry;
mod root;
mod scrub;
mod skip;
mod snapshot;

pub use apps::App;
pub use busybox::{busybox, busybox_image, debian_image};
pub use docker_registry::DockerRegistry;
pub use faults::{Fault, Faults, for_each_fault, for_each_kill};
pub use image::{Compression, ImageBuilder, Layer};
pub use kist::{Kist, Output, Running};
pub use machine::Machine;
pub use peers::{Docker, Podman};
pub use pty::Pty;
pub use registry::{Answer, Asked, Bend, Proof, Registry};
pub use root::Root;
pub use scrub::scrub;
pub use skip::record_skip;
pub use snapshot::{Marker, Snapshot};
/// What a tar entry is, for [`Layer::entry`].
pub use tar::EntryType;
