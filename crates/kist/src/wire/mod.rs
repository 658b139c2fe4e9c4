//! Docker's shapes: what `inspect` answers and what the rows of lists say, with Go's `null`, `[]` and zero times.
//!
//! Pure: plain structs with public fields, filled from the engine's words elsewhere in this folder, and printed here.

pub(crate) mod container;
pub(crate) mod container_row;
pub(crate) mod event;
pub(crate) mod from_container;
pub(crate) mod from_image;
mod from_mount;
pub(crate) mod go;
pub(crate) mod host_config;
pub(crate) mod image;
pub(crate) mod image_row;
pub(crate) mod json;
pub(crate) mod network;
pub(crate) mod phase;
pub(crate) mod process_row;
pub(crate) mod stats_row;
pub(crate) mod volume;

#[cfg(test)]
pub(crate) mod tests;
