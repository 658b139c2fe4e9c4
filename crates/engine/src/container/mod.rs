//! What is done with containers, one verb a file.

pub mod attach;
pub mod commit;
pub mod cp;
pub mod create;
pub mod diff;
pub mod exec;
pub mod export;
mod files;
pub mod find;
pub mod kill;
pub mod list;
pub mod logs;
pub mod pause;
pub mod prune;
pub mod refused;
pub mod remove;
pub mod rename;
pub mod signal;
pub mod start;
pub mod stats;
pub mod stop;
pub mod top;
pub mod update;
pub(crate) mod visit;
pub mod wait;

pub use find::{Record, find};
pub use list::View;

use crate::error::Error;

/// Fills `bytes` with random ones.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Error> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
            .map_err(|e| Error::Io("asking for random bytes".into(), e.into()))?;
    }
    Ok(())
}
