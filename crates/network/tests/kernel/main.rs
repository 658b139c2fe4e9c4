//! Networks for real: each test has a network namespace of its own that stands for the host, and more for containers and others.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod bridge;
mod egress;
mod firewall;
mod host;
mod kill;
mod listing;
mod modes;
mod parents;
mod ports;
mod records;
mod relay;
