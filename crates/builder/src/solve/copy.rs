//! `COPY`, `ADD`, `WORKDIR`.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open};
use spec::digest::{ChainId, Digest};
use spec::id::ContainerId;
use spec::time::Time;
use store::{FileTimes, LayerTimes, Mount, StepRecord};

use super::load::Opened;
use super::remote::Download;
use super::report::Shown;
use super::solver::{Inputs, Layers, Looked, Made, Solver, StepError, Todo, key_failed, layers};
use crate::context::{Parents, Selection, Tree, Wanted};
use crate::copy::{self, Archives, Chmod, Copy, Source, Twins};
use crate::key::{self, Content};
use crate::plan::graph::{self, CopySource, CopyStep, Directory, StepId};

/// A copy that is to be made.
pub(crate) struct CopyTodo {
    keys: Vec<Digest>,
    below: Layers,
    sources: Vec<Ready>,
    /// The same was made on other files: its layer is taken from there (`--link`).
    linked: Option<StepRecord>,
    times: LayerTimes,
}

/// A source, ready to be read.
enum Ready {
    Selected(Owner, Selection),
    Download(Arc<Download>),
    Inline,
}

/// Whose files they are.
#[derive(Clone)]
pub(crate) enum Owner {
    Context(Arc<Opened>),
    Stage(Arc<Tree>),
}

impl Owner {
    pub(crate) fn tree(&self) -> &Tree {
        match self {
            Owner::Context(opened) => &opened.tree,
            Owner::Stage(tree) => tree,
        }
    }
}

impl Solver<'_> {
    pub(crate) fn look_copy(&self, id: StepId, step: &CopyStep, inputs: &Inputs) -> Result<Looked, StepError> {
        let below = layers(step.onto, inputs)?;
        // A stage's files are known by its layers: where these are the same, nothing is looked into.
        let by_layers = self.contents_by_layers(step, inputs)?;
        let mut keys = Vec::new();
        if let Some(contents) = by_layers {
            keys.push(key::of_copy(step, Some(below.content()), &contents));
            if let Some(layers) = self.find(id, &keys, &below)? {
                return Ok(self.cached(id, layers));
            }
        }
        let mut sources = Vec::new();
        let mut contents = Vec::new();
        for source in &step.sources {
            let (ready, content) = self.ready(step, source, inputs)?;
            sources.push(ready);
            contents.push(content);
        }
        keys.push(key::of_copy(step, Some(below.content()), &contents));
        if let Some(layers) = self.find(id, &keys, &below)? {
            return Ok(self.cached(id, layers));
        }
        let mut linked = None;
        if step.link {
            let key = key::of_copy(step, None, &contents);
            linked = if self.plan.steps[id.0].anew { None } else { self.store.step(&key)? };
            keys.insert(0, key);
        }
        let is_context = |ready: &Ready| matches!(ready, Ready::Selected(Owner::Context(_), _) | Ready::Inline);
        let files = if sources.iter().all(is_context) { FileTimes::AllEpoch } else { FileTimes::Clamp };
        let epoch = if step.is_derived { aged(step.epoch, &key::of_copy(step, None, &contents)) } else { step.epoch };
        let times = LayerTimes { epoch, files };
        Ok(Looked::Todo(Todo::Copy(Box::new(CopyTodo { keys, below, sources, linked, times }))))
    }

    /// None: some sources are no stage's, and there is but one way to know them.
    fn contents_by_layers(&self, step: &CopyStep, inputs: &Inputs) -> Result<Option<Vec<Content>>, StepError> {
        let mut contents = Vec::new();
        for source in &step.sources {
            match source {
                CopySource::Inline { .. } => contents.push(Content::Nothing),
                CopySource::Paths { from: Some(from), .. } => match inputs.get(from) {
                    Some(Made::Layers(layers)) => contents.push(layers.content()),
                    Some(Made::Context(_) | Made::Download(_) | Made::Checkout(_)) | None => return Ok(None),
                },
                CopySource::Paths { from: None, .. } | CopySource::Remote { .. } | CopySource::Repository(_) => {
                    return Ok(None);
                }
            }
        }
        let any = contents.iter().any(|content| matches!(content, Content::Layers(_)));
        Ok(any.then_some(contents))
    }

    fn ready(&self, step: &CopyStep, source: &CopySource, inputs: &Inputs) -> Result<(Ready, Content), StepError> {
        let parents = if step.parents { Parents::Keep } else { Parents::Drop };
        Ok(match source {
            CopySource::Inline { .. } => (Ready::Inline, Content::Nothing),
            CopySource::Paths { from, path, .. } => {
                let wanted = Wanted { source: path, parents, exclude: &step.exclude };
                let (owner, selection) = self.select(*from, &wanted, inputs)?;
                let digest = selection.digest();
                (Ready::Selected(owner, selection), Content::Files(digest))
            }
            CopySource::Repository(from) => {
                let wanted = Wanted { source: "/", parents: Parents::Drop, exclude: &step.exclude };
                let (owner, selection) = self.select(Some(*from), &wanted, inputs)?;
                let digest = selection.digest();
                (Ready::Selected(owner, selection), Content::Files(digest))
            }
            CopySource::Remote { from, .. } => match inputs.get(from) {
                Some(Made::Download(download)) => {
                    (Ready::Download(download.clone()), Content::Files(download.digest.clone()))
                }
                Some(Made::Layers(_) | Made::Context(_) | Made::Checkout(_)) | None => {
                    return Err(StepError::new("a download is none"));
                }
            },
        })
    }

    /// The files of an input that a path means.
    pub(crate) fn select(
        &self,
        from: graph::Tree,
        wanted: &Wanted<'_>,
        inputs: &Inputs,
    ) -> Result<(Owner, Selection), StepError> {
        let owner = match from.map(|from| inputs.get(&from)) {
            Some(Some(Made::Context(opened))) => Owner::Context(opened.clone()),
            Some(Some(Made::Checkout(tree))) => Owner::Stage(tree.clone()),
            Some(Some(Made::Layers(layers))) if !layers.chains.is_empty() => Owner::Stage(self.tree_of(layers)?),
            Some(Some(Made::Layers(_) | Made::Download(_)) | None) | None => {
                let of = "scratch".to_owned();
                return Err(key_failed(crate::context::FilesError::NotFound { of, path: wanted.source.to_owned() }));
            }
        };
        let selection = owner.tree().select(wanted).map_err(key_failed)?;
        Ok((owner, selection))
    }

    pub(crate) fn copy(
        &self,
        id: StepId,
        step: &CopyStep,
        todo: CopyTodo,
        shown: &Shown<'_>,
    ) -> Result<Made, StepError> {
        let mut twins = None;
        let made = self.make(id, &todo.keys, &todo.below, shown, &mut |draft| {
            match &todo.linked {
                Some(record) => self.relink(draft, record)?,
                None => twins = self.copy_into(draft, step, &todo)?,
            }
            Ok(todo.times)
        })?;
        if let (Some(twins), Made::Layers(layers)) = (twins, &made)
            && let Some(top) = layers.chains.last()
        {
            twins.remember(top);
        }
        Ok(made)
    }

    /// Answers what is to be remembered of it.
    fn copy_into(&self, draft: &ContainerId, step: &CopyStep, todo: &CopyTodo) -> Result<Option<Twins>, StepError> {
        let (sources, beside) = (&todo.sources[..], self.beside(draft, step, &todo.below)?);
        let (rootfs, dest, mut twins) = match beside {
            Some((upper, dest)) => (upper, dest, self.twins(step, sources)),
            None => (self.store.mount(draft, Mount { id_maps: None })?, step.dest.clone(), None),
        };
        let owner = match (&step.chown, step.link || todo.below.chains.is_empty()) {
            (None, _) => None,
            (Some(chown), true) => Some(copy::owner(rootfs.as_fd(), chown)?),
            (Some(chown), false) => Some(copy::owner(self.tree_of(&todo.below)?.root(), chown)?),
        };
        let mode = step.chmod.as_deref().map(str::parse::<Chmod>).transpose()?;
        let mut at = 0;
        while at < step.sources.len() {
            let unpack = unpacks(&step.sources[at]);
            let len = step.sources[at..].iter().take_while(|source| unpacks(source) == unpack).count();
            let group: Vec<Source<'_>> = step.sources[at..at + len]
                .iter()
                .zip(&sources[at..at + len])
                .filter_map(|(s, r)| as_source(s, r))
                .collect();
            let archives = if unpack { Archives::Unpack } else { Archives::Keep };
            let wanted = Copy { sources: &group, dest: &dest, owner, mode: mode.clone(), archives };
            copy::copy_beside(rootfs.as_fd(), &wanted, twins.as_mut())?;
            at += len;
        }
        Ok(twins)
    }

    /// The draft's upper directory with the destination in it, if what is below takes no part in the copy; a linked copy knows nothing of it.
    fn beside(
        &self,
        draft: &ContainerId,
        step: &CopyStep,
        below: &Layers,
    ) -> Result<Option<(OwnedFd, String)>, StepError> {
        let upper = self.upper(draft)?;
        if step.link || below.chains.is_empty() {
            return Ok(Some((upper, step.dest.clone())));
        }
        let tree = self.tree_of(below)?;
        Ok(copy::mirror(tree.root(), upper.as_fd(), &step.dest)?.map(|dest| (upper, dest)))
    }

    /// What is known of the last copy of the same; none for what comes but once.
    fn twins(&self, step: &CopyStep, sources: &[Ready]) -> Option<Twins> {
        let identity = sources.iter().find_map(|ready| match ready {
            Ready::Selected(Owner::Context(opened), _) => opened.tree.identity(),
            Ready::Selected(Owner::Stage(_), _) | Ready::Download(_) | Ready::Inline => None,
        });
        let name = format!("{}:{:?}:{}", identity?.display(), step.sources, step.dest);
        let place = |chain: &ChainId| self.store.layer_places(std::slice::from_ref(chain)).pop();
        Some(Twins::open(&self.store.build_cache_dir(), &name, &place))
    }

    /// Where a draft's writes go, without what is below: a linked copy knows nothing of it.
    fn upper(&self, draft: &ContainerId) -> Result<OwnedFd, StepError> {
        let upper = self.store.draft_places(draft)?.upper;
        Ok(open(&upper, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Puts what a linked copy made elsewhere above other files.
    fn relink(&self, draft: &ContainerId, record: &StepRecord) -> Result<(), StepError> {
        let Some(layer) = &record.layer else { return Ok(()) };
        let places = self.store.layer_places(std::slice::from_ref(&layer.chain));
        let upper = self.store.draft_places(draft)?.upper;
        for place in places {
            let files = File::open(&place)?;
            store::copy(files.as_fd(), &upper)?;
        }
        Ok(())
    }

    pub(crate) fn make_directory(
        &self,
        id: StepId,
        step: &Directory,
        keys: &[Digest],
        below: &Layers,
        shown: &Shown<'_>,
    ) -> Result<Made, StepError> {
        self.make(id, keys, below, shown, &mut |draft| {
            let rootfs = self.store.mount(draft, Mount { id_maps: None })?;
            let owner = owner_of(rootfs.as_fd(), &step.user)?;
            copy::make_dir(rootfs.as_fd(), &step.path, owner)?;
            // It was made now.
            Ok(LayerTimes { epoch: step.epoch, files: FileTimes::Clamp })
        })
    }
}

/// Before `epoch` by some seconds of a month and a half, as the content says: who goes by size and time, as web servers, browsers and Python do,
/// sees that a file is another one. What a `RUN` makes of it is later.
fn aged(epoch: Time, content: &Digest) -> Time {
    const SPAN_S: i64 = 1 << 22;
    let of_content = i64::from_str_radix(&content.hex()[..8], 16).unwrap_or_default() % SPAN_S;
    Time::from_ns((epoch.seconds().max(SPAN_S) - of_content) * 1_000_000_000)
}

fn owner_of(rootfs: BorrowedFd<'_>, user: &str) -> Result<Option<(u32, u32)>, StepError> {
    if user.is_empty() { Ok(None) } else { Ok(Some(copy::owner(rootfs, user)?)) }
}

fn unpacks(source: &CopySource) -> bool {
    match source {
        CopySource::Paths { unpack, .. } | CopySource::Remote { unpack, .. } => *unpack,
        CopySource::Repository(_) | CopySource::Inline { .. } => false,
    }
}

fn as_source<'a>(source: &'a CopySource, ready: &'a Ready) -> Option<Source<'a>> {
    match (ready, source) {
        (Ready::Selected(owner, selection), _) => Some(Source::Selected(owner.tree(), selection)),
        (Ready::Download(download), _) => {
            Some(Source::Downloaded { file: &download.file, name: &download.name, modified_s: download.modified_s })
        }
        (Ready::Inline, CopySource::Inline { name, content }) => Some(Source::Inline(name, content.as_bytes())),
        (Ready::Inline, CopySource::Paths { .. } | CopySource::Remote { .. } | CopySource::Repository(_)) => None,
    }
}
