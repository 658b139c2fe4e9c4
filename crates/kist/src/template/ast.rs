//! The parsed template, and how each part is spelled in an error text.

use std::fmt;

/// A list of steps: a template, or the body of a block.
pub(super) type Body = Vec<Step>;

/// What a template does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Prints text as it stands.
    Text(String),
    /// `{{pipeline}}`.
    Action(Pipe),
    /// `{{if}}`.
    If(Branch),
    /// `{{with}}`.
    With(Branch),
    /// `{{range}}`.
    Range(Branch),
    /// `{{template "name" pipeline}}`.
    Template {
        /// Where its name stands.
        pos: usize,
        /// The template's name.
        name: String,
        /// Its dot, nothing when absent.
        pipe: Option<Pipe>,
    },
    /// `{{break}}`.
    Break,
    /// `{{continue}}`.
    Continue,
}

/// A condition and its two outcomes.
#[derive(Debug)]
pub(super) struct Branch {
    /// What is asked.
    pub(super) pipe: Pipe,
    /// The body.
    pub(super) then: Body,
    /// Behind `{{else}}`.
    pub(super) otherwise: Body,
}

/// `$x := first | second`.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Where it starts.
    pub(super) pos: usize,
    /// Variables on the left.
    pub(super) declares: Vec<String>,
    /// `=` rather than `:=`.
    pub(super) assigns: bool,
    /// The commands, each fed with the last one's value.
    pub(super) commands: Vec<Command>,
}

/// A function or value, then its arguments.
#[derive(Debug)]
pub(super) struct Command {
    /// Where it starts.
    pub(super) pos: usize,
    /// Never empty.
    pub(super) args: Vec<Operand>,
}

/// One word of a command.
#[derive(Debug)]
pub(super) struct Operand {
    /// Where it starts.
    pub(super) pos: usize,
    /// What it says.
    pub(super) word: Word,
}

/// What one word of a command says.
#[derive(Debug)]
pub(super) enum Word {
    /// `.`.
    Dot,
    /// `nil`.
    Nil,
    /// `true`.
    Bool(bool),
    /// A whole number, and as written.
    Int(i128, String),
    /// A number with a fraction, and as written.
    Float(f64, String),
    /// A string, and as written.
    Str(String, String),
    /// `.A.B`.
    Field(Vec<String>),
    /// `$x.A.B`, `$` included in the first.
    Variable(Vec<String>),
    /// A function's name.
    Function(String),
    /// `(pipeline)`.
    Pipe(Pipe),
    /// `(pipeline).A.B`.
    Chain(Box<Operand>, Vec<String>),
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.declares.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.declares.join(", "))?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if i == 0 { "" } else { " | " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " " })?;
            arg.write_within(f)?;
        }
        Ok(())
    }
}

impl Operand {
    /// As a part of something longer: a pipeline stands in parentheses there.
    fn write_within(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.word, Word::Pipe(_)) { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.word {
            Word::Dot => f.write_str("."),
            Word::Nil => f.write_str("nil"),
            Word::Bool(value) => write!(f, "{value}"),
            Word::Int(_, text) | Word::Float(_, text) | Word::Str(_, text) | Word::Function(text) => f.write_str(text),
            Word::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            Word::Variable(names) => f.write_str(&names.join(".")),
            Word::Pipe(pipe) => write!(f, "{pipe}"),
            Word::Chain(first, names) => {
                first.write_within(f)?;
                names.iter().try_for_each(|name| write!(f, ".{name}"))
            }
        }
    }
}

/// The part of the template an error text points at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'t> {
    /// Before anything was looked at.
    Start,
    /// A pipeline.
    Pipe(&'t Pipe),
    /// A command.
    Command(&'t Command),
    /// A word.
    Operand(&'t Operand),
    /// `{{template}}`: where, and its name.
    Template(usize, &'t str),
    /// A whole action.
    Action(&'t Pipe),
}

impl Place<'_> {
    /// Byte offset in the template.
    pub(super) fn pos(&self) -> usize {
        match self {
            Place::Start => 0,
            Place::Pipe(pipe) | Place::Action(pipe) => pipe.pos,
            Place::Command(command) => command.pos,
            Place::Operand(operand) => operand.pos,
            Place::Template(pos, _) => *pos,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Start => Ok(()),
            Place::Pipe(pipe) => write!(f, "{pipe}"),
            Place::Command(command) => write!(f, "{command}"),
            Place::Operand(operand) => write!(f, "{operand}"),
            Place::Template(_, name) => write!(f, "{{{{template {name:?}}}}}"),
            Place::Action(pipe) => write!(f, "{{{{{pipe}}}}}"),
        }
    }
}
