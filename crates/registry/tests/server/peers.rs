//! The clients that people have, each in directories of its own.

use std::process::{Command, Stdio};

use testkit::{Docker, ImageBuilder, Layer, Podman, Root};

use crate::client::Registry;

/// Runs a program to its end and answers what it said.
#[track_caller]
fn run(program: &str, root: &Root, args: &[&str]) -> String {
    let mut command = Command::new(program);
    // What they keep for a user is kept here.
    command.env("HOME", root.path()).env("XDG_RUNTIME_DIR", root.path());
    let output = command.args(args).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// An image of two layers, one of them larger than a piece, as an archive.
fn archive(root: &Root) -> String {
    let noise: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
    let image = ImageBuilder::new()
        .name("x:1")
        .layer(Layer::new().file("a", 0o644, "a"))
        .layer(Layer::new().file("b", 0o644, noise));
    root.write("image.tar", image.docker_archive()).display().to_string()
}

#[test]
fn skopeo_copies_to_it_within_it_and_from_it() {
    if !is_there("skopeo") {
        testkit::skip!("skopeo is not installed");
    }
    let (registry, root) = (Registry::new(), Root::new());
    let at = |name: &str| format!("docker://{}/{name}", registry.address);
    let copy = |from: &str, to: &str| {
        let options = ["--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"];
        run("skopeo", &root, &[&options[..], &[from, to]].concat())
    };
    copy(&format!("docker-archive:{}", archive(&root)), &at("a/x:1"));
    copy(&at("a/x:1"), &at("b/x:2"));
    copy(&at("b/x:2"), &format!("dir:{}", root.join("out").display()));
    let manifest = registry.get("/v2/a/x/manifests/1").body;
    assert_eq!(std::fs::read(root.join("out/manifest.json")).unwrap(), manifest);
    assert_eq!(std::fs::read_dir(root.join("out")).unwrap().count(), 5, "two layers, config, manifest, version");
    run("skopeo", &root, &["delete", "--tls-verify=false", &at("a/x:1")]);
    assert_eq!(registry.get("/v2/a/x/manifests/1").error(), "404 MANIFEST_UNKNOWN");
}

#[test]
fn podman_pushes_and_pulls() {
    let podman = match Podman::new() {
        Ok(podman) => podman,
        Err(why) => testkit::skip!("{why}"),
    };
    let registry = Registry::new();
    let there = format!("{}/p/x:1", registry.address);
    podman.ok(&["load", "-i", &archive(podman.root())]);
    podman.ok(&["push", "--tls-verify=false", "localhost/x:1", &there]);
    podman.ok(&["rmi", "--all", "--force"]);
    podman.ok(&["pull", "--tls-verify=false", &there]);
    assert!(podman.ok(&["images", "--noheading", "--format", "{{.Repository}}:{{.Tag}}"]).contains(&there));
}

#[test]
fn curl_resumes_a_download_and_sends_a_blob_as_it_comes() {
    if !is_there("curl") {
        testkit::skip!("curl is not installed");
    }
    let (registry, root) = (Registry::new(), Root::new());
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let url = format!("http://{}/v2/a/blobs/{}", registry.address, registry.push_blob("a", &bytes));
    let part = root.write("part", &bytes[..700_000]).display().to_string();
    run("curl", &root, &["-sSf", "-C", "-", "-o", &part, &url]);
    assert!(std::fs::read(&part).unwrap() == bytes);
    let upload = format!("http://{}{}", registry.address, registry.begin("b"));
    let chunked =
        ["-sSf", "-X", "PATCH", "-H", "Transfer-Encoding: chunked", "-H", "Content-Type: application/octet-stream"];
    run("curl", &root, &[&chunked[..], &["--data-binary", &format!("@{part}"), &upload]].concat());
    let digest = spec::digest::Digest::sha256(&bytes);
    run("curl", &root, &["-sSf", "-X", "PUT", &format!("{upload}?digest={digest}")]);
    assert!(registry.get(&format!("/v2/b/blobs/{digest}")).expect(200).body == bytes);
}

#[test]
fn docker_pushes_and_pulls() {
    let docker = match Docker::start(&[]) {
        Ok(docker) => docker,
        Err(why) => testkit::skip!("{why}"),
    };
    let (registry, root) = (Registry::new(), Root::new());
    let there = format!("{}/d/x:1", registry.address);
    docker.ok(&["load", "-i", &archive(&root)]);
    docker.ok(&["tag", "x:1", &there]);
    docker.ok(&["push", &there]);
    docker.ok(&["rmi", "-f", "x:1", &there]);
    docker.ok(&["pull", &there]);
    assert!(docker.ok(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).contains(&there));
}
