//! What was built, as images' configs.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use spec::digest::DiffId;
use spec::image::{History, ImageConfig};

use super::solver::{Layers, Made, Solver, StepError};
use crate::attest::provenance::Material;
use crate::dockerfile::ast::RunNetwork;
use crate::plan::graph::{RunFiles, StepId, Tree, What};
use crate::plan::{Plan, Target};
use crate::{DoneStep, Mention, Variant};

/// What BuildKit says of layers that no instruction made.
const UNNAMED: &str = "buildkit.exporter.image.v0";

impl Solver<'_> {
    /// The image of one target. Its layers are here when this returns.
    pub(crate) fn variant(&self, target: &Target, made: &[Made]) -> Result<Variant, StepError> {
        let layers = layers_of(target.tree, made);
        self.pull(&layers)?;
        let materials: BTreeSet<Material> = target.images.iter().cloned().chain(self.contexts.materials()).collect();
        Ok(Variant {
            platform: target.platform.clone(),
            config: config(self.plan, target, &layers, made),
            base_layers: base(self.plan, target.tree, made).chains.len(),
            epoch: target.epoch,
            chains: layers.chains,
            materials: materials.into_iter().collect(),
            steps: reached(self.plan, target.tree).into_iter().map(|id| self.done(id, made)).collect(),
            result: target.tree.map(|id| self.digests[id.0].clone()),
        })
    }

    fn done(&self, id: StepId, made: &[Made]) -> DoneStep {
        let step = &self.plan.steps[id.0];
        let command = match &step.what {
            What::Run(run) => Some(run),
            What::Image(_) | What::Context(_) | What::Http(_) | What::Git(_) | What::Copy(_) | What::Directory(_) => {
                None
            }
        };
        let (mut secrets, mut agents) = (Vec::new(), Vec::new());
        for mount in command.iter().flat_map(|run| &run.mounts) {
            let mention = |id: &String, required: &bool| Mention { id: id.clone(), is_optional: !required };
            match &mount.what {
                RunFiles::Secret { id, required, .. } => secrets.push(mention(id, required)),
                RunFiles::Ssh { id, required, .. } => agents.push(mention(id, required)),
                RunFiles::Tree { .. } | RunFiles::Script { .. } | RunFiles::Cache { .. } | RunFiles::Tmpfs { .. } => {}
            }
        }
        DoneStep {
            digest: self.digests[id.0].clone(),
            name: step.name.clone(),
            inputs: step.what.inputs().iter().map(|input| self.digests[input.0].clone()).collect(),
            keys: self.keys[id.0].lock().unwrap_or_else(PoisonError::into_inner).clone(),
            chains: layers_of(Some(id), made).chains,
            absent: absent(self.plan, id, made),
            secrets,
            agents,
            lines: step.span.as_ref().map(|span| (span.first_line, span.last_line)),
            has_network: command.is_some_and(|run| run.network != RunNetwork::None),
        }
    }
}

/// All that a result stands on and is made from, and itself: in the plan's order.
fn reached(plan: &Plan, result: Tree) -> Vec<StepId> {
    let mut reached = BTreeSet::new();
    let mut todo: Vec<StepId> = result.into_iter().collect();
    while let Some(id) = todo.pop() {
        if reached.insert(id) {
            todo.extend(plan.steps[id.0].what.inputs());
        }
    }
    reached.into_iter().collect()
}

fn layers_of(tree: Tree, made: &[Made]) -> Layers {
    match tree.map(|id| &made[id.0]) {
        Some(Made::Layers(layers)) => layers.clone(),
        Some(Made::Context(_) | Made::Download(_) | Made::Checkout(_)) | None => Layers::default(),
    }
}

fn config(plan: &Plan, target: &Target, layers: &Layers, made: &[Made]) -> ImageConfig {
    let mut config = target.config.clone();
    let created = Some(target.created.to_string());
    config.created.clone_from(&created);
    config.rootfs.diff_ids.clone_from(&layers.diffs);
    // Each instruction that makes a layer stands for one step on the way up; one may have written nothing.
    let way = way_up(plan, target.tree);
    let inherited = target.inherited.min(config.history.len());
    let said = config.history[inherited..].iter().filter(|entry| !entry.empty_layer).count();
    let unsaid = way.len().saturating_sub(said);
    for (at, (_, name)) in way.iter().take(unsaid).enumerate() {
        let (created_by, comment) = (Some(name.clone()), Some(UNNAMED.to_owned()));
        let entry = History { created: None, created_by, author: None, comment, empty_layer: false };
        config.history.insert(inherited + at, entry);
    }
    let mut steps = way.iter();
    for entry in &mut config.history[inherited..] {
        entry.created.clone_from(&created);
        if !entry.empty_layer
            && let Some((id, _)) = steps.next()
        {
            entry.empty_layer = !wrote(plan, *id, made);
        }
    }
    config
}

/// Steps that stand on each other, the lowest first, without what the lowest stands on.
fn way_up(plan: &Plan, tree: Tree) -> Vec<(StepId, String)> {
    let mut way = Vec::new();
    let mut next = tree;
    while let Some(id) = next {
        let step = &plan.steps[id.0];
        next = match below(&step.what) {
            Some(below) => below,
            None => break,
        };
        way.push((id, step.name.clone()));
    }
    way.reverse();
    way
}

/// The layers of what all others stand on.
fn base(plan: &Plan, tree: Tree, made: &[Made]) -> Layers {
    let lowest = way_up(plan, tree).first().map(|(id, _)| *id);
    layers_of(lowest.map_or(tree, |id| below(&plan.steps[id.0].what).flatten()), made)
}

/// What a step stands on; none for one that stands on nothing of the plan.
fn below(what: &What) -> Option<Tree> {
    match what {
        What::Run(run) => Some(run.on),
        What::Copy(copy) => Some(copy.onto),
        What::Directory(directory) => Some(directory.on),
        What::Image(_) | What::Context(_) | What::Http(_) | What::Git(_) => None,
    }
}

/// What a step wrote that is not here.
fn absent(plan: &Plan, id: StepId, made: &[Made]) -> Option<DiffId> {
    let layers = layers_of(Some(id), made);
    if layers.is_absent && below(&plan.steps[id.0].what).is_some() && wrote(plan, id, made) {
        layers.diffs.last().cloned()
    } else {
        None
    }
}

fn wrote(plan: &Plan, id: StepId, made: &[Made]) -> bool {
    let below = below(&plan.steps[id.0].what).unwrap_or_default();
    layers_of(Some(id), made).chains.len() > layers_of(below, made).chains.len()
}
