//! What is said about images beside them: how they were made, and what is in them.

use std::fs;

use serde_json::Value;
use testkit::{Kist, Registry};

use crate::busybox_on_this_computer as with_busybox;

const DOCKERFILE: &str = "FROM busybox AS base\nARG WHO=nobody\nCOPY Cargo.lock /srv/Cargo.lock\nRUN echo $WHO > /who\n\nFROM base\nLABEL a=b\n";
const LOCK: &str = "[[package]]\nname = \"serde\"\nversion = \"1.0.200\"\n";

fn context(kist: &Kist) -> String {
    let dir = kist.scratch().join("context");
    kist.scratch().write("context/Dockerfile", DOCKERFILE);
    kist.scratch().write("context/Cargo.lock", LOCK);
    dir.display().to_string()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The statements beside the image under a tag, by what they are.
fn statements(registry: &Registry, repository: &str, tag: &str) -> Vec<(String, Value)> {
    let (media_type, index) = registry.manifest(repository, tag).unwrap();
    assert_eq!(media_type, "application/vnd.oci.image.index.v1+json");
    let index = json(&index);
    let [image, said] = index["manifests"].as_array().unwrap().as_slice() else { panic!("{index}") };
    assert_eq!(image["platform"]["os"], "linux");
    assert_eq!(said["platform"]["os"], "unknown");
    assert_eq!(said["annotations"]["vnd.docker.reference.type"], "attestation-manifest");
    assert_eq!(said["annotations"]["vnd.docker.reference.digest"], image["digest"]);
    let (_, manifest) = registry.manifest(repository, said["digest"].as_str().unwrap()).unwrap();
    let manifest = json(&manifest);
    assert_eq!(manifest["subject"]["digest"], image["digest"]);
    let layers = manifest["layers"].as_array().unwrap();
    let statement = |layer: &Value| {
        let url = format!("http://{}/v2/{repository}/blobs/{}", registry.address(), layer["digest"].as_str().unwrap());
        let got = std::process::Command::new("curl").args(["-sf", &url]).output().unwrap();
        let statement = json(&got.stdout);
        assert_eq!(statement["predicateType"], layer["annotations"]["in-toto.io/predicate-type"]);
        let digest = image["digest"].as_str().unwrap().trim_start_matches("sha256:");
        assert_eq!(statement["subject"][0]["digest"]["sha256"], digest);
        (statement["predicateType"].as_str().unwrap().to_owned(), statement["predicate"].clone())
    };
    layers.iter().map(statement).collect()
}

#[test]
fn a_pushed_image_says_how_it_was_made_and_what_is_in_it() {
    let (kist, registry) = (with_busybox(), Registry::start());
    let (dir, name) = (context(&kist), registry.name("app:1"));
    let plain = kist.ok(&["build", "--network=none", "-q", &dir]);
    let built = kist.ok(&[
        "build",
        "--network=none",
        "-q",
        "-t",
        &name,
        "--provenance=mode=max",
        "--sbom=true",
        "--build-arg",
        "WHO=me",
        "--build-arg",
        "WHO=nobody",
        &dir,
    ]);
    assert_eq!(built, plain, "nothing that is said changes the image");
    kist.ok(&["push", "-q", &name]);
    let said = statements(&registry, "app", "1");
    let kinds: Vec<&str> = said.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["https://spdx.dev/Document", "https://slsa.dev/provenance/v1"]);
    let packages = said[0].1["packages"].to_string();
    assert!(packages.contains("pkg:cargo/serde@1.0.200"), "{packages}");
    let made = &said[1].1;
    assert_eq!(made["buildDefinition"]["externalParameters"]["request"]["args"]["build-arg:WHO"], "nobody");
    let steps = made["buildDefinition"]["internalParameters"]["buildConfig"]["llbDefinition"].to_string();
    assert!(steps.contains("RUN echo nobody > /who"), "{steps}");
    assert!(made["runDetails"]["metadata"]["buildkit_metadata"]["layers"].as_object().unwrap().len() >= 2);
    let text = serde_json::to_string(&said.iter().map(|(_, said)| said).collect::<Vec<_>>()).unwrap();
    assert!(!text.contains(kist.scratch().path().to_str().unwrap()), "a path of the host is in it: {text}");
    // What was pushed can be pulled, and is the same image.
    kist.ok(&["rmi", "-f", &name]);
    kist.ok(&["pull", "-q", &name]);
    assert_eq!(kist.ok(&["image", "inspect", "--format", "{{.Id}}", &name]), built);
}

#[test]
fn the_same_build_says_the_same() {
    let (kist, registry) = (with_busybox(), Registry::start());
    let dir = context(&kist);
    let flags = ["--provenance=mode=min,version=v0.2", "--attest", "type=sbom"];
    for tag in ["1", "2"] {
        let name = registry.name("app:x");
        kist.ok(&[&["build", "--network=none", "-q", "--no-cache", "-t", &name], &flags[..], &[&dir]].concat());
        kist.ok(&["push", "-q", &name]);
        let (_, index) = registry.manifest("app", "x").unwrap();
        registry.put_manifest("app", tag, "application/vnd.oci.image.index.v1+json", index);
    }
    assert_eq!(registry.manifest("app", "1"), registry.manifest("app", "2"));
    let said = statements(&registry, "app", "1");
    assert_eq!(said[1].0, "https://slsa.dev/provenance/v0.2");
    let text = said[1].1.to_string();
    assert!(!text.contains("WHO") && !text.contains("llb"), "{text}");
}

#[test]
fn an_archive_has_them_and_the_last_build_counts() {
    let kist = with_busybox();
    let dir = context(&kist);
    let archive = kist.scratch().join("out.tar").display().to_string();
    let output = format!("type=oci,dest={archive}");
    kist.ok(&["build", "--network=none", "-q", "-t", "app", "--provenance=true", "-o", &output, &dir]);
    let text = String::from_utf8_lossy(&fs::read(&archive).unwrap()).into_owned();
    assert!(text.contains("https://slsa.dev/provenance/v1") && text.contains("attestation-manifest"));
    kist.ok(&["load", "-i", &archive]);
    kist.ok(&["build", "--network=none", "-q", "-t", "app", "--provenance=true", &dir]);
    let saved = |kist: &Kist| kist.run(&["save", "app"]).stdout;
    assert!(String::from_utf8_lossy(saved(&kist).as_bytes()).contains("https://slsa.dev/provenance/v1"));
    kist.ok(&["build", "--network=none", "-q", "-t", "app", &dir]);
    assert!(!String::from_utf8_lossy(saved(&kist).as_bytes()).contains("https://slsa.dev/provenance/v1"));
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
}

/// What a build of this Dockerfile says of itself.
fn provenance(kist: &Kist, dockerfile: &str, flags: &[&str]) -> Value {
    let dir = kist.scratch().join("said");
    kist.scratch().write("said/Dockerfile", dockerfile);
    let (dir, out) = (dir.display().to_string(), kist.scratch().join("out"));
    let dest = format!("type=local,dest={}", out.display());
    kist.ok(&[&["build", "-q", "--provenance=mode=max", "-o", &dest], flags, &[&dir]].concat());
    json(&fs::read(out.join("provenance.json")).unwrap())
}

/// The assertions of BuildKit's `dockerfile_provenance_test.go` that need neither LLB nor a daemon.
#[test]
fn provenance_is_in_buildkit_s_words() {
    let kist = with_busybox();
    let text = "FROM busybox\n\
        RUN --network=none --mount=type=secret,id=one --mount=type=secret,id=two --mount=type=secret,id=two,required=false --mount=type=ssh echo > /a\n\
        WORKDIR /tmp\n\
        COPY --from=busybox /bin/busybox /b\n";
    let said = provenance(&kist, text, &[]);
    let (made, ran) = (&said["buildDefinition"], &said["runDetails"]);
    assert_eq!(made["buildType"], "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md");
    assert_eq!(ran["builder"]["id"], "");
    let request = &made["externalParameters"]["request"];
    let optional = |id: &str| serde_json::json!({ "id": id, "optional": true });
    assert_eq!(request["secrets"], serde_json::json!([optional("one"), optional("two")]));
    assert_eq!(request["ssh"], serde_json::json!([optional("default")]));
    let base = &made["resolvedDependencies"];
    assert_eq!(base.as_array().unwrap().len(), 1, "{base}");
    let uri = base[0]["uri"].as_str().unwrap();
    assert!(uri.starts_with("pkg:docker/busybox@latest?platform=linux%2F"), "{uri}");
    assert_eq!(base[0]["digest"]["sha256"].as_str().unwrap().len(), 64);
    assert!(made["internalParameters"]["dockerfileVersion"].is_string());
    // Each step of the map of the source is one of the definition, and each line of the file is one of a step.
    let steps = made["internalParameters"]["buildConfig"]["llbDefinition"].as_array().unwrap();
    let ids: Vec<&str> = steps.iter().map(|step| step["id"].as_str().unwrap()).collect();
    let metadata = &ran["metadata"]["buildkit_metadata"];
    let mut lines = Vec::new();
    for (id, place) in metadata["source"]["locations"].as_object().unwrap() {
        assert!(ids.contains(&id.as_str()), "{id} is no step of {ids:?}");
        lines.push(place["locations"][0]["ranges"][0]["start"]["line"].as_u64().unwrap());
    }
    lines.sort_unstable();
    assert_eq!(lines, [1, 2, 3, 4]);
    // The last one does nothing, and names the result; the base's layers are told once.
    assert_eq!(steps.last().unwrap()["inputs"], serde_json::json!([format!("{}:0", ids[ids.len() - 2])]));
    assert_eq!(metadata["layers"]["step0:0"].as_array().unwrap().len(), 1);
    assert_eq!(metadata["layers"].as_object().unwrap().len(), 4);
}

#[test]
fn images_of_layouts_and_images_made_here_are_materials() {
    let kist = with_busybox();
    let layout = kist.scratch().join("layout").display().to_string();
    kist.scratch().write("base/Dockerfile", "FROM scratch\nCOPY <<E /foo\nfoo\nE\n");
    let base = kist.scratch().join("base").display().to_string();
    let output = format!("type=oci,tar=false,dest={layout}");
    kist.ok(&["build", "-q", "-t", "mine", "-o", &output, "-o", "type=image", &base]);
    let digest = json(&fs::read(format!("{layout}/index.json")).unwrap())["manifests"][0]["digest"].clone();
    let context = format!("foo=oci-layout://{layout}:mine@{}", digest.as_str().unwrap());
    let text = "FROM foo\nCOPY --from=mine /foo /bar\n";
    let said = provenance(&kist, text, &["--build-context", &context]);
    let found = said["buildDefinition"]["resolvedDependencies"].as_array().unwrap().clone();
    let told: Vec<(&str, String)> = found
        .iter()
        .map(|m| {
            (
                m["uri"].as_str().unwrap().split_once('?').unwrap().0,
                format!("sha256:{}", m["digest"]["sha256"].as_str().unwrap()),
            )
        })
        .collect();
    let digest = digest.as_str().unwrap().to_owned();
    assert_eq!(told, [("pkg:docker/mine@latest", digest.clone()), ("pkg:oci/foo", digest)]);
    assert!(!said.to_string().contains(&layout), "{said}");
}

#[test]
fn what_is_not_known_is_refused_before_the_build() {
    let kist = with_busybox();
    let dir = context(&kist);
    let refused = |flag: &str| kist.fails(&["build", flag, &dir]).stderr;
    assert!(refused("--sbom=generator=a/b").contains("the scanner image a/b cannot be used"));
    assert!(refused("--provenance=mode=some").contains("invalid mode \"some\""));
    assert!(refused("--attest=type=vuln").contains("unknown attestation type \"vuln\""));
}
