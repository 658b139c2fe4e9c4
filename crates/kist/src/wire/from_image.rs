//! From the store's words to `docker image inspect` and the rows of `images` and `history`.

use std::collections::BTreeMap;

use spec::digest::ImageId;
use spec::reference::Reference;
use store::{Image, Names};

use super::container::GraphDriver;
use super::container_row::Reader;
use super::from_container::{healthcheck, timestamp};
use super::go::{Empty, List, Map, time};
use super::image::{Descriptor, ImageConfig, ImageInspect, Metadata, RootFs};
use super::image_row::{HistoryRow, ImageRow, Numbers};
use jiff::Timestamp;

/// What a column shows where there is nothing.
pub(crate) const NONE: &str = "<none>";

/// The whole answer.
pub(crate) fn inspect(image: &Image, names: &Names, graph: GraphDriver) -> ImageInspect {
    let config = &image.config;
    let familiar = |names: &[Reference]| names.iter().map(Reference::familiar).collect();
    ImageInspect {
        id: image.id.to_string(),
        repo_tags: familiar(&names.tags),
        repo_digests: familiar(&names.digests),
        parent: String::new(),
        comment: config.comment.clone().or_else(|| last_comment(image)).unwrap_or_default(),
        created: config.created.clone().unwrap_or_default(),
        docker_version: String::new(),
        author: config.author.clone().unwrap_or_default(),
        architecture: config.architecture.clone(),
        variant: config.variant.clone().unwrap_or_default(),
        os: config.os.clone(),
        os_version: String::new(),
        size: i64::try_from(image.size_bytes).unwrap_or(i64::MAX),
        virtual_size: 0,
        graph_driver: graph,
        root_fs: RootFs {
            kind: "layers".to_owned(),
            layers: List(Some(config.rootfs.diff_ids.iter().map(ToString::to_string).collect())),
        },
        metadata: Metadata { last_tag_time: time(Some(timestamp(image.loaded_at))) },
        descriptor: image.manifest.as_ref().map(descriptor),
        config: Some(run_config(image)),
    }
}

fn last_comment(image: &Image) -> Option<String> {
    image.config.history.last().and_then(|step| step.comment.clone())
}

fn descriptor(from: &spec::image::Descriptor) -> Descriptor {
    Descriptor {
        media_type: from.media_type.clone(),
        digest: from.digest.to_string(),
        size: i64::try_from(from.size).unwrap_or(i64::MAX),
        urls: List(None),
        annotations: Map(Some(from.annotations.clone())),
        platform: None,
        artifact_type: String::new(),
    }
}

fn run_config(image: &Image) -> ImageConfig {
    let config = &image.config.config;
    let set = |keys: &BTreeMap<String, spec::image::Empty>| {
        keys.keys().map(|key| (key.clone(), Empty {})).collect::<BTreeMap<_, _>>()
    };
    let some = |list: &[String]| List((!list.is_empty()).then(|| list.to_vec()));
    ImageConfig {
        args_escaped: false,
        cmd: List(config.cmd.clone()),
        entrypoint: List(config.entrypoint.clone()),
        env: some(&config.env),
        exposed_ports: Map(Some(set(&config.exposed_ports))),
        healthcheck: config.healthcheck.as_ref().map(healthcheck),
        labels: Map((!config.labels.is_empty()).then(|| config.labels.clone())),
        on_build: some(&config.on_build),
        shell: List(config.shell.clone()),
        stop_signal: config.stop_signal.clone().unwrap_or_default(),
        user: config.user.clone(),
        volumes: Map((!config.volumes.is_empty()).then(|| set(&config.volumes))),
        working_dir: config.working_dir.clone(),
    }
}

/// When an image was made; one that does not say is as old as time.
pub(crate) fn created(image: &Image) -> Timestamp {
    image.created().map_or(Timestamp::UNIX_EPOCH, timestamp)
}

/// Which names of an image a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Tags; digests only where there is no tag.
    Tags,
    /// Tags beside the digests of their repositories (`--digests`).
    Digests,
}

/// The lines of one image: one for each name, or one of `<none>` (docker/cli `imageFormatTaggedAndDigest`).
pub(crate) fn rows<'a>(
    image: &Image,
    names: &[&Reference],
    containers: u64,
    shown: Shown,
    reader: &'a Reader,
) -> Vec<ImageRow<'a>> {
    let row = |repository: String, tag: String, digest: String| ImageRow {
        reader,
        id: image.id.to_string(),
        repository,
        tag,
        digest,
        created: created(image),
        size: image.size_bytes,
        shared_size: None,
        containers: Some(containers),
    };
    let none = || NONE.to_owned();
    let mut repositories: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for name in names {
        let entry = repositories.entry(name.familiar_name()).or_default();
        match (name.tag(), name.digest()) {
            (_, Some(digest)) => entry.1.push(digest.to_string()),
            (Some(tag), None) => entry.0.push(tag.to_owned()),
            (None, None) => {}
        }
    }
    let mut rows = Vec::new();
    for (repository, (tags, digests)) in repositories {
        match (shown, tags.is_empty(), digests.is_empty()) {
            (Shown::Tags, false, _) | (Shown::Digests, false, true) => {
                rows.extend(tags.into_iter().map(|tag| row(repository.clone(), tag, none())));
            }
            (Shown::Tags, true, _) => rows.push(row(repository, none(), none())),
            (Shown::Digests, true, _) => {
                rows.extend(digests.into_iter().map(|digest| row(repository.clone(), none(), digest)))
            }
            (Shown::Digests, false, false) => {
                for tag in &tags {
                    rows.extend(digests.iter().map(|digest| row(repository.clone(), tag.clone(), digest.clone())));
                }
            }
        }
    }
    if rows.is_empty() {
        rows.push(row(none(), none(), none()));
    }
    rows
}

/// The lines of `history`. Only the last step is an image here; what it was built on is not known by name.
pub(crate) fn history<'a>(
    id: &ImageId,
    steps: Vec<store::HistoryRow>,
    numbers: Numbers,
    reader: &'a Reader,
) -> Vec<HistoryRow<'a>> {
    let moment = |text: Option<&str>| text.and_then(|text| text.parse().ok()).map_or(Timestamp::UNIX_EPOCH, timestamp);
    steps
        .into_iter()
        .enumerate()
        .map(|(n, step)| HistoryRow {
            reader,
            numbers,
            id: if n == 0 { id.to_string() } else { "<missing>".to_owned() },
            created: moment(step.step.created.as_deref()),
            created_by: step.step.created_by.unwrap_or_default(),
            size: step.size_bytes,
            comment: step.step.comment.unwrap_or_default(),
        })
        .collect()
}
