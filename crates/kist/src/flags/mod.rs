//! What the flags of `create` and `run` mean.

pub(crate) mod container;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod values;

#[cfg(test)]
mod tests;
