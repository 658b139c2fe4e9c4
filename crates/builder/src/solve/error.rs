//! Why there is no image, and all that BuildKit shows with it.

use std::sync::Arc;

use crate::cache::CacheError;
use crate::context::FilesError;
use crate::dockerfile::ast::Span;
use crate::dockerfile::error::{Mistakes, frame};
use crate::plan::PlanError;

/// Why there is no image. It prints as BuildKit's last line, after `ERROR: failed to build: failed to solve: `.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile is wrong.
    #[error("{0}")]
    Mistaken(Mistakes, Source),
    /// What is asked cannot be done.
    #[error("{message}")]
    Refused {
        /// Why, in BuildKit's words.
        message: String,
        /// Where the Dockerfile says it, if it is about the Dockerfile.
        place: Option<Place>,
        /// What the machine said.
        #[source]
        source: Option<Box<crate::MachineError>>,
    },
    /// Nobody wants it any more.
    #[error("Canceled: context canceled")]
    Cancelled,
    /// A step failed.
    #[error("{}", .0.message)]
    Failed(Box<FailedStep>),
    /// The machine.
    #[error(transparent)]
    Machine(#[from] crate::MachineError),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Files.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedStep {
    /// Why: `process "/bin/sh -c false" did not complete successfully: exit code: 1`.
    pub message: String,
    /// As it was shown: `[2/3] RUN false`.
    pub step: String,
    /// The end of what its command wrote.
    pub output: Vec<u8>,
    /// Where the Dockerfile says it.
    pub place: Option<Place>,
}

/// A Dockerfile, to show its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called.
    pub name: String,
    /// All of it.
    pub text: Arc<[u8]>,
}

/// Lines of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of this one.
    pub source: Source,
    /// From 1, both ends included.
    pub lines: Vec<(u32, u32)>,
}

impl Place {
    pub(crate) fn new(source: &Source, spans: &[Span]) -> Option<Place> {
        let lines: Vec<(u32, u32)> = spans.iter().map(|span| (span.first_line, span.last_line)).collect();
        (!lines.is_empty()).then(|| Place { source: source.clone(), lines })
    }
}

/// As BuildKit frames it: `Dockerfile:3`, a rule, the lines with `>>>` before those it is about, a rule.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&frame(&self.source.name, &self.source.text, &self.lines, None))
    }
}

impl BuildError {
    /// The lines of the Dockerfile that it is about, as they are shown; empty: it is about none.
    #[must_use]
    pub fn excerpt(&self) -> String {
        match self {
            BuildError::Mistaken(mistakes, source) => mistakes.0.first().map_or_else(String::new, |mistake| {
                let shown = mistake.show(&source.name, &source.text);
                // What it is, the error itself says.
                shown.strip_suffix(&format!("{mistake}\n")).unwrap_or(&shown).to_owned()
            }),
            BuildError::Refused { place, .. } => place.as_ref().map(ToString::to_string).unwrap_or_default(),
            BuildError::Failed(step) => step.place.as_ref().map(ToString::to_string).unwrap_or_default(),
            BuildError::Cancelled
            | BuildError::Machine(_)
            | BuildError::Store(_)
            | BuildError::Cache(_)
            | BuildError::Files(_) => String::new(),
        }
    }

    /// The step that failed and the end of what it wrote.
    #[must_use]
    pub fn step(&self) -> Option<(&str, &[u8])> {
        match self {
            BuildError::Failed(failed) => Some((&failed.step, &failed.output)),
            BuildError::Mistaken(..)
            | BuildError::Refused { .. }
            | BuildError::Cancelled
            | BuildError::Machine(_)
            | BuildError::Store(_)
            | BuildError::Cache(_)
            | BuildError::Files(_) => None,
        }
    }

    pub(crate) fn refused(message: impl Into<String>) -> BuildError {
        BuildError::Refused { message: message.into(), place: None, source: None }
    }

    pub(crate) fn unplanned(error: PlanError, source: &Source) -> BuildError {
        let place = Place::new(source, &error.spans);
        BuildError::Refused { message: error.message, place, source: error.source }
    }
}
