//! The engine: each verb of the product once, for every face. It keeps nothing between verbs; what is true is on disk, and what runs
//! is owned by a monitor. Verbs block; an asynchronous face calls them off its threads.

pub mod build;
pub mod bundle;
pub mod container;
mod error;
mod events;
mod facts;
mod host;
pub mod image;
mod names;
pub mod network;
pub mod registry;
pub mod serve;
pub mod settings;
pub mod system;
pub mod upstream;
pub mod volume;

pub use error::Error;
pub use host::Host;
