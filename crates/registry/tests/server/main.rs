//! The server as clients see it: raw HTTP over a socket, and the tools that others use.
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "tests run programs and look at files as they are")]

mod client;
mod content;
mod hostile;
mod lists;
mod peers;
mod pushes;
mod upstream;
mod users;
