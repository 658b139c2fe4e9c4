//! The server as clients see it: raw HTTP over a socket, and the tools that others use.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests run programs, look at files as they are, and stop at the first surprise"
)]

mod client;
mod content;
mod hostile;
mod lists;
mod peers;
mod pushes;
mod upstream;
mod users;
