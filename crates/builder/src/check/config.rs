//! `# check=skip=…;error=true;experimental=…`, at the top for the file or above an instruction for it alone.

use std::collections::BTreeSet;

use super::Rule;
use crate::dockerfile::ast::Dockerfile;
use crate::dockerfile::error::Fault;
use crate::dockerfile::{directive, go};

/// Which rules are looked at, and what a violation is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `skip`: rules that are not looked at.
    pub skip: Selected,
    /// `experimental`: rules that are.
    pub experimental: Selected,
    /// `error`: whether a violation ends the build.
    pub is_error: bool,
}

/// Some rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// `all`.
    All,
    /// Those of these names.
    Named(BTreeSet<String>),
}

impl Default for Selected {
    fn default() -> Selected {
        Selected::Named(BTreeSet::new())
    }
}

impl Selected {
    fn parse(text: &str) -> Selected {
        match text.trim() {
            "all" => Selected::All,
            names => Selected::Named(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    fn has(&self, rule: Rule) -> bool {
        match self {
            Selected::All => true,
            Selected::Named(names) => names.contains(rule.name()),
        }
    }

    fn extend(&mut self, other: Selected) {
        match (self, other) {
            (Selected::Named(names), Selected::Named(more)) => names.extend(more),
            (this, Selected::All) => *this = Selected::All,
            (Selected::All, Selected::Named(_)) => {}
        }
    }
}

impl Config {
    /// Reads what follows `check=`, or the build argument `BUILDKIT_DOCKERFILE_CHECK`.
    ///
    /// # Errors
    /// An option is unknown or has no value.
    pub fn parse(text: &str) -> Result<Config, Fault> {
        let mut config = Config::default();
        if text.trim().is_empty() {
            return Ok(config);
        }
        for option in text.trim().splitn(3, ';') {
            let invalid = |option: &str| Fault::new(format!("invalid check option {}", go::quote(option)));
            let (key, value) = option.split_once('=').ok_or_else(|| invalid(option))?;
            match key.trim() {
                "skip" => config.skip = Selected::parse(value),
                "experimental" => config.experimental = Selected::parse(value),
                "error" => {
                    config.is_error = go::parse_bool(value.trim()).ok_or_else(|| {
                        let (option, value) = (go::quote(option), go::quote(value.trim()));
                        Fault::new(format!(
                            "failed to parse check option {option}: strconv.ParseBool: parsing {value}: invalid syntax"
                        ))
                    })?;
                }
                key => return Err(invalid(key)),
            }
        }
        Ok(config)
    }

    /// Of a file's directive.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn of(file: &Dockerfile) -> Result<Config, Fault> {
        let said = file.directives.check.as_ref().map_or("", |directive| directive.value.as_str());
        Config::parse(first_word(said)).map_err(|fault| Fault::new(format!("failed to parse check options: {fault}")))
    }

    /// With what the comments above an instruction say. What they cannot say is not heard.
    pub(super) fn above(&self, comments: &[String]) -> Config {
        let said = comments.iter().filter_map(|comment| directive(comment));
        let mut config = self.clone();
        if let Some((_, value)) = said.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("check"))
            && let Ok(more) = Config::parse(first_word(value))
        {
            config.skip.extend(more.skip);
            config.experimental.extend(more.experimental);
        }
        config
    }

    pub(super) fn looks_at(&self, rule: Rule) -> bool {
        if rule.is_experimental() { self.experimental.has(rule) } else { !self.skip.has(rule) }
    }
}

/// A reason may follow: `skip=all // it is a test`.
fn first_word(text: &str) -> &str {
    text.split_once(' ').map_or(text, |(word, _)| word)
}
