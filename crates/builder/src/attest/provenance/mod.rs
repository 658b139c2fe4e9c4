//! How an image was made: SLSA provenance, laid out as BuildKit's `slsa-definitions.md` says, so that what reads BuildKit's reads this.
//! What differs says so: the type of the build is kist's, and the steps stand in `buildConfig.steps`, as there is no LLB.

mod facts;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use spec::attestation::Predicate;
use spec::digest::Digest;
use spec::image::media;
use spec::time::Time;

pub use facts::{Facts, Material, Network, Step};

use super::{Detail, Provenance, SlsaVersion};

/// What kind of build this is: whoever knows it knows what the fields mean.
pub const BUILD_TYPE: &str = "urn:kist:build:v1";
/// Who built, where nobody says better.
pub const BUILDER: &str = "urn:kist:builder";

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
        let id = |id: &String| Id { id: id.clone() };
        let ids = |ids: &[String]| match asked.detail {
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
                ssh: ids(&facts.ssh),
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
    let step = |(number, step): (usize, &Step)| BuildStep {
        id: format!("step{number}"),
        name: step.name.clone(),
        inputs: step.inputs.iter().filter_map(at).map(|input| format!("step{input}:0")).collect(),
    };
    BuildConfig {
        steps: facts.steps.iter().enumerate().map(step).collect(),
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
    let layer = |step: &Step| {
        step.layer.as_ref().map(|(diff_id, size)| Layer {
            media_type: media::LAYER,
            digest: diff_id.to_string(),
            size: *size,
        })
    };
    let layers = steps().filter_map(|(number, step)| Some((format!("step{number}:0"), vec![vec![layer(step)?]])));
    Metadata { source, layers: layers.collect() }
}

fn v1<'a>(facts: &'a Facts, asked: &'a Provenance, parts: Parts) -> PredicateV1<'a> {
    let (started_on, finished_on) = facts.times;
    PredicateV1 {
        build_definition: Definition {
            build_type: BUILD_TYPE,
            external_parameters: External {
                config_source: ConfigSource {
                    digest: remote_digest(facts),
                    uri: facts.remote.as_deref(),
                    path: Some(&facts.dockerfile.0),
                    entry_point: None,
                },
                request: parts.request,
            },
            internal_parameters: Internal { build_config: parts.config, builder_platform: facts.builder.to_string() },
            resolved_dependencies: parts.materials,
        },
        run_details: Run {
            builder: Builder {
                id: builder_id(asked),
                version: Some(BTreeMap::from([("kist", env!("CARGO_PKG_VERSION"))])),
            },
            metadata: RunMetadata {
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
        build_type: BUILD_TYPE,
        materials: parts.materials,
        invocation: Invocation {
            config_source: ConfigSource {
                digest: remote_digest(facts),
                uri: facts.remote.as_deref(),
                path: None,
                entry_point: Some(&facts.dockerfile.0),
            },
            parameters: parts.request,
            environment: Environment { platform: facts.builder.to_string() },
        },
        build_config: parts.config,
        metadata: MetadataV02 {
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

fn builder_id(asked: &Provenance) -> &str {
    asked.builder_id.as_deref().unwrap_or(BUILDER)
}

/// What the remote context was when it came, as it is among the materials.
fn remote_digest(facts: &Facts) -> BTreeMap<String, String> {
    let material = facts.materials.iter().find(|material| Some(&material.uri) == facts.remote.as_ref());
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
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildConfig {
    steps: Vec<BuildStep>,
    digest_mapping: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct BuildStep {
    id: String,
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
    metadata: RunMetadata,
}

#[derive(Serialize)]
struct Builder<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<BTreeMap<&'static str, &'static str>>,
}

#[derive(Serialize)]
struct RunMetadata {
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
    metadata: MetadataV02,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    config_source: ConfigSource<'a>,
    parameters: Parameters,
    environment: Environment,
}

#[derive(Serialize)]
struct Environment {
    platform: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataV02 {
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
