//! What is done with images, one verb a file.

pub mod bundled;
pub mod history;
pub mod import;
pub mod list;
pub mod load;
pub mod obtain;
pub mod progress;
pub mod prune;
pub mod pull;
pub mod push;
pub mod remote;
pub mod remove;
pub mod save;
pub mod tag;
