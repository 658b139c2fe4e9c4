//! Variables, as a file sets them.

use std::collections::BTreeMap;

use super::error::Fault;
use super::words::Env;

/// All names and values together. The kernel takes no more for a command: a quarter of its stack, which is 8 MiB.
pub const MAX_ENV_BYTES: usize = 2 << 20;

/// Variables as they are set, one after the other. It stays small: `ENV A=$A$A` doubles what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    values: BTreeMap<String, String>,
    bytes: usize,
}

impl Environment {
    /// From `NAME=value`, as an image's config has it; the last of a name counts.
    ///
    /// # Errors
    /// It is too large.
    pub fn of_pairs<T: AsRef<str>>(pairs: impl IntoIterator<Item = T>) -> Result<Environment, Fault> {
        let mut env = Environment::default();
        for pair in pairs {
            let (name, value) = pair.as_ref().split_once('=').unwrap_or((pair.as_ref(), ""));
            env.set(name, value)?;
        }
        Ok(env)
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// It is too large then; nothing is set.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let before = self.values.get(name).map_or(0, |old| name.len() + old.len());
        let bytes = self.bytes - before + name.len() + value.len();
        if bytes > MAX_ENV_BYTES {
            return Err(Fault::new(format!("{name} makes the environment larger than {MAX_ENV_BYTES} bytes")));
        }
        self.bytes = bytes;
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// All names, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

impl Env for Environment {
    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}
