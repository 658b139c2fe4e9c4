//! Rules that need to know what variables hold where an instruction stands.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::ArgValue;
use super::{Base, Rule, Sink};
use crate::dockerfile::ast::{
    Arg, Command, Escape, Expanded, Instruction, Pair, PairForm, Sources, Span, Spanned, Word,
};
use crate::dockerfile::env::Environment;
use crate::dockerfile::error::Fault;
use crate::dockerfile::expand::Expand;
use crate::dockerfile::go;
use crate::dockerfile::mount::Mount;
use crate::dockerfile::ports::expose;
use crate::dockerfile::suggest::{Case, nearest};
use crate::dockerfile::words::{Env, Variables};
use crate::ignore::{Patterns, clean};

/// What BuildKit gives an image that has none.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Arguments that are no variables.
const NO_VARIABLES: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Name parts that say something is secret, and those that say it is not.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
const NOT_SECRET: [&str; 3] = ["public", "file", "version"];

/// A stage at some instruction.
#[derive(Default)]
pub(super) struct State {
    /// The stage it begins with, if it is one.
    pub(super) base: Option<usize>,
    pub(super) base_name: String,
    /// Stages it takes files from.
    pub(super) needs: BTreeSet<usize>,
    /// What is known of arguments, and which are used, for the outline.
    pub(super) known: BTreeMap<String, ArgValue>,
    pub(super) used: BTreeSet<String>,
    /// Whether each is required, and where it is said first.
    pub(super) secrets: BTreeMap<String, (bool, Span)>,
    pub(super) ssh: BTreeMap<String, (bool, Span)>,
    /// Instructions for those built on it.
    pub(super) on_build: Vec<String>,
    env: Environment,
    /// Declared arguments: they may be unset.
    declared: BTreeSet<String>,
    has_shell: bool,
    has_workdir: bool,
    cmd: Option<Span>,
    entrypoint: Option<Span>,
    healthcheck: Option<Span>,
}

/// What all stages see.
pub(super) struct Context<'a> {
    pub(super) escape: Escape,
    pub(super) globals: &'a Environment,
    pub(super) build_args: &'a BTreeMap<String, String>,
    pub(super) ignore: Option<&'a Patterns>,
}

/// An instruction, and where what is found at it goes.
struct Here<'a> {
    keyword: &'a str,
    comments: &'a [String],
    span: Span,
    sink: &'a mut Sink,
}

impl Here<'_> {
    fn add(&mut self, rule: Rule, detail: String) {
        self.sink.add_below(self.comments, rule, self.span, detail);
    }
}

/// Values, and a note of each word's missing ones.
struct Noting<'a> {
    escape: Escape,
    env: &'a Environment,
    unset: Vec<String>,
}

impl Noting<'_> {
    fn noting<T>(&mut self, read: impl FnOnce(&mut Variables<'_, Environment>) -> T) -> T {
        let mut variables = Variables::new(self.escape, self.env);
        let value = read(&mut variables);
        self.unset.extend(variables.unset);
        value
    }
}

impl Expand for Noting<'_> {
    fn word(&mut self, word: &Word) -> Result<String, Fault> {
        self.noting(|variables| variables.word(word))
    }

    /// `EXPOSE`'s, of which BuildKit says nothing.
    fn words(&mut self, word: &Word) -> Result<Vec<String>, Fault> {
        Variables::new(self.escape, self.env).words(word)
    }

    fn content(&mut self, content: &Word) -> Result<String, Fault> {
        self.noting(|variables| variables.content(content))
    }
}

impl State {
    /// As a `FROM` makes it.
    pub(super) fn new(
        base: Option<usize>,
        base_name: String,
        known: BTreeMap<String, ArgValue>,
        used: BTreeSet<String>,
    ) -> State {
        State { base, base_name, known, used, ..State::default() }
    }

    /// On an image.
    pub(super) fn start(&mut self, base: &Base) -> Result<(), Fault> {
        self.env = Environment::of_pairs([PATH].into_iter().chain(base.env.iter().map(String::as_str)))?;
        self.has_shell = !base.shell.is_empty();
        Ok(())
    }

    /// On another stage.
    pub(super) fn inherit(&mut self, base: &State) {
        self.env.clone_from(&base.env);
        self.declared.clone_from(&base.declared);
        (self.has_shell, self.has_workdir) = (base.has_shell, base.has_workdir);
    }

    /// Looks at an instruction and does to the stage what it does.
    pub(super) fn follow(
        &mut self,
        instruction: &Spanned<Instruction>,
        context: &Context<'_>,
        sink: &mut Sink,
    ) -> Result<(), Fault> {
        let mut here =
            Here { keyword: &instruction.keyword, comments: &instruction.comments, span: instruction.span, sink };
        let mut noting = Noting { escape: context.escape, env: &self.env, unset: Vec::new() };
        let expanded = instruction.value.expand(&mut noting);
        let unset = noting.unset;
        self.undefined(unset, &mut here);
        match expanded? {
            Instruction::Add(add) => copied(&add.sources, "Add", context.ignore, &mut here),
            Instruction::Arg(args) => self.args(&args, context, &mut here)?,
            Instruction::Cmd(command) => {
                once(&mut self.cmd, &mut here);
                self.command(&command, &mut here);
            }
            Instruction::Copy(copy) if copy.from.is_none() => {
                copied(&copy.sources, "Copy", context.ignore, &mut here);
            }
            Instruction::Entrypoint(command) => {
                once(&mut self.entrypoint, &mut here);
                self.command(&command, &mut here);
            }
            Instruction::Env(pairs) => {
                legacy(&pairs, &mut here);
                pairs.iter().for_each(|pair| secret("ENV", &pair.name, &mut here));
                for pair in pairs {
                    self.env.set(&pair.name, &pair.value)?;
                }
            }
            Instruction::Expose(words) => exposed(&words, &mut here)?,
            Instruction::Healthcheck(_) => once(&mut self.healthcheck, &mut here),
            Instruction::Label(pairs) => legacy(&pairs, &mut here),
            Instruction::Onbuild(onbuild) => self.on_build.push(onbuild.expression),
            Instruction::Run(run) => self.mounts(&run.mounts, here.span),
            Instruction::Shell(shell) => self.has_shell = !shell.is_empty(),
            Instruction::Workdir(path) => self.workdir(&path, &mut here),
            Instruction::Copy(_)
            | Instruction::Maintainer(_)
            | Instruction::Stopsignal(_)
            | Instruction::User(_)
            | Instruction::Volume(_) => {}
        }
        Ok(())
    }

    fn undefined(&self, unset: Vec<String>, here: &mut Here<'_>) {
        for name in unset {
            if self.declared.contains(&name) || NO_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let meant = nearest(&name, self.env.names(), Case::Sensitive);
            let meant = meant.map(|meant| format!(" (did you mean ${meant}?)")).unwrap_or_default();
            here.add(Rule::UndefinedVar, format!("Usage of undefined variable '${name}'{meant}"));
        }
    }

    fn args(&mut self, args: &[Arg], context: &Context<'_>, here: &mut Here<'_>) -> Result<(), Fault> {
        for arg in args {
            let name = &arg.name.0;
            secret("ARG", name, here);
            let global = context.globals.value(name);
            let value = match (context.build_args.get(name), &arg.default) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(default)) => {
                    let mut noting = Noting { escape: context.escape, env: &self.env, unset: Vec::new() };
                    let value = noting.word(default);
                    let unset = noting.unset;
                    self.undefined(unset, here);
                    Some(value?)
                }
                (None, None) => global.map(str::to_owned),
            };
            let is_global = arg.default.is_none() && !context.build_args.contains_key(name) && global.is_some();
            if !is_global {
                let value = value.clone().unwrap_or_default();
                let lines = (here.span.first_line, here.span.last_line);
                let known = ArgValue { value, doc: arg.doc.clone(), lines, needs: BTreeSet::new() };
                self.known.insert(name.clone(), known);
            }
            if let Some(value) = value.filter(|_| !NO_VARIABLES.contains(&name.as_str())) {
                self.env.set(name, &value)?;
            }
            self.used.insert(name.clone());
            self.declared.insert(name.clone());
        }
        Ok(())
    }

    fn command(&self, command: &Command, here: &mut Here<'_>) {
        if let Command::Shell(_) = command
            && !self.has_shell
        {
            let keyword = here.keyword;
            let detail = format!(
                "JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
            );
            here.add(Rule::JsonArgsRecommended, detail);
        }
    }

    /// Only the first is looked at: where it is right, those after it are.
    fn workdir(&mut self, path: &str, here: &mut Here<'_>) {
        if !self.has_workdir && !path.starts_with('/') {
            let path = go::quote(path);
            let detail = format!("Relative workdir {path} can have unexpected results if the base image changes");
            here.add(Rule::WorkdirRelativePath, detail);
        }
        self.has_workdir = true;
    }

    fn mounts(&mut self, mounts: &[Mount], span: Span) {
        for mount in mounts {
            match mount {
                Mount::Secret { id, required, .. } => {
                    self.secrets.entry(id.clone()).or_insert((*required, span));
                }
                Mount::Ssh { id, required, .. } => {
                    self.ssh.entry(id.clone()).or_insert((*required, span));
                }
                Mount::Bind { .. } | Mount::Cache { .. } | Mount::Tmpfs { .. } => {}
            }
        }
    }
}

/// Of two the first is without effect.
fn once(seen: &mut Option<Span>, here: &mut Here<'_>) {
    if let Some(before) = seen.replace(here.span) {
        let keyword = here.keyword;
        let detail = format!(
            "Multiple {keyword} instructions should not be used in the same stage because only the last one will be used"
        );
        here.sink.add_below(here.comments, Rule::MultipleInstructionsDisallowed, before, detail);
    }
}

fn legacy(pairs: &[Pair<Expanded>], here: &mut Here<'_>) {
    let keyword = here.keyword;
    for _ in pairs.iter().filter(|pair| pair.form == PairForm::Legacy) {
        let detail = format!(r#""{keyword} key=value" should be used instead of legacy "{keyword} key value" format"#);
        here.add(Rule::LegacyKeyValueFormat, detail);
    }
}

fn secret(keyword: &str, name: &str, here: &mut Here<'_>) {
    let lower = name.to_lowercase();
    let has = |parts: &[&str]| lower.split('_').any(|part| parts.contains(&part));
    if has(&SECRET) && !has(&NOT_SECRET) {
        let name = go::quote(name);
        let detail = format!("Do not use ARG or ENV instructions for sensitive data ({keyword} {name})");
        here.add(Rule::SecretsUsedInArgOrEnv, detail);
    }
}

fn exposed(words: &[String], here: &mut Here<'_>) -> Result<(), Fault> {
    for word in words {
        let exposed = expose(word)?;
        if exposed.protocol != exposed.protocol.to_lowercase() {
            let detail = format!("Defined protocol '{word}' in EXPOSE instruction should be lowercase");
            here.add(Rule::ExposeProtoCasing, detail);
        }
        if exposed.is_mapped {
            let detail =
                format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{word}'");
            here.add(Rule::ExposeInvalidFormat, detail);
        }
    }
    Ok(())
}

/// Sources in the context that the context does not have. With exceptions that is not known from patterns alone.
fn copied(sources: &Sources<Expanded>, verb: &str, ignore: Option<&Patterns>, here: &mut Here<'_>) {
    let Some(ignore) = ignore.filter(|ignore| !ignore.has_exceptions()) else { return };
    for source in sources.paths.iter().filter(|source| !source.contains("://") && !source.starts_with("git@")) {
        let source = clean(source);
        let is_root = source == "." || source == "/";
        // The context itself is there, however little is in it.
        if is_root && !ignore.plain().any(|pattern| matches!(pattern, "*" | "**" | "**/*")) {
            continue;
        }
        if ignore.matches(&source) {
            let source = go::quote(&source);
            here.add(
                Rule::CopyIgnoredFile,
                format!("Attempting to {verb} file {source} that is excluded by .dockerignore"),
            );
        }
    }
}
