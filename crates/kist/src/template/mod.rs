//! `--format`: the part of Go's `text/template` that Docker's users write, with Go's printing and Go's error texts.
//!
//! - [`Template`] is one parsed text. `render` prints it over a JSON value or a [`Row`]; `render_typed` over one of
//!   the Docker-shaped structs of `wire`, as `docker inspect` does.
//! - [`Listing`] is a list's `--format`: `table …` with its header, `json`, or a line per row.
//!
//! Parsing and printing never panic: nesting, recursion and padding are bounded.

mod ast;
mod datum;
mod eval;
mod funcs;
pub(crate) mod gofmt;
mod lex;
mod list;
mod literal;
mod parse;
mod typed;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub(crate) use list::{Column, Listing};

use datum::Datum;
use eval::{AbsentKey, Mode};
use funcs::Functions;
use parse::Tree;

/// A template that does not parse, or does not fit what it is printed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template parsing error: {text}")]
pub(crate) struct TemplateError {
    /// Go's text, from `template:` on.
    text: String,
}

impl TemplateError {
    /// Go's text alone: `ps` puts `failed to execute template: ` before it where a row does not fit.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// One line of a list, its fields computed when a template asks for them.
pub(crate) trait Row {
    /// Docker's Go type, which error texts name: `*formatter.ContainerContext`.
    fn type_name(&self) -> &'static str;

    /// The names of all fields, which `{{json .}}` prints.
    fn names(&self) -> &'static [&'static str];

    /// A field's value.
    fn field(&self, name: &str) -> Option<Value>;

    /// What a field that takes an argument gives for it, such as `{{.Label "x"}}`; `None` when there is no such field.
    fn call(&self, name: &str, argument: &str) -> Option<String> {
        let (_, _) = (name, argument);
        None
    }
}

/// What a template is printed over.
#[derive(Clone, Copy)]
pub(crate) enum Dot<'a> {
    /// JSON as received: absent keys are errors.
    Json(&'a Value),
    /// A line of a list.
    Row(&'a dyn Row),
}

impl<'a> From<&'a Value> for Dot<'a> {
    fn from(value: &'a Value) -> Self {
        Dot::Json(value)
    }
}

impl<'a> From<&'a dyn Row> for Dot<'a> {
    fn from(row: &'a dyn Row) -> Self {
        Dot::Row(row)
    }
}

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template {
    source: String,
    tree: Tree,
}

impl Template {
    /// Parses `text` as it stands: no `table`, `json` or `\t` is looked for.
    pub(crate) fn parse(text: &str) -> Result<Template, TemplateError> {
        let tree = parse::parse(text).map_err(|text| TemplateError { text })?;
        Ok(Template { source: text.to_owned(), tree })
    }

    /// Whether the template speaks of a field of this name: `ps` computes sizes only when asked.
    pub(crate) fn speaks_of(&self, field: &str) -> bool {
        self.tree.fields.contains(field)
    }

    /// Prints over a JSON value or a row.
    pub(crate) fn render<'a>(&self, dot: impl Into<Dot<'a>>) -> Result<String, TemplateError> {
        match dot.into() {
            Dot::Json(value) => self.run(Datum::raw(value), AbsentKey::Error, Functions::Values),
            Dot::Row(row) => self.run(Datum::Row(row), AbsentKey::NoValue, Functions::Values),
        }
    }

    /// Prints over a struct of `wire`: first with Go's notion of its fields, where the absent key of a map is
    /// `<no value>`; when that fails, over its JSON, whose error is the one shown. So does `docker inspect`.
    pub(crate) fn render_typed(&self, subject: &impl Serialize) -> Result<String, TemplateError> {
        if let Some(text) =
            typed::read(subject).and_then(|datum| self.run(datum, AbsentKey::NoValue, Functions::Values).ok())
        {
            return Ok(text);
        }
        let raw = serde_json::to_value(subject).map_err(|error| TemplateError { text: error.to_string() })?;
        self.render(&raw)
    }

    /// Prints over a struct of `wire` as `docker events` does, which has no JSON to fall back on: what the struct does not have is an
    /// error. `go_type` is what Go calls it.
    pub(crate) fn render_struct(&self, subject: &impl Serialize, go_type: &str) -> Result<String, TemplateError> {
        let Some(datum) = typed::read(subject) else { return self.render_typed(subject) };
        self.run(datum, AbsentKey::NoValue, Functions::Values).map_err(|error| TemplateError {
            text: error.text.replace("in type struct", &format!("in type {go_type}")),
        })
    }

    fn run(&self, dot: Datum<'_>, absent_key: AbsentKey, functions: Functions) -> Result<String, TemplateError> {
        eval::run(&self.source, &self.tree, dot, Mode { absent_key, functions }).map_err(|text| TemplateError { text })
    }
}
