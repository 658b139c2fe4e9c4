//! What is done with networks, one verb a file.

pub mod attach;
pub mod connect;
pub mod create;
pub mod disconnect;
pub mod ipam;
pub mod list;
mod options;
pub mod places;
pub mod prune;
pub mod reload;
pub mod remove;
