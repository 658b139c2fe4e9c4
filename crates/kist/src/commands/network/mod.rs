//! `kist network …`.

mod change;
mod create;
mod list;

pub(crate) use change::{NETWORK_CONNECT, NETWORK_DISCONNECT, NETWORK_PRUNE, NETWORK_RELOAD, NETWORK_RM, pruned};
pub(crate) use create::NETWORK_CREATE;
pub(crate) use list::NETWORK_LS;

/// Docker's `strings`: several values in one, parted by commas.
fn strings<'a>(values: &[&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| value.split(',')).filter(|value| !value.is_empty()).collect()
}
