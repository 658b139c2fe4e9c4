//! The graph: steps that each stand after what they need. Steps that ask the same are one.

use std::collections::HashMap;

use spec::digest::{ChainId, DiffId};
use spec::platform::Platform;
use spec::time::Time;

use crate::Git;
use crate::dockerfile::ast::{Device, RunNetwork, Security, Span};
use crate::dockerfile::mount::{Owner, Sharing};

/// The place of a step in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StepId(pub(crate) usize);

/// Files: what a step makes, or nothing (`FROM scratch`).
pub(crate) type Tree = Option<StepId>;

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// As it is shown: `[build 2/5] RUN make`.
    pub(crate) name: String,
    /// What it does.
    pub(crate) what: What,
    /// Where the Dockerfile says so.
    pub(crate) span: Option<Span>,
    /// It is done even if its result is known (`--no-cache`).
    pub(crate) anew: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// Files of an image.
    Image(ImageFiles),
    /// Files of a context, by its name; `context` is the main one.
    Context(String),
    /// A download.
    Http(Http),
    /// A checkout.
    Git(Checkout),
    /// A command.
    Run(Box<RunStep>),
    /// `COPY`, `ADD`.
    Copy(Box<CopyStep>),
    /// A directory that shall be there: `WORKDIR`.
    Directory(Directory),
}

/// An image, of which all but its files is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ImageFiles {
    /// As the machine is asked for it.
    pub(crate) name: String,
    pub(crate) platform: Platform,
    /// Its layers, lowest first, as its config says.
    pub(crate) chains: Vec<ChainId>,
    pub(crate) diffs: Vec<DiffId>,
}

/// `ADD https://…`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Http {
    pub(crate) url: String,
    /// What the file is called.
    pub(crate) file_name: String,
    /// What it must be.
    pub(crate) checksum: Option<String>,
}

/// `ADD https://…/repository.git#ref`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Checkout {
    pub(crate) remote: String,
    pub(crate) reference: Option<String>,
    pub(crate) subdir: Option<String>,
    pub(crate) keep_git_dir: bool,
    pub(crate) submodules: bool,
    /// The commit it must be.
    pub(crate) checksum: Option<String>,
}

impl Checkout {
    /// What git is asked for. Servers know a commit by its full name alone: one in short is compared.
    pub(crate) fn wanted(&self) -> Git {
        let commit = self.checksum.clone().filter(|text| matches!(text.len(), 40 | 64));
        Git {
            remote: self.remote.clone(),
            reference: self.reference.clone().or(commit),
            keep_git_dir: self.keep_git_dir,
            submodules: self.submodules,
        }
    }

    /// The repository and what of it was asked for, as BuildKit's provenance says it.
    pub(crate) fn address(&self) -> String {
        self.reference.as_ref().map_or_else(|| self.remote.clone(), |reference| format!("{}#{reference}", self.remote))
    }

    /// The same, with the directory that is meant.
    pub(crate) fn address_of_directory(&self) -> String {
        match self.subdir.as_deref().map(|subdir| subdir.trim_matches('/')).filter(|subdir| !subdir.is_empty()) {
            Some(subdir) => format!("{}#{}:{subdir}", self.remote, self.reference.as_deref().unwrap_or_default()),
            None => self.address(),
        }
    }

    /// Whether the commit that came is the one it must be.
    pub(crate) fn is_of(&self, commit: &str) -> Result<(), String> {
        match &self.checksum {
            Some(text) if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Err(format!("invalid checksum {text} for Git URL, expected hex commit hash"))
            }
            Some(wanted) if !commit.starts_with(wanted) => {
                Err(format!("expected checksum to match {wanted}, got {commit}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RunStep {
    pub(crate) on: Tree,
    pub(crate) args: Vec<String>,
    /// `NAME=value`, without proxies.
    pub(crate) env: Vec<String>,
    /// Proxies' variables: a command sees them, and no result depends on them.
    pub(crate) proxy: Vec<String>,
    pub(crate) working_dir: String,
    pub(crate) user: String,
    /// In order.
    pub(crate) mounts: Vec<RunMount>,
    pub(crate) network: RunNetwork,
    pub(crate) security: Security,
    pub(crate) devices: Vec<(String, bool)>,
    pub(crate) platform: Platform,
    /// No file of its layer is later.
    pub(crate) epoch: Time,
}

/// A mount of a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RunMount {
    /// Absolute; of a secret that is a variable only: empty.
    pub(crate) target: String,
    pub(crate) read_only: bool,
    pub(crate) what: RunFiles,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RunFiles {
    /// Files of another step; `source` is absolute.
    Tree { from: Tree, source: String },
    /// A directory with a file that stands in the Dockerfile.
    Script { name: String, content: String },
    /// A directory that outlives the build; `from` and `source` are what it begins with.
    Cache { id: String, from: Tree, source: String, sharing: Sharing, owner: Bits, begins: Begins },
    /// Memory.
    Tmpfs { size_bytes: Option<u64> },
    /// A secret, as a file at the target, as a variable, or both.
    Secret { id: String, env: Option<String>, required: bool, owner: Bits },
    /// An agent.
    Ssh { id: String, required: bool, owner: Bits },
}

impl RunMount {
    /// The step whose files it shows.
    fn from(&self) -> Tree {
        match &self.what {
            RunFiles::Tree { from, .. } | RunFiles::Cache { from, .. } => *from,
            RunFiles::Script { .. } | RunFiles::Tmpfs { .. } | RunFiles::Secret { .. } | RunFiles::Ssh { .. } => None,
        }
    }
}

impl CopySource {
    /// The step whose files it is.
    fn from(&self) -> Tree {
        match self {
            CopySource::Paths { from, .. } => *from,
            CopySource::Remote { from, .. } | CopySource::Repository(from) => Some(*from),
            CopySource::Inline { .. } => None,
        }
    }
}

/// What a cache has at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Begins {
    /// What commands left in it.
    Kept,
    /// What a new one has, once in each build.
    Anew,
}

/// Mode, user, group, where they are said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bits {
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

impl From<Owner> for Bits {
    fn from(owner: Owner) -> Bits {
        Bits { mode: owner.mode, uid: owner.uid, gid: owner.gid }
    }
}

/// `COPY`, `ADD`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CopyStep {
    pub(crate) onto: Tree,
    /// `--link`: what is below does not matter.
    pub(crate) link: bool,
    pub(crate) sources: Vec<CopySource>,
    /// Absolute; a slash at its end means a directory.
    pub(crate) dest: String,
    pub(crate) chown: Option<String>,
    pub(crate) chmod: Option<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) parents: bool,
    /// The time of files in its layer.
    pub(crate) epoch: Time,
    /// Nobody said it: files are older by as much as their content says.
    pub(crate) is_derived: bool,
}

/// One source of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CopySource {
    /// What a path, which may have wildcards, finds.
    Paths { from: Tree, path: String, unpack: bool },
    /// A download.
    Remote { from: StepId, unpack: bool },
    /// All of a checkout.
    Repository(StepId),
    /// A file that stands in the Dockerfile.
    Inline { name: String, content: String },
}

/// A directory that shall be there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Directory {
    pub(crate) on: Tree,
    /// Absolute.
    pub(crate) path: String,
    /// `USER`; empty: root.
    pub(crate) user: String,
    pub(crate) epoch: Time,
}

/// `--device`, as a key can have it.
pub(crate) fn devices(devices: &[Device]) -> Vec<(String, bool)> {
    devices.iter().map(|device| (device.name.clone(), device.required)).collect()
}

/// Steps, each after those it needs.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    steps: Vec<Step>,
    known: HashMap<What, StepId>,
}

impl Graph {
    /// The step that does this: the one that is there already, or a new one.
    pub(crate) fn add(&mut self, step: Step) -> StepId {
        if let Some(id) = self.known.get(&step.what) {
            self.steps[id.0].anew |= step.anew;
            return *id;
        }
        let id = StepId(self.steps.len());
        self.known.insert(step.what.clone(), id);
        self.steps.push(step);
        id
    }

    pub(crate) fn step(&self, id: StepId) -> &Step {
        &self.steps[id.0]
    }

    /// The steps that `wanted` need, with new numbers; `wanted` is changed to them.
    pub(crate) fn reached(self, wanted: &mut [&mut Tree]) -> Vec<Step> {
        let mut needed = vec![false; self.steps.len()];
        let mut todo: Vec<StepId> = wanted.iter().filter_map(|tree| **tree).collect();
        while let Some(id) = todo.pop() {
            if !std::mem::replace(&mut needed[id.0], true) {
                todo.extend(self.steps[id.0].what.inputs());
            }
        }
        let mut number = 0;
        let numbers: Vec<StepId> = needed
            .iter()
            .map(|needed| {
                number += usize::from(*needed);
                StepId(number.saturating_sub(1))
            })
            .collect();
        let renumber = |id: &mut StepId| *id = numbers[id.0];
        wanted.iter_mut().filter_map(|tree| tree.as_mut()).for_each(renumber);
        let mut steps: Vec<Step> =
            self.steps.into_iter().zip(needed).filter(|(_, needed)| *needed).map(|(step, _)| step).collect();
        for step in &mut steps {
            step.what.each_input(&mut |id| renumber(id));
        }
        steps
    }
}

impl What {
    /// The steps it needs, each once.
    pub(crate) fn inputs(&self) -> Vec<StepId> {
        let mut inputs: Vec<StepId> = match self {
            What::Image(_) | What::Context(_) | What::Http(_) | What::Git(_) => Vec::new(),
            What::Directory(directory) => directory.on.into_iter().collect(),
            What::Run(run) => run.on.into_iter().chain(run.mounts.iter().filter_map(RunMount::from)).collect(),
            What::Copy(copy) => copy.onto.into_iter().chain(copy.sources.iter().filter_map(CopySource::from)).collect(),
        };
        let mut seen = std::collections::HashSet::new();
        inputs.retain(|id| seen.insert(*id));
        inputs
    }

    fn each_input(&mut self, visit: &mut dyn FnMut(&mut StepId)) {
        match self {
            What::Image(_) | What::Context(_) | What::Http(_) | What::Git(_) => {}
            What::Directory(directory) => directory.on.iter_mut().for_each(visit),
            What::Run(run) => {
                run.on.iter_mut().for_each(&mut *visit);
                for mount in &mut run.mounts {
                    match &mut mount.what {
                        RunFiles::Tree { from, .. } | RunFiles::Cache { from, .. } => {
                            from.iter_mut().for_each(&mut *visit);
                        }
                        RunFiles::Script { .. }
                        | RunFiles::Tmpfs { .. }
                        | RunFiles::Secret { .. }
                        | RunFiles::Ssh { .. } => {}
                    }
                }
            }
            What::Copy(copy) => {
                copy.onto.iter_mut().for_each(&mut *visit);
                for source in &mut copy.sources {
                    match source {
                        CopySource::Paths { from, .. } => from.iter_mut().for_each(&mut *visit),
                        CopySource::Remote { from, .. } | CopySource::Repository(from) => visit(from),
                        CopySource::Inline { .. } => {}
                    }
                }
            }
        }
    }
}
