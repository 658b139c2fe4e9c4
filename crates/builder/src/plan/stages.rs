//! The stages of a file, and what stands beside them (`COPY --from=image`): by name and number, and who needs whom.

use std::collections::HashMap;

use spec::image::{ImageConfig, RootFs, RunConfig};
use spec::platform::Platform;
use spec::time::Time;

use super::env::Env;
use super::error::{PlanError, suggesting};
use super::graph::Tree;
use crate::dockerfile::ast::{Instruction, Span, Spanned};
use crate::dockerfile::mount::WrittenMount;

/// What every image can rely on (BuildKit `system.DefaultPathEnvUnix`).
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage, as far as it is known.
#[derive(Debug)]
pub(crate) struct Stage {
    /// As it is shown; empty for what is no stage of the file, and for the only one.
    pub(crate) shown: String,
    /// As it is written; empty: it has no name.
    pub(crate) name: String,
    /// What stands after `FROM`, with variables' values.
    pub(crate) base_name: String,
    /// The stage that this is.
    pub(crate) base: Option<usize>,
    pub(crate) span: Span,
    /// `--platform`, or what the base has.
    pub(crate) platform: Option<Platform>,
    /// The named context that stands for it.
    pub(crate) context: Option<String>,
    pub(crate) commands: Vec<Command>,
    /// Who is needed by which instruction.
    pub(crate) needs: Vec<(usize, Span)>,
    /// An image that an instruction names, or a mount's nothing: no stage of the file.
    pub(crate) aside: bool,
    /// Steps it shows, and how many of them were named.
    pub(crate) total: usize,
    pub(crate) named: usize,
    /// `--no-cache`.
    pub(crate) anew: bool,
    pub(crate) resolved: bool,
    pub(crate) triggered: bool,
    /// Its instructions were gone through: others may use it.
    pub(crate) done: bool,
    pub(crate) state: State,
}

/// What a stage has come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) env: Env,
    pub(crate) image: ImageConfig,
    /// Entries of its history that came with the base image.
    pub(crate) inherited: usize,
    /// `ARG`s so far.
    pub(crate) args: Vec<(String, Option<String>)>,
    /// `CMD` was said in this file.
    pub(crate) has_cmd: bool,
    /// When the base image was made.
    pub(crate) base_created: Option<Time>,
}

/// An instruction and where its files come from: for `COPY` one, for `RUN` one a mount.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) said: Spanned<Instruction>,
    pub(crate) from: Vec<usize>,
    pub(crate) on_build: bool,
}

impl State {
    /// About what a copy of it takes.
    pub(crate) fn bytes(&self) -> usize {
        let config = &self.image.config;
        let history = self.image.history.iter().map(|entry| 128 + entry.created_by.as_ref().map_or(0, String::len));
        let args = self.args.iter().map(|(name, value)| 64 + name.len() + value.as_ref().map_or(0, String::len));
        let labels = config.labels.iter().map(|(name, value)| 64 + name.len() + value.len());
        let ports = (config.exposed_ports.len() + config.volumes.len()) * 64;
        history.chain(args).chain(labels).sum::<usize>() + 2 * self.env.bytes() + ports
    }
}

impl Stage {
    pub(crate) fn new(base_name: String, span: Span) -> Stage {
        Stage {
            shown: String::new(),
            name: String::new(),
            base_name,
            base: None,
            span,
            platform: None,
            context: None,
            commands: Vec::new(),
            needs: Vec::new(),
            aside: false,
            total: 0,
            named: 0,
            anew: false,
            resolved: false,
            triggered: false,
            done: false,
            state: State::default(),
        }
    }
}

/// The config of an image without files.
pub(crate) fn empty_image(platform: &Platform) -> ImageConfig {
    ImageConfig {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        variant: platform.variant.clone(),
        config: RunConfig { working_dir: "/".into(), env: vec![format!("PATH={PATH}")], ..RunConfig::default() },
        rootfs: RootFs::default(),
        ..ImageConfig::default()
    }
}

/// All of them, in the order in which they are gone through.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    pub(crate) all: Vec<Stage>,
    by_name: HashMap<String, usize>,
}

impl Stages {
    /// Adds one; its base is a stage if one before it has the name.
    pub(crate) fn add(&mut self, mut stage: Stage) -> usize {
        let at = self.all.len();
        if stage.context.is_none() {
            stage.base = self.by_name.get(&stage.base_name).copied();
        }
        if !stage.name.is_empty() {
            self.by_name.insert(stage.name.to_lowercase(), at);
        }
        self.all.push(stage);
        at
    }

    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.all.iter().map(|stage| stage.shown.clone()).filter(|name| !name.is_empty()).collect()
    }

    /// The stage that shall be built.
    pub(crate) fn target(&self, wanted: Option<&str>) -> Result<usize, PlanError> {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { return Ok(self.all.len() - 1) };
        self.named(wanted).ok_or_else(|| {
            let message = format!("target stage {} could not be found", super::go::quoted(wanted));
            PlanError::new(suggesting(message, wanted, self.names().iter().map(String::as_str)))
        })
    }

    /// Finds, for all instructions, whose files they use; what is no stage is added as an image.
    pub(crate) fn connect(&mut self) -> Result<(), PlanError> {
        for at in 0..self.all.len() {
            let mut commands = std::mem::take(&mut self.all[at].commands);
            for command in &mut commands {
                self.connect_one(at, command)?;
            }
            self.all[at].commands = commands;
        }
        self.refuse_circles()?;
        if let [only] = self.all.as_mut_slice() {
            only.shown.clear();
        }
        Ok(())
    }

    /// The same for one instruction. Whether it uses any.
    pub(crate) fn connect_one(&mut self, stage: usize, command: &mut Command) -> Result<bool, PlanError> {
        let span = command.said.span;
        let names: Vec<String> = match &command.said.value {
            Instruction::Copy(copy) => copy.from.iter().cloned().collect(),
            Instruction::Run(run) => run.mounts.iter().map(mounted_from).collect(),
            Instruction::Add(_)
            | Instruction::Arg(_)
            | Instruction::Cmd(_)
            | Instruction::Entrypoint(_)
            | Instruction::Env(_)
            | Instruction::Expose(_)
            | Instruction::Healthcheck(_)
            | Instruction::Label(_)
            | Instruction::Maintainer(_)
            | Instruction::Onbuild(_)
            | Instruction::Shell(_)
            | Instruction::Stopsignal(_)
            | Instruction::User(_)
            | Instruction::Volume(_)
            | Instruction::Workdir(_) => Vec::new(),
        };
        let by_number = matches!(command.said.value, Instruction::Copy(_));
        for name in names {
            let at = match self.source(&name, by_number).map_err(|e| e.at(span))? {
                Some(at) => at,
                None => {
                    let mut aside = Stage::new(name, span);
                    aside.aside = true;
                    self.add(aside)
                }
            };
            self.all[stage].needs.push((at, span));
            command.from.push(at);
        }
        Ok(!command.from.is_empty())
    }

    fn source(&self, name: &str, by_number: bool) -> Result<Option<usize>, PlanError> {
        if by_number && name.contains('$') {
            return Err(PlanError::new(
                "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
            ));
        }
        match name.parse::<i64>() {
            Ok(number) if by_number => match usize::try_from(number).ok().filter(|at| *at < self.all.len()) {
                Some(at) => Ok(Some(at)),
                None => Err(PlanError::new(format!("invalid stage index {number}"))),
            },
            Ok(_) | Err(_) => Ok(self.named(name)),
        }
    }

    fn refuse_circles(&self) -> Result<(), PlanError> {
        let mut seen = vec![false; self.all.len()];
        for at in 0..self.all.len() {
            if let Some(spans) = self.circle(at, &mut seen) {
                let message = format!("circular dependency detected on stage: {}", self.all[at].shown);
                return Err(PlanError { spans, ..PlanError::new(message) });
            }
        }
        Ok(())
    }

    /// The instructions of a circle that is met from here. No call within itself: a file may have any number of stages.
    fn circle(&self, from: usize, seen: &mut [bool]) -> Option<Vec<Span>> {
        if std::mem::replace(&mut seen[from], true) {
            return None;
        }
        // Each stage on the way with the number of its needs that were looked at, and the instruction that led to it.
        let mut way: Vec<(usize, usize, Option<Span>)> = vec![(from, 0, None)];
        let mut on_way = vec![false; self.all.len()];
        on_way[from] = true;
        while let Some((at, looked, _)) = way.last_mut() {
            let at = *at;
            let Some((needed, span)) = self.all[at].needs.get(*looked).copied() else {
                on_way[at] = false;
                way.pop();
                continue;
            };
            *looked += 1;
            if on_way[needed] {
                return Some(way.iter().filter_map(|(_, _, span)| *span).chain([span]).collect());
            }
            if !std::mem::replace(&mut seen[needed], true) {
                on_way[needed] = true;
                way.push((needed, 0, Some(span)));
            }
        }
        None
    }

    /// What `target` needs, in order, with itself.
    pub(crate) fn reached(&self, target: usize) -> Vec<usize> {
        let mut reached = vec![false; self.all.len()];
        let mut todo = vec![target];
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                let stage = &self.all[at];
                todo.extend(stage.base.iter().copied().chain(stage.needs.iter().map(|(needed, _)| *needed)));
            }
        }
        (0..self.all.len()).filter(|at| reached[*at]).collect()
    }
}

/// A mount that names nothing counts as one of nothing, as in BuildKit, where this decides what stages are called.
fn mounted_from(mount: &WrittenMount) -> String {
    mount.from.clone().filter(|from| !from.is_empty()).unwrap_or_else(|| "scratch".into())
}
