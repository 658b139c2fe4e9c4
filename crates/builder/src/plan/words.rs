//! How this room asks the language for variables' values.

use super::env::Env;
use crate::dockerfile::ast::{Escape, Expanded, Instruction, Word};
use crate::dockerfile::error::Fault;
use crate::dockerfile::words::{Keep, Lexer, Quotes, Variables};

/// Knows how the file escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) escape: Escape,
}

impl crate::dockerfile::words::Env for Env {
    fn value(&self, name: &str) -> Option<&str> {
        Env::value(self, name)
    }
}

impl Words {
    /// One word.
    pub(crate) fn word(self, word: &Word, env: &Env) -> Result<String, Fault> {
        Ok(Lexer::new(self.escape).expand(&word.0, env)?.text)
    }

    /// One word, and the names in it that have no value.
    pub(crate) fn word_and_unset(self, word: &Word, env: &Env) -> Result<(String, Vec<String>), Fault> {
        let expansion = Lexer::new(self.escape).expand(&word.0, env)?;
        Ok((expansion.text, expansion.unset.into_iter().collect()))
    }

    /// An instruction's words.
    pub(crate) fn instruction(self, said: &Instruction, env: &Env) -> Result<Instruction<Expanded>, Fault> {
        said.expand(&mut Variables::new(self.escape, env))
    }

    /// An instruction as it is shown; what cannot be read is shown as it is written.
    pub(crate) fn shown(self, text: &str, env: &Env) -> String {
        Lexer::new(self.escape).expand(text, env).map_or_else(|_| text.to_owned(), |expansion| expansion.text)
    }

    /// `RUN` as it is shown: quotes stay, and what only the shell knows.
    pub(crate) fn shown_command(self, text: &str, env: &Env) -> String {
        let lexer = Lexer { quotes: Quotes::Kept, unset: Keep::Yes, ..Lexer::new(self.escape) };
        lexer.expand(text, env).map_or_else(|_| text.to_owned(), |expansion| expansion.text)
    }
}
