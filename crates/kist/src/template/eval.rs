//! Runs a parsed template: Go's `text/template/exec.go`, with its error texts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::ast::{Body, Branch, Command, Operand, Pipe, Place, Step, Word};
use super::datum::{Datum, Nil};
use super::funcs::{self, Functions, Param};
use super::gofmt::{plain, quote};
use super::parse::Tree;

/// How deep templates may call templates. Go's limit is 100000; ours keeps within a thread's stack.
const MAX_DEPTH: usize = 60;

/// The most text one template may write: a template that calls itself twice would otherwise fill the memory.
const MAX_OUTPUT_BYTES: usize = 256 << 20;

/// What an absent key of a map means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AbsentKey {
    /// No value.
    NoValue,
    /// An error.
    Error,
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    /// On an absent key.
    pub(super) absent_key: AbsentKey,
    /// Docker's functions.
    pub(super) functions: Functions,
}

/// Prints `tree` over `dot`; the error text is complete, from `template:` on.
pub(super) fn run<'a>(source: &str, tree: &Tree, dot: Datum<'a>, mode: Mode) -> Result<String, String> {
    let run = Run {
        source,
        tree,
        mode,
        place: Cell::new(Place::Start),
        out: RefCell::new(String::new()),
        vars: RefCell::new(vec![("$", dot.clone())]),
    };
    run.body(Frame { name: "", depth: 0 }, &dot, &tree.body)?;
    Ok(run.out.into_inner())
}

struct Run<'t, 'a> {
    source: &'t str,
    tree: &'t Tree,
    mode: Mode,
    place: Cell<Place<'t>>,
    out: RefCell<String>,
    vars: RefCell<Vec<(&'t str, Datum<'a>)>>,
}

#[derive(Clone, Copy)]
struct Frame<'t> {
    name: &'t str,
    depth: usize,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Flow {
    On,
    Break,
    Continue,
}

impl<'t, 'a> Run<'t, 'a> {
    fn fault(&self, frame: Frame<'t>, what: &str) -> String {
        let place = self.place.get();
        let pos = place.pos();
        let before = &self.source[..pos];
        let line = 1 + before.matches('\n').count();
        let column = before.rfind('\n').map_or(pos, |newline| pos - newline - 1);
        format!("template: :{line}:{column}: executing {} at <{place}>: {what}", quote(frame.name))
    }

    fn body(&self, frame: Frame<'t>, dot: &Datum<'a>, body: &'t Body) -> Result<Flow, String> {
        let mark = self.vars.borrow().len();
        for step in body {
            let flow = self.step(frame, dot, step)?;
            if flow != Flow::On {
                self.vars.borrow_mut().truncate(mark);
                return Ok(flow);
            }
        }
        self.vars.borrow_mut().truncate(mark);
        Ok(Flow::On)
    }

    fn step(&self, frame: Frame<'t>, dot: &Datum<'a>, step: &'t Step) -> Result<Flow, String> {
        match step {
            Step::Text(text) => self.write(frame, text)?,
            Step::Action(pipe) => {
                self.place.set(Place::Action(pipe));
                let value = self.pipe(frame, dot, pipe)?;
                if pipe.declares.is_empty() {
                    self.place.set(Place::Action(pipe));
                    let text = if matches!(value, Datum::Missing) { "<no value>".to_owned() } else { plain(&value) };
                    self.write(frame, &text)?;
                }
            }
            Step::If(branch) => return self.branch(frame, dot, branch, false),
            Step::With(branch) => return self.branch(frame, dot, branch, true),
            Step::Range(branch) => self.range(frame, dot, branch)?,
            Step::Template { pos, name, pipe } => self.template(frame, dot, (*pos, name), pipe.as_ref())?,
            Step::Break => return Ok(Flow::Break),
            Step::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn write(&self, frame: Frame<'t>, text: &str) -> Result<(), String> {
        let mut out = self.out.borrow_mut();
        if out.len() + text.len() > MAX_OUTPUT_BYTES {
            return Err(self.fault(frame, "output too long"));
        }
        out.push_str(text);
        Ok(())
    }

    fn branch(&self, frame: Frame<'t>, dot: &Datum<'a>, branch: &'t Branch, with: bool) -> Result<Flow, String> {
        let mark = self.vars.borrow().len();
        let value = self.pipe(frame, dot, &branch.pipe)?;
        let flow = match (value.truth(), with) {
            (true, true) => self.body(frame, &value, &branch.then),
            (true, false) => self.body(frame, dot, &branch.then),
            (false, _) => self.body(frame, dot, &branch.otherwise),
        }?;
        self.vars.borrow_mut().truncate(mark);
        Ok(flow)
    }

    fn range(&self, frame: Frame<'t>, dot: &Datum<'a>, branch: &'t Branch) -> Result<(), String> {
        let mark = self.vars.borrow().len();
        let value = self.pipe(frame, dot, &branch.pipe)?;
        let turns: Box<dyn Iterator<Item = (Datum<'a>, Datum<'a>)>> = match &value {
            Datum::List(items) => Box::new((0i128..).map(Datum::Int).zip(items.to_vec())),
            Datum::Map(entries) => {
                let entries = Rc::clone(entries);
                let keys: Vec<String> = entries.keys().cloned().collect();
                Box::new(
                    keys.into_iter()
                        .map(move |key| (Datum::text(&key), entries.get(&key).cloned().unwrap_or(Datum::Missing))),
                )
            }
            Datum::Int(count) => Box::new((0..*count).map(|i| (Datum::Int(i), Datum::Int(i)))),
            Datum::Missing | Datum::Nil(Nil::List | Nil::Map) => Box::new(std::iter::empty()),
            Datum::Nil(Nil::Pointer)
            | Datum::Bool(_)
            | Datum::Float(_)
            | Datum::Str(_)
            | Datum::Struct(_)
            | Datum::Row(_) => {
                return Err(self.fault(frame, &format!("range can't iterate over {}", plain(&value))));
            }
        };
        let mut turned = false;
        for (key, item) in turns {
            turned = true;
            let inner = self.vars.borrow().len();
            match branch.pipe.declares.as_slice() {
                [] => {}
                [one] => self.bind(one, item.clone(), branch.pipe.assigns),
                [first, second, ..] => {
                    self.bind(first, key, branch.pipe.assigns);
                    self.bind(second, item.clone(), branch.pipe.assigns);
                }
            }
            let flow = self.body(frame, &item, &branch.then)?;
            self.vars.borrow_mut().truncate(inner);
            if flow == Flow::Break {
                break;
            }
        }
        if !turned {
            self.body(frame, dot, &branch.otherwise)?;
        }
        self.vars.borrow_mut().truncate(mark);
        Ok(())
    }

    fn template(
        &self,
        frame: Frame<'t>,
        dot: &Datum<'a>,
        (pos, name): (usize, &'t str),
        pipe: Option<&'t Pipe>,
    ) -> Result<(), String> {
        self.place.set(Place::Template(pos, name));
        let Some(body) = self.tree.defined.get(name) else {
            return Err(self.fault(frame, &format!("template {} not defined", quote(name))));
        };
        if frame.depth >= MAX_DEPTH {
            return Err(self.fault(frame, &format!("exceeded maximum template depth ({MAX_DEPTH})")));
        }
        let inner = match pipe {
            Some(pipe) => self.pipe(frame, dot, pipe)?,
            None => Datum::Missing,
        };
        // A called template sees none of the caller's variables.
        let outer = std::mem::replace(&mut *self.vars.borrow_mut(), vec![("$", inner.clone())]);
        let done = self.body(Frame { name, depth: frame.depth + 1 }, &inner, body);
        *self.vars.borrow_mut() = outer;
        done.map(|_| ())
    }

    fn bind(&self, name: &'t str, value: Datum<'a>, assigns: bool) {
        let mut vars = self.vars.borrow_mut();
        match vars.iter_mut().rev().find(|(known, _)| *known == name) {
            Some(slot) if assigns => slot.1 = value,
            _ => vars.push((name, value)),
        }
    }

    fn pipe(&self, frame: Frame<'t>, dot: &Datum<'a>, pipe: &'t Pipe) -> Result<Datum<'a>, String> {
        self.place.set(Place::Pipe(pipe));
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(frame, dot, command, value)?);
        }
        let value = value.unwrap_or(Datum::Missing);
        // A range binds its variables itself, once per turn.
        if let [name] = pipe.declares.as_slice() {
            self.bind(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    fn command(
        &self,
        frame: Frame<'t>,
        dot: &Datum<'a>,
        command: &'t Command,
        piped: Option<Datum<'a>>,
    ) -> Result<Datum<'a>, String> {
        let Some((first, args)) = command.args.split_first() else { return Ok(Datum::Missing) };
        let call = Call { args, piped };
        match &first.word {
            Word::Field(names) => {
                self.place.set(Place::Operand(first));
                self.chain(frame, dot, (dot.clone(), first), names, call)
            }
            Word::Chain(..) | Word::Variable(_) => self.fields_of(frame, dot, first, call),
            Word::Function(name) => self.function(frame, dot, (first, Place::Command(command)), name, call),
            Word::Pipe(pipe) => {
                self.no_arguments(frame, first, &call)?;
                self.pipe(frame, dot, pipe)
            }
            Word::Dot | Word::Nil | Word::Bool(_) | Word::Int(..) | Word::Float(..) | Word::Str(..) => {
                self.place.set(Place::Operand(first));
                self.no_arguments(frame, first, &call)?;
                match literal(&first.word) {
                    Some(value) => Ok(value),
                    None if matches!(first.word, Word::Dot) => Ok(dot.clone()),
                    None => Err(self.fault(frame, "nil is not a command")),
                }
            }
        }
    }

    fn no_arguments(&self, frame: Frame<'t>, first: &Operand, call: &Call<'t, 'a>) -> Result<(), String> {
        if call.args.is_empty() && call.piped.is_none() {
            return Ok(());
        }
        Err(self.fault(frame, &format!("can't give argument to non-function {first}")))
    }

    /// `$x.A.B` and `(pipeline).A.B`.
    fn fields_of(
        &self,
        frame: Frame<'t>,
        dot: &Datum<'a>,
        operand: &'t Operand,
        call: Call<'t, 'a>,
    ) -> Result<Datum<'a>, String> {
        self.place.set(Place::Operand(operand));
        if let Word::Chain(first, names) = &operand.word {
            if matches!(first.word, Word::Nil) {
                return Err(self.fault(frame, &format!("indirection through explicit nil in {operand}")));
            }
            let value = self.value(frame, dot, first)?;
            return self.chain(frame, dot, (value, operand), names, call);
        }
        let Word::Variable(names) = &operand.word else { return Ok(Datum::Missing) };
        let Some((variable, names)) = names.split_first() else { return Ok(Datum::Missing) };
        let found = self.vars.borrow().iter().rev().find(|(name, _)| name == variable).map(|(_, value)| value.clone());
        let Some(value) = found else {
            return Err(self.fault(frame, &format!("undefined variable: {variable}")));
        };
        if names.is_empty() {
            self.no_arguments(frame, operand, &call)?;
            return Ok(value);
        }
        self.chain(frame, dot, (value, operand), names, call)
    }

    fn chain(
        &self,
        frame: Frame<'t>,
        dot: &Datum<'a>,
        (receiver, operand): (Datum<'a>, &'t Operand),
        names: &'t [String],
        call: Call<'t, 'a>,
    ) -> Result<Datum<'a>, String> {
        let mut value = receiver;
        let mut call = Some(call);
        for (i, name) in names.iter().enumerate() {
            let last = i + 1 == names.len();
            let call = if last { call.take() } else { None }.unwrap_or(Call { args: &[], piped: None });
            value = self.field(frame, dot, Receiver { value, nested: i > 0, operand }, name, call)?;
        }
        Ok(value)
    }

    fn field(
        &self,
        frame: Frame<'t>,
        dot: &Datum<'a>,
        receiver: Receiver<'t, 'a>,
        name: &str,
        call: Call<'t, 'a>,
    ) -> Result<Datum<'a>, String> {
        let strict = self.mode.absent_key == AbsentKey::Error;
        // Decoded JSON is `any` below its top.
        let type_name = if strict && receiver.nested { "interface {}".to_owned() } else { receiver.value.type_name() };
        let has_args = !call.args.is_empty() || call.piped.is_some();
        match &receiver.value {
            Datum::Missing if strict && receiver.nested => {
                Err(self.fault(frame, &format!("nil pointer evaluating {type_name}.{name}")))
            }
            Datum::Missing if strict => Err(self.fault(frame, &format!("nil data; no entry for key {}", quote(name)))),
            Datum::Missing => Ok(Datum::Missing),
            Datum::Nil(Nil::Pointer) => Err(self.fault(frame, &format!("nil pointer evaluating {type_name}.{name}"))),
            Datum::Row(row) => {
                if let Some(value) = row.field(name) {
                    self.arity(frame, name, 0, &call)?;
                    return Ok(Datum::of_row(&value));
                }
                if row.call(name, "").is_none() {
                    return Err(self.fault(frame, &format!("can't evaluate field {name} in type {type_name}")));
                }
                self.arity(frame, name, 1, &call)?;
                let argument = self.arguments(frame, dot, &[Param::Text], false, call)?;
                self.place.set(Place::Operand(receiver.operand));
                Ok(argument.first().and_then(|text| row.call(name, &plain(text))).map_or(Datum::Missing, Datum::text))
            }
            Datum::Struct(fields) => match Datum::struct_field(fields, name) {
                Some(_) if has_args => {
                    Err(self.fault(frame, &format!("{name} has arguments but cannot be invoked as function")))
                }
                Some(value) => Ok(value),
                None => Err(self.fault(frame, &format!("can't evaluate field {name} in type {type_name}"))),
            },
            Datum::Map(_) | Datum::Nil(Nil::Map) if has_args => {
                Err(self.fault(frame, &format!("{name} is not a method but has arguments")))
            }
            Datum::Map(entries) => match entries.get(name) {
                Some(value) => Ok(value.clone()),
                None if strict => Err(self.fault(frame, &format!("map has no entry for key {}", quote(name)))),
                None => Ok(Datum::Missing),
            },
            Datum::Nil(Nil::Map) => Ok(Datum::Missing),
            Datum::Nil(Nil::List)
            | Datum::Bool(_)
            | Datum::Int(_)
            | Datum::Float(_)
            | Datum::Str(_)
            | Datum::List(_) => Err(self.fault(frame, &format!("can't evaluate field {name} in type {type_name}"))),
        }
    }

    fn arity(&self, frame: Frame<'t>, name: &str, want: usize, call: &Call<'t, 'a>) -> Result<(), String> {
        let got = call.args.len() + usize::from(call.piped.is_some());
        if got == want {
            return Ok(());
        }
        Err(self.fault(frame, &format!("wrong number of args for {name}: want {want} got {got}")))
    }

    fn function(
        &self,
        frame: Frame<'t>,
        dot: &Datum<'a>,
        (word, place): (&'t Operand, Place<'t>),
        name: &str,
        call: Call<'t, 'a>,
    ) -> Result<Datum<'a>, String> {
        self.place.set(Place::Operand(word));
        let Some(signature) = funcs::signature(name) else {
            return Err(self.fault(frame, &format!("{} is not a defined function", quote(name))));
        };
        let want = signature.params.len();
        if !signature.variadic {
            self.arity(frame, name, want, &call)?;
        } else if call.args.len() + usize::from(call.piped.is_some()) < want {
            let got = call.args.len();
            return Err(self.fault(frame, &format!("wrong number of args for {name}: want at least {want} got {got}")));
        }
        if matches!(name, "and" | "or") {
            return self.and_or(frame, dot, name == "or", call);
        }
        let args = self.arguments(frame, dot, signature.params, signature.variadic, call)?;
        funcs::call(name, &args, self.mode.functions).map_err(|what| {
            self.place.set(place);
            self.fault(frame, &format!("error calling {name}: {what}"))
        })
    }

    /// The first argument whose truth is `stop`, or the last; those behind it are not looked at.
    fn and_or(&self, frame: Frame<'t>, dot: &Datum<'a>, stop: bool, call: Call<'t, 'a>) -> Result<Datum<'a>, String> {
        let mut value = Datum::Missing;
        for arg in call.args {
            value = self.value(frame, dot, arg)?;
            if value.truth() == stop {
                return Ok(value);
            }
        }
        Ok(call.piped.unwrap_or(value))
    }

    fn arguments(
        &self,
        frame: Frame<'t>,
        dot: &Datum<'a>,
        params: &[Param],
        variadic: bool,
        call: Call<'t, 'a>,
    ) -> Result<Vec<Datum<'a>>, String> {
        debug_assert!(variadic || call.args.len() <= params.len());
        let mut values = Vec::new();
        for (i, arg) in call.args.iter().enumerate() {
            let param = params.get(i).copied().unwrap_or(Param::Any);
            values.push(self.argument(frame, dot, param, arg)?);
        }
        if let Some(piped) = call.piped {
            let param = params.get(values.len()).copied().unwrap_or(Param::Any);
            values.push(self.fitting(frame, param, piped)?);
        }
        Ok(values)
    }

    fn argument(&self, frame: Frame<'t>, dot: &Datum<'a>, param: Param, arg: &'t Operand) -> Result<Datum<'a>, String> {
        self.place.set(Place::Operand(arg));
        let (expected, fits) = match param {
            Param::Any => return self.value(frame, dot, arg),
            Param::Text => ("string", matches!(arg.word, Word::Str(..))),
            Param::Int => ("integer", matches!(arg.word, Word::Int(..))),
        };
        if let (Some(_), false) = (literal(&arg.word), fits) {
            return Err(self.fault(frame, &format!("expected {expected}; found {arg}")));
        }
        if matches!(arg.word, Word::Nil) {
            let typed = if param == Param::Int { "int" } else { "string" };
            return Err(self.fault(frame, &format!("cannot assign nil to {typed}")));
        }
        let value = self.value(frame, dot, arg)?;
        self.fitting(frame, param, value)
    }

    fn fitting(&self, frame: Frame<'t>, param: Param, value: Datum<'a>) -> Result<Datum<'a>, String> {
        let expected = match (param, &value) {
            (Param::Any, _) | (Param::Text, Datum::Str(_)) | (Param::Int, Datum::Int(_)) => return Ok(value),
            (Param::Text, _) => "string",
            (Param::Int, _) => "int",
        };
        if matches!(value, Datum::Missing) {
            return Err(self.fault(frame, &format!("invalid value; expected {expected}")));
        }
        let got = value.type_name();
        Err(self.fault(frame, &format!("wrong type for value; expected {expected}; got {got}")))
    }

    /// An argument of any type.
    fn value(&self, frame: Frame<'t>, dot: &Datum<'a>, arg: &'t Operand) -> Result<Datum<'a>, String> {
        self.place.set(Place::Operand(arg));
        let none = Call { args: &[], piped: None };
        match &arg.word {
            Word::Dot => Ok(dot.clone()),
            Word::Nil => Ok(Datum::Missing),
            Word::Field(names) => self.chain(frame, dot, (dot.clone(), arg), names, none),
            Word::Variable(_) | Word::Chain(..) => self.fields_of(frame, dot, arg, none),
            Word::Pipe(pipe) => self.pipe(frame, dot, pipe),
            Word::Function(name) => self.function(frame, dot, (arg, Place::Operand(arg)), name, none),
            Word::Bool(_) | Word::Int(..) | Word::Float(..) | Word::Str(..) => {
                Ok(literal(&arg.word).unwrap_or(Datum::Missing))
            }
        }
    }
}

/// What stands behind a command's first word, and what was piped into it.
struct Call<'t, 'a> {
    args: &'t [Operand],
    piped: Option<Datum<'a>>,
}

struct Receiver<'t, 'a> {
    value: Datum<'a>,
    /// Reached through another field.
    nested: bool,
    operand: &'t Operand,
}

fn literal<'a>(word: &Word) -> Option<Datum<'a>> {
    match word {
        Word::Bool(value) => Some(Datum::Bool(*value)),
        Word::Int(value, _) => Some(Datum::Int(*value)),
        Word::Float(value, _) => Some(Datum::Float(*value)),
        Word::Str(text, _) => Some(Datum::text(text)),
        Word::Dot
        | Word::Nil
        | Word::Field(_)
        | Word::Variable(_)
        | Word::Function(_)
        | Word::Pipe(_)
        | Word::Chain(..) => None,
    }
}
