//! One step at a time: whether its result is known, and how it is made.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use disk::Home;
use spec::digest::{ChainId, DiffId, Digest};
use spec::id::ContainerId;
use store::{LayerTimes, StepLayer, StepRecord, Store};

use super::copy::CopyTodo;
use super::error::Source;
use super::load::{Contexts, Opened};
use super::remote::Download;
use super::report::{CANCELED, Report, Shown};
use super::run::RunTodo;
use crate::cache::{self, Session};
use crate::context::{FilesError, Tree};
use crate::exchange::Imported;
use crate::key::Content;
use crate::plan::Plan;
use crate::plan::graph::{Checkout, Directory, Http, StepId, What};
use crate::{Machine, MachineError, Request};

/// All that steps need, shared by all threads of a build.
pub(crate) struct Solver<'a> {
    pub(crate) home: &'a Home,
    pub(crate) store: &'a Store,
    pub(crate) machine: &'a dyn Machine,
    pub(crate) request: &'a Request,
    pub(crate) session: &'a Session,
    pub(crate) contexts: &'a Contexts<'a>,
    pub(crate) report: Report<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) source: &'a Source,
    /// What other machines' caches know.
    pub(crate) known: &'a Imported<'a>,
    /// Whether a layer that they only name will do, as long as nobody needs it.
    pub(crate) absent_will_do: bool,
    /// Somebody needs it.
    pub(crate) absent_needed: AtomicBool,
    /// What each step is known by in the cache, as far as it was looked for.
    pub(crate) keys: Vec<Mutex<Vec<Digest>>>,
    /// What each step is shown by.
    pub(crate) digests: Vec<Digest>,
    /// Another step failed.
    pub(crate) cancelled: AtomicBool,
    /// Something was made: there may be too much now.
    pub(crate) made_any: AtomicBool,
    /// Stages' files, mounted when they were first looked into.
    pub(crate) trees: Mutex<HashMap<ChainId, Arc<Tree>>>,
    /// Commands that were not looked at yet.
    pub(crate) commands: AtomicUsize,
    /// Drafts that are not needed any more, and whose files are still there.
    pub(crate) ended: &'a Mutex<Vec<ContainerId>>,
    /// Images whose layers are here.
    pub(crate) pulled: Vec<Mutex<bool>>,
}

/// What came of a step.
#[derive(Clone)]
pub(crate) enum Made {
    Layers(Layers),
    Context(Arc<Opened>),
    Download(Arc<Download>),
    Checkout(Arc<Tree>),
}

/// Layers, lowest first.
#[derive(Clone, Default)]
pub(crate) struct Layers {
    pub(crate) chains: Vec<ChainId>,
    pub(crate) diffs: Vec<DiffId>,
    /// They are an image's, which may not be here yet.
    pub(crate) of_image: Option<StepId>,
    /// Some are known by name alone.
    pub(crate) is_absent: bool,
}

/// What a look at a step tells.
pub(crate) enum Looked {
    Made(Made),
    Todo(Todo),
}

/// What is left to do, with what was found out on the way.
pub(crate) enum Todo {
    Copy(Box<CopyTodo>),
    Run(Box<RunTodo>),
    Directory(Vec<Digest>, Layers),
    Fetch,
    Clone,
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) struct StepError {
    pub(crate) message: String,
    /// The end of what its command wrote.
    pub(crate) output: Vec<u8>,
}

impl StepError {
    pub(crate) fn new(message: impl Into<String>) -> StepError {
        StepError { message: message.into(), output: Vec::new() }
    }
}

impl std::fmt::Display for StepError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for StepError {
    fn from(error: E) -> StepError {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(reason) = source {
            let text = reason.to_string();
            // Some errors say their reasons themselves.
            if !message.contains(&text) {
                message.push_str(&format!(": {text}"));
            }
            source = reason.source();
        }
        StepError::new(message)
    }
}

impl Layers {
    pub(crate) fn content(&self) -> Content {
        self.chains.last().map_or(Content::Nothing, |chain| Content::Layers(chain.clone()))
    }

    fn with(&self, layer: Option<&StepLayer>) -> Layers {
        let Some(layer) = layer else { return self.clone() };
        let mut layers = Layers { of_image: None, ..self.clone() };
        layers.chains.push(layer.chain.clone());
        layers.diffs.push(layer.diff_id.clone());
        layers
    }

    fn with_absent(&self, diff_id: &DiffId) -> Layers {
        let mut layers = Layers { of_image: None, is_absent: true, ..self.clone() };
        layers.chains.push(ChainId::extend(self.chains.last(), diff_id));
        layers.diffs.push(diff_id.clone());
        layers
    }
}

/// What a step needs, by its place.
pub(crate) type Inputs = HashMap<StepId, Made>;

impl Solver<'_> {
    pub(crate) fn shown(&self, id: StepId) -> Shown<'_> {
        let step = &self.plan.steps[id.0];
        let inputs = step.what.inputs().iter().map(|input| self.digests[input.0].clone()).collect();
        self.report.step(self.digests[id.0].clone(), inputs, &step.name)
    }

    pub(crate) fn is_absent_needed(&self) -> bool {
        self.absent_needed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.machine.is_interrupted()
    }

    /// What is known of a step, without doing anything that takes long.
    pub(crate) fn look(&self, id: StepId, inputs: &Inputs) -> Result<Looked, StepError> {
        let step = &self.plan.steps[id.0];
        match &step.what {
            What::Image(image) => {
                let diffs = self.diffs_of(id);
                let layers = Layers { chains: image.chains.clone(), diffs, of_image: Some(id), is_absent: false };
                self.use_what_is_here(id, &image.chains);
                Ok(Looked::Made(Made::Layers(layers)))
            }
            What::Context(name) => self.look_context(id, name),
            What::Http(Http { .. }) => Ok(Looked::Todo(Todo::Fetch)),
            What::Git(Checkout { .. }) => Ok(Looked::Todo(Todo::Clone)),
            What::Run(run) => self.look_run(id, run, inputs),
            What::Copy(copy) => self.look_copy(id, copy, inputs),
            What::Directory(directory) => self.look_directory(id, directory, inputs),
        }
    }

    /// Does it.
    pub(crate) fn act(&self, id: StepId, todo: Todo) -> Result<Made, StepError> {
        let shown = self.shown(id);
        let made = match (todo, &self.plan.steps[id.0].what) {
            (Todo::Copy(todo), What::Copy(copy)) => self.copy(id, copy, *todo, &shown),
            (Todo::Run(todo), What::Run(run)) => self.run(id, run, *todo, &shown),
            (Todo::Directory(keys, below), What::Directory(directory)) => {
                self.make_directory(id, directory, &keys, &below, &shown)
            }
            (Todo::Fetch, What::Http(http)) => self.fetch(http, &shown),
            (Todo::Clone, What::Git(git)) => self.clone_repository(git, &shown),
            (
                Todo::Copy(_) | Todo::Run(_) | Todo::Directory(..) | Todo::Fetch | Todo::Clone,
                What::Image(_)
                | What::Context(_)
                | What::Http(_)
                | What::Git(_)
                | What::Run(_)
                | What::Copy(_)
                | What::Directory(_),
            ) => Err(StepError::new("what was to be done is not what the step is")),
        };
        match &made {
            Err(_) if self.is_absent_needed() => {}
            Err(error) if self.is_cancelled() && error.output.is_empty() => shown.failed(CANCELED),
            Err(error) => shown.failed(&error.message),
            // Told by whoever made it.
            Ok(_) => {}
        }
        made
    }

    fn look_context(&self, id: StepId, name: &str) -> Result<Looked, StepError> {
        let began = disk::now();
        let opened = self.contexts.open(name)?;
        let shown = self.shown(id);
        shown.begin();
        // Read in place: nothing goes anywhere.
        shown.part_done("transferring context:", 0, began);
        shown.done();
        Ok(Looked::Made(Made::Context(opened)))
    }

    fn look_directory(&self, id: StepId, step: &Directory, inputs: &Inputs) -> Result<Looked, StepError> {
        let below = layers(step.on, inputs)?;
        let keys = vec![crate::key::of_directory(step, below.content())];
        match self.find(id, &keys, &below)? {
            Some(layers) => Ok(self.cached(id, layers)),
            None => Ok(Looked::Todo(Todo::Directory(keys, below))),
        }
    }

    pub(crate) fn cached(&self, id: StepId, layers: Layers) -> Looked {
        self.shown(id).cached();
        Looked::Made(Made::Layers(layers))
    }

    /// A result that is known under one of these keys; it is known under all of them then.
    pub(crate) fn find(&self, id: StepId, keys: &[Digest], below: &Layers) -> Result<Option<Layers>, StepError> {
        let note = |all: Vec<Digest>| *self.keys[id.0].lock().unwrap_or_else(PoisonError::into_inner) = all;
        // Who takes it over from other machines hands on all they know of it.
        let with_theirs = |wrote| keys.iter().chain(self.known.keys_of(wrote)).cloned().collect();
        note(keys.to_vec());
        if self.plan.steps[id.0].anew {
            return Ok(None);
        }
        for (at, key) in keys.iter().enumerate() {
            let record = match self.store.step(key)? {
                Some(record) => Some(record),
                None => self.bring(id, key, below)?,
            };
            let Some(record) = record else { continue };
            // A result for other files below is none: keys with `--link` are looked for elsewhere.
            if !stands_on(&record, below) {
                continue;
            }
            for key in &keys[..at] {
                self.store.put_step(key, &record)?;
            }
            if let Some(layer) = &record.layer {
                note(with_theirs(&layer.diff_id));
            }
            return Ok(Some(below.with(record.layer.as_ref())));
        }
        let absent = keys.iter().filter(|_| self.absent_will_do).find_map(|key| self.known.absent(key));
        Ok(absent.map(|diff_id| {
            note(with_theirs(diff_id));
            below.with_absent(diff_id)
        }))
    }

    /// What another machine's cache knows under this key. Then its layer is here, if it wrote one, and what is below it.
    fn bring(&self, id: StepId, key: &Digest, below: &Layers) -> Result<Option<StepRecord>, StepError> {
        let name = &self.plan.steps[id.0].name;
        let Some(record) = self.known.step(key, name, below.chains.last())? else { return Ok(None) };
        self.made_any.store(true, Ordering::Relaxed);
        if record.layer.is_some() {
            self.pull(below)?;
        }
        Ok(Some(record))
    }

    /// Makes a layer, unless another build has just made it: `work` writes into a draft.
    pub(crate) fn make(
        &self,
        id: StepId,
        keys: &[Digest],
        below: &Layers,
        shown: &Shown<'_>,
        work: &mut dyn FnMut(&ContainerId) -> Result<LayerTimes, StepError>,
    ) -> Result<Made, StepError> {
        let Some(key) = keys.last() else { return Err(StepError::new("a step without a key")) };
        let began = disk::now();
        let mut waits = || shown.part("waiting for another build to finish this step", 0, 0, began);
        let _turn = cache::take(self.home, key, &mut waits, &|| self.is_cancelled())?;
        if let Some(layers) = self.find(id, keys, below)? {
            shown.cached();
            return Ok(Made::Layers(layers));
        }
        self.pull(below)?;
        let ready = matches!(self.plan.steps[id.0].what, What::Run(_)).then(|| self.machine.draft_for_command());
        let draft = Draft::new(self, ready.flatten(), &below.chains)?;
        shown.begin();
        let times = work(&draft.id)?;
        if self.is_cancelled() {
            return Err(StepError::new(CANCELED));
        }
        let made = self.store.layer_of(&draft.id, times)?;
        let layer =
            made.map(|made| StepLayer { chain: made.chain, diff_id: made.diff_id, size_bytes: made.size_bytes });
        let record = StepRecord { layer, name: self.plan.steps[id.0].name.clone(), created: disk::now() };
        for key in keys {
            self.store.put_step(key, &record)?;
        }
        self.made_any.store(true, Ordering::Relaxed);
        drop(draft);
        shown.done();
        Ok(Made::Layers(below.with(record.layer.as_ref())))
    }

    /// A stage's files, to look into.
    pub(crate) fn tree_of(&self, layers: &Layers) -> Result<Arc<Tree>, StepError> {
        let Some(top) = layers.chains.last() else { return Err(StepError::new("nothing has no files")) };
        let lock = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = lock().get(top) {
            return Ok(tree.clone());
        }
        self.pull(layers)?;
        let request = store::MountImage { id_maps: None, floor: store::Floor::Bare, beneath: None };
        let root = self.store.mount_image(&layers.chains, request)?;
        let tree = Arc::new(Tree::stage(root, Some(top), &self.store.build_cache_dir())?);
        Ok(lock().entry(top.clone()).or_insert(tree).clone())
    }

    /// Removes the files of drafts that are not needed any more.
    pub(crate) fn clear_ended(&self) {
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for id in ended {
            let _ = self.store.remove_draft(&id);
        }
    }

    fn diffs_of(&self, id: StepId) -> Vec<DiffId> {
        match &self.plan.steps[id.0].what {
            What::Image(image) => image.diffs.clone(),
            What::Context(_) | What::Http(_) | What::Git(_) | What::Run(_) | What::Copy(_) | What::Directory(_) => {
                Vec::new()
            }
        }
    }
}

/// A draft that goes when it is no longer needed.
pub(crate) struct Draft<'a> {
    store: &'a Store,
    ended: &'a Mutex<Vec<ContainerId>>,
    pub(crate) id: ContainerId,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        solver: &Solver<'a>,
        id: Option<ContainerId>,
        layers: &[ChainId],
    ) -> Result<Draft<'a>, StepError> {
        let id = id.map_or_else(|| solver.session.draft_id(), Ok)?;
        let draft = Draft { store: solver.store, ended: solver.ended, id };
        draft.store.draft_on(&draft.id, layers, solver.session.name())?;
        Ok(draft)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // What stays bears the build's name, and is taken away with it.
        let _ = self.store.end_draft(&self.id);
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(self.id.clone());
    }
}

/// Whether a record's layer is what its chain says on these.
fn stands_on(record: &StepRecord, below: &Layers) -> bool {
    record.layer.as_ref().is_none_or(|layer| ChainId::extend(below.chains.last(), &layer.diff_id) == layer.chain)
}

/// The layers of an input; nothing for `FROM scratch`.
pub(crate) fn layers(tree: crate::plan::graph::Tree, inputs: &Inputs) -> Result<Layers, StepError> {
    match tree.map(|id| inputs.get(&id)) {
        None => Ok(Layers::default()),
        Some(Some(Made::Layers(layers))) => Ok(layers.clone()),
        Some(Some(Made::Context(_) | Made::Download(_) | Made::Checkout(_)) | None) => {
            Err(StepError::new("a step stands on what are no layers"))
        }
    }
}

/// BuildKit says this of what it reads before a step is done.
pub(crate) fn key_failed(error: FilesError) -> StepError {
    let missing = matches!(error, FilesError::NotFound { .. });
    let error = StepError::from(error);
    if missing { StepError::new(format!("failed to compute cache key: {}", error.message)) } else { error }
}

pub(crate) fn machine_failed(error: &MachineError) -> StepError {
    StepError::new(super::report::told(error))
}
