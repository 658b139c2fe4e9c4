//! The engine's images as the programs of others see them: the same image, and it runs there.

use std::process::Command;

use serde_json::{Value, json};
use testkit::{Docker, Podman, Root};

use super::{Server, app};
use crate::on_this_computer;

fn skopeo(root: &Root, args: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    command.env("HOME", root.path()).env("XDG_RUNTIME_DIR", root.path()).arg("--insecure-policy").args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn skopeo_lists_inspects_and_copies() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        testkit::skip!("skopeo is not installed");
    }
    let ((kist, id), root) = (app("app:1"), Root::new());
    let server = Server::start(&kist, &[]);
    let at = |name: &str| format!("docker://{}/{name}", server.address());
    let tags: Value = serde_json::from_str(&skopeo(&root, &["list-tags", "--tls-verify=false", &at("app")])).unwrap();
    assert_eq!(tags["Tags"], json!(["1"]));
    let dir = root.join("out");
    let to = format!("dir:{}", dir.display());
    skopeo(&root, &["copy", "-q", "--src-tls-verify=false", &at("app:1"), &to]);
    let manifest: Value = serde_json::from_slice(&std::fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["config"]["digest"], id);

    // And back over the engine's own: what it sees there it does not send again.
    let tls = ["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"];
    skopeo(&root, &[&tls[..], &[&to, &at("app:2")]].concat());
    skopeo(&root, &[&tls[..], &[&at("app:1"), &at("other/app:1")]].concat());
    kist.ok(&["rmi", "app:1"]);
    for name in ["app:2", "other/app:1"] {
        let config = skopeo(&root, &["inspect", "--tls-verify=false", "--config", "--raw", &at(name)]);
        assert_eq!(spec::digest::Digest::sha256(config.as_bytes()).to_string(), id);
        skopeo(&root, &["copy", "-q", "--src-tls-verify=false", &at(name), &format!("{to}-{}", name.len())]);
    }
}

#[test]
fn podman_pulls_runs_and_pushes() {
    let podman = match Podman::new() {
        Ok(podman) => podman,
        Err(why) => testkit::skip!("{why}"),
    };
    let (kist, id) = app("app:1");
    let server = Server::start(&kist, &[]);
    let (there, pushed) = (format!("{}/app:1", server.address()), format!("{}/app:2", server.address()));
    podman.ok(&["pull", "-q", "--tls-verify=false", &there]);
    assert_eq!(podman.ok(&["inspect", "--format", "{{.Id}}", &there]), id["sha256:".len()..]);
    assert_eq!(podman.run(&there), "runs");
    podman.ok(&["push", "-q", "--tls-verify=false", &there, &pushed]);
    let other = on_this_computer();
    other.ok(&["pull", "-q", &pushed]);
    assert_eq!(other.ok(&["inspect", "--format", "{{.Id}}", &pushed]), id);
}

#[test]
fn docker_pulls_runs_and_pushes() {
    let docker = match Docker::start(&[]) {
        Ok(docker) => docker,
        Err(why) => testkit::skip!("{why}"),
    };
    let (kist, id) = app("app:1");
    let server = Server::start(&kist, &[]);
    let there = format!("{}/app:1", server.address());
    docker.ok(&["pull", "-q", &there]);
    assert_eq!(docker.ok(&["inspect", "--format", "{{.Id}}", &there]), id);
    assert_eq!(docker.ok(&["run", "--rm", "--network", "none", &there]), "runs");
    // The config is there already, and the layers are not as Docker packs them.
    docker.ok(&["push", "-q", &there]);
    kist.ok(&["rmi", "app:1"]);
    let other = on_this_computer();
    other.ok(&["pull", "-q", &there]);
    assert_eq!(other.ok(&["inspect", "--format", "{{.Id}}", &there]), id);
    assert_eq!(other.ok(&["run", "--rm", "--network", "none", &there]), "runs");
}
