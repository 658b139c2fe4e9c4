//! How an image was made: SLSA provenance, laid out as BuildKit's `slsa-definitions.md` says and under its names, so that what reads BuildKit's
//! reads this. What differs, `docs/attestations.md` says: a step of `llbDefinition` has a `name` where BuildKit has an `op`, as there is no LLB.

mod facts;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use spec::attestation::Predicate;
use spec::digest::{DiffId, Digest};
use spec::image::media;
use spec::time::Time;

pub use facts::without_credentials;
pub use facts::{Facts, Kind, Material, Network, Remote, Step};

use super::{Detail, Provenance, SlsaVersion};
use crate::dockerfile;

/// What kind of build this is, and what the fields mean: a Dockerfile, in BuildKit's language. It does not say who built.
const BUILD_TYPE_V1: &str = "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";
const BUILD_TYPE_V02: &str = "https://mobyproject.org/buildkit@v1";

const V02: &str = "https://slsa.dev/provenance/v0.2";
const V1: &str = "https://slsa.dev/provenance/v1";

/// The predicate; the same facts give the same bytes.
#[must_use]
pub fn predicate(facts: &Facts, asked: &Provenance) -> Predicate {
    let parts = Parts::new(facts, asked);
    let (kind, body) = match asked.version {
        SlsaVersion::V1 => (V1, json(&v1(facts, asked, parts))),
        SlsaVersion::V02 => (V02, json(&v02(facts, asked, parts))),
    };
    Predicate { kind: kind.to_owned(), body }
}

/// What both versions say.
struct Parts {
    request: Parameters,
    config: Option<BuildConfig>,
    metadata: Metadata,
    materials: Vec<Dependency>,
    /// All arguments are there.
    whole_request: bool,
    /// All that went in is named with its digest.
    whole_materials: bool,
    hermetic: bool,
}

impl Parts {
    fn new(facts: &Facts, asked: &Provenance) -> Parts {
        let is_value = |name: &String| name.starts_with("build-arg:") || name.starts_with("label:");
        let args: BTreeMap<String, String> = match asked.detail {
            Detail::Max => facts.args.clone(),
            Detail::Min => facts.args.iter().filter(|(name, _)| !is_value(name)).map(owned).collect(),
        };
        let whole_request = args.len() == facts.args.len();
        let id = |(id, optional): (&String, &bool)| Id { id: id.clone(), optional: *optional };
        let ids = |ids: &BTreeMap<String, bool>| match asked.detail {
            Detail::Max => ids.iter().map(id).collect(),
            Detail::Min => Vec::new(),
        };
        let whole_materials = facts.locals.is_empty();
        let materials = facts.materials.iter().map(|m| Dependency { uri: m.uri.clone(), digest: m.digest.clone() });
        let (config, metadata) = match asked.detail {
            Detail::Min => (None, Metadata::default()),
            Detail::Max => (Some(build_config(facts)), metadata(facts)),
        };
        Parts {
            request: Parameters {
                frontend: "dockerfile.v0",
                args,
                secrets: ids(&facts.secrets),
                ssh: ids(&facts.agents),
                locals: facts.locals.iter().map(|name| Local { name }).collect(),
            },
            config,
            metadata,
            materials: materials.collect(),
            whole_request,
            whole_materials,
            hermetic: whole_materials && facts.network == Network::None,
        }
    }
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

fn build_config(facts: &Facts) -> BuildConfig {
    let at = |key: &Digest| facts.steps.iter().position(|step| step.key == *key);
    let inputs = |keys: &[Digest]| keys.iter().filter_map(at).map(|input| format!("step{input}:0")).collect();
    let step = |(number, step): (usize, &Step)| BuildStep {
        id: format!("step{number}"),
        name: step.name.clone(),
        inputs: inputs(&step.inputs),
    };
    // As in LLB, the last one does nothing, and says which the result is.
    let last = facts.result.as_slice();
    let last = BuildStep { id: format!("step{}", facts.steps.len()), name: String::new(), inputs: inputs(last) };
    BuildConfig {
        llb_definition: facts.steps.iter().enumerate().map(step).chain([last]).collect(),
        digest_mapping: facts
            .steps
            .iter()
            .enumerate()
            .map(|(number, step)| (step.key.to_string(), format!("step{number}")))
            .collect(),
    }
}

fn metadata(facts: &Facts) -> Metadata {
    let steps = || facts.steps.iter().enumerate();
    let source = facts.dockerfile.1.as_ref().map(|text| Source {
        locations: steps()
            .filter_map(|(number, step)| Some((format!("step{number}"), Locations::of(step.lines?))))
            .collect(),
        infos: vec![SourceFile {
            filename: facts.dockerfile.0.clone(),
            language: "Dockerfile",
            data: STANDARD.encode(text),
        }],
    });
    // By what they hold: how a layer is packed is known only when it is sent.
    let layer =
        |(diff_id, size): &(DiffId, u64)| Layer { media_type: media::LAYER, digest: diff_id.to_string(), size: *size };
    let layers = steps()
        .filter(|(_, step)| !step.layers.is_empty())
        .map(|(number, step)| (format!("step{number}:0"), vec![step.layers.iter().map(layer).collect()]));
    Metadata { source, layers: layers.collect() }
}

fn v1<'a>(facts: &'a Facts, asked: &'a Provenance, parts: Parts) -> PredicateV1<'a> {
    let (started_on, finished_on) = facts.times;
    PredicateV1 {
        build_definition: Definition {
            build_type: BUILD_TYPE_V1,
            external_parameters: External {
                config_source: ConfigSource {
                    digest: remote_digest(facts),
                    uri: facts.remote.as_ref().map(|remote| remote.uri.as_str()),
                    path: Some(&facts.dockerfile.0),
                    entry_point: None,
                },
                request: parts.request,
            },
            internal_parameters: Internal {
                build_config: parts.config,
                builder_platform: facts.builder.to_string(),
                dockerfile_version: dockerfile::VERSION,
            },
            resolved_dependencies: parts.materials,
        },
        run_details: Run {
            builder: Builder {
                id: builder_id(asked),
                version: Some(BTreeMap::from([("kist", env!("CARGO_PKG_VERSION"))])),
            },
            metadata: RunMetadata {
                invocation_id: facts.invocation.as_deref(),
                started_on,
                finished_on,
                metadata: parts.metadata,
                hermetic: parts.hermetic,
                completeness: Completeness {
                    request: parts.whole_request,
                    resolved_dependencies: parts.whole_materials,
                },
                reproducible: asked.reproducible,
            },
        },
    }
}

fn v02<'a>(facts: &'a Facts, asked: &'a Provenance, parts: Parts) -> PredicateV02<'a> {
    let (build_started_on, build_finished_on) = facts.times;
    PredicateV02 {
        builder: Builder { id: builder_id(asked), version: None },
        build_type: BUILD_TYPE_V02,
        materials: parts.materials,
        invocation: Invocation {
            config_source: ConfigSource {
                digest: remote_digest(facts),
                uri: facts.remote.as_ref().map(|remote| remote.uri.as_str()),
                path: None,
                entry_point: Some(&facts.dockerfile.0),
            },
            parameters: parts.request,
            environment: Environment { platform: facts.builder.to_string(), dockerfile_version: dockerfile::VERSION },
        },
        build_config: parts.config,
        metadata: MetadataV02 {
            build_invocation_id: facts.invocation.as_deref(),
            build_started_on,
            build_finished_on,
            completeness: CompletenessV02 {
                parameters: parts.whole_request,
                environment: true,
                materials: parts.whole_materials,
            },
            reproducible: asked.reproducible,
            metadata: parts.metadata,
            hermetic: parts.hermetic,
        },
    }
}

/// Who answers for the build: nobody, unless that is said. The program and its version are no identity.
fn builder_id(asked: &Provenance) -> &str {
    asked.builder_id.as_deref().unwrap_or_default()
}

/// What the remote context was when it came, as it is among the materials.
fn remote_digest(facts: &Facts) -> BTreeMap<String, String> {
    let Some(remote) = &facts.remote else { return BTreeMap::new() };
    let material = facts.materials.iter().find(|material| material.uri == remote.material);
    material.map(|material| material.digest.clone()).unwrap_or_default()
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("texts and numbers in structs and lists are always JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PredicateV1<'a> {
    build_definition: Definition<'a>,
    run_details: Run<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition<'a> {
    build_type: &'static str,
    external_parameters: External<'a>,
    internal_parameters: Internal,
    resolved_dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct External<'a> {
    config_source: ConfigSource<'a>,
    request: Parameters,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigSource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    digest: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_point: Option<&'a str>,
}

#[derive(Serialize)]
struct Parameters {
    frontend: &'static str,
    args: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<Id>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ssh: Vec<Id>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locals: Vec<Local>,
}

#[derive(Serialize)]
struct Id {
    id: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
}

#[derive(Serialize)]
struct Local {
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Internal {
    #[serde(skip_serializing_if = "Option::is_none")]
    build_config: Option<BuildConfig>,
    builder_platform: String,
    dockerfile_version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildConfig {
    llb_definition: Vec<BuildStep>,
    digest_mapping: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct BuildStep {
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<String>,
}

#[derive(Serialize)]
struct Dependency {
    uri: String,
    digest: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Run<'a> {
    builder: Builder<'a>,
    metadata: RunMetadata<'a>,
}

#[derive(Serialize)]
struct Builder<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<BTreeMap<&'static str, &'static str>>,
}

#[derive(Serialize)]
struct RunMetadata<'a> {
    #[serde(rename = "invocationID", skip_serializing_if = "Option::is_none")]
    invocation_id: Option<&'a str>,
    #[serde(rename = "startedOn")]
    started_on: Time,
    #[serde(rename = "finishedOn")]
    finished_on: Time,
    #[serde(rename = "buildkit_metadata")]
    metadata: Metadata,
    #[serde(rename = "buildkit_hermetic")]
    hermetic: bool,
    #[serde(rename = "buildkit_completeness")]
    completeness: Completeness,
    #[serde(rename = "buildkit_reproducible")]
    reproducible: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Completeness {
    request: bool,
    resolved_dependencies: bool,
}

#[derive(Default, Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    layers: BTreeMap<String, Vec<Vec<Layer>>>,
}

#[derive(Serialize)]
struct Source {
    locations: BTreeMap<String, Locations>,
    infos: Vec<SourceFile>,
}

#[derive(Serialize)]
struct SourceFile {
    filename: String,
    language: &'static str,
    data: String,
}

#[derive(Serialize)]
struct Locations {
    locations: Vec<Location>,
}

#[derive(Serialize)]
struct Location {
    ranges: Vec<Range>,
}

#[derive(Serialize)]
struct Range {
    start: Line,
    end: Line,
}

#[derive(Serialize)]
struct Line {
    line: u32,
}

impl Locations {
    fn of((from, to): (u32, u32)) -> Locations {
        let range = Range { start: Line { line: from }, end: Line { line: to } };
        Locations { locations: vec![Location { ranges: vec![range] }] }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: &'static str,
    digest: String,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PredicateV02<'a> {
    builder: Builder<'a>,
    build_type: &'static str,
    materials: Vec<Dependency>,
    invocation: Invocation<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_config: Option<BuildConfig>,
    metadata: MetadataV02<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    config_source: ConfigSource<'a>,
    parameters: Parameters,
    environment: Environment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    platform: String,
    dockerfile_version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataV02<'a> {
    #[serde(rename = "buildInvocationID", skip_serializing_if = "Option::is_none")]
    build_invocation_id: Option<&'a str>,
    build_started_on: Time,
    build_finished_on: Time,
    completeness: CompletenessV02,
    reproducible: bool,
    #[serde(rename = "https://mobyproject.org/buildkit@v1#metadata")]
    metadata: Metadata,
    #[serde(rename = "https://mobyproject.org/buildkit@v1#hermetic")]
    hermetic: bool,
}

#[derive(Serialize)]
struct CompletenessV02 {
    parameters: bool,
    environment: bool,
    materials: bool,
}
