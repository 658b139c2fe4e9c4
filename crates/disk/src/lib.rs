//! Durable files. The only writers of state: [`replace`] (temporary file, fsync, rename, fsync of the directory), [`Journal`] (append)
//! and exclusive [`links`]. A reader never sees half a record, and every record carries its format number.
//!
//! Where things lie is said once, in [`Home`].

mod clock;
pub mod events;
pub mod faults;
mod home;
mod journal;
mod limbo;
pub mod links;
mod lock;
mod record;
mod records;
mod replace;
mod volume;

pub use clock::now;
pub use home::{Home, HomeError};
pub use journal::Journal;
pub use limbo::{Ending, Making};
pub use lock::Lock;
pub use record::{DiskError, Record, read, read_at, write, write_at};
pub use replace::{Durability, remove_tree, replace};
pub use volume::{Dress, EndVolume, EndedVolume, Filling, Hold, Patience, Scratch};

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests look at files as they are")]
mod tests;
