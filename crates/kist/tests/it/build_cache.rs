//! Results of builds go to other machines and come from there: what is known there is not done again.

use std::fs;

use serde_json::Value;
use testkit::{Kist, Registry};

use crate::busybox_on_this_computer as with_busybox;

/// `/made` is another one each time the command runs.
const DOCKERFILE: &str = "FROM busybox AS build\nCOPY in /in\nRUN cat /in /proc/sys/kernel/random/uuid > /made\nRUN true\n\nFROM busybox\n\
                          RUN cat /proc/sys/kernel/random/uuid > /own\nCOPY --from=build /made /made\n";

fn context(kist: &Kist) -> String {
    kist.scratch().write("context/Dockerfile", DOCKERFILE);
    kist.scratch().write("context/in", "in");
    kist.scratch().join("context").display().to_string()
}

/// Builds, and answers the image and what was said meanwhile.
fn build(kist: &Kist, flags: &[&str]) -> (String, String) {
    let dir = context(kist);
    let out = kist.run(&[&["build", "--network=none", "--progress=plain", "-t", "app"], flags, &[&dir]].concat());
    assert!(out.code == 0, "{}", out.stderr);
    (kist.ok(&["image", "inspect", "--format", "{{.Id}}", "app"]), out.stderr)
}

/// How many steps had to be done.
fn cached(said: &str) -> usize {
    said.lines().filter(|line| line.ends_with(" CACHED")).count()
}

#[test]
fn a_directory_takes_results_to_another_machine() {
    let (one, two, three) = (with_busybox(), with_busybox(), with_busybox());
    let dir = one.scratch().join("cache").display().to_string();
    let (to, from) = (format!("type=local,dest={dir},mode=max"), format!("type=local,src={dir}"));
    let (made, _) = build(&one, &["--cache-to", &to]);
    let (here, said) = build(&two, &["--cache-from", &from]);
    assert_eq!(here, made, "{said}");
    assert!(cached(&said) >= 4, "{said}");
    assert_ne!(build(&three, &[]).0, made);
    // Written again it is the same, and nothing lies about that is not needed.
    let count = || fs::read_dir(format!("{dir}/blobs/sha256")).unwrap().count();
    let before = (count(), fs::read(format!("{dir}/index.json")).unwrap());
    build(&one, &["--cache-to", &to]);
    assert_eq!((count(), fs::read(format!("{dir}/index.json")).unwrap()), before);
    let least = format!("type=local,dest={dir}");
    build(&one, &["--cache-to", &least]);
    assert!(count() < before.0, "only the result's layers are left");
    assert_eq!(two.ok(&["system", "check"]), "everything is as it should be");
}

#[test]
fn what_a_cache_only_names_is_made_when_it_is_needed() {
    let (one, two) = (with_busybox(), with_busybox());
    let dir = one.scratch().join("cache").display().to_string();
    let (to, from) = (format!("type=local,dest={dir}"), format!("type=local,src={dir}"));
    let (made, _) = build(&one, &["--cache-to", &to]);
    // Written again by who never had the layers it still names them.
    assert_eq!(build(&two, &["--cache-from", &from, "--cache-to", &to]).0, made);
    let three = with_busybox();
    assert_eq!(build(&three, &["--cache-from", &from]).0, made);
    // The stage itself, and a file of it that the cache has in no layer.
    let (stage, _) = build(&three, &["--cache-from", &from, "--target", "build"]);
    assert_eq!(three.run(&["run", "--rm", "--network=none", &stage, "head", "-c2", "/made"]).stdout, "in");
    let four = with_busybox();
    context(&four);
    four.scratch().write("context/Dockerfile", DOCKERFILE.replace("/made /made", "/in /made"));
    let [dir, out] = ["context", "out"].map(|name| four.scratch().join(name).display().to_string());
    four.ok(&["build", "--network=none", "-q", "--cache-from", &from, "-o", &out, &dir]);
    assert_eq!(fs::read_to_string(format!("{out}/made")).unwrap(), "in");
}

#[test]
fn a_registry_takes_results_to_another_machine() {
    let (one, two, registry) = (with_busybox(), with_busybox(), Registry::start());
    let name = registry.name("team/cache:main");
    let (to, from) = (format!("type=registry,ref={name},mode=max"), format!("type=registry,ref={name}"));
    let (made, said) = build(&one, &["--cache-to", &to, "--cache-from", &from]);
    assert!(said.contains("there is no build cache in"), "{said}");
    let (here, said) = build(&two, &["--cache-from", &from]);
    assert_eq!(here, made, "{said}");
    // What is known here needs nothing of it.
    registry.take_asked();
    build(&two, &["--cache-from", &from]);
    assert_eq!(registry.count("GET", "/blobs/"), 1, "the document alone");
    // It is no image, and says so.
    let refused = two.fails(&["pull", &name]).stderr;
    assert!(
        refused.contains("not a container image but an artifact of type application/vnd.kist.build-cache.v1+json"),
        "{refused}"
    );
}

#[test]
fn an_image_takes_its_own_results_along() {
    let (one, two, registry) = (with_busybox(), with_busybox(), Registry::start());
    let name = registry.name("team/app:1");
    let dir = context(&one);
    one.ok(&["build", "--network=none", "-q", "-t", &name, "--cache-to", "type=inline", "--push", &dir]);
    let layers = |kist: &Kist, name: &str| {
        let text = kist.ok(&["image", "inspect", "--format", "{{json .RootFS.Layers}}", name]);
        serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().clone()
    };
    let (_, said) = build(&two, &["--cache-from", &name]);
    // The other stage's layers are not in the image, and need not be.
    assert_eq!(layers(&two, "app"), layers(&one, &name), "{said}");
    // Who builds on it has not its results for their own.
    one.scratch().write("child/Dockerfile", format!("FROM {name}\nLABEL a=b\n"));
    one.ok(&["build", "--network=none", "-q", "-t", "child", &one.scratch().join("child").display().to_string()]);
    let saved = String::from_utf8_lossy(one.run(&["save", "child"]).stdout.as_bytes()).into_owned();
    assert!(!saved.contains("kist.build-cache.v1"));
}

#[test]
fn a_cache_that_lies_is_left_alone() {
    let (one, two) = (with_busybox(), with_busybox());
    let dir = one.scratch().join("cache").display().to_string();
    let (to, from) = (format!("type=local,dest={dir},mode=max"), format!("type=local,src={dir}"));
    build(&one, &["--cache-to", &to]);
    for entry in fs::read_dir(format!("{dir}/blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        // The layers, not the documents.
        if bytes.starts_with(&[0x1f, 0x8b]) {
            one.scratch().write("bad", "not a layer");
            fs::copy(one.scratch().join("bad"), &path).unwrap();
        }
    }
    let (_, said) = build(&two, &["--cache-from", &from]);
    assert!(said.contains("is left alone from here on"), "{said}");
    assert_eq!(two.ok(&["system", "check"]), "everything is as it should be");
    // Nor is one that is no cache at all, or is nowhere.
    one.scratch().write("cache/index.json", "{");
    let (_, said) = build(&two, &["--cache-from", &from, "--cache-from", "type=local,src=/nowhere/at/all"]);
    assert!(said.contains("reading the build cache in") && said.contains("there is no build cache in"), "{said}");
}

#[test]
fn what_only_others_have_is_refused() {
    let kist = with_busybox();
    let dir = context(&kist);
    for kind in ["gha", "s3", "azblob"] {
        for flag in ["--cache-to", "--cache-from"] {
            let said = kist.fails(&["build", flag, &format!("type={kind}"), &dir]).stderr;
            assert!(said.contains(&format!("{flag} type={kind} is not there in kist")), "{said}");
        }
    }
}
