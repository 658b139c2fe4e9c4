//! BuildKit's checks of a Dockerfile (`--check`), and what may be asked of one (`--call`): its rules (moby/buildkit
//! `frontend/dockerfile/linter`), and the reports of `frontend/subrequests`.
//!
//! [`check`] looks at a file. `file` are the rules that need nothing but it; `stage` those that need to know variables' values, which
//! `walk` follows through the stages, from what the caller says of the base images ([`Inputs`]). [`outline`] and [`targets`] are the other
//! two questions.

mod config;
mod file;
mod outline;
mod print;
mod rules;
mod stage;
mod targets;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

pub use config::{Config, Selected};
pub use outline::{Outline, OutlineArg, OutlineMount, outline};
pub use print::{ReportedSource, complete};
pub use rules::Rule;
pub use targets::{Target, Targets, targets};

use spec::platform::Platform;

use crate::dockerfile::ast::{Dockerfile, Span};
use crate::dockerfile::error::{Fault, Mistakes};
use crate::ignore::Patterns;

/// First and last line, from 1.
pub type Lines = (u32, u32);

/// What is known of a build besides its Dockerfile.
pub struct Inputs<'a> {
    /// `BUILDPLATFORM` and its like, which are there before any `ARG`.
    pub globals: &'a BTreeMap<String, String>,
    /// `--build-arg`.
    pub build_args: &'a BTreeMap<String, String>,
    /// `--target`; none: for a check all stages, for an outline the last.
    pub target: Option<&'a str>,
    /// `.dockerignore`, if there is one.
    pub ignore: Option<&'a Patterns>,
    /// What is known of an image that a stage begins with, by its expanded name.
    pub base: &'a dyn Fn(&str) -> Base,
}

/// What of an image's config matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// `NAME=value`.
    pub env: Vec<String>,
    /// `SHELL`.
    pub shell: Vec<String>,
    /// `ONBUILD`.
    pub on_build: Vec<String>,
}

/// A violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// What exactly.
    pub detail: String,
    /// Where.
    pub lines: Lines,
}

impl Finding {
    /// In one line, as it is shown while a build goes on.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}: {} (line {})", self.rule.name(), self.detail, self.lines.0)
    }
}

/// What ended the look at a file before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub message: String,
    /// Where, if anywhere.
    pub lines: Vec<Lines>,
}

impl From<&Mistakes> for Failure {
    fn from(mistakes: &Mistakes) -> Failure {
        let lines = mistakes.0.iter().map(|mistake| (mistake.span.first_line, mistake.span.last_line));
        Failure { message: mistakes.to_string(), lines: lines.filter(|(first, _)| *first > 0).collect() }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By line.
    pub findings: Vec<Finding>,
    /// Why the file cannot be built.
    pub failure: Option<Failure>,
}

/// Looks at a file. With [`Config::is_error`] a finding is a failure too.
#[must_use]
pub fn check(file: &Dockerfile, config: Config, inputs: &Inputs<'_>) -> Report {
    look(file, config, inputs, walk::Stages::AllWithoutTarget)
}

/// The same while it is built: at stages that are not needed nobody looks.
#[must_use]
pub fn check_build(file: &Dockerfile, config: Config, inputs: &Inputs<'_>) -> Report {
    look(file, config, inputs, walk::Stages::Reachable)
}

fn look(file: &Dockerfile, config: Config, inputs: &Inputs<'_>, stages: walk::Stages) -> Report {
    let mut sink = Sink { config, findings: Vec::new() };
    file::check(file, inputs.globals, &mut sink);
    let failure = walk::walk(file, inputs, stages, &mut sink).err();
    let failure = failure.or_else(|| sink.failure());
    let mut findings = sink.findings;
    findings.sort_by_key(|finding| finding.lines.0);
    Report { findings, failure }
}

/// The finding that a base is an image for another platform than was asked for, which only who fetched it knows.
#[must_use]
pub fn base_platform(config: &Config, from: Span, image: &str, wanted: &Platform, is: &Platform) -> Option<Finding> {
    let fits = wanted.os == is.os && wanted.architecture == is.architecture;
    let detail =
        format!("Base image {image} was pulled with platform \"{is}\", expected \"{wanted}\" for current build");
    let mut sink = Sink { config: config.clone(), findings: Vec::new() };
    if !fits {
        sink.add(Rule::InvalidBaseImagePlatform, from, detail);
    }
    sink.findings.pop()
}

/// Where findings go.
struct Sink {
    config: Config,
    findings: Vec<Finding>,
}

impl Sink {
    /// For the rules that a comment above an instruction cannot switch off.
    fn add(&mut self, rule: Rule, span: Span, detail: String) {
        self.add_below(&[], rule, span, detail);
    }

    /// A finding at an instruction with these comments above it.
    fn add_below(&mut self, comments: &[String], rule: Rule, span: Span, detail: String) {
        if self.config.above(comments).looks_at(rule) {
            self.findings.push(Finding { rule, detail, lines: (span.first_line, span.last_line) });
        }
    }

    fn failure(&self) -> Option<Failure> {
        let rules: BTreeSet<&str> = self.findings.iter().map(|finding| finding.rule.name()).collect();
        let rules: Vec<&str> = rules.into_iter().collect();
        let message = format!("lint violation found for rules: {}", rules.join(", "));
        (self.config.is_error && !rules.is_empty()).then(|| Failure {
            message,
            lines: self.findings.first().map(|finding| finding.lines).into_iter().collect(),
        })
    }
}

fn failure(fault: &Fault, span: Span) -> Failure {
    Failure { message: fault.to_string(), lines: vec![(span.first_line, span.last_line)] }
}

/// The body of the fuzz target and of its property test: any Dockerfile that can be read is checked and outlined, in bounded time and memory.
pub fn fuzz(text: &[u8]) {
    let Ok(file) = crate::dockerfile::parse(text) else { return };
    let none = BTreeMap::new();
    let ignore = Patterns::new(["*", "a"]).ok();
    let base = |name: &str| Base { on_build: vec![format!("COPY {name} $A")], ..Base::default() };
    let inputs = Inputs { globals: &none, build_args: &none, target: None, ignore: ignore.as_ref(), base: &base };
    let source = ReportedSource { name: "Dockerfile", text };
    let report = check(&file, Config::of(&file).unwrap_or_default(), &inputs);
    let _ = (complete(&report, source), report.json(source));
    let _ = outline(&file, text, &inputs).map(|outline| (outline.text(), outline.json()));
    let _ = targets(&file, text).text();
}
