//! The instructions of a stage, one after another: what they do to its config, its history and its files.

use spec::image::{Empty, History};

use super::env::{self, Env};
use super::error::PlanError;
use super::graph::{Directory, Step, What};
use super::stages::{Command, PATH, State};
use super::{Planner, go, names, paths, ports, signal};
use crate::dockerfile::ast::{self, Arg, Expanded, Instruction, Pair, Span};

/// What history says of each step of this builder.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// Arguments that are for the builder and never in the environment.
const NOT_IN_ENV: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Whether an instruction made a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Makes {
    Layer,
    Nothing,
}

impl Planner<'_> {
    /// Goes through a stage.
    pub(super) fn dispatch(&mut self, at: usize) -> Result<(), PlanError> {
        if self.stages.all[at].done {
            return Ok(());
        }
        self.begin_state(at)?;
        for number in 0..self.stages.all[at].commands.len() {
            let command = self.stages.all[at].commands[number].clone();
            let done = self.instruct(at, &command).and_then(|()| self.count(at));
            done.map_err(|error| error.at(command.said.span))?;
        }
        Ok(())
    }

    /// What an instruction added: its line of history, and, as steps have them, all variables.
    fn count(&mut self, at: usize) -> Result<(), PlanError> {
        let state = &self.stages.all[at].state;
        let line = state.image.history.last().and_then(|entry| entry.created_by.as_ref()).map_or(0, String::len);
        let bytes = 256 + line + state.env.bytes();
        self.spend(bytes)
    }

    fn begin_state(&mut self, at: usize) -> Result<(), PlanError> {
        if let Some(base) = self.stages.all[at].base {
            self.spend(self.stages.all[base].state.bytes()).map_err(|error| error.at(self.stages.all[at].span))?;
            let base = &self.stages.all[base];
            let mut state = State { has_cmd: false, ..base.state.clone() };
            // Triggers are for those built on the image, and were pulled by this stage.
            state.image.config.on_build.clear();
            let platform = base.platform.clone();
            let stage = &mut self.stages.all[at];
            (stage.state, stage.platform) = (state, platform);
        }
        let stage = &mut self.stages.all[at];
        stage.done = true;
        stage.platform.get_or_insert_with(|| self.target.clone());
        let config = &mut stage.state.image.config;
        if !config.env.iter().any(|line| env::pair(line).0 == "PATH") {
            config.env.push(format!("PATH={PATH}"));
        }
        for line in &config.env {
            let (name, value) = env::pair(line);
            stage.state.env.set(name, value);
        }
        if !config.working_dir.is_empty() {
            config.working_dir = paths::workdir(&config.working_dir, &config.working_dir);
        }
        Ok(())
    }

    fn instruct(&mut self, at: usize, command: &Command) -> Result<(), PlanError> {
        let said = self.words.instruction(&command.said.value, &self.stages.all[at].state.env)?;
        let state = &mut self.stages.all[at].state;
        match said {
            Instruction::Run(run) => return self.run(at, command, &run),
            Instruction::Copy(copy) => return self.copy(at, command, &copy),
            Instruction::Add(add) => return self.add(at, command, &add),
            Instruction::Workdir(path) => self.workdir(at, command, &path),
            Instruction::Arg(args) => return self.arg(at, &args),
            Instruction::Maintainer(name) => {
                state.note(format!("MAINTAINER {name}"), Makes::Nothing);
                state.image.author = Some(name);
            }
            Instruction::Shell(words) => {
                state.note(format!("SHELL {}", go::list(&words)), Makes::Nothing);
                state.image.config.shell = Some(words);
            }
            said @ (Instruction::Env(_)
            | Instruction::Label(_)
            | Instruction::Cmd(_)
            | Instruction::Entrypoint(_)
            | Instruction::Healthcheck(_)
            | Instruction::Onbuild(_)
            | Instruction::User(_)
            | Instruction::Volume(_)
            | Instruction::Stopsignal(_)
            | Instruction::Expose(_)) => return state.configure(said),
        }
        Ok(())
    }

    fn workdir(&mut self, at: usize, command: &Command, path: &str) {
        let wanted = paths::workdir(&self.stages.all[at].state.image.config.working_dir, path);
        self.stages.all[at].state.image.config.working_dir.clone_from(&wanted);
        let mut makes = Makes::Nothing;
        if wanted != "/" {
            makes = Makes::Layer;
            let stage = &self.stages.all[at];
            let (epoch, user) = (self.layer_epoch(stage), stage.state.image.config.user.clone());
            let shown = names::shouted(&self.words.shown(&command.said.original, &stage.state.env));
            let on = self.rooted(self.stages.all[at].state.tree);
            let what = What::Directory(Directory { on, path: wanted.clone(), user, epoch });
            self.step(at, command, &shown, what);
        }
        self.stages.all[at].state.note(format!("WORKDIR {wanted}"), makes);
    }

    /// Makes a step of a stage's files.
    pub(super) fn step(&mut self, at: usize, command: &Command, shown: &str, what: What) {
        let name = self.name_step(at, command, shown);
        self.put_step(at, command.said.span, name, what);
    }

    pub(super) fn name_step(&mut self, at: usize, command: &Command, shown: &str) -> String {
        let stage = &mut self.stages.all[at];
        let (platform, env) = (stage.platform.clone(), stage.state.env.clone());
        names::next(stage, shown, self.platforms, platform.as_ref(), Some(&env), command.on_build)
    }

    pub(super) fn put_step(&mut self, at: usize, span: Span, name: String, what: What) {
        let anew = self.stages.all[at].anew;
        let id = self.graph.add(Step { name, what, span: Some(span), anew });
        self.stages.all[at].state.tree = Some(id);
    }

    fn arg(&mut self, at: usize, args: &[Arg]) -> Result<(), PlanError> {
        let mut texts = vec!["ARG".to_owned()];
        for arg in args {
            let name = &arg.name.0;
            let state = &mut self.stages.all[at].state;
            let value = match (self.said.get(name), &arg.default) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(default)) => Some(self.words.word(default, &state.env)?),
                (None, None) => self.global.value(name).map(str::to_owned),
            };
            if let Some(value) = value.as_ref().filter(|_| !NOT_IN_ENV.contains(&name.as_str())) {
                state.env.set(name, value);
            }
            texts.push(match &value {
                Some(value) => format!("{name}={value}"),
                None => name.clone(),
            });
            state.args.push((name.clone(), value));
        }
        self.stages.all[at].state.note(texts.join(" "), Makes::Nothing);
        Ok(())
    }
}

impl State {
    /// Adds to the history.
    pub(super) fn note(&mut self, created_by: String, makes: Makes) {
        self.image.history.push(History {
            created: None,
            created_by: Some(created_by),
            author: None,
            comment: Some(COMMENT.into()),
            empty_layer: makes == Makes::Nothing,
        });
    }

    /// An instruction that changes an image's defaults and no files.
    pub(super) fn configure(&mut self, said: Instruction<Expanded>) -> Result<(), PlanError> {
        match said {
            Instruction::Env(pairs) => self.env_of(&pairs),
            Instruction::Label(pairs) => self.label(&pairs),
            Instruction::Cmd(cmd) => self.cmd(&cmd),
            Instruction::Entrypoint(entrypoint) => self.entrypoint(&entrypoint),
            Instruction::Healthcheck(check) => {
                self.note(format!("HEALTHCHECK {}", go::healthcheck(&check)), Makes::Nothing);
                self.image.config.healthcheck = Some(check);
            }
            Instruction::Onbuild(onbuild) => self.image.config.on_build.push(onbuild.expression),
            Instruction::User(user) => {
                self.note(format!("USER {user}"), Makes::Nothing);
                self.image.config.user = user;
            }
            Instruction::Volume(paths) => return self.volume(&paths),
            Instruction::Stopsignal(name) => {
                signal::check(&name).map_err(PlanError::new)?;
                self.note(format!("STOPSIGNAL {name}"), Makes::Nothing);
                self.image.config.stop_signal = Some(name);
            }
            Instruction::Expose(words) => return self.expose(&words),
            Instruction::Run(_)
            | Instruction::Copy(_)
            | Instruction::Add(_)
            | Instruction::Workdir(_)
            | Instruction::Arg(_)
            | Instruction::Maintainer(_)
            | Instruction::Shell(_) => return Err(PlanError::new("the instruction changes more than defaults")),
        }
        Ok(())
    }

    fn env_of(&mut self, pairs: &[Pair<Expanded>]) {
        for pair in pairs {
            self.env.set(&pair.name, &pair.value);
            env::set_in(&mut self.image.config.env, &pair.name, &pair.value);
        }
        self.note(format!("ENV{}", listed(pairs)), Makes::Nothing);
    }

    fn label(&mut self, pairs: &[Pair<Expanded>]) {
        for pair in pairs {
            self.image.config.labels.insert(pair.name.clone(), pair.value.clone());
        }
        self.note(format!("LABEL{}", listed(pairs)), Makes::Nothing);
    }

    fn cmd(&mut self, cmd: &ast::Command) {
        let words = self.command_words(cmd);
        self.note(format!("CMD {}", go::quoted_list(&words)), Makes::Nothing);
        self.image.config.cmd = (!words.is_empty()).then_some(words);
        self.has_cmd = true;
    }

    /// Another entry point means another command: the inherited one goes.
    fn entrypoint(&mut self, entrypoint: &ast::Command) {
        let words = self.command_words(entrypoint);
        self.note(format!("ENTRYPOINT {}", go::quoted_list(&words)), Makes::Nothing);
        self.image.config.entrypoint = (!words.is_empty()).then_some(words);
        if !self.has_cmd {
            self.image.config.cmd = None;
        }
    }

    fn command_words(&self, command: &ast::Command) -> Vec<String> {
        match command {
            ast::Command::Exec(words) => words.clone(),
            ast::Command::Shell(text) => self.shell(text),
        }
    }

    /// A text for the shell.
    pub(super) fn shell(&self, text: &str) -> Vec<String> {
        let shell = self.image.config.shell.clone().filter(|shell| !shell.is_empty());
        let mut words = shell.unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]);
        words.push(text.to_owned());
        words
    }

    fn volume(&mut self, paths: &[String]) -> Result<(), PlanError> {
        if paths.iter().any(String::is_empty) {
            return Err(PlanError::new("VOLUME specified can not be an empty string"));
        }
        self.image.config.volumes.extend(paths.iter().map(|path| (path.clone(), Empty {})));
        self.note(format!("VOLUME {}", go::list(paths)), Makes::Nothing);
        Ok(())
    }

    fn expose(&mut self, words: &[String]) -> Result<(), PlanError> {
        let mut all = Vec::new();
        for word in words {
            all.extend(ports::parse(word).map_err(PlanError::new)?);
        }
        self.image.config.exposed_ports.extend(all.iter().map(|port| (port.clone(), Empty {})));
        self.note(format!("EXPOSE {}", go::list(&all)), Makes::Nothing);
        Ok(())
    }

    /// `|2 A=1 B=2 /bin/sh -c make`: arguments and words of a command, as history has them.
    pub(super) fn history_of(&self, args: &[String], env: &Env) -> String {
        let mut seen: Vec<(&str, String)> = Vec::new();
        for (name, value) in &self.args {
            let value = env.value(name).map(str::to_owned).or_else(|| value.clone()).unwrap_or_default();
            match seen.iter_mut().find(|(other, _)| other == name) {
                Some((_, old)) => *old = value,
                None => seen.push((name, value)),
            }
        }
        let mut words = Vec::new();
        if !seen.is_empty() {
            words.push(format!("|{}", seen.len()));
            words.extend(seen.iter().map(|(name, value)| format!("{name}={value}")));
        }
        words.extend(args.iter().cloned());
        words.join(" ")
    }
}

fn listed(pairs: &[Pair<Expanded>]) -> String {
    pairs.iter().map(|pair| format!(" {}={}", pair.name, pair.value)).collect()
}
