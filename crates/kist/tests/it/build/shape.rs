//! How images leave: packed with what is asked for, under whose types, and with which words; at once or later.

use std::fs;
use std::process::Command;

use serde_json::Value;
use testkit::ImageBuilder;

use super::packed::{blob, index, json, unpacked};
use super::*;
use crate::{empty, on_this_computer};

const TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

fn types(manifest: &Value) -> Vec<&str> {
    manifest["layers"].as_array().unwrap().iter().map(|layer| layer["mediaType"].as_str().unwrap()).collect()
}

#[test]
fn layers_of_archives_are_packed_as_asked() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nCOPY a /a\n"), ("a", &"text ".repeat(5000))]);
    let path = kist.scratch().join("o.tar");
    let write = |kind: &str, more: &str| {
        let to = format!("type={kind},dest={}{more}", path.display());
        image(&kist, &["-t", "packed:1", "-o", &to], &dir);
        unpacked(&kist, &path)
    };
    let packings = [
        ("gzip", "+gzip", &[0x1f, 0x8b][..]),
        ("gzip,compression-level=9", "+gzip", &[0x1f, 0x8b]),
        ("zstd,compression-level=19", "+zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
        ("uncompressed", "", &[]),
    ];
    for (packing, suffix, magic) in packings {
        for kind in ["oci", "docker"] {
            let layout = write(kind, &format!(",compression={packing}"));
            let manifest = blob(&layout, &index(&layout)["manifests"][0]);
            assert_eq!(types(&manifest), [format!("{TYPE}{suffix}").as_str(); 2]);
            let listed = json(&fs::read(layout.join("manifest.json")).unwrap());
            for (layer, name) in
                manifest["layers"].as_array().unwrap().iter().zip(listed[0]["Layers"].as_array().unwrap())
            {
                let digest = layer["digest"].as_str().unwrap().replace(':', "/");
                assert_eq!(name.as_str(), Some(format!("blobs/{digest}").as_str()));
                let bytes = fs::read(layout.join("blobs").join(digest)).unwrap();
                assert!(bytes.starts_with(magic) && bytes.len() as u64 == layer["size"].as_u64().unwrap(), "{packing}");
            }
            let other = empty();
            other.load(&path);
            assert_eq!(within(&other, "packed:1", "head -c 5 /a"), "text ");
            peers_read(&kist, kind, &path);
        }
    }
    // As long as nobody asks, nothing is packed.
    let layout = write("oci", "");
    assert_eq!(types(&blob(&layout, &index(&layout)["manifests"][0])), [TYPE; 2]);
    for (asked, why) in [
        ("compression=estargz", "compression=estargz is not there in kist"),
        ("compression=lz4", "unsupported compression type lz4"),
        ("compression=gzip,compression-level=10", "gzip has 0 to 9"),
        ("force-compression=maybe", "non-bool value maybe specified for force-compression"),
    ] {
        let refused =
            build(&kist, &["-o", &format!("type=oci,dest={}/never,{asked}", kist.scratch().path().display())], &dir);
        assert!(refused.code == 1 && refused.stderr.contains(why), "{}", refused.stderr);
    }
    assert!(!kist.scratch().join("never").exists());
}

/// skopeo reads all layers of it, where it is installed.
fn peers_read(kist: &Kist, kind: &str, path: &std::path::Path) {
    let to = kist.scratch().join("copied");
    let _ = fs::remove_dir_all(&to);
    let (from, to) = (format!("{kind}-archive:{}", path.display()), format!("oci:{}:x", to.display()));
    let Ok(out) = Command::new("skopeo").args(["--insecure-policy", "copy", "-q", &from, &to]).output() else { return };
    assert!(out.status.success(), "{from}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A registry with an image, and an engine that builds on it.
struct Site {
    kist: Kist,
    registry: testkit::Registry,
    dir: String,
}

impl Site {
    fn new() -> Site {
        let (kist, registry) = (on_this_computer(), testkit::Registry::start());
        let base = ImageBuilder::new().file("base", 0o644, "base").compression(testkit::Compression::Gzip);
        registry.put("base", "1", &base);
        let text = format!("FROM {}\nCOPY a /a\n", registry.name("base:1"));
        let dir = context(&kist, "ctx", &[("Dockerfile", &text), ("a", "mine")]);
        Site { kist, registry, dir }
    }

    fn build(&self, flags: &[&str]) {
        let out = build(&self.kist, flags, &self.dir);
        assert_eq!(out.code, 0, "{}", out.stderr);
    }

    fn manifest(&self, repository: &str) -> (String, Value) {
        let (media_type, bytes) = self.registry.manifest(repository, "1").unwrap();
        (media_type, json(&bytes))
    }
}

#[test]
fn layers_are_pushed_as_asked() {
    let site = Site::new();
    let push = |repository: &str, more: &str| {
        let to = format!("type=registry,name={},{more}", site.registry.name(&format!("{repository}:1")));
        site.build(&["-o", &to]);
        let manifest = site.manifest(repository).1;
        let suffix = |name: &str| name.trim_start_matches(TYPE).to_owned();
        let suffixes: Vec<String> = types(&manifest).into_iter().map(suffix).collect();
        suffixes.join(" ")
    };
    // What the registry has stays as it is, but where all is to be packed anew.
    assert_eq!(push("one", "compression=zstd"), "+gzip +zstd");
    assert_eq!(push("two", "compression=zstd,force-compression=true"), "+zstd +zstd");
    assert_eq!(push("three", "compression=uncompressed,force-compression=true"), " ");
    assert_eq!(push("four", "force-compression=true"), "+gzip +gzip");
    for repository in ["two", "three"] {
        let (other, name) = (on_this_computer(), site.registry.name(&format!("{repository}:1")));
        other.ok(&["pull", "-q", &name]);
        assert_eq!(other.ok(&["save", &name, "-o", other.scratch().join("s.tar").to_str().unwrap()]), "");
    }
}

#[test]
fn an_image_here_leaves_later_as_was_asked() {
    let site = Site::new();
    let name = site.registry.name("later:1");
    let to = format!("type=image,name={name},compression=zstd,force-compression=true,rewrite-timestamp=true");
    let words = ["--annotation", "org.a=b", "--build-arg", "SOURCE_DATE_EPOCH=5"];
    site.build(&[&["-o", &to], &words[..]].concat());
    site.kist.ok(&["push", "-q", &name]);
    let (_, pushed) = site.manifest("later");
    assert_eq!(
        (types(&pushed), &pushed["annotations"]["org.a"]),
        (vec!["application/vnd.oci.image.layer.v1.tar+zstd"; 2], &"b".into())
    );
    let rewritten = |at: usize| &pushed["layers"][at]["annotations"]["buildkit/rewritten-timestamp"];
    assert_eq!((rewritten(0), rewritten(1)), (&Value::Null, &"5".into()));
    // An archive has the same documents.
    let path = site.kist.scratch().join("s.tar");
    site.kist.ok(&["save", "-o", path.to_str().unwrap(), &name]);
    let layout = unpacked(&site.kist, &path);
    assert_eq!(blob(&layout, &index(&layout)["manifests"][0]), pushed);
    // The newest build's word counts.
    site.build(&["-t", &name, "--build-arg", "SOURCE_DATE_EPOCH=5"]);
    site.kist.ok(&["push", "-q", &name]);
    assert_eq!(site.manifest("later").1["annotations"], Value::Null);
}

#[test]
fn types_are_dockers_where_they_are_asked_for() {
    let site = Site::new();
    let name = site.registry.name("old:1");
    let to = format!("type=registry,name={name},oci-mediatypes=false");
    site.build(&["-o", &to]);
    let (media_type, manifest) = site.manifest("old");
    assert_eq!(media_type, "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.docker.container.image.v1+json");
    assert_eq!(types(&manifest), ["application/vnd.docker.image.rootfs.diff.tar.gzip"; 2]);
    on_this_computer().ok(&["pull", "-q", &name]);
    let both = context(&site.kist, "both", &[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")]);
    image(&site.kist, &["--platform", "linux/amd64,linux/arm64", "-o", &to], &both);
    assert_eq!(site.manifest("old").0, "application/vnd.docker.distribution.manifest.list.v2+json");
    for (flags, why) in [
        (["--provenance", "true"], "cannot export attestations with \"oci-mediatypes=false\""),
        (["--annotation", "manifest-descriptor:a=b"], "cannot export annotations with \"oci-mediatypes=false\""),
    ] {
        let refused = build(&site.kist, &[&["-o", &to], &flags[..]].concat(), &site.dir);
        assert!(refused.code == 1 && refused.stderr.contains(why), "{}", refused.stderr);
    }
}
