//! The language of Dockerfiles, as BuildKit has it.
//!
//! [`ast`] is what comes of a file.

pub mod ast;
pub mod error;
pub mod expand;
pub mod mount;
