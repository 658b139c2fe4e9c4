//! `--call=targets`: the stages of a file.

use serde::Serialize;

use super::print::{Location, columns, json_bytes};
use crate::dockerfile::ast::Dockerfile;

/// The stages.
#[derive(Clone, Debug, Serialize)]
pub struct Targets {
    /// In the file's order.
    pub targets: Vec<Target>,
    /// The file, in base64.
    sources: Vec<String>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// Empty if it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether it is what is built.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// What the comment above says of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it begins with, as written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// `--platform`, as written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    location: Location,
}

/// Lists a file's stages; `text` is the file.
#[must_use]
pub fn targets(file: &Dockerfile, text: &[u8]) -> Targets {
    let last = file.stages.len() - 1;
    let target = |(i, stage): (usize, &crate::dockerfile::ast::Stage)| {
        let from = &stage.from.value;
        Target {
            name: from.name.clone().unwrap_or_default(),
            default: i == last,
            description: from.doc.clone(),
            base: from.base.0.clone(),
            platform: from.platform.clone().map(|word| word.0).unwrap_or_default(),
            location: Location::of((stage.from.span.first_line, stage.from.span.last_line)),
        }
    };
    Targets { targets: file.stages.iter().enumerate().map(target).collect(), sources: vec![json_bytes(text)] }
}

impl Targets {
    /// As a table.
    #[must_use]
    pub fn text(&self) -> String {
        let mut rows = vec![vec!["TARGET".to_owned(), "DESCRIPTION".to_owned()]];
        for target in &self.targets {
            let name = match (target.name.as_str(), target.default) {
                ("", true) => "(default)".to_owned(),
                (name, true) => format!("{name} (default)"),
                (name, false) => name.to_owned(),
            };
            rows.push(vec![name, target.description.clone()]);
        }
        columns(&rows, 1)
    }
}
