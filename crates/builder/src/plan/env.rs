//! Variables of a stage, in the order in which they were last set: `RUN` gets them so, and equal lists make equal keys.

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Env(Vec<(String, String)>);

impl Env {
    /// Sets one; it goes to the end.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Takes one away.
    pub(crate) fn unset(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// About what it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| 64 + name.len() + value.len()).sum()
    }

    /// `NAME=value`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

/// `NAME=value` taken apart; without `=` the value is empty.
pub(crate) fn pair(line: &str) -> (&str, &str) {
    line.split_once('=').unwrap_or((line, ""))
}

/// Sets one in a config's list, where it keeps its place.
pub(crate) fn set_in(lines: &mut Vec<String>, name: &str, value: &str) {
    let line = format!("{name}={value}");
    match lines.iter_mut().find(|line| pair(line).0 == name) {
        Some(old) => *old = line,
        None => lines.push(line),
    }
}
