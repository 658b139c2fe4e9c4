//! The owner of one running container: its stdio, log, exit, restarts, health and clean-up. A small single-threaded process of the
//! same executable, one for each container; commands visit it and may be killed, upgraded or run side by side while it goes on.

//!
//! - [`Berth`] and [`Client`] are the visitor's side, [`protocol`] is what both say, [`status`] what anybody may read.
//! - `owner.rs` is the loop; `visits.rs`, `run.rs` and `execs.rs` are what it does; `hub.rs` and `viewer.rs` move the bytes.
//! - What can be decided without looking at the machine is pure: states, waits, restarts, health, keys, frames.
//! - [`burial`] gives back what was claimed; [`recover`] does it for monitors that died.

pub mod burial;
mod client;
pub mod etc;
mod events;
mod execs;
mod exit;
pub mod framing;
#[cfg(test)]
mod golden;
pub mod health;
mod hub;
mod keys;
pub mod log;
mod mounts;
mod networks;
mod owner;
mod prepare;
pub mod protocol;
mod recovery;
mod restart;
mod role;
mod run;
pub mod status;
mod viewer;
mod visits;
mod waits;
mod wire;

pub use client::{Ahead, Berth, Client, ClientError, ROLE, Spawned, Whose};
pub use exit::Exit;
pub use networks::live;
pub use recovery::{Recovered, needs_start, recover};
pub use role::main;
