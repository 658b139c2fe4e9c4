//! How this room asks the language for variables' values.

use super::env::Env;
use crate::dockerfile::ast::{Escape, Expanded, Instruction, Word};
use crate::dockerfile::error::Fault;
use crate::dockerfile::expand::Expand;

/// Knows how the file escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) escape: Escape,
}
