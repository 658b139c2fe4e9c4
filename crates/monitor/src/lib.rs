//! The owner of one running container: its stdio, log, exit, restarts, health and clean-up. A small single-threaded process of the
//! same executable, one for each container; commands visit it and may be killed, upgraded or run side by side while it goes on.

mod client;
mod exit;
pub mod health;
pub mod protocol;
pub mod status;
mod wire;

pub use client::{Berth, Client, ClientError, ROLE};
pub use exit::Exit;
