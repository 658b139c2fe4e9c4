//! `--call=outline`: what a target can be told.

use std::collections::BTreeSet;

use serde::Serialize;

use super::print::{Location, columns, json_bytes};
use super::stage::State;
use super::walk::{Stages, Walked, walk};
use super::{Config, Failure, Inputs, Sink};
use crate::dockerfile::ast::{Dockerfile, Span};

/// What a target can be told.
#[derive(Clone, Debug, Serialize)]
pub struct Outline {
    /// The target's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What the comment above says of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `--build-arg`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<OutlineArg>,
    /// `--secret`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<OutlineMount>,
    /// `--ssh`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<OutlineMount>,
    /// The file, in base64.
    sources: Vec<String>,
}

/// A build argument that matters.
#[derive(Clone, Debug, Serialize)]
pub struct OutlineArg {
    /// Its name.
    pub name: String,
    /// What the comment above says of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    location: Location,
}

/// A secret or an agent.
#[derive(Clone, Debug, Serialize)]
pub struct OutlineMount {
    /// Its id.
    pub name: String,
    /// Whether the build fails without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    location: Location,
}

/// What the target can be told; `text` is the file.
///
/// # Errors
/// The file cannot be built.
pub fn outline(file: &Dockerfile, text: &[u8], inputs: &Inputs<'_>) -> Result<Outline, Failure> {
    let mut sink = Sink { config: Config::default(), findings: Vec::new() };
    let walked = walk(file, inputs, Stages::Reachable, &mut sink)?;
    let mut outline = Outline {
        name: file.stages[walked.target].from.value.name.clone().unwrap_or_default(),
        description: file.stages[walked.target].from.value.doc.clone(),
        args: Vec::new(),
        secrets: Vec::new(),
        ssh: Vec::new(),
        sources: vec![json_bytes(text)],
    };
    for state in needed(&walked) {
        outline.add_args(state);
        add_mounts(&mut outline.secrets, state.secrets.iter());
        add_mounts(&mut outline.ssh, state.ssh.iter());
    }
    outline.args.sort_by_key(|arg| arg.location.first_line());
    outline.secrets.sort_by_key(|mount| mount.location.first_line());
    outline.ssh.sort_by_key(|mount| mount.location.first_line());
    Ok(outline)
}

/// The target's stage, then those it needs: what is said nearer counts.
fn needed(walked: &Walked) -> Vec<&State> {
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    let mut open = vec![walked.target];
    while let Some(i) = open.pop() {
        if seen.insert(i) {
            let state = &walked.stages[i];
            order.push(state);
            open.extend(state.needs.iter().rev());
            open.extend(state.base);
        }
    }
    order
}

impl Outline {
    fn add_args(&mut self, state: &State) {
        let mut open: Vec<&str> = state.used.iter().map(String::as_str).collect();
        let mut used = BTreeSet::new();
        while let Some(name) = open.pop() {
            if used.insert(name) {
                open.extend(state.known.get(name).into_iter().flat_map(|arg| arg.needs.iter().map(String::as_str)));
            }
        }
        for name in used {
            let Some(arg) = state.known.get(name) else { continue };
            if !self.args.iter().any(|arg| arg.name == name) {
                self.args.push(OutlineArg {
                    name: name.to_owned(),
                    description: arg.doc.clone(),
                    value: arg.value.clone(),
                    location: Location::of(arg.lines),
                });
            }
        }
    }

    /// As tables.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.name.is_empty() || !self.description.is_empty() {
            let name = if self.name.is_empty() { "(default)" } else { &self.name };
            let mut rows = vec![vec!["TARGET:".to_owned(), name.to_owned()]];
            if !self.description.is_empty() {
                rows.push(vec!["DESCRIPTION:".to_owned(), self.description.clone()]);
            }
            out += &(columns(&rows, 1) + "\n");
        }
        if !self.args.is_empty() {
            let mut rows = vec![["BUILD ARG", "VALUE", "DESCRIPTION"].map(str::to_owned).to_vec()];
            rows.extend(self.args.iter().map(|arg| vec![arg.name.clone(), arg.value.clone(), arg.description.clone()]));
            out += &(columns(&rows, 3) + "\n");
        }
        for (title, mounts) in [("SECRET", &self.secrets), ("SSH", &self.ssh)] {
            if !mounts.is_empty() {
                let mut rows = vec![vec![title.to_owned(), "REQUIRED".to_owned()]];
                let required = |mount: &OutlineMount| if mount.required { "true".to_owned() } else { String::new() };
                rows.extend(mounts.iter().map(|mount| vec![mount.name.clone(), required(mount)]));
                out += &(columns(&rows, 3) + "\n");
            }
        }
        out
    }
}

fn add_mounts<'a>(mounts: &mut Vec<OutlineMount>, found: impl Iterator<Item = (&'a String, &'a (bool, Span))>) {
    for (name, (required, span)) in found {
        if !mounts.iter().any(|mount| mount.name == *name) {
            let location = Location::of((span.first_line, span.last_line));
            mounts.push(OutlineMount { name: name.clone(), required: *required, location });
        }
    }
}
