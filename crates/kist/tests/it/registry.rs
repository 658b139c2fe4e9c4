//! Images come from registries and go there: the words, what travels and what need not, and that Docker's own registry agrees.
#![expect(clippy::too_many_lines, reason = "what is said, in full")]

use std::fs;
use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use testkit::{Answer, Bend, Compression, DockerRegistry, ImageBuilder, Kist, Proof, Registry};

use crate::on_this_computer;

/// A small image; `n` tells its one layer from others.
fn small(n: u32) -> ImageBuilder {
    ImageBuilder::new().compression(Compression::Gzip).file("file", 0o644, format!("of {n}"))
}

/// Runs a command in which `REG` stands for the registry, and compares all that it says.
#[track_caller]
fn check(kist: &Kist, registry: &str, command: &str, expected: Expect) {
    let command = command.replace("REG", registry);
    let args: Vec<_> = command.split_whitespace().collect();
    expected.assert_eq(&kist.run(&args).scrubbed().replace(registry, "REG"));
}

/// The names of what is in a directory of the engine.
pub(crate) fn entries(kist: &Kist, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(kist.root().join(dir)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What holds after each command that ended by itself: the store is whole, and nothing waits to be gone on with.
#[track_caller]
pub(crate) fn settled(kist: &Kist) {
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
    assert_eq!(entries(kist, "partial"), [""; 0]);
    // A container's is removed after its command has ended.
    kist.wait_until("no draft is left", |kist| entries(kist, "drafts").is_empty());
}

/// The blobs of an image: its config's digest, then its layers'.
pub(crate) fn digests(image: &ImageBuilder) -> Vec<String> {
    image.oci_manifest().1.into_iter().map(|(digest, _)| digest).collect()
}

fn id(kist: &Kist, name: &str) -> String {
    kist.ok(&["image", "inspect", "--format", "{{.Id}}", name])
}

#[test]
fn a_pull_says_what_dockers_says() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    registry.put("team/app", "latest", &small(1));
    let check = |command: &str, expected| check(&kist, registry.address(), command, expected);
    check(
        "pull REG/team/app",
        expect![[r#"
        Using default tag: latest
        latest: Pulling from team/app
        <id>: Pulling fs layer
        <id>: Download complete
        <id>: Pull complete
        Digest: sha256:<id64>
        Status: Downloaded newer image for REG/team/app:latest
        REG/team/app:latest
    "#]],
    );
    check(
        "pull REG/team/app:latest",
        expect![[r#"
        latest: Pulling from team/app
        Digest: sha256:<id64>
        Status: Image is up to date for REG/team/app:latest
        REG/team/app:latest
    "#]],
    );
    assert_eq!(registry.count("GET", "/blobs/"), 2);
    check(
        "rmi REG/team/app",
        expect![[r#"
        Untagged: REG/team/app:latest
        Untagged: REG/team/app@sha256:<id64>
        Deleted: sha256:<id64>
        Deleted: sha256:<id64>
    "#]],
    );
    check(
        "pull -q REG/team/app",
        expect![[r#"
        REG/team/app:latest
    "#]],
    );
    check(
        "pull --quiet REG/team/app",
        expect![[r#"
        REG/team/app:latest
    "#]],
    );
    check(
        "pull REG/team/other",
        expect![[r#"
        Using default tag: latest
        [stderr]
        Error response from daemon: manifest for REG/team/other:latest not found: manifest unknown
        [exit 1]
    "#]],
    );
    check(
        "pull REG/team/app:2",
        expect![[r#"
        [stderr]
        Error response from daemon: manifest for REG/team/app:2 not found: manifest unknown
        [exit 1]
    "#]],
    );
    check(
        "image pull REG/team/app@sha256:0",
        expect![[r#"
        [stderr]
        invalid reference format
        [exit 1]
    "#]],
    );
    check(
        "pull -a REG/team/app:1",
        expect![[r#"
        [stderr]
        tag can't be used with --all-tags/-a
        [exit 1]
    "#]],
    );
    settled(&kist);
}

#[test]
fn a_pull_by_digest_says_so_and_gives_no_tag() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let digest = registry.put("app", "1", &small(1));
    let check =
        |command: &str, expected| check(&kist, registry.address(), &command.replace("DIGEST", &digest), expected);
    check(
        "pull REG/app@DIGEST",
        expect![[r#"
        REG/app@sha256:<id64>: Pulling from app
        <id>: Pulling fs layer
        <id>: Download complete
        <id>: Pull complete
        Digest: sha256:<id64>
        Status: Downloaded newer image for REG/app@sha256:<id64>
        REG/app@sha256:<id64>
    "#]],
    );
    check(
        "pull REG/app@DIGEST",
        expect![[r#"
        REG/app@sha256:<id64>: Pulling from app
        Digest: sha256:<id64>
        Status: Image is up to date for REG/app@sha256:<id64>
        REG/app@sha256:<id64>
    "#]],
    );
    check(
        "images --digests --format {{.Repository}}|{{.Tag}}|{{.Digest}}",
        expect![[r#"
        REG/app|<none>|sha256:<id64>
    "#]],
    );
    check(
        "pull REG/app:1@DIGEST",
        expect![[r#"
        REG/app@sha256:<id64>: Pulling from app
        Digest: sha256:<id64>
        Status: Image is up to date for REG/app@sha256:<id64>
        REG/app:1@sha256:<id64>
    "#]],
    );
    check(
        "pull REG/app:1",
        expect![[r#"
        1: Pulling from app
        Digest: sha256:<id64>
        Status: Downloaded newer image for REG/app:1
        REG/app:1
    "#]],
    );
    check(
        "image inspect --format {{.RepoTags}}{{.RepoDigests}} REG/app:1",
        expect![[r#"
        [REG/app:1][REG/app@sha256:<id64>]
    "#]],
    );
    check(
        "pull REG/app:other@DIGEST",
        expect![[r#"
        REG/app@sha256:<id64>: Pulling from app
        Digest: sha256:<id64>
        Status: Image is up to date for REG/app@sha256:<id64>
        REG/app:other@sha256:<id64>
    "#]],
    );
    settled(&kist);
}

#[test]
fn a_digest_is_run_and_removed_like_a_name() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let digest = registry.put("app", "1", &testkit::busybox().compression(Compression::Gzip));
    let check =
        |command: &str, expected| check(&kist, registry.address(), &command.replace("DIGEST", &digest), expected);
    check(
        "run --rm --network none REG/app@DIGEST echo x",
        expect![[r#"
        x
        [stderr]
        Unable to find image 'REG/app@sha256:<id64>' locally
        REG/app@sha256:<id64>: Pulling from app
        <id>: Pulling fs layer
        <id>: Download complete
        <id>: Pull complete
        Digest: sha256:<id64>
        Status: Downloaded newer image for REG/app@sha256:<id64>
    "#]],
    );
    registry.take_asked();
    check(
        "run --rm --network none REG/app@DIGEST echo x",
        expect![[r#"
        x
    "#]],
    );
    assert_eq!(registry.asked(), []);
    check(
        "rmi REG/app@DIGEST",
        expect![[r#"
        Untagged: REG/app@sha256:<id64>
        Deleted: sha256:<id64>
        Deleted: sha256:<id64>
    "#]],
    );
    assert_eq!(kist.ok(&["images", "-aq"]), "");
    settled(&kist);
}

#[test]
fn a_terminal_sees_each_layer_to_its_end() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    registry.put("app", "1", &small(1).file("more", 0o644, "x"));
    let (shown, code) = kist.pty(&["pull", &registry.name("app:1")]).finish();
    let last = shown.rsplit("1A").next().unwrap();
    assert!(code == 0 && last.contains(": Pull complete") && last.contains("Digest: sha256:"), "{shown}");
    assert!(shown.starts_with("1: Pulling from app\r\n"), "{shown}");
    kist.ok(&["rmi", &registry.name("app:1")]);
    let (shown, code) = kist.pty(&["pull", "-q", &registry.name("app:1")]).finish();
    assert_eq!((shown, code), (format!("{}\r\n", registry.name("app:1")), 0));
}

#[test]
fn no_layer_and_many_are_an_image_too() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    registry.put("none", "1", &ImageBuilder::new());
    kist.ok(&["pull", &registry.name("none:1")]);
    let many = (0..100).fold(testkit::busybox(), |image, n| image.file(&format!("n{n}"), 0o644, n.to_string()));
    registry.put("many", "1", &many);
    let name = registry.name("many:1");
    kist.ok(&["pull", "-q", &name]);
    assert_eq!(kist.ok(&["run", "--rm", "--network", "none", &name, "sh", "-c", "ls -d /n* | wc -l"]), "100");
    kist.ok(&["tag", &name, &registry.name("again:1")]);
    let said = kist.ok(&["push", &registry.name("again:1")]);
    assert_eq!(said.matches(": Mounted from many").count(), 101);
    settled(&kist);
}

#[test]
fn all_tags_of_a_repository_come() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    registry.put("app", "1", &small(1));
    registry.put("app", "2", &small(2));
    registry.put("app/sub", "3", &small(3));
    check(
        &kist,
        registry.address(),
        "pull -a -q REG/app",
        expect![[r#"
        REG/app
    "#]],
    );
    check(
        &kist,
        registry.address(),
        "pull -a REG/app",
        expect![[r#"
        1: Pulling from app
        Digest: sha256:<id64>
        2: Pulling from app
        Digest: sha256:<id64>
        Status: Image is up to date for REG/app
        REG/app
    "#]],
    );
    let mut names: Vec<_> = kist.ok(&["images", "--format", "{{.Tag}}"]).lines().map(ToOwned::to_owned).collect();
    names.sort();
    assert_eq!(names, ["1", "2"]);
    settled(&kist);
}

#[test]
fn all_layers_have_lines_and_equal_ones_come_once() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let layer = || testkit::Layer::new().file("twice", 0o644, "x");
    let image = small(1).layer(layer()).file("between", 0o644, "y").layer(layer());
    registry.put("app", "1", &image);
    let out = kist.run(&["pull", &registry.name("app:1")]).scrubbed().replace(registry.address(), "REG");
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    expect![[r#"
        1: Pulling from app
        <id>: Download complete
        <id>: Download complete
        <id>: Download complete
        <id>: Pull complete
        <id>: Pull complete
        <id>: Pull complete
        <id>: Pulling fs layer
        <id>: Pulling fs layer
        <id>: Pulling fs layer
        Digest: sha256:<id64>
        REG/app:1
        Status: Downloaded newer image for REG/app:1
    "#]]
    .assert_eq(&(lines.join("\n") + "\n"));
    for digest in digests(&image) {
        assert_eq!(registry.count("GET", &digest), 1, "{digest}");
    }
    assert_eq!(id(&kist, &registry.name("app:1")), image.id());
    kist.load_image(&testkit::busybox());
    settled(&kist);
}

#[test]
fn a_pulled_image_runs_however_it_is_packed_and_described() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    for (n, compression) in [Compression::None, Compression::Gzip, Compression::Zstd].into_iter().enumerate() {
        // Another layer each time, so that it has to come.
        let image = testkit::busybox().compression(compression).file("n", 0o644, n.to_string());
        registry.put("oci", &n.to_string(), &image);
        let name = registry.name(&format!("oci:{n}"));
        kist.ok(&["pull", "-q", &name]);
        assert_eq!(id(&kist, &name), image.id());
        assert_eq!(kist.ok(&["run", "--rm", "--network", "none", &name, "cat", "/n"]), n.to_string());
        kist.ok(&["rmi", &name]);
    }
    let image = testkit::busybox().compression(Compression::Gzip);
    put_docker(&registry, "docker", "1", &image);
    kist.ok(&["pull", "-q", &registry.name("docker:1")]);
    assert_eq!(kist.ok(&["run", "--rm", "--network", "none", &registry.name("docker:1"), "echo", "x"]), "x");
    settled(&kist);
}

/// An image in the words of Docker's schema 2; answers the manifest's digest.
fn put_docker(registry: &Registry, repository: &str, tag: &str, image: &ImageBuilder) -> String {
    const KIND: &str = "application/vnd.docker.distribution.manifest.v2+json";
    let (manifest, blobs) = image.oci_manifest();
    blobs.into_iter().for_each(|(_, bytes)| drop(registry.put_blob(repository, bytes)));
    let manifest = String::from_utf8(manifest).unwrap();
    let manifest = manifest
        .replace("application/vnd.oci.image.manifest.v1+json", KIND)
        .replace("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
        .replace("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip");
    registry.put_manifest(repository, tag, KIND, manifest.into_bytes())
}

#[test]
fn an_index_gives_the_image_of_the_platform() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let (ours, others) = (small(1), small(2).architecture("s390x"));
    // What buildx adds for each platform, and is none.
    let attestation = small(3).architecture("unknown");
    let index = registry.put_index("app", "1", &[("unknown", &attestation), ("s390x", &others), (machine, &ours)]);
    let name = registry.name("app:1");
    let digest = kist.ok(&["pull", &name]).lines().find_map(|line| line.strip_prefix("Digest: ").map(str::to_owned));
    assert_eq!(digest.as_ref(), Some(&index));
    assert_eq!(id(&kist, &name), ours.id());
    let pull = |platform: &str| kist.ok(&["pull", "--platform", platform, &name]);
    assert!(pull("linux/s390x").contains("Downloaded newer image"));
    assert_eq!(id(&kist, &name), others.id());
    assert!(pull("linux/s390x").contains("Image is up to date"));
    // Who names no platform means this machine's, whatever was pulled before.
    kist.ok(&["pull", &name]);
    assert_eq!(id(&kist, &name), ours.id());
    assert!(kist.ok(&["pull", &name]).contains("Image is up to date"));
    check(
        &kist,
        registry.address(),
        "pull --platform linux/riscv64 REG/app:1",
        expect![[r#"
            1: Pulling from app
            [stderr]
            Error response from daemon: no matching manifest for linux/riscv64 in the manifest list entries: linux/s390x, linux/amd64
            [exit 1]
        "#]],
    );
    check(
        &kist,
        registry.address(),
        "pull --platform linux/bogus/x/y REG/app:1",
        expect![[r#"
        [stderr]
        invalid argument "linux/bogus/x/y" for "--platform" flag: "linux/bogus/x/y": unknown operating system or architecture: invalid argument

        Usage:  kist pull [OPTIONS] NAME[:TAG|@DIGEST]

        Run 'kist pull --help' for more information
        [exit 1]
    "#]],
    );
    assert_eq!(
        kist.ok(&["image", "inspect", "--format", "{{json .RepoDigests}}", &ours.id()]),
        format!("[\"{}@{index}\"]", registry.name("app"))
    );
    settled(&kist);
}

#[test]
fn an_image_for_another_machine_comes_when_there_is_no_other() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    registry.put("app", "1", &small(1).architecture("s390x"));
    let name = registry.name("app:1");
    assert!(kist.ok(&["pull", &name]).contains("Downloaded newer image"));
    assert!(kist.ok(&["pull", &name]).contains("Image is up to date"));
    check(
        &kist,
        registry.address(),
        "pull --platform linux/amd64 REG/app:1",
        expect![[r#"
        1: Pulling from app
        [stderr]
        Error response from daemon: requested platform (linux/amd64) not found: image REG/app@sha256:<id64> is for linux/s390x
        [exit 1]
    "#]],
    );
    check(
        &kist,
        registry.address(),
        "run --pull never REG/app:1",
        expect![[r#"
        [stderr]
        kist: Error response from daemon: image with reference REG/app:1 was found but its platform (linux/s390x) does not match the specified platform (linux/amd64)

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
    settled(&kist);
}

#[test]
fn what_is_no_image_is_refused() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let empty_config = registry.put_blob("art", "{}");
    let blob = registry.put_blob("art", "apiVersion: v2");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.cncf.helm.config.v1+json",
        "config": { "mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": empty_config, "size": 2 },
        "layers": [{ "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": blob, "size": 14 }],
    });
    let put = |tag: &str, kind: &str, bytes: String| registry.put_manifest("art", tag, kind, bytes.into_bytes());
    put("chart", "application/vnd.oci.image.manifest.v1+json", manifest.to_string());
    put("one", "application/vnd.docker.distribution.manifest.v1+prettyjws", json!({"schemaVersion": 1}).to_string());
    put("json", "application/json", "{}".to_owned());
    put("damaged", "application/vnd.oci.image.manifest.v1+json", "{".to_owned());
    for tag in ["chart", "one", "json", "damaged"] {
        assert_eq!(kist.run(&["pull", &registry.name(&format!("art:{tag}"))]).code, 1);
    }
    check(
        &kist,
        registry.address(),
        "pull -q REG/art:chart",
        expect![[r#"
        [stderr]
        Error response from daemon: not a container image but an artifact of type application/vnd.cncf.helm.config.v1+json
        [exit 1]
    "#]],
    );
    check(
        &kist,
        registry.address(),
        "pull -q REG/art:one",
        expect![[r#"
        [stderr]
        Error response from daemon: Docker Image manifest version 2, schema 1 is not supported: suggest the author of REG/art:one to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2
        [exit 1]
    "#]],
    );
    check(
        &kist,
        registry.address(),
        "pull -q REG/art:json",
        expect![[r#"
        [stderr]
        Error response from daemon: sha256:<id64> is damaged: missing field `schemaVersion` at line 1 column 2
        [exit 1]
    "#]],
    );
    check(
        &kist,
        registry.address(),
        "pull -q REG/art:damaged",
        expect![[r#"
        [stderr]
        Error response from daemon: sha256:<id64> is damaged: EOF while parsing an object at line 1 column 1
        [exit 1]
    "#]],
    );
    assert_eq!(kist.ok(&["images", "-aq"]), "");
    settled(&kist);
}

#[test]
fn a_tag_that_moved_brings_only_the_new_layer() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let (old, new) = (small(1), small(1).file("more", 0o644, "x"));
    registry.put("app", "1", &old);
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    registry.put("app", "1", &new);
    registry.take_asked();
    let said = kist.ok(&["pull", &registry.name("app:1")]);
    assert!(said.contains(": Already exists\n") && said.contains("Downloaded newer image"), "{said}");
    let [config, first, second] = &digests(&new)[..] else { unreachable!() };
    assert_eq!([config, first, second].map(|digest| registry.count("GET", digest)), [1, 0, 1]);
    assert_eq!(id(&kist, &registry.name("app:1")), new.id());
    assert_eq!(kist.ok(&["images", "-q", "--no-trunc", "--filter", "dangling=true"]), old.id());
    registry.put("app", "1", &old);
    registry.take_asked();
    assert!(kist.ok(&["pull", &registry.name("app:1")]).contains("Downloaded newer image"));
    assert_eq!((id(&kist, &registry.name("app:1")), registry.count("GET", "")), (old.id(), 0));
    settled(&kist);
}

#[test]
fn run_and_create_pull_beside_what_the_container_says() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let image = testkit::busybox().compression(Compression::Gzip);
    registry.put("box", "latest", &image);
    let check = |command: &str, expected| check(&kist, registry.address(), command, expected);
    check(
        "run --rm --network none --pull never REG/box echo x",
        expect![[r#"
        [stderr]
        kist: Error response from daemon: No such image: REG/box:latest
          `kist images` lists what there is; `kist pull` and `kist load -i FILE` bring images in

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
    check(
        "run --rm --network none REG/box echo x",
        expect![[r#"
        x
        [stderr]
        Unable to find image 'REG/box:latest' locally
        latest: Pulling from box
        <id>: Pulling fs layer
        <id>: Download complete
        <id>: Pull complete
        Digest: sha256:<id64>
        Status: Downloaded newer image for REG/box:latest
    "#]],
    );
    registry.take_asked();
    check(
        "run --rm --network none REG/box echo x",
        expect![[r#"
        x
    "#]],
    );
    assert_eq!(registry.asked(), []);
    check(
        "run --rm --network none --pull always REG/box echo x",
        expect![[r#"
        x
        [stderr]
        latest: Pulling from box
        Digest: sha256:<id64>
        Status: Image is up to date for REG/box:latest
    "#]],
    );
    check(
        "run --rm --network none --pull=always -q REG/box echo x",
        expect![[r#"
        x
    "#]],
    );
    registry.put("box", "latest", &image.clone().file("new", 0o644, "new"));
    check(
        "run --rm --network none REG/box ls /new",
        expect![[r#"
        [stderr]
        ls: /new: No such file or directory
        [exit 1]
    "#]],
    );
    check("run --rm --network none --quiet --pull always REG/box cat /new", expect!["new"]);
    check(
        "create --network none --pull always REG/box",
        expect![[r#"
        <id64>
        [stderr]
        latest: Pulling from box
        Digest: sha256:<id64>
        Status: Image is up to date for REG/box:latest
    "#]],
    );
    check(
        "run --rm --network none REG/box:2",
        expect![[r#"
        [stderr]
        Unable to find image 'REG/box:2' locally
        kist: Error response from daemon: manifest for REG/box:2 not found: manifest unknown

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
    check(
        "run --pull sometimes REG/box",
        expect![[r#"
        [stderr]
        invalid argument "sometimes" for "--pull" flag: invalid pull option: must be one of "always", "missing" or "never"

        Usage:  kist run [OPTIONS] IMAGE [COMMAND] [ARG...]

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
}

#[test]
fn create_gets_the_image_of_the_platform_that_is_asked_for() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let (ours, others) = (small(1), small(2).architecture("s390x"));
    registry.put_index("app", "1", &[(machine, &ours), ("s390x", &others)]);
    let name = registry.name("app:1");
    let create = ["create", "--network", "none", "--name", "box", "--platform", "linux/s390x"];
    kist.ok(&["pull", "-q", &name]);
    let never = [&create[..], &["--pull", "never", &name, "x"]].concat();
    assert!(kist.fails(&never).stderr.contains("does not match the specified platform"));
    let out = kist.run(&[&create[..], &[&name, "x"]].concat());
    assert!(out.code == 0 && out.stderr.contains("Downloaded newer image"), "{}", out.stderr);
    assert_eq!(kist.ok(&["inspect", "--format", "{{.Image}}", "box"]), others.id());
}

#[test]
fn a_push_sends_what_is_not_there() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let image = small(1).name("app").file("more", 0o644, "x");
    kist.load_image(&image);
    kist.ok(&["tag", "app", &registry.name("team/app:1")]);
    check(
        &kist,
        registry.address(),
        "push REG/team/nothing",
        expect![[r#"
        Using default tag: latest
        The push refers to repository [REG/team/nothing]
        [stderr]
        Error response from daemon: An image does not exist locally with the tag: REG/team/nothing
        [exit 1]
    "#]],
    );
    check(
        &kist,
        registry.address(),
        "push app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        expect![[r#"
        [stderr]
        cannot push a digest reference
        [exit 1]
    "#]],
    );
    let out = kist.run(&["push", &registry.name("team/app:1")]).scrubbed().replace(registry.address(), "REG");
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    expect![[r#"
        1: digest: sha256:<id64> size: 553
        <id>: Preparing
        <id>: Preparing
        <id>: Pushed
        <id>: Pushed
        <id>: Waiting
        <id>: Waiting
        The push refers to repository [REG/team/app]
    "#]]
    .assert_eq(&(lines.join("\n") + "\n"));
    assert!(registry.received_bytes("PATCH") > 0);
    registry.take_asked();
    let said = kist.ok(&["push", &registry.name("team/app:1")]);
    assert_eq!(said.matches(": Layer already exists").count(), 2, "{said}");
    kist.ok(&["tag", "app", &registry.name("team/app:2")]);
    kist.ok(&["push", "-q", &registry.name("team/app:2")]);
    assert_eq!((registry.received_bytes("PATCH"), registry.count("POST", "")), (0, 0));
    kist.ok(&["tag", "app", &registry.name("other/app:1")]);
    let said = kist.ok(&["push", &registry.name("other/app:1")]);
    assert_eq!(said.matches(": Mounted from team/app").count(), 2, "{said}");
    assert_eq!(registry.received_bytes("PATCH"), u64::try_from(image.config_bytes().len()).unwrap());
    let other = on_this_computer();
    for name in ["team/app:1", "team/app:2", "other/app:1"] {
        other.ok(&["pull", "-q", &registry.name(name)]);
        assert_eq!(id(&other, &registry.name(name)), image.id());
    }
    settled(&other);
    settled(&kist);
}

#[test]
fn all_tags_of_a_repository_go() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    kist.load_image(&small(1).name("one"));
    kist.load_image(&small(2).name("two"));
    kist.ok(&["tag", "one", &registry.name("app:1")]);
    kist.ok(&["tag", "two", &registry.name("app:2")]);
    kist.ok(&["tag", "two", &registry.name("app/other:3")]);
    check(
        &kist,
        registry.address(),
        "push -a REG/app",
        expect![[r#"
        The push refers to repository [REG/app]
        <id>: Preparing
        <id>: Waiting
        <id>: Pushed
        1: digest: sha256:<id64> size: 400
        <id>: Preparing
        <id>: Waiting
        <id>: Pushed
        2: digest: sha256:<id64> size: 400
    "#]],
    );
    assert!(registry.manifest("app", "1").is_some() && registry.manifest("app", "2").is_some());
    assert!(registry.manifest("app/other", "3").is_none());
    check(
        &kist,
        registry.address(),
        "push -a REG/nothing",
        expect![[r#"
        [stderr]
        Error response from daemon: An image does not exist locally with the tag: REG/nothing
        [exit 1]
    "#]],
    );
    check(
        &kist,
        registry.address(),
        "push -a REG/app:1",
        expect![[r#"
        [stderr]
        tag can't be used with --all-tags/-a
        [exit 1]
    "#]],
    );
}

#[test]
fn an_unchanged_image_keeps_its_manifest() {
    let (kist, from, to) = (on_this_computer(), Registry::start(), Registry::start());
    let pulled = [from.put("app", "1", &small(1)), put_docker(&from, "app", "2", &small(2))];
    for (n, digest) in pulled.iter().enumerate() {
        let (here, there) = (from.name(&format!("app:{}", n + 1)), to.name(&format!("copy:{}", n + 1)));
        kist.ok(&["pull", "-q", &here]);
        // Where it came from, nothing is to do.
        from.take_asked();
        assert!(kist.ok(&["push", &here]).contains(digest));
        assert_eq!((from.received_bytes("PATCH"), from.count("POST", "")), (0, 0));
        kist.ok(&["tag", &here, &there]);
        kist.ok(&["push", "-q", &there]);
        let other = on_this_computer();
        other.ok(&["pull", "-q", &there]);
        assert_eq!(id(&other, &there), id(&kist, &here));
        let first: Value = serde_json::from_slice(&to.manifest("copy", &(n + 1).to_string()).unwrap().1).unwrap();
        assert_eq!(first["config"]["digest"], id(&kist, &here));
    }
}

#[test]
fn a_layer_has_the_same_digest_wherever_it_is_pushed_from() {
    let (first, second) = (Registry::start(), Registry::start());
    let image = testkit::busybox().name("app");
    for registry in [&first, &second] {
        let kist = on_this_computer();
        kist.load_image(&image);
        kist.ok(&["tag", "app", &registry.name("app:1")]);
        kist.ok(&["push", "-q", &registry.name("app:1")]);
    }
    assert_eq!(first.manifest("app", "1"), second.manifest("app", "1"));
}

#[test]
fn dockers_registry_takes_and_gives() {
    let Some(registry) = DockerRegistry::start(None) else { testkit::skip!("docker-registry is not installed") };
    let (kist, other) = (on_this_computer(), on_this_computer());
    let image = testkit::busybox().name("app").file("more", 0o644, "x");
    kist.load_image(&image);
    for name in ["team/app:1", "mounted/app:1"] {
        kist.ok(&["tag", "app", &registry.name(name)]);
        let said = kist.ok(&["push", &registry.name(name)]);
        assert_eq!(said.contains("Mounted from team/app"), name.starts_with("mounted"), "{said}");
        other.ok(&["pull", "-q", &registry.name(name)]);
        assert_eq!(id(&other, &registry.name(name)), image.id());
    }
    check(
        &other,
        registry.address(),
        "pull REG/team/app:1",
        expect![[r#"
        1: Pulling from team/app
        Digest: sha256:<id64>
        Status: Image is up to date for REG/team/app:1
        REG/team/app:1
    "#]],
    );
    check(
        &other,
        registry.address(),
        "pull -q REG/team/nothing",
        expect![[r#"
        [stderr]
        Error response from daemon: manifest for REG/team/nothing:latest not found: manifest unknown
        [exit 1]
    "#]],
    );
    check(
        &other,
        registry.address(),
        "pull -q REG/team/app:2",
        expect![[r#"
        [stderr]
        Error response from daemon: manifest for REG/team/app:2 not found: manifest unknown
        [exit 1]
    "#]],
    );
    check(
        &other,
        registry.address(),
        "pull -q -a REG/mounted/app",
        expect![[r#"
        REG/mounted/app
    "#]],
    );
    assert_eq!(other.ok(&["run", "--rm", "--network", "none", &registry.name("team/app:1"), "cat", "/more"]), "x");
    settled(&kist);
    settled(&other);
}

#[test]
fn skopeo_reads_what_was_pushed_and_we_read_what_skopeo_copied() {
    let Some(registry) = DockerRegistry::start(None) else { testkit::skip!("docker-registry is not installed") };
    let skopeo = |args: &[&str]| {
        let tmp = registry.root().path().to_str().unwrap().to_owned();
        Command::new("skopeo").args(["--insecure-policy", "--tmpdir", &tmp]).args(args).output().unwrap()
    };
    if Command::new("skopeo").arg("--version").output().is_err() {
        testkit::skip!("skopeo is not installed");
    }
    let kist = on_this_computer();
    let image = testkit::busybox().name("app").file("more", 0o644, "x");
    kist.load_image(&image);
    kist.ok(&["tag", "app", &registry.name("app:1")]);
    kist.ok(&["push", "-q", &registry.name("app:1")]);
    let out = skopeo(&["inspect", "--tls-verify=false", &format!("docker://{}", registry.name("app:1"))]);
    let said: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)));
    assert_eq!(said["Layers"].as_array().unwrap().len(), 2);
    for (format, tag) in [("v2s2", "docker"), ("oci", "oci")] {
        let (from, to) = (registry.name("app:1"), registry.name(&format!("copied:{tag}")));
        let out = skopeo(&[
            "copy",
            "-q",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            "-f",
            format,
            &format!("docker://{from}"),
            &format!("docker://{to}"),
        ]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let other = on_this_computer();
        other.ok(&["pull", "-q", &to]);
        assert_eq!(id(&other, &to), image.id());
        settled(&other);
    }
}

/// `htpasswd -nbB alice s3cret`, cost 5.
const ALICE: &str = "alice:$2y$05$dfD58GEPVraqlIYCSGiQl.7c92fkP2NiezUE0SxWQy.118LS/jgjK\n";

#[test]
fn who_is_not_logged_in_is_denied() {
    let Some(registry) = DockerRegistry::start(Some(ALICE)) else { testkit::skip!("docker-registry is not installed") };
    let kist = on_this_computer();
    kist.load_image(&small(1).name("app"));
    kist.ok(&["tag", "app", &registry.name("app:1")]);
    let check = |command: &str, expected| check(&kist, registry.address(), command, expected);
    check(
        "push REG/app:1",
        expect![[r#"
        The push refers to repository [REG/app]
        <id>: Preparing
        <id>: Waiting
        [stderr]
        Error response from daemon: push access denied for REG/app: no login for it is known
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
    check(
        "pull REG/app:1",
        expect![[r#"
        [stderr]
        Error response from daemon: pull access denied for REG/app, repository does not exist or may require 'docker login': no login for it is known
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
    let login = |password: &str| {
        kist.run_with_input(&["login", "-u", "alice", "--password-stdin", registry.address()], password)
    };
    expect![[r#"
        [stderr]
        Error response from daemon: login attempt to REG failed: unauthorized: authentication required
        [exit 1]
    "#]]
    .assert_eq(&login("wrong").scrubbed().replace(registry.address(), "REG"));
    assert_eq!(login("s3cret").code, 0);
    check(
        "push -q REG/app:1",
        expect![[r#"
        REG/app:1
    "#]],
    );
    check(
        "rmi REG/app:1",
        expect![[r#"
        Untagged: REG/app:1
        Untagged: REG/app@sha256:<id64>
    "#]],
    );
    check(
        "pull -q REG/app:1",
        expect![[r#"
        REG/app:1
    "#]],
    );
    kist.ok(&["logout", registry.address()]);
    check(
        "pull -q REG/app:1",
        expect![[r#"
        [stderr]
        Error response from daemon: pull access denied for REG/app, repository does not exist or may require 'docker login': no login for it is known
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
    check(
        "run --pull always REG/app:1",
        expect![[r#"
        [stderr]
        kist: Error response from daemon: pull access denied for REG/app, repository does not exist or may require 'docker login': no login for it is known
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?

        Run 'kist run --help' for more information
        [exit 125]
    "#]],
    );
}

#[test]
fn a_token_is_asked_for_once_and_shown_to_the_registry_alone() {
    let (kist, registry, elsewhere) = (on_this_computer(), Registry::start(), Registry::start());
    let image = small(1);
    registry.put("app", "1", &image);
    elsewhere.put("app", "1", &image);
    for proof in [Proof::Token, Proof::Basic] {
        registry.lock("alice", "s3cret", proof);
        kist.run(&["rmi", &registry.name("app:1")]);
        let mut said = vec![kist.fails(&["pull", &registry.name("app:1")])];
        said.push(kist.run_with_input(&["login", "-u", "alice", "--password-stdin", registry.address()], "s3cret"));
        // Contents lie in another place, as with most large registries.
        let digest = &digests(&image)[1];
        let place = format!("http://{}/v2/app/blobs/{digest}?signature=s1gned", elsewhere.address());
        registry.bend("GET", digest, 9, Bend::Answer(Answer::new(307).header("Location", &place)));
        registry.take_asked();
        said.push(kist.run(&["pull", &registry.name("app:1")]));
        assert_eq!(said[2].code, 0, "{}", said[2].stderr);
        assert_eq!(registry.count("GET", "/token"), usize::from(proof == Proof::Token));
        // What is accepted may expire while blobs come.
        if proof == Proof::Token {
            let challenge = format!("Bearer realm=\"http://{}/token\"", registry.address());
            let expired = Answer::new(401).header("WWW-Authenticate", challenge);
            registry.straighten();
            registry.bend("GET", digest, 1, Bend::Cut(9));
            registry.bend("GET", digest, 1, Bend::Answer(expired));
            kist.ok(&["rmi", &registry.name("app:1")]);
            said.push(kist.run(&["pull", &registry.name("app:1")]));
            assert_eq!(said[3].code, 0, "{}", said[3].stderr);
            assert_eq!(registry.count("GET", "/token"), 3);
        }
        let asked = elsewhere.take_asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(!asked[0].headers.contains_key("authorization"), "{asked:?}");
        kist.ok(&["logout", registry.address()]);
        registry.straighten();
        for out in said {
            let all = out.stdout + &out.stderr;
            assert!(!["s3cret", "YWxpY2U6", "t0ken", "s1gned"].iter().any(|secret| all.contains(secret)), "{all}");
        }
    }
    settled(&kist);
}
