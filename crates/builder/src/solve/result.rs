//! What was built, as images' configs.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use spec::digest::DiffId;
use spec::image::{History, ImageConfig};
use spec::platform::Platform;

use super::solver::{Layers, Made, Solver, StepError};
use crate::attest::provenance::Material;
use crate::dockerfile::ast::RunNetwork;
use crate::plan::graph::{StepId, Tree, What};
use crate::plan::{Plan, Target};
use crate::{DoneStep, Variant};

/// What BuildKit says of layers that no instruction made.
const UNNAMED: &str = "buildkit.exporter.image.v0";

impl Solver<'_> {
    /// The image of one target. Its layers are here when this returns.
    pub(crate) fn variant(&self, target: &Target, made: &[Made]) -> Result<Variant, StepError> {
        let layers = layers_of(target.tree, made);
        self.pull(&layers)?;
        Ok(Variant {
            platform: target.platform.clone(),
            config: config(self.plan, target, &layers, made),
            base_layers: base(self.plan, target.tree, made).chains.len(),
            epoch: target.epoch,
            chains: layers.chains,
            materials: self.materials(&target.platform),
            steps: self.steps(made),
        })
    }

    /// What came from elsewhere.
    fn materials(&self, platform: &Platform) -> Vec<Material> {
        let images = self.plan.images.iter().map(|(name, digest)| Material::of(name, digest, platform));
        let all: BTreeSet<Material> = images.chain(self.contexts.materials()).collect();
        all.into_iter().collect()
    }

    fn steps(&self, made: &[Made]) -> Vec<DoneStep> {
        let all = self.plan.steps.iter().enumerate().zip(&self.digests).zip(&self.keys);
        all.map(|(((at, step), digest), keys)| DoneStep {
            digest: digest.clone(),
            name: step.name.clone(),
            inputs: step.what.inputs().iter().map(|input| self.digests[input.0].clone()).collect(),
            keys: keys.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            top: layers_of(Some(StepId(at)), made).chains.last().cloned(),
            absent: absent(self.plan, StepId(at), made),
            lines: step.span.as_ref().map(|span| (span.first_line, span.last_line)),
            has_network: match &step.what {
                What::Run(run) => run.network != RunNetwork::None,
                What::Image(_)
                | What::Context(_)
                | What::Http(_)
                | What::Git(_)
                | What::Copy(_)
                | What::Directory(_) => false,
            },
        })
        .collect()
    }
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
