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

/// The same of an image that is in a registry: it lies nowhere here, and was never tagged.
pub(crate) fn inspect_remote(image: &Image, names: &Names) -> ImageInspect {
    let nowhere = GraphDriver { data: Map(None), name: String::new() };
    ImageInspect { metadata: Metadata { last_tag_time: time(None) }, ..inspect(image, names, nowhere) }
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use jiff::tz::TimeZone;
    use spec::digest::Digest;

    use super::super::container_row::Width;
    use super::super::image_row::{COLUMNS, TABLE_WITH_DIGESTS};
    use super::*;
    use crate::template::{Listing, Row};

    fn image() -> Image {
        Image {
            id: ImageId(Digest::sha256(b"config")),
            config: spec::image::ImageConfig {
                created: Some("2023-11-14T22:11:50Z".into()),
                architecture: "amd64".into(),
                os: "linux".into(),
                config: spec::image::RunConfig { cmd: Some(vec!["sh".into()]), ..Default::default() },
                ..Default::default()
            },
            config_bytes: Vec::new(),
            manifest: None,
            chains: Vec::new(),
            size_bytes: 1_234_567,
            loaded_at: spec::time::Time::from_ns(0),
        }
    }

    fn check(names: &[&str], shown: Shown, expected: Expect) {
        let reader =
            Reader { now: Timestamp::from_second(1_700_000_000).unwrap(), zone: TimeZone::UTC, width: Width::Short };
        let names: Vec<Reference> = names.iter().map(|name| name.parse().unwrap()).collect();
        let names: Vec<&Reference> = names.iter().collect();
        let image = image();
        let rows = rows(&image, &names, 0, shown, &reader);
        let rows: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
        expected.assert_eq(&Listing::parse(TABLE_WITH_DIGESTS).unwrap().render(COLUMNS, &rows).unwrap());
    }

    #[test]
    fn a_name_is_a_line() {
        let digest = format!("a/b@{}", Digest::sha256(b"manifest"));
        check(
            &[],
            Shown::Tags,
            expect![[r#"
            REPOSITORY   TAG       DIGEST    IMAGE ID       CREATED              SIZE
            <none>       <none>    <none>    b79606fb3afe   About a minute ago   1.23MB
        "#]],
        );
        check(
            &["nginx", "nginx:1", "a/b", &digest],
            Shown::Tags,
            expect![[r#"
            REPOSITORY   TAG       DIGEST    IMAGE ID       CREATED              SIZE
            a/b          latest    <none>    b79606fb3afe   About a minute ago   1.23MB
            nginx        latest    <none>    b79606fb3afe   About a minute ago   1.23MB
            nginx        1         <none>    b79606fb3afe   About a minute ago   1.23MB
        "#]],
        );
        check(
            &["nginx", "a/b", "a/b:2", &digest],
            Shown::Digests,
            expect![[r#"
            REPOSITORY   TAG       DIGEST                                                                    IMAGE ID       CREATED              SIZE
            a/b          latest    sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f   b79606fb3afe   About a minute ago   1.23MB
            a/b          2         sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f   b79606fb3afe   About a minute ago   1.23MB
            nginx        latest    <none>                                                                    b79606fb3afe   About a minute ago   1.23MB
        "#]],
        );
        check(
            &[&digest],
            Shown::Tags,
            expect![[r#"
            REPOSITORY   TAG       DIGEST    IMAGE ID       CREATED              SIZE
            a/b          <none>    <none>    b79606fb3afe   About a minute ago   1.23MB
        "#]],
        );
    }

    #[test]
    fn an_image_in_full() {
        let names = Names { tags: vec!["nginx".parse().unwrap()], digests: Vec::new() };
        let graph = GraphDriver { data: Map(None), name: "overlay2".into() };
        expect![[r#"
            {
                "Id": "sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910",
                "RepoTags": [
                    "nginx:latest"
                ],
                "RepoDigests": [],
                "Parent": "",
                "Comment": "",
                "Created": "2023-11-14T22:11:50Z",
                "DockerVersion": "",
                "Author": "",
                "Architecture": "amd64",
                "Os": "linux",
                "Size": 1234567,
                "GraphDriver": {
                    "Data": null,
                    "Name": "overlay2"
                },
                "RootFS": {
                    "Type": "layers"
                },
                "Metadata": {
                    "LastTagTime": "1970-01-01T00:00:00Z"
                },
                "Config": {
                    "Cmd": [
                        "sh"
                    ],
                    "Entrypoint": null,
                    "Env": null,
                    "Labels": null,
                    "OnBuild": null,
                    "User": "",
                    "Volumes": null,
                    "WorkingDir": ""
                }
            }"#]]
        .assert_eq(&super::super::json::pretty(&inspect(&image(), &names, graph)).unwrap());
    }
}
