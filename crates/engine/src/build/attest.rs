//! What is said about images that were built, before anybody gets them.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use builder::attest::provenance::{self, Facts, Network, Step};
use builder::attest::sbom::{self, Subject};
use builder::attest::{Asked, Times};
use builder::{Built, DoneStep, Mention, Request, Variant};
use spec::attestation::Predicate;
use spec::digest::{Digest, ImageId};
use spec::reference::Reference;
use spec::time::Time;
use store::{Floor, MountImage};

use crate::error::Error;
use crate::host::Host;

/// What shall be said, and what only the caller knows.
#[derive(Debug)]
pub struct Attest<'a> {
    /// What was asked for.
    pub asked: &'a Asked,
    /// The build's request.
    pub request: &'a Request,
    /// What the images will be called.
    pub names: &'a [Reference],
    /// When the build began and ended.
    pub clock: (Time, Time),
    /// What this very build is called.
    pub invocation: &'a str,
}

/// Says it, for each variant.
///
/// # Errors
/// Of the store, and of reading the images' files.
pub fn attest(host: &Host, built: &Built, wanted: &Attest<'_>) -> Result<Vec<Vec<Predicate>>, Error> {
    built.variants.iter().map(|variant| one(host, built, variant, wanted)).collect()
}

fn one(host: &Host, built: &Built, variant: &Variant, wanted: &Attest<'_>) -> Result<Vec<Predicate>, Error> {
    let created = created(variant);
    let mut said = Vec::new();
    if wanted.asked.sbom {
        let config =
            serde_json::to_vec(&variant.config).map_err(Error::other("writing the config of what was built"))?;
        let image = ImageId(Digest::sha256(&config));
        let name = wanted.names.first().map(Reference::familiar);
        let request = MountImage { id_maps: None, floor: Floor::Bare, beneath: None };
        let failed = "looking for packages in what was built";
        let files = host.store.mount_image(&variant.chains, request).map_err(Error::other(failed))?;
        let subject = Subject { image: &image, name: name.as_deref(), created };
        said.push(sbom::sbom(files.as_fd(), &subject).map_err(Error::io(failed))?);
    }
    if let Some(asked) = &wanted.asked.provenance {
        let mut facts = Facts::asked(wanted.request);
        facts.dockerfile.1 = Some(built.dockerfile.1.clone());
        facts.materials.clone_from(&variant.materials);
        facts.steps = variant.steps.iter().map(|step| described(host, step)).collect();
        facts.result.clone_from(&variant.result);
        facts.secrets = mentioned(variant.steps.iter().flat_map(|step| &step.secrets));
        facts.agents = mentioned(variant.steps.iter().flat_map(|step| &step.agents));
        if !variant.steps.iter().any(|step| step.has_network) {
            facts.network = Network::None;
        }
        (facts.times, facts.invocation) = match asked.times {
            Times::Epoch => ((created, created), None),
            Times::Clock => (wanted.clock, Some(wanted.invocation.to_owned())),
        };
        said.push(provenance::predicate(&facts, asked));
    }
    Ok(said)
}

/// What its config says.
pub(super) fn created(variant: &Variant) -> Time {
    variant.config.created.as_deref().and_then(|text| text.parse().ok()).unwrap_or(Time::from_ns(0))
}

fn described(host: &Host, step: &DoneStep) -> Step {
    let layers: Option<Vec<_>> = step.chains.iter().map(|chain| host.store.layer_tar_bytes(chain).ok()).collect();
    Step {
        key: step.digest.clone(),
        name: step.name.clone(),
        inputs: step.inputs.clone(),
        // Those of an image that nobody needed never came.
        layers: layers.unwrap_or_default(),
        lines: step.lines,
    }
}

/// Each once: one is optional if it is to all.
fn mentioned<'a>(mentions: impl Iterator<Item = &'a Mention>) -> BTreeMap<String, bool> {
    let mut all = BTreeMap::new();
    for mention in mentions {
        *all.entry(mention.id.clone()).or_insert(true) &= mention.is_optional;
    }
    all
}
