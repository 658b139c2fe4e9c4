//! The stages in their order, with what variables hold, as far as a file and its bases say.

use std::collections::{BTreeMap, BTreeSet};

use spec::platform::Platform;

use super::stage::{self, State};
use super::{Failure, Inputs, Lines, Rule, Sink, failure};
use crate::dockerfile::ast::{Dockerfile, From, Instruction, Span, Spanned, Stage};
use crate::dockerfile::env::Environment;
use crate::dockerfile::error::Fault;
use crate::dockerfile::go;
use crate::dockerfile::parse_trigger;
use crate::dockerfile::suggest::{Case, nearest};
use crate::dockerfile::words::{Env, Expansion, Lexer};

/// Which stages are walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stages {
    /// Those the target needs; without a target all.
    AllWithoutTarget,
    /// Those the target, or the last stage, needs.
    Reachable,
}

/// A build argument, as far as the walk has come.
#[derive(Clone, Debug, Default)]
pub(super) struct ArgValue {
    pub(super) value: String,
    pub(super) doc: String,
    pub(super) lines: Lines,
    /// Arguments its default speaks of.
    pub(super) needs: BTreeSet<String>,
}

/// Values and what is known of them.
pub(super) type Args = (Environment, BTreeMap<String, ArgValue>);

/// A file's stages after the walk.
pub(super) struct Walked {
    pub(super) stages: Vec<State>,
    pub(super) target: usize,
}

/// The values of `ARG`s before the first `FROM`.
pub(super) fn global_args(
    file: &Dockerfile,
    globals: &BTreeMap<String, String>,
    build_args: &BTreeMap<String, String>,
) -> Result<Args, Failure> {
    let lexer = Lexer::new(file.directives.escape);
    let mut env = Environment::default();
    for (name, value) in globals {
        env.set(name, value).map_err(|fault| Failure { message: fault.to_string(), lines: Vec::new() })?;
    }
    let mut known: BTreeMap<String, ArgValue> = BTreeMap::new();
    for args in &file.global_args {
        for arg in &args.value {
            let name = &arg.name.0;
            let mut needs = BTreeSet::new();
            let value = match (build_args.get(name), &arg.default) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(default)) => {
                    let expansion = lexer.expand(&default.0, &env).map_err(|fault| failure(&fault, args.span))?;
                    needs = expansion.used;
                    // One that speaks of itself speaks of what it was before.
                    if needs.remove(name) {
                        needs.extend(known.get(name).into_iter().flat_map(|old| old.needs.iter().cloned()));
                    }
                    Some(expansion.text)
                }
                (None, None) => None,
            };
            if let Some(value) = &value {
                env.set(name, value).map_err(|fault| failure(&fault, args.span))?;
            }
            let lines = (args.span.first_line, args.span.last_line);
            let value = value.unwrap_or_default();
            known.insert(name.clone(), ArgValue { value, doc: arg.doc.clone(), lines, needs });
        }
    }
    Ok((env, known))
}

/// Walks through the file.
pub(super) fn walk(file: &Dockerfile, inputs: &Inputs<'_>, which: Stages, sink: &mut Sink) -> Result<Walked, Failure> {
    let (globals, known) = global_args(file, inputs.globals, inputs.build_args)?;
    let mut walk = Walk { file, inputs, globals, known, names: BTreeMap::new() };
    let mut states: Vec<State> = Vec::new();
    for (i, stage) in file.stages.iter().enumerate() {
        let state = walk.begin(&stage.from, &states, sink)?;
        states.push(state);
        if let Some(name) = &stage.from.value.name {
            walk.names.insert(name.clone(), i);
        }
    }
    let target = walk.target()?;
    for (state, stage) in states.iter_mut().zip(&file.stages) {
        state.needs = stage.instructions.iter().flat_map(|instruction| walk.sources(&instruction.value)).collect();
    }
    let all = which == Stages::AllWithoutTarget && inputs.target.is_none();
    let wanted = if all { (0..states.len()).collect() } else { reachable(&states, target) };
    for i in wanted {
        walk.follow(&file.stages[i], i, &mut states, sink)?;
    }
    Ok(Walked { stages: states, target })
}

/// The stages that `target` needs, in the file's order.
fn reachable(states: &[State], target: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open = vec![target];
    while let Some(i) = open.pop() {
        if seen.insert(i) {
            open.extend(states[i].base.iter().chain(&states[i].needs));
        }
    }
    seen
}

struct Walk<'a> {
    file: &'a Dockerfile,
    inputs: &'a Inputs<'a>,
    globals: Environment,
    known: BTreeMap<String, ArgValue>,
    names: BTreeMap<String, usize>,
}

impl Walk<'_> {
    /// A stage as its `FROM` makes it.
    fn begin(&self, from: &Spanned<From>, states: &[State], sink: &mut Sink) -> Result<State, Failure> {
        let lexer = Lexer::new(self.file.directives.escape);
        let failed = |fault: Fault| failure(&fault, from.span);
        let base = lexer.expand(&from.value.base.0, &self.globals).map_err(failed)?;
        self.undefined(from, &base, sink);
        if base.text.is_empty() {
            let message = format!("base name ({}) should not be blank", from.value.base.0);
            return Err(failed(Fault::new(message)));
        }
        let mut used = base.used;
        if let Some(platform) = &from.value.platform {
            let message = |fault: &Fault| format!("failed to process arguments for platform : {fault}");
            let expansion =
                lexer.expand(&platform.0, &self.globals).map_err(|fault| failed(Fault::new(message(&fault))))?;
            self.undefined(from, &expansion, sink);
            self.platform(from, &platform.0, &expansion, sink)?;
            used.extend(expansion.used);
        }
        let base_stage = self.names.get(&base.text).copied();
        let known = base_stage.map_or_else(|| self.known.clone(), |base| states[base].known.clone());
        used.extend(base_stage.iter().flat_map(|&base| states[base].used.iter().cloned()));
        Ok(State::new(base_stage, base.text, known, used))
    }

    /// Arguments of a `FROM` that nobody declared.
    fn undefined(&self, from: &Spanned<From>, expansion: &Expansion, sink: &mut Sink) {
        let is_declared = |name: &String| self.known.contains_key(name) || self.globals.value(name).is_some();
        for name in expansion.unset.iter().filter(|name| !is_declared(name)) {
            let declared = self.known.keys().map(String::as_str).chain(self.globals.names());
            let meant = nearest(name, declared, Case::Sensitive);
            let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            let detail = format!("FROM argument '{name}' is not declared{meant}");
            sink.add_below(&from.comments, Rule::UndefinedArgInFrom, from.span, detail);
        }
    }

    fn platform(&self, from: &Spanned<From>, word: &str, is: &Expansion, sink: &mut Sink) -> Result<(), Failure> {
        const TARGET: &str = "TARGETPLATFORM";
        let only_target = is.unset.is_empty() && is.used.len() == 1 && is.used.contains(TARGET);
        if only_target && self.globals.value(TARGET) == Some(&is.text) {
            let detail =
                format!("Setting platform to predefined {word} in FROM is redundant as this is the default behavior");
            sink.add_below(&from.comments, Rule::RedundantTargetPlatform, from.span, detail);
        }
        let platform = is.text.parse::<Platform>();
        if let (Ok(platform), true) = (&platform, is.used.is_empty() && is.unset.is_empty()) {
            let name = from.value.name.as_deref().unwrap_or_default();
            if !name.contains(platform.os.as_str()) && !name.contains(platform.architecture.as_str()) {
                let detail = format!("FROM --platform flag should not use constant value {}", go::quote(&is.text));
                sink.add_below(&from.comments, Rule::FromPlatformFlagConstDisallowed, from.span, detail);
            }
        }
        let message = match platform {
            _ if is.text.is_empty() => format!("empty platform value from expression {word}"),
            Err(error) => format!("failed to parse platform {word}: {error}"),
            Ok(_) => return Ok(()),
        };
        let meant = is.unset.iter().find_map(|name| nearest(name, self.globals.names(), Case::Sensitive));
        Err(failure(&Fault { meant, ..Fault::new(message) }, from.span))
    }

    fn target(&self) -> Result<usize, Failure> {
        let Some(target) = self.inputs.target else { return Ok(self.file.stages.len() - 1) };
        if let Some(&target) = self.names.get(&target.to_lowercase()) {
            return Ok(target);
        }
        let message = format!("target stage {} could not be found", go::quote(target));
        let names = self.names.keys().map(String::as_str);
        Err(Failure {
            message: Fault::new(message).suggesting(target, names, Case::Sensitive).to_string(),
            lines: Vec::new(),
        })
    }

    /// Stages that an instruction takes files from.
    fn sources(&self, instruction: &Instruction) -> Vec<usize> {
        let from: Vec<&str> = match instruction {
            Instruction::Copy(copy) => copy.from.as_deref().into_iter().collect(),
            Instruction::Run(run) => run.mounts.iter().filter_map(|mount| mount.from.as_deref()).collect(),
            Instruction::Onbuild(onbuild) => return self.sources(&onbuild.instruction),
            Instruction::Add(_)
            | Instruction::Arg(_)
            | Instruction::Cmd(_)
            | Instruction::Entrypoint(_)
            | Instruction::Env(_)
            | Instruction::Expose(_)
            | Instruction::Healthcheck(_)
            | Instruction::Label(_)
            | Instruction::Maintainer(_)
            | Instruction::Shell(_)
            | Instruction::Stopsignal(_)
            | Instruction::User(_)
            | Instruction::Volume(_)
            | Instruction::Workdir(_) => Vec::new(),
        };
        let number = |name: &str| name.parse().ok().filter(|&i: &usize| i < self.file.stages.len());
        from.into_iter()
            .filter_map(|name| self.names.get(&name.to_lowercase()).copied().or_else(|| number(name)))
            .collect()
    }

    /// A stage's instructions, those its base has for it first.
    fn follow(&self, stage: &Stage, i: usize, states: &mut [State], sink: &mut Sink) -> Result<(), Failure> {
        let mut state = std::mem::take(&mut states[i]);
        let on_build = match state.base {
            Some(base) => {
                state.inherit(&states[base]);
                states[base].on_build.clone()
            }
            None => {
                let base = match state.base_name.as_str() {
                    "scratch" => super::Base::default(),
                    name => (self.inputs.base)(name),
                };
                state.start(&base).map_err(|fault| failure(&fault, stage.from.span))?;
                base.on_build
            }
        };
        let context = stage::Context {
            escape: self.file.directives.escape,
            globals: &self.globals,
            build_args: self.inputs.build_args,
            ignore: self.inputs.ignore,
        };
        for expression in &on_build {
            let trigger = trigger(expression, stage.from.span)?;
            state.follow(&trigger, &context, sink).map_err(|fault| failure(&fault, trigger.span))?;
        }
        for instruction in &stage.instructions {
            state.follow(instruction, &context, sink).map_err(|fault| failure(&fault, instruction.span))?;
        }
        states[i] = state;
        Ok(())
    }
}

/// An instruction that a base has for those built on it: its place is the `FROM`.
fn trigger(expression: &str, span: Span) -> Result<Spanned<Instruction>, Failure> {
    let value = parse_trigger(expression).map_err(|fault| failure(&fault, span))?;
    let keyword = expression.split_whitespace().next().unwrap_or_default().to_owned();
    Ok(Spanned { value, keyword, original: expression.to_owned(), span, comments: Vec::new() })
}
