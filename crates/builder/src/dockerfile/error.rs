//! What is wrong in a Dockerfile.

use std::fmt;

use super::ast::Span;

/// What is wrong with one instruction, one word, one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In BuildKit's words.
    pub message: String,
    /// What was probably meant.
    pub meant: Option<String>,
}

impl Fault {
    /// Of this message.
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), meant: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.meant {
            Some(meant) => write!(f, " (did you mean {meant}?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// A fault with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong. It prints as BuildKit prints it: `dockerfile parse error on line 3: …` where BuildKit says the line.
    pub fault: Fault,
    /// The instruction.
    pub span: Span,
    /// The word in it that is wrong.
    pub word: Span,
}
