//! `SOURCE_DATE_EPOCH`: what it may name, and what says that files have it. BuildKit's tests of the same name, with real servers.

use std::fs;

use serde_json::Value;
use testkit::Bend;

use super::packed::{blob, index, unpacked};
use super::*;
use crate::{busybox_on_this_computer, empty};

const REWRITTEN: &str = "buildkit/rewritten-timestamp";
/// Of the newest file of each archive here.
const NEWEST: &str = "1700000302";

/// What came of a build that left as an archive: the annotations of its layers, its config, and its last layer.
struct Left {
    rewritten: Vec<Option<String>>,
    created: String,
    layer: Vec<u8>,
}

fn leave(kist: &Kist, flags: &[&str], more: &str, dir: &str) -> Left {
    let archive = kist.scratch().join("o.tar");
    let to = format!("type=oci,dest={}{more}", archive.display());
    image(kist, &[&["--network", "none", "-o", &to], flags].concat(), dir);
    let layout = unpacked(kist, &archive);
    let manifest = blob(&layout, &index(&layout)["manifests"][0]);
    let layers = manifest["layers"].as_array().unwrap();
    let said = |layer: &Value| layer["annotations"][REWRITTEN].as_str().map(str::to_owned);
    let digest = layers.last().unwrap()["digest"].as_str().unwrap().trim_start_matches("sha256:");
    Left {
        rewritten: layers.iter().map(said).collect(),
        created: blob(&layout, &manifest["config"])["created"].as_str().unwrap().to_owned(),
        layer: fs::read(layout.join("blobs/sha256").join(digest)).unwrap(),
    }
}

/// A tar of these files, of which one is newer than all others.
fn archive(kist: &Kist, files: &[(&str, &str)]) -> Vec<u8> {
    let dir = context(kist, "archived", files);
    let (old, new) = (format!("--mtime=@{}", 1_700_000_000), format!("--mtime=@{NEWEST}"));
    let path = kist.scratch().join("archived.tar");
    for (how, time, name) in [("-cf", &old, "Dockerfile"), ("-rf", &new, "newest")] {
        let mut tar = std::process::Command::new("tar");
        assert!(tar.args(["-C", &dir, time, how]).arg(&path).arg(name).status().unwrap().success());
    }
    fs::read(path).unwrap()
}

const SHOWS: &str = "FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN echo -n \"($SOURCE_DATE_EPOCH)\" >/epoch\n";

#[test]
fn it_is_that_of_the_context_or_of_what_is_named() {
    let (kist, server) = (busybox_on_this_computer(), testkit::Registry::start());
    let digest = server.put_blob("x", archive(&kist, &[("Dockerfile", SHOWS), ("newest", "")]));
    let url = format!("http://{}/v2/x/blobs/{digest}", server.address());
    let check = |flags: &[&str], dir: &str, seconds: &str, created: &str| {
        let left = leave(&kist, flags, ",rewrite-timestamp=true", dir);
        assert_eq!(left.created, created);
        // The base image's layer is not ours.
        assert_eq!(left.rewritten, [None, Some(seconds.to_owned())]);
        assert!(String::from_utf8_lossy(&left.layer).contains(&format!("({seconds})")));
    };
    let by_context = ["--build-arg", "SOURCE_DATE_EPOCH=context"];
    check(&by_context, &url, NEWEST, "2023-11-14T22:18:22Z");
    let named = format!("ARG SOURCE_DATE_EPOCH=named\n{SHOWS}");
    let by_name = context(&kist, "by-name", &[("Dockerfile", &named)]);
    let flag = format!("Named={url}");
    check(&["--build-context", &flag], &by_name, NEWEST, "2023-11-14T22:18:22Z");
    let staged = format!("ARG URL={url}\nARG SOURCE_DATE_EPOCH=mine\nFROM scratch AS Mine\nADD $URL /\n{SHOWS}");
    let by_stage = context(&kist, "by-stage", &[("Dockerfile", &staged)]);
    check(&[], &by_stage, NEWEST, "2023-11-14T22:18:22Z");
    // Who builds is asked first, and the server's word goes before the archive's.
    check(&["--build-arg", "SOURCE_DATE_EPOCH=1600000000"], &by_stage, "1600000000", "2020-09-13T12:26:40Z");
    server.bend("GET", &digest, 99, Bend::Header("Last-Modified", "Tue, 14 Nov 2023 22:16:41 GMT".into()));
    for (flags, dir) in [(&by_context[..], &url), (&["--build-context", &flag], &by_name), (&[], &by_stage)] {
        check(flags, dir, "1700000201", "2023-11-14T22:16:41Z");
    }
}

#[test]
fn files_of_this_machine_and_what_says_nothing_leave_it_unset() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", SHOWS)]);
    let base = config(&kist, "busybox", "{{.Created}}");
    let asked = ["--build-arg", "SOURCE_DATE_EPOCH=context"];
    let left = leave(&kist, &asked, ",rewrite-timestamp=true", &dir);
    assert_eq!((left.rewritten, left.created), (vec![None, None], base));
    let stage = "ARG SOURCE_DATE_EPOCH=mine\nFROM scratch AS mine\nCOPY Dockerfile /\nFROM scratch\n";
    let refused = build_text(&kist, &[], stage);
    let why = "SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported copy instruction";
    assert!(refused.code == 1 && refused.stderr.contains(why), "{}", refused.stderr);
    let refused = build_text(&kist, &["--build-arg", "SOURCE_DATE_EPOCH=today"], "FROM scratch\n");
    assert!(refused.stderr.contains("invalid SOURCE_DATE_EPOCH: today"), "{}", refused.stderr);
}

#[test]
fn layers_say_that_they_have_it_where_that_is_asked_for() {
    let kist = empty();
    let text = "ARG SOURCE_DATE_EPOCH=1445412480\nFROM scratch\nCOPY Dockerfile .\n";
    let dir = context(&kist, "ctx", &[("Dockerfile", text)]);
    let said = |flags: &[&str], more: &str| leave(&kist, flags, more, &dir).rewritten;
    let some = |seconds: &str| vec![Some(seconds.to_owned())];
    assert_eq!(said(&[], ""), [None]);
    assert_eq!(said(&[], ",rewrite-timestamp=false"), [None]);
    assert_eq!(said(&[], ",rewrite-timestamp=true"), some("1445412480"));
    assert_eq!(said(&["--build-arg", "SOURCE_DATE_EPOCH=7"], ",rewrite-timestamp=true"), some("7"));
    assert_eq!(said(&[], ",rewrite-timestamp=true,source-date-epoch="), [None]);
    let refused = build(&kist, &["-o", "type=oci,dest=x,source-date-epoch=7"], &dir);
    assert!(refused.code == 1 && refused.stderr.contains("say --build-arg SOURCE_DATE_EPOCH=7"), "{}", refused.stderr);
    assert!(!kist.scratch().join("x").exists());
}

/// Web servers and browsers go by size and time.
#[test]
fn a_file_of_the_same_size_has_another_time_elsewhere_and_the_same_file_the_same() {
    let kist = busybox();
    let there = empty();
    let time = |flags: &[&str], content: &str, copy: &str| {
        let dir =
            context(&kist, "page", &[("Dockerfile", &format!("FROM busybox\n{copy}\n")), ("index.html", content)]);
        image(&kist, &[&["--network", "none", "-t", "page"], flags].concat(), &dir);
        let archive = kist.scratch().join("page.tar").display().to_string();
        kist.ok(&["save", "-o", &archive, "page"]);
        there.ok(&["load", "-q", "-i", &archive]);
        within(&there, "page", "stat -c %Y /www/index.html")
    };
    for copy in ["COPY index.html /www/", "COPY --link index.html /www/", "ADD . /www"] {
        let first = time(&[], "version 1", copy);
        assert_ne!(first, time(&[], "version 2", copy), "{copy}");
        assert_eq!(first, time(&[], "version 1", copy), "{copy}");
    }
    let said = |content: &str| time(&["--build-arg", "SOURCE_DATE_EPOCH=1000000000"], content, "COPY index.html /www/");
    assert_eq!(said("version 1"), said("version 2"), "who says a time has it");
}
