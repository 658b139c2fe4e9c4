//! BuildKit's checks while a build goes on: what the author of the Dockerfile should know is told, and ends the build where the file says so.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use spec::digest::Digest;
use spec::image::ImageConfig;
use spec::reference::Reference;

use super::error::{BuildError, Place, Source};
use super::load::Loaded;
use crate::Request;
use crate::check::{Base, Config, Finding, Inputs, check_build};
use crate::ignore::Patterns;
use crate::plan::predefined_args;
use crate::progress::{Progress, Warning};

/// What images say of themselves, as far as they were asked.
#[derive(Default)]
pub(crate) struct Bases(Mutex<BTreeMap<String, Base>>);

impl Bases {
    pub(crate) fn note(&self, name: &str, config: &ImageConfig) {
        let config = &config.config;
        let base = Base {
            env: config.env.clone(),
            shell: config.shell.clone().unwrap_or_default(),
            on_build: config.on_build.clone(),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), base);
    }

    fn of(&self, name: &str) -> Base {
        let canonical = name.parse::<Reference>().map(|reference| reference.to_string());
        let bases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        canonical.ok().and_then(|name| bases.get(&name).cloned()).unwrap_or_default()
    }
}

/// Looks, tells, and refuses what the file wants refused.
pub(crate) fn check(
    loaded: &Loaded,
    ignore: Option<&Patterns>,
    request: &Request,
    bases: &Bases,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<(), BuildError> {
    let config = match request.build_args.get("BUILDKIT_DOCKERFILE_CHECK") {
        Some(said) => Config::parse(said),
        None => Config::of(&loaded.file),
    };
    let config = config.map_err(|fault| BuildError::refused(fault.to_string()))?;
    let globals = predefined_args(&loaded.file, request);
    let inputs = Inputs {
        globals: &globals,
        build_args: &request.build_args,
        target: request.target.as_deref(),
        ignore,
        base: &|name| bases.of(name),
    };
    let report = check_build(&loaded.file, config, &inputs);
    for finding in &report.findings {
        on(Progress::Warning(warning(finding, &loaded.source, &loaded.vertex)));
    }
    match report.failure {
        None => Ok(()),
        Some(failure) => {
            let place = Place { source: loaded.source.clone(), lines: failure.lines };
            Err(BuildError::Refused { message: failure.message, place: Some(place), source: None })
        }
    }
}

fn warning(finding: &Finding, source: &Source, vertex: &Digest) -> Warning {
    Warning {
        vertex: vertex.clone(),
        rule: finding.rule.name().to_owned(),
        short: finding.short(),
        description: finding.rule.description().to_owned(),
        url: finding.rule.url(),
        source: (source.name.clone(), source.text.to_vec()),
        lines: vec![finding.lines],
    }
}
