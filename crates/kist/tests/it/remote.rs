//! What a registry has, seen without pulling it. The registry is `kist registry serve` over images of another engine.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use expect_test::{Expect, expect};
use rustix::process::{Pid, Signal, kill_process};
use testkit::Kist;

use crate::{busybox_on_this_computer, on_this_computer};

/// The images of an engine, served on loopback.
struct Registry {
    child: Child,
    name: String,
}

impl Registry {
    fn of(kist: &Kist) -> Registry {
        let mut command = kist.command(&["registry", "serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        // Its log must not fill up and block it.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let name = line.trim().strip_prefix("registry listening on http://").unwrap().to_owned();
        Registry { child, name }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn check(kist: &Kist, registry: &Registry, args: &[&str], expected: Expect) {
    let args: Vec<String> = args.iter().map(|arg| arg.replace("REGISTRY", &registry.name)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    expected.assert_eq(&kist.run(&args).scrubbed().replace(&registry.name, "REGISTRY"));
}

#[test]
fn an_image_of_a_registry_is_inspected_and_not_pulled() {
    let (theirs, ours) = (busybox_on_this_computer(), on_this_computer());
    let registry = Registry::of(&theirs);
    let name = format!("{}/busybox", registry.name);
    let format = "{{.Id}} {{.RepoTags}} {{.Config.Cmd}} {{.RootFS.Layers}} {{.Metadata.LastTagTime}}";
    let here = theirs.ok(&["image", "inspect", "--format", "{{.Id}} {{.Config.Cmd}} {{.RootFS.Layers}}", "busybox"]);
    let there = ours.ok(&["image", "inspect", "--remote", "--format", format, &name]);
    let without_place = there.replace(&format!(" [{name}:latest]"), "").replace(" 0001-01-01T00:00:00Z", "");
    assert_eq!(without_place, here);
    check(&ours, &registry, &["images", "-q"], expect![""]);
    ours.ok(&["pull", &name]);
    let digests = ours.ok(&["image", "inspect", "--format", "{{.RepoDigests}} {{.Descriptor.digest}}", &name]);
    let there = ["image", "inspect", "--remote", "--format", "{{.RepoDigests}} {{.Descriptor.digest}}", &name];
    assert_eq!(ours.ok(&there), digests);
}

#[test]
fn what_a_registry_has_not_is_missing() {
    let (theirs, ours) = (busybox_on_this_computer(), on_this_computer());
    let registry = Registry::of(&theirs);
    let head = ["image", "inspect", "--remote", "--format", "{{.Os}}"];
    check(
        &ours,
        &registry,
        &[&head[..], &["REGISTRY/busybox", "REGISTRY/none"]].concat(),
        expect![[r#"
        linux
        [stderr]
        Error response from daemon: manifest for REGISTRY/none:latest not found: manifest unknown: manifest unknown to registry: latest
        [exit 1]
    "#]],
    );
    check(
        &ours,
        &registry,
        &[&head[..], &["--platform", "linux/s390x", "REGISTRY/busybox"]].concat(),
        expect![[r#"

            [stderr]
            Error response from daemon: requested platform (linux/s390x) not found: image REGISTRY/busybox:latest is for linux/amd64
            [exit 1]
        "#]],
    );
    check(
        &ours,
        &registry,
        &[&head[..], &["a:b:c"]].concat(),
        expect![[r#"

        [stderr]
        invalid reference format
        [exit 1]
    "#]],
    );
    check(
        &theirs,
        &registry,
        &["image", "inspect", "--platform", "linux/s390x", "busybox"],
        expect![[r#"
        []
        [stderr]
        Error response from daemon: image with reference busybox was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)
        [exit 1]
    "#]],
    );
}
