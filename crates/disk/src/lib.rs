//! Durable files. The only writers of state: [`replace`] (temporary file, fsync, rename, fsync of the directory), [`Journal`] (append)
//! and exclusive [`links`]. A reader never sees half a record, and every record carries its format number.
//!
//! Where things lie is said once, in [`Home`].

pub mod faults;
mod home;
mod journal;
pub mod links;
mod lock;
mod record;
mod replace;

pub use home::{Home, HomeError};
pub use journal::Journal;
pub use lock::Lock;
pub use record::{DiskError, Record, read, write};
pub use replace::{Durability, remove_tree, replace};
