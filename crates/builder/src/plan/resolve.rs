//! What stages begin with: other stages, images, named contexts, nothing; and the triggers that come with it (`ONBUILD`).

use spec::digest::ChainId;
use spec::image::ImageConfig;
use spec::platform::Platform;
use spec::reference::Reference;

use super::error::{PlanError, suggesting};
use super::graph::{CopySource, CopyStep, ImageFiles, Step, Tree, What};
use super::names::{self, Platforms};
use super::stages::{Command, PATH, Stage, empty_image};
use super::{Described, Planner, Wanted, go};
use crate::attest::provenance::Material;
use crate::dockerfile::ast::{self, Instruction, Span};
use crate::dockerfile::parse_trigger;
use crate::{BuildContext, WantedImage};

/// Stages that mean something else (BuildKit `namedContextFunc`).
const NO_CONTEXT: [&str; 2] = ["scratch", "context"];

/// Names of images that people misspell (BuildKit `commonImageNames`).
const COMMON: [&str; 7] = ["alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora"];

/// A base that must be asked for.
struct Base {
    stage: usize,
    platform: Platform,
    reference: Reference,
    wanted: Wanted,
}

impl Planner<'_> {
    /// Notes a stage of the file.
    pub(super) fn begin(&mut self, at: usize, said: &ast::Stage) -> Result<(), PlanError> {
        let span = said.from.span;
        let base = self.words.word(&said.from.value.base, &self.global).map_err(|e| PlanError::from(e).at(span))?;
        if base.is_empty() {
            let message = format!("base name ({}) should not be blank", said.from.value.base.0);
            return Err(PlanError::new(message).at(span));
        }
        let mut stage = Stage::new(base, span);
        stage.name = said.from.value.name.clone().unwrap_or_default();
        stage.shown.clone_from(&stage.name);
        stage.platform = said.from.value.platform.as_ref().map(|word| self.platform(word, span)).transpose()?;
        stage.commands = commands(&said.instructions);
        if !stage.name.is_empty() {
            stage.context = self.context_named(&stage.name, stage.platform.as_ref())?;
        }
        if stage.context.is_none() {
            if stage.name.is_empty() {
                stage.shown = format!("stage-{at}");
            }
            stage.anew = self.anew(&stage.name);
        }
        let is_context = stage.context.is_some();
        let at = self.stages.add(stage);
        let stage = &mut self.stages.all[at];
        if !is_context {
            let own = usize::from(stage.base_name != "scratch" && stage.base.is_none());
            stage.total = own + stage.commands.iter().filter(|command| is_step(&command.said.value)).count();
        }
        Ok(())
    }

    /// `--platform=`
    fn platform(&self, word: &ast::Word, span: Span) -> Result<Platform, PlanError> {
        let read = self.words.word_and_unset(word, &self.global);
        let (text, unset) = read.map_err(|fault| {
            PlanError::new(format!("failed to process arguments for platform {}: {fault}", word.0)).at(span)
        })?;
        let near = |message: String| match unset.first() {
            Some(name) => suggesting(message, name, self.global.names()),
            None => message,
        };
        if text.is_empty() {
            return Err(PlanError::new(near(format!("empty platform value from expression {}", word.0))).at(span));
        }
        text.parse().map_err(|error| {
            PlanError::new(format!("failed to parse platform {}: {}", word.0, near(format!("{error}")))).at(span)
        })
    }

    /// The named context that stands for a stage or an image: by name and platform, or by name.
    pub(super) fn context_named(&self, name: &str, platform: Option<&Platform>) -> Result<Option<String>, PlanError> {
        if NO_CONTEXT.iter().any(|other| other.eq_ignore_ascii_case(name)) || self.request.named_contexts.is_empty() {
            return Ok(None);
        }
        let wanted = familiar(name)?;
        let with_platform = format!("{wanted}::{}", platform.unwrap_or(&self.target));
        let names = || self.request.named_contexts.keys();
        let found = names().find(|other| **other == with_platform).or_else(|| {
            names().find(|other| **other == wanted || familiar(other).is_ok_and(|familiar| familiar == wanted))
        });
        Ok(found.cloned())
    }

    /// Finds what all that `target` needs begins with. The stages it needs, in order.
    pub(super) fn resolve(&mut self, target: usize) -> Result<Vec<usize>, PlanError> {
        loop {
            let reached = self.stages.reached(target);
            self.resolve_bases(&reached)?;
            let mut connected = false;
            for at in &reached {
                connected |= self.pull_triggers(*at)?;
            }
            if !connected {
                return Ok(reached);
            }
        }
    }

    fn resolve_bases(&mut self, reached: &[usize]) -> Result<(), PlanError> {
        let mut bases = Vec::new();
        for at in reached.iter().copied() {
            let stage = &mut self.stages.all[at];
            if stage.base.is_some() || std::mem::replace(&mut stage.resolved, true) {
                continue;
            }
            let span = stage.span;
            bases.extend(self.resolve_base(at).map_err(|error| error.at(span))?);
        }
        let wanted: Vec<Wanted> = bases.iter().map(|base| base.wanted.clone()).collect();
        let described = if wanted.is_empty() { Vec::new() } else { self.facts.describe(&wanted) };
        for (base, described) in bases.into_iter().zip(described) {
            let (stage, span) = (base.stage, self.stages.all[base.stage].span);
            let described = described.map_err(|error| self.not_there(stage, error).at(span))?;
            self.begin_with_image(base, described);
        }
        Ok(())
    }

    /// What one stage begins with, or the image that must be asked for.
    fn resolve_base(&mut self, at: usize) -> Result<Option<Base>, PlanError> {
        let stage = &mut self.stages.all[at];
        stage.done = stage.aside;
        let (name, platform) = (stage.base_name.clone(), stage.platform.clone().unwrap_or(self.target.clone()));
        if name == "scratch" && stage.context.is_none() {
            stage.state.image = empty_image(&self.target);
            stage.platform = Some(self.target.clone());
            return Ok(None);
        }
        if let Some(context) = stage.context.clone() {
            stage.done = true;
            return self.begin_with_context(at, &context, platform).map(|()| None);
        }
        let reference: Reference = name
            .parse()
            .map_err(|e| PlanError::new(format!("failed to parse stage name {}: {e}", go::quoted(&name))))?;
        if let Some(context) = self.context_named(&reference.to_string(), Some(&platform))? {
            return self.begin_with_context(at, &context, platform).map(|()| None);
        }
        let prefix = match self.platforms {
            Platforms::Shown => format!("[{platform} internal]"),
            Platforms::Silent => "[internal]".to_owned(),
        };
        let wanted = Wanted {
            image: self.wanted_image(&reference.to_string(), &platform),
            shown: format!("{prefix} load metadata for {reference}"),
        };
        Ok(Some(Base { stage: at, platform, reference, wanted }))
    }

    fn wanted_image(&self, name: &str, platform: &Platform) -> WantedImage {
        WantedImage { name: name.to_owned(), platform: platform.clone(), pull: self.request.pull }
    }

    fn not_there(&self, stage: usize, error: crate::MachineError) -> PlanError {
        let name = self.stages.all[stage].base_name.clone();
        let mut near = self.stages.names();
        near.extend(COMMON.iter().flat_map(|name| [(*name).to_owned(), format!("{name}:latest")]));
        let message = suggesting(error.to_string(), &name, near.iter().map(String::as_str));
        PlanError { source: Some(Box::new(error)), ..PlanError::new(message) }
    }

    fn begin_with_image(&mut self, base: Base, described: Described) {
        let shown = match &described.digest {
            Some(digest) if base.reference.digest().is_none() => format!("{}@{digest}", base.reference),
            Some(_) | None => base.reference.to_string(),
        };
        self.images.push(Material::of_image(&base.reference, &described, &base.platform));
        let files = image_files(base.wanted.image.name, &base.platform, &described.config);
        let stage = &mut self.stages.all[base.stage];
        inherit(stage, described.config);
        let text = format!("FROM {shown}");
        stage.state.tree = files.map(|files| {
            let name = names::next(stage, &text, self.platforms, Some(&base.platform), None, false);
            self.graph.add(Step { name, what: What::Image(files), span: Some(stage.span), anew: false })
        });
        stage.platform = Some(base.platform);
    }

    /// A stage whose files are a context's (BuildKit `NamedContext.Load`).
    fn begin_with_context(&mut self, at: usize, name: &str, platform: Platform) -> Result<(), PlanError> {
        let Some(context) = self.request.named_contexts.get(name) else { return Ok(()) };
        let mut config = None;
        let tree = match context {
            BuildContext::Image(image) if image == "scratch" => None,
            BuildContext::Image(image) => {
                let reference: Reference = image.parse().map_err(|e| PlanError::new(format!("{e}")))?;
                let reference = reference.to_string();
                let (tree, of_image) = self.context_image(name, (&reference, &reference), &platform)?;
                config = Some(of_image);
                tree
            }
            // Where it lies is no part of what is shown.
            BuildContext::Layout(layout) => {
                let (tree, of_image) = self.context_image(name, (layout, "OCI load from client"), &platform)?;
                config = Some(of_image);
                tree
            }
            BuildContext::Other(text) => {
                let scheme = text.split(':').next().unwrap_or_default();
                return Err(PlanError::new(format!("unsupported context source {scheme} for {name}")));
            }
            BuildContext::Empty | BuildContext::Directory(_) | BuildContext::Tar(_) | BuildContext::Url(_) => {
                let shown = format!("[context {name}] load from client");
                Some(self.graph.add(Step { name: shown, what: What::Context(name.into()), span: None, anew: false }))
            }
        };
        let stage = &mut self.stages.all[at];
        stage.state.tree = tree;
        stage.platform = Some(platform.clone());
        inherit(stage, config.unwrap_or_else(|| empty_image(&platform)));
        Ok(())
    }

    /// An image that a context is, and what it is shown as.
    fn context_image(
        &mut self,
        name: &str,
        (image, shown): (&str, &str),
        platform: &Platform,
    ) -> Result<(Tree, ImageConfig), PlanError> {
        let is_named = image == shown;
        let wanted = Wanted {
            image: self.wanted_image(image, platform),
            shown: format!("[context {name}] load metadata for {}", if is_named { image } else { name }),
        };
        let described = self.facts.describe(std::slice::from_ref(&wanted)).pop();
        let Some(described) = described else { return Err(PlanError::new(format!("{image}: not found"))) };
        let described = described.map_err(|error| {
            let message = error.to_string();
            PlanError { source: Some(Box::new(error)), ..PlanError::new(message) }
        })?;
        self.images.push(match image.parse::<Reference>() {
            Ok(reference) if is_named => Material::of_image(&reference, &described, platform),
            // Where a layout lies is nobody's business: it is known by what it is called here.
            Ok(_) | Err(_) => Material::of_layout(name, &described, platform),
        });
        let files = image_files(wanted.image.name, platform, &described.config);
        let tree = files.map(|files| {
            let name = format!("[context {name}] {shown}");
            self.graph.add(Step { name, what: What::Image(files), span: None, anew: false })
        });
        Ok((tree, described.config))
    }

    /// A context's files as something to build on: they become a layer.
    pub(super) fn rooted(&mut self, tree: Tree) -> Tree {
        let from = tree?;
        let step = self.graph.step(from);
        match step.what {
            What::Context(_) | What::Http(_) | What::Git(_) => {}
            What::Image(_) | What::Run(_) | What::Copy(_) | What::Directory(_) => return Some(from),
        }
        let (name, span) = (step.name.clone(), step.span);
        let copy = CopyStep {
            onto: None,
            link: false,
            sources: vec![CopySource::Paths { from: Some(from), path: "/".into(), unpack: false }],
            dest: "/".into(),
            chown: None,
            chmod: None,
            exclude: Vec::new(),
            parents: false,
            epoch: self.link_epoch(),
            is_derived: self.epoch.is_none(),
        };
        Some(self.graph.add(Step { name, what: What::Copy(Box::new(copy)), span, anew: false }))
    }

    /// The instructions a base leaves to those built on it. Whether they use files of others.
    fn pull_triggers(&mut self, at: usize) -> Result<bool, PlanError> {
        if std::mem::replace(&mut self.stages.all[at].triggered, true) {
            return Ok(false);
        }
        let span = self.stages.all[at].span;
        let mut triggers = Vec::new();
        let of_image = std::mem::take(&mut self.stages.all[at].state.image.config.on_build);
        for text in of_image {
            let value = parse_trigger(&text).map_err(|fault| PlanError::from(fault).at(span))?;
            let keyword = text.split_whitespace().next().unwrap_or_default().to_owned();
            // Shown as one line, as any instruction is.
            let original = text.lines().next().unwrap_or_default().to_owned();
            triggers.push(ast::Spanned { value, keyword, original, span, comments: Vec::new() });
        }
        let counted = triggers.len();
        if let Some(base) = self.stages.all[at].base {
            for command in &self.stages.all[base].commands {
                if let Instruction::Onbuild(onbuild) = &command.said.value {
                    triggers.push(ast::Spanned {
                        value: (*onbuild.instruction).clone(),
                        original: onbuild.expression.clone(),
                        ..command.said.clone()
                    });
                }
            }
        }
        let mut connected = false;
        let mut commands = Vec::new();
        for mut said in triggers {
            // What is wrong with a trigger is wrong with the instruction that pulled it.
            said.span = span;
            let mut command = Command { said, from: Vec::new(), on_build: true };
            connected |= self.stages.connect_one(at, &mut command)?;
            commands.push(command);
        }
        let stage = &mut self.stages.all[at];
        stage.total += commands.iter().skip(counted).filter(|command| is_step(&command.said.value)).count();
        commands.append(&mut stage.commands);
        stage.commands = commands;
        Ok(connected)
    }
}

fn inherit(stage: &mut Stage, mut config: ImageConfig) {
    stage.state.base_created = config.created.take().and_then(|text| text.parse().ok());
    stage.state.inherited = config.history.len();
    if !config.config.env.iter().any(|line| line.starts_with("PATH=")) && !stage.aside {
        config.config.env.push(format!("PATH={PATH}"));
    }
    // Its triggers are steps of the stage: they are counted before the first is named, `FROM` (BuildKit names that one with fewer).
    if !stage.aside {
        let triggers = config.config.on_build.iter().filter_map(|text| parse_trigger(text).ok());
        stage.total += triggers.filter(is_step).count();
    }
    stage.state.image = config;
}

/// None for an image without layers: nothing.
fn image_files(name: String, platform: &Platform, config: &ImageConfig) -> Option<ImageFiles> {
    let diffs = config.rootfs.diff_ids.clone();
    let chains = ChainId::of(&diffs);
    (!chains.is_empty()).then(|| ImageFiles { name, platform: platform.clone(), chains, diffs })
}

fn commands(instructions: &[ast::Spanned<Instruction>]) -> Vec<Command> {
    instructions.iter().map(|said| Command { said: said.clone(), from: Vec::new(), on_build: false }).collect()
}

/// Whether BuildKit counts it among a stage's steps.
fn is_step(instruction: &Instruction) -> bool {
    match instruction {
        Instruction::Add(_) | Instruction::Copy(_) | Instruction::Run(_) | Instruction::Workdir(_) => true,
        Instruction::Arg(_)
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
        | Instruction::Volume(_) => false,
    }
}

/// As Docker writes it, without `:latest`.
fn familiar(name: &str) -> Result<String, PlanError> {
    let reference: Reference = name.parse().map_err(|e| PlanError::new(format!("invalid context name {name}: {e}")))?;
    let familiar = reference.familiar();
    Ok(familiar.strip_suffix(":latest").unwrap_or(&familiar).to_owned())
}
