//! The distribution protocol (OCI distribution specification 1.1), both ends: the client that pulls and pushes, and the server.

pub mod client;
pub mod credentials;
pub mod download;
pub mod partial;
pub mod registries;
pub mod server;
pub mod upload;
