//! What was built, as images' configs.

use spec::digest::{ChainId, Digest};
use spec::image::{History, ImageConfig};

use super::solver::{Layers, Made, Solver, StepError};
use crate::Variant;
use crate::plan::graph::{StepId, Tree, What};
use crate::plan::{Plan, Target};

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
            chains: layers.chains,
            materials: self.materials(made),
            steps: self.steps(made),
        })
    }

    /// Images and downloads. What was cloned is known by a commit, which is no digest of files.
    fn materials(&self, made: &[Made]) -> Vec<(String, Digest)> {
        let mut materials = self.plan.images.clone();
        for (step, made) in self.plan.steps.iter().zip(made) {
            if let (What::Http(http), Made::Download(download)) = (&step.what, made) {
                materials.push((http.url.clone(), download.digest.clone()));
            }
        }
        materials
    }

    fn steps(&self, made: &[Made]) -> Vec<(Digest, String, Option<ChainId>)> {
        let all = self.plan.steps.iter().zip(&self.digests).zip(made);
        all.map(|((step, digest), made)| {
            let chain = match made {
                Made::Layers(layers) => layers.chains.last().cloned(),
                Made::Context(_) | Made::Download(_) | Made::Checkout(_) => None,
            };
            (digest.clone(), step.name.clone(), chain)
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

/// What a step stands on; none for one that stands on nothing of the plan.
fn below(what: &What) -> Option<Tree> {
    match what {
        What::Run(run) => Some(run.on),
        What::Copy(copy) => Some(copy.onto),
        What::Directory(directory) => Some(directory.on),
        What::Image(_) | What::Context(_) | What::Http(_) | What::Git(_) => None,
    }
}

fn wrote(plan: &Plan, id: StepId, made: &[Made]) -> bool {
    let below = below(&plan.steps[id.0].what).unwrap_or_default();
    layers_of(Some(id), made).chains.len() > layers_of(below, made).chains.len()
}
