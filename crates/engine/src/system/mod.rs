//! What is done with everything at once, one verb a file.

pub mod check;
pub mod df;
pub mod events;
pub mod facts;
pub mod start;
