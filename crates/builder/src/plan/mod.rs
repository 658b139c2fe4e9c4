//! From instructions to steps. Nothing is read or written here but what [`Facts`] says of base images, so that it can be printed and
//! compared: BuildKit's `dockerfile2llb`, whose texts these are.
//!
//! - [`stages`] are the file's stages, by name; [`resolve`] finds what they begin with.
//! - [`dispatch`] goes through their instructions: some change the config, some become steps of the [`graph`].

mod args;
mod change;
mod copy;
mod dispatch;
mod env;
mod epoch;
mod error;
mod git;
pub(crate) mod go;
pub(crate) mod graph;
mod names;
mod paths;
mod ports;
mod resolve;
mod run;
mod signal;
mod stages;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use spec::image::ImageConfig;
use spec::platform::Platform;
use spec::time::Time;

pub(crate) use crate::Described;
use crate::attest::provenance::Material;
use crate::dockerfile::ast::Dockerfile;
use crate::dockerfile::go::parse_bool;
use crate::{MachineError, NoCache, Request, WantedImage};

pub use change::change;
use env::Env;
pub use error::PlanError;
pub(crate) use git::parse as git_source;
use graph::{Graph, Step, Tree, What};
use names::Platforms;
use stages::{Stage, Stages};
use words::Words;

/// What will be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Each after those it needs.
    pub(crate) steps: Vec<Step>,
    /// What shall come of it: one for each platform, in the order they were asked for.
    pub(crate) targets: Vec<Target>,
}

/// An image that shall come of it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) platform: Platform,
    /// Its files.
    pub(crate) tree: Tree,
    /// Its config, but for its layers and for times of what this build adds.
    pub(crate) config: ImageConfig,
    /// Entries of the history that came with the base image.
    pub(crate) inherited: usize,
    /// What config and history say as time.
    pub(crate) created: Time,
    /// `SOURCE_DATE_EPOCH`, if it was said.
    pub(crate) epoch: Option<Time>,
    /// Images it begins with, or takes files from.
    pub(crate) images: Vec<Material>,
}

/// An image whose config is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) image: WantedImage,
    /// What this is called while it goes on.
    pub(crate) shown: String,
}

impl Wanted {
    /// What is asked, told apart from all else that is.
    pub(crate) fn name(&self) -> String {
        format!("{}\0{}\0{}", self.shown, self.image.name, self.image.platform)
    }
}

/// Who knows images, and what else is elsewhere.
pub(crate) trait Facts {
    /// All at once, so that they can be asked for at once.
    fn describe(&self, wanted: &[Wanted]) -> Vec<Result<Described, MachineError>>;

    /// When a context, a download or a commit was made, in whole seconds; none: it does not say so.
    fn time_of(&self, what: &What) -> Result<Option<Time>, MachineError>;
}

/// Plans.
pub(crate) fn plan(file: &Dockerfile, request: &Request, facts: &dyn Facts) -> Result<Plan, PlanError> {
    let (mut graph, mut targets) = (Graph::default(), Vec::new());
    let asked = &request.platforms;
    let platforms: Vec<Option<&Platform>> =
        if asked.is_empty() { vec![None] } else { asked.iter().map(Some).collect() };
    for platform in platforms {
        let planner = Planner::new(file, request, facts, platform, &mut graph)?;
        targets.push(planner.target()?);
    }
    let mut trees: Vec<&mut Tree> = targets.iter_mut().map(|target| &mut target.tree).collect();
    let steps = graph.reached(&mut trees);
    Ok(Plan { steps, targets })
}

/// The arguments every build has, for one platform: the first.
pub(crate) fn predefined_args(file: &Dockerfile, request: &Request) -> BTreeMap<String, String> {
    let build = Platform::host();
    let target = request.platforms.first().unwrap_or(&build);
    let env = args::predefined(&build, target, &target_stage(file, request), &request.build_args);
    env.names().map(|name| (name.to_owned(), env.value(name).unwrap_or_default().to_owned())).collect()
}

/// The name of the stage that is built.
fn target_stage(file: &Dockerfile, request: &Request) -> String {
    let last = || file.stages.last().and_then(|stage| stage.from.value.name.clone()).unwrap_or_default();
    request.target.clone().filter(|target| !target.is_empty()).unwrap_or_else(last)
}

/// The plan for one platform in the making.
struct Planner<'a> {
    request: &'a Request,
    facts: &'a dyn Facts,
    words: Words,
    /// Build arguments.
    said: BTreeMap<String, String>,
    /// `ARG`s before the first `FROM`, and what every build has.
    global: Env,
    proxies: Vec<String>,
    epoch: Option<Time>,
    /// For which machine, if anybody said it.
    asked: Option<&'a Platform>,
    target: Platform,
    platforms: Platforms,
    stages: Stages,
    graph: &'a mut Graph,
    images: Vec<Material>,
    /// So much more text may come of it.
    budget_bytes: usize,
}

/// What nobody wrote by hand: a few kilobytes of a Dockerfile can ask for any amount of history and variables.
const MOST_BYTES: usize = 32 << 20;

impl<'a> Planner<'a> {
    fn new(
        file: &Dockerfile,
        request: &'a Request,
        facts: &'a dyn Facts,
        asked: Option<&'a Platform>,
        graph: &'a mut Graph,
    ) -> Result<Planner<'a>, PlanError> {
        let (build, words) = (Platform::host(), Words { escape: file.directives.escape });
        let target = asked.cloned().unwrap_or_else(|| build.clone());
        let (stage, said) = (target_stage(file, request), request.build_args.clone());
        let global = args::global(file, args::predefined(&build, &target, &stage, &said), &said, &words)?;
        let platforms = shown_platforms(request)?;
        let mut planner = Planner {
            request,
            facts,
            words,
            proxies: args::proxies(&said),
            said,
            global,
            epoch: None,
            asked,
            target,
            platforms,
            stages: Stages::default(),
            graph,
            images: Vec::new(),
            budget_bytes: MOST_BYTES,
        };
        planner.resolve_epoch(file)?;
        for (at, stage) in file.stages.iter().enumerate() {
            planner.begin(at, stage)?;
        }
        Ok(planner)
    }

    /// All of it.
    fn target(mut self) -> Result<Target, PlanError> {
        let target = self.stages.target(self.request.target.as_deref())?;
        self.stages.connect()?;
        let reached = self.resolve(target)?;
        for at in reached {
            self.dispatch(at)?;
        }
        let tree = self.rooted(self.stages.all[target].state.tree);
        self.finish(target, tree)
    }

    fn finish(self, target: usize, tree: Tree) -> Result<Target, PlanError> {
        let stage = &self.stages.all[target];
        let mut config = stage.state.image.clone();
        config.config.labels.extend(self.request.labels.clone());
        if let Some(asked) = self.asked {
            config.os.clone_from(&asked.os);
            let same = config.architecture == asked.architecture;
            config.architecture.clone_from(&asked.architecture);
            if asked.variant.is_some() || !same {
                config.variant.clone_from(&asked.variant);
            }
        }
        let created = self.epoch.or(stage.state.base_created).unwrap_or(Time::from_ns(0));
        let inherited = stage.state.inherited;
        Ok(Target { platform: self.target, tree, config, inherited, created, epoch: self.epoch, images: self.images })
    }

    /// Counts text that becomes part of the plan.
    fn spend(&mut self, bytes: usize) -> Result<(), PlanError> {
        self.budget_bytes = self
            .budget_bytes
            .checked_sub(bytes)
            .ok_or_else(|| PlanError::new("the history and variables of this Dockerfile take more than 32 MB"))?;
        Ok(())
    }

    /// Whether what a stage does is done anew.
    fn anew(&self, stage: &str) -> bool {
        match &self.request.no_cache {
            NoCache::Nothing => false,
            NoCache::All => true,
            NoCache::Stages(stages) => stages.iter().any(|other| other.eq_ignore_ascii_case(stage)),
        }
    }

    /// The time of files of a stage's layers: never later than what it begins with.
    fn layer_epoch(&self, stage: &Stage) -> Time {
        let base = stage.state.base_created.unwrap_or(Time::from_ns(0));
        self.epoch.map_or(base, |said| said.min(base))
    }
}

/// Names say the platform where several are built, or `BUILDKIT_MULTI_PLATFORM` says so.
fn shown_platforms(request: &Request) -> Result<Platforms, PlanError> {
    let several = request.platforms.len() > 1;
    let said = request.build_args.get("BUILDKIT_MULTI_PLATFORM").map(String::as_str).filter(|said| !said.is_empty());
    let shown = match said.map(|said| parse_bool(said).ok_or(said)) {
        None => several,
        Some(Ok(false)) if several => {
            return Err(PlanError::new("conflicting config: returning multiple target platforms is not allowed"));
        }
        Some(Ok(shown)) => shown,
        Some(Err(other)) => return Err(PlanError::new(format!("invalid boolean value for multi-platform: {other}"))),
    };
    Ok(if shown { Platforms::Shown } else { Platforms::Silent })
}
