//! What is wrong with what is asked, and where the Dockerfile says it.

use crate::dockerfile::ast::Span;
use crate::dockerfile::error::Fault;
use crate::dockerfile::suggest::Case;

/// Why there is no plan.
#[derive(Debug)]
pub struct PlanError {
    /// One line, in BuildKit's words.
    pub message: String,
    /// The instructions it is about.
    pub spans: Vec<Span>,
    /// What the machine said, where it is about an image.
    pub source: Option<Box<crate::MachineError>>,
}

impl PlanError {
    pub(crate) fn new(message: impl Into<String>) -> PlanError {
        PlanError { message: message.into(), spans: Vec::new(), source: None }
    }

    /// The same, with its place if it has none yet.
    pub(crate) fn at(mut self, span: Span) -> PlanError {
        if self.spans.is_empty() {
            self.spans.push(span);
        }
        self
    }
}

/// `message`, and the nearest of `options` if `word` is nearly one of them.
pub(crate) fn suggesting<'o>(message: String, word: &str, options: impl IntoIterator<Item = &'o str>) -> String {
    Fault::new(message).suggesting(word, options, Case::Sensitive).to_string()
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PlanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().and_then(|machine| std::error::Error::source(&**machine))
    }
}

impl From<Fault> for PlanError {
    fn from(fault: Fault) -> PlanError {
        PlanError::new(fault.to_string())
    }
}
