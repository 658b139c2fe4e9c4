//! Flags of instructions: `--name=value`.

use super::error::Fault;
use super::suggest::Case;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `true`, `false`, or nothing for `true`.
    Bool,
    /// A value, once.
    Once,
    /// A value each time it is said.
    Often,
}

/// The flags that were said.
#[derive(Debug)]
pub(super) struct Flags {
    said: Vec<(&'static str, String)>,
}

impl Flags {
    /// Reads `written`; `known` are those the instruction has.
    pub(super) fn parse(written: &[String], known: &[(&'static str, Takes)]) -> Result<Flags, Fault> {
        let mut flags = Flags { said: Vec::new() };
        for flag in written {
            if flag == "--" {
                break;
            }
            flags.add(flag, known).map_err(|fault| fault.about(flag))?;
        }
        Ok(flags)
    }

    fn add(&mut self, flag: &str, known: &[(&'static str, Takes)]) -> Result<(), Fault> {
        let Some(bare) = flag.strip_prefix("--") else {
            return Err(Fault::new(format!("arg should start with -- : {flag}")));
        };
        let (name, value) = match bare.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (bare, None),
        };
        let Some(&(name, takes)) = known.iter().find(|(known, _)| *known == name) else {
            return Err(Fault::new(format!("unknown flag: --{name}")).suggesting(
                name,
                known.iter().map(|(name, _)| *name),
                Case::Sensitive,
            ));
        };
        if takes != Takes::Often && self.said.iter().any(|(said, _)| *said == name) {
            return Err(Fault::new(format!("duplicate flag specified: --{name}")));
        }
        let missing = || Fault::new(format!("missing a value on flag: --{name}"));
        let value = match (takes, value) {
            (Takes::Bool, Some("")) => return Err(missing()),
            (Takes::Bool, value) => match value.map_or("true".to_owned(), str::to_lowercase) {
                value if value == "true" || value == "false" => value,
                _ => {
                    let value = value.unwrap_or_default();
                    return Err(Fault::new(format!("expecting boolean value for flag --{name}, not: {value}")));
                }
            },
            (Takes::Once | Takes::Often, value) => value.ok_or_else(missing)?.to_owned(),
        };
        self.said.push((name, value));
        Ok(())
    }

    /// The value of a flag, also an empty one.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        self.said.iter().find(|(said, _)| *said == name).map(|(_, value)| value.as_str())
    }

    /// The value of a flag; an empty one counts as not said, as in BuildKit.
    pub(super) fn once(&self, name: &str) -> Option<String> {
        self.said(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// All values of a flag.
    pub(super) fn often(&self, name: &str) -> Vec<String> {
        self.said.iter().filter(|(said, _)| *said == name).map(|(_, value)| value.clone()).collect()
    }

    /// A boolean flag, if it was said.
    pub(super) fn bool(&self, name: &str) -> Option<bool> {
        self.said(name).map(|value| value == "true")
    }
}
