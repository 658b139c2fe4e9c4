//! How images leave a build: several platforms as one, layouts in directories, annotations.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::on_this_computer;

const DOCKERFILE: &str = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n";
const BOTH: &str = "linux/amd64,linux/arm64";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn two_platforms(kist: &Kist) -> String {
    context(kist, "ctx", &[("Dockerfile", DOCKERFILE), ("amd64", "x86"), ("arm64", "arm")])
}

pub(super) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

pub(super) fn index(layout: &Path) -> Value {
    json(&fs::read(layout.join("index.json")).unwrap())
}

pub(super) fn blob(layout: &Path, descriptor: &Value) -> Value {
    let digest = descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:");
    json(&fs::read(layout.join("blobs/sha256").join(digest)).unwrap())
}

/// For which machines the manifests of an index are, in order.
fn platforms(index: &Value) -> Vec<&str> {
    let manifests = index["manifests"].as_array().unwrap();
    manifests.iter().map(|manifest| manifest["platform"]["architecture"].as_str().unwrap_or("none")).collect()
}

pub(super) fn unpacked(kist: &Kist, archive: &Path) -> PathBuf {
    let dir = kist.scratch().join("unpacked");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).unwrap();
    assert!(std::process::Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&dir).status().unwrap().success());
    dir
}

#[test]
fn several_platforms_are_one_index_in_an_archive() {
    let (kist, other) = (empty(), empty());
    let (dir, archive) = (two_platforms(&kist), kist.scratch().join("o.tar"));
    let to = format!("type=oci,dest={}", archive.display());
    image(&kist, &["--platform", BOTH, "-t", "multi:1", "-o", &to], &dir);
    let layout = unpacked(&kist, &archive);
    let top = index(&layout);
    let [line] = top["manifests"].as_array().unwrap().as_slice() else { panic!("{top}") };
    assert_eq!(
        (&line["mediaType"], &line["annotations"]["io.containerd.image.name"]),
        (&INDEX.into(), &"docker.io/library/multi:1".into())
    );
    let images = blob(&layout, line);
    assert_eq!(platforms(&images), ["amd64", "arm64"]);
    for (manifest, arch) in images["manifests"].as_array().unwrap().iter().zip(["amd64", "arm64"]) {
        let config = blob(&layout, &blob(&layout, manifest)["config"]);
        assert_eq!(config["architecture"], arch);
    }
    assert!(!layout.join("manifest.json").exists());
    // Whoever loads it has the one for his machine.
    other.load(&archive);
    assert_eq!(config(&other, "multi:1", "{{.Architecture}}"), "amd64");
    // What is said about them comes after them all.
    image(&kist, &["--platform", BOTH, "--provenance=true", "-o", &to], &dir);
    let layout = unpacked(&kist, &archive);
    assert_eq!(platforms(&blob(&layout, &index(&layout)["manifests"][0])), ["amd64", "arm64", "unknown", "unknown"]);
    // One alone is as it was, and Docker's own archives know no index.
    image(&kist, &["--platform", "linux/arm64", "-o", &to], &dir);
    let layout = unpacked(&kist, &archive);
    assert_eq!(index(&layout)["manifests"][0]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let to = format!("type=docker,dest={}", archive.display());
    let refused = build(&kist, &["--platform", BOTH, "-o", &to], &dir);
    assert!(
        refused.code == 1 && refused.stderr.contains("exporter does not currently support exporting manifest lists")
    );
}

#[test]
fn several_platforms_are_pushed_as_one_index() {
    let (kist, registry) = (on_this_computer(), testkit::Registry::start());
    let (dir, name) = (two_platforms(&kist), registry.name("app:1"));
    let meta = kist.scratch().join("meta");
    let flags = ["--platform", BOTH, "--push", "-t", &name, "--metadata-file", meta.to_str().unwrap()];
    let out = build(&kist, &flags, &dir);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let (media_type, pushed) = registry.manifest("app", "1").unwrap();
    assert_eq!((media_type.as_str(), platforms(&json(&pushed))), (INDEX, vec!["amd64", "arm64"]));
    for manifest in json(&pushed)["manifests"].as_array().unwrap() {
        assert!(registry.manifest("app", manifest["digest"].as_str().unwrap()).is_some());
    }
    let digest = json(&fs::read(meta).unwrap())["containerimage.digest"].as_str().unwrap().to_owned();
    assert_eq!(registry.manifest("app", &digest).unwrap().1, pushed);
    // Again with what is said about them, and the same comes back for each machine.
    let out = build(&kist, &["--platform", BOTH, "--push", "-t", &name, "--sbom=true"], &dir);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let (_, pushed) = registry.manifest("app", "1").unwrap();
    assert_eq!(platforms(&json(&pushed)), ["amd64", "arm64", "unknown", "unknown"]);
    kist.ok(&["rmi", "-f", &name]);
    for arch in ["amd64", "arm64"] {
        kist.ok(&["pull", "-q", "--platform", &format!("linux/{arch}"), &name]);
        assert_eq!(config(&kist, &name, "{{.Architecture}}"), arch);
    }
}

#[test]
fn an_image_goes_into_a_layout_and_is_a_base_from_there() {
    let kist = busybox();
    let layout = kist.scratch().join("layout");
    let to = format!("type=oci,tar=false,dest={}", layout.display());
    image_of(&kist, &["-t", "first:1", "-o", &to], "FROM busybox\nENV WHICH=first\nRUN echo 1 > /f\n");
    image_of(&kist, &["-t", "second:2", "-o", &to], "FROM busybox\nENV WHICH=second\nRUN echo 2 > /f\n");
    let top = index(&layout);
    let lines = top["manifests"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{top}");
    assert!(layout.join("oci-layout").exists());
    let from = |address: &str| {
        let context = format!("base=oci-layout://{}{address}", layout.display());
        let text = "FROM base\nCOPY --from=base /f /copied\nRUN echo $WHICH >> /copied\n";
        image_of(&kist, &["-t", "x", "--build-context", &context], text);
        within(&kist, "x", "cat /copied")
    };
    assert_eq!(from(":1"), "1\nfirst");
    assert_eq!(from(":2"), "2\nsecond");
    assert_eq!(from(&format!("@{}", lines[0]["digest"].as_str().unwrap())), "1\nfirst");
    // Where it lies is nobody's business.
    let odd = kist.scratch().join("a:b@c");
    std::os::unix::fs::symlink(&layout, &odd).unwrap();
    let context = format!("base=oci-layout://{}:2", odd.display());
    assert_eq!(
        config(&kist, &image_of(&kist, &["--build-context", &context], "FROM base\n"), "{{json .Config.Env}}")
            .matches("second")
            .count(),
        1
    );
    // Another machine's store knows nothing of them yet.
    assert!(!kist.ok(&["images"]).contains("first"));
    let refused = |address: &str| {
        let context = format!("base=oci-layout://{}{address}", layout.display());
        let out = build_text(&kist, &["--build-context", &context], "FROM base\n");
        assert_eq!(out.code, 1, "{}", out.stderr);
        out.stderr
    };
    assert!(refused("").contains("could not be resolved: the archive lacks an image called latest"), "{}", refused(""));
    assert!(refused(&format!("@sha256:{}", "0".repeat(64))).contains("could not be resolved"));
    // What is not what its digest says is not taken.
    let damaged =
        blob(&layout, &lines[0])["layers"].as_array().unwrap().last().unwrap()["digest"].as_str().unwrap().to_owned();
    let path = layout.join("blobs/sha256").join(damaged.trim_start_matches("sha256:"));
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1500;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let fresh = empty();
    let context = format!("base=oci-layout://{}:1", layout.display());
    let out = build_text(&fresh, &["--build-context", &context], "FROM base\n");
    assert_eq!(out.code, 1, "{}", out.stderr);
    assert_eq!(fresh.ok(&["images", "-aq"]), "");
}

#[test]
fn annotations_are_on_the_documents_they_name() {
    let (kist, registry) = (on_this_computer(), testkit::Registry::start());
    let (dir, name) = (two_platforms(&kist), registry.name("app:1"));
    let asked = [
        "--annotation",
        "org.a=all",
        "--annotation",
        "manifest[linux/arm64],index:org.a=special",
        "--annotation",
        "manifest-descriptor:org.b=listed",
        "--annotation",
        "index-descriptor:org.c=top",
    ];
    let out = build(&kist, &[&["--platform", BOTH, "--push", "-t", &name], &asked[..]].concat(), &dir);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let pushed = json(&registry.manifest("app", "1").unwrap().1);
    assert_eq!(pushed["annotations"]["org.a"], "special");
    for (manifest, value) in pushed["manifests"].as_array().unwrap().iter().zip(["all", "special"]) {
        assert_eq!(manifest["annotations"]["org.b"], "listed");
        let manifest = json(&registry.manifest("app", manifest["digest"].as_str().unwrap()).unwrap().1);
        assert_eq!(manifest["annotations"]["org.a"], value);
    }
    let layout = kist.scratch().join("layout");
    let to = format!("type=oci,tar=false,dest={},annotation.org.d=own", layout.display());
    image(&kist, &[&["--platform", BOTH, "-o", &to], &asked[..]].concat(), &dir);
    let top = index(&layout);
    assert_eq!(top["manifests"][0]["annotations"]["org.c"], "top");
    let images = blob(&layout, &top["manifests"][0]);
    assert_eq!(images["annotations"]["org.a"], "special");
    assert_eq!(blob(&layout, &images["manifests"][0])["annotations"].to_string(), r#"{"org.a":"all","org.d":"own"}"#);
    // An image alone has no index.
    let refused = build(&kist, &["--platform", "linux/arm64", "-o", &to, "--annotation", "index:a=b"], &dir);
    assert!(
        refused.stderr.contains("index annotations not supported for single platform export"),
        "{}",
        refused.stderr
    );
    let refused = build(&kist, &["--annotation", "a", "-o", &to], &dir);
    assert_eq!((refused.code, refused.stderr.trim_end()), (1, r#"ERROR: invalid annotation "a", expected key=value"#));
}
