//! store

pub mod layer;
pub mod tar;
