//! What is said about images that were built, before anybody gets them.

use std::os::fd::AsFd;

use builder::attest::provenance::{self, Facts, Network, Step};
use builder::attest::sbom::{self, Subject};
use builder::attest::{Asked, Times};
use builder::{Built, DoneStep, Request, Variant};
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
        for step in &variant.steps {
            facts.steps.push(described(host, step)?);
        }
        if !variant.steps.iter().any(|step| step.has_network) {
            facts.network = Network::None;
        }
        facts.times = match asked.times {
            Times::Epoch => (created, created),
            Times::Clock => wanted.clock,
        };
        said.push(provenance::predicate(&facts, asked));
    }
    Ok(said)
}

/// What its config says.
pub(super) fn created(variant: &Variant) -> Time {
    variant.config.created.as_deref().and_then(|text| text.parse().ok()).unwrap_or(Time::from_ns(0))
}

fn described(host: &Host, step: &DoneStep) -> Result<Step, Error> {
    let record = step.keys.first().map(|key| host.store.step(key)).transpose()?.flatten();
    let layer = match record.and_then(|record| record.layer) {
        Some(layer) => Some(host.store.layer_tar_bytes(&layer.chain)?),
        None => None,
    };
    let (key, name, inputs) = (step.digest.clone(), step.name.clone(), step.inputs.clone());
    Ok(Step { key, name, inputs, layer, lines: step.lines })
}
