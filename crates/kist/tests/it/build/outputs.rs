//! Where results go.

use super::*;
use crate::on_this_computer;

const DOCKERFILE: &str = "FROM scratch\nCOPY a /dir/a\n";

#[test]
fn files_go_into_a_directory_over_what_is_there() {
    let kist = empty();
    let dir = context(
        &kist,
        "ctx",
        &[("Dockerfile", DOCKERFILE), ("a", "new"), ("out/dir/a", "old"), ("out/dir/b", "stays")],
    );
    let out = format!("{dir}/out");
    assert_eq!(image(&kist, &["-o", &out], &dir), "");
    let read = |name: &str| std::fs::read_to_string(format!("{out}/{name}")).unwrap();
    assert_eq!((read("dir/a"), read("dir/b")), ("new".into(), "stays".into()));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "nothing else is left there");
    assert_eq!(kist.ok(&["images", "-q"]), "");
    // A link there is replaced, not followed.
    let outside = kist.scratch().write("outside", "untouched");
    std::fs::remove_file(format!("{out}/dir/a")).unwrap();
    std::os::unix::fs::symlink(&outside, format!("{out}/dir/a")).unwrap();
    image(&kist, &["-o", &format!("type=local,dest={out}")], &dir);
    assert_eq!((read("dir/a"), std::fs::read_to_string(outside).unwrap()), ("new".into(), "untouched".into()));
}

#[test]
fn a_tar_of_files_goes_to_standard_output() {
    let kist = empty();
    let dir = context(&kist, "ctx", &[("Dockerfile", DOCKERFILE), ("a", "new")]);
    let out = kist.command(&["build", "-q", "-o", "-", &dir]).output().unwrap();
    let path = kist.scratch().write("out.tar", out.stdout);
    let listed = std::process::Command::new("tar").arg("-tf").arg(path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "dir/\ndir/a\n");
}

#[test]
fn files_of_several_platforms_lie_apart_and_what_is_said_of_them_beside_them() {
    let kist = empty();
    let dir = context(&kist, "ctx", &[("Dockerfile", DOCKERFILE), ("a", "new")]);
    let platforms = "--platform=linux/amd64,linux/arm64";
    let out = kist.command(&["build", "-q", platforms, "-o", "-", &dir]).output().unwrap();
    let path = kist.scratch().write("out.tar", out.stdout);
    let listed = std::process::Command::new("tar").arg("-tf").arg(path).output().unwrap();
    let names = String::from_utf8_lossy(&listed.stdout);
    assert!(names.contains("linux_amd64/dir/a\n") && names.contains("linux_arm64/dir/a\n"), "{names}");
    // A link there is replaced, not followed.
    let outside = kist.scratch().write("outside", "untouched");
    std::fs::create_dir(format!("{dir}/together")).unwrap();
    std::os::unix::fs::symlink(&outside, format!("{dir}/together/provenance.linux_arm64.json")).unwrap();
    let to = |place: &str, more: &str| {
        let out = format!("{dir}/{place}");
        image(&kist, &[platforms, "--provenance=true", "-o", &format!("type=local,dest={out}{more}")], &dir);
        move |name: &str| std::fs::metadata(format!("{out}/{name}")).is_ok_and(|found| found.is_file())
    };
    let (apart, together) = (to("apart", ""), to("together", ",platform-split=false"));
    assert!(apart("linux_arm64/dir/a") && apart("linux_amd64/provenance.json"));
    let text = std::fs::read(format!("{dir}/apart/linux_amd64/provenance.json")).unwrap();
    let statement: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(statement["subject"][0]["name"], "dir/a");
    let sum = std::process::Command::new("sha256sum").arg(format!("{dir}/a")).output().unwrap();
    let sum = String::from_utf8_lossy(&sum.stdout);
    assert_eq!(statement["subject"][0]["digest"]["sha256"].as_str(), sum.split(' ').next());
    assert!(statement["predicateType"].as_str().unwrap().starts_with("https://slsa.dev/provenance/"));
    assert!(statement["predicate"].is_object());
    // So they do in a tar, which is the same each time.
    let sent = |flags: &[&str]| {
        let words = [&["build", "-q", "--provenance=true", "--sbom=true", "-o", "-"], flags, &[&dir]].concat();
        kist.command(&words).output().unwrap().stdout
    };
    let both = sent(&[platforms]);
    assert!(both == sent(&[platforms]));
    let unpack = |tar: Vec<u8>| {
        let (path, into) = (kist.scratch().write("said.tar", tar), kist.scratch().join("said"));
        std::fs::create_dir_all(&into).unwrap();
        let done = std::process::Command::new("tar").arg("-xf").arg(path).arg("-C").arg(&into).status().unwrap();
        assert!(done.success());
        into
    };
    let into = unpack(both);
    assert!(std::fs::read(into.join("linux_amd64/provenance.json")).unwrap() == text);
    assert!(into.join("linux_arm64/sbom.spdx.json").is_file() && into.join("linux_arm64/dir/a").is_file());
    let into = unpack(sent(&["--platform", "linux/amd64"]));
    let alone: serde_json::Value =
        serde_json::from_slice(&std::fs::read(into.join("provenance.json")).unwrap()).unwrap();
    assert_eq!(alone["subject"], statement["subject"]);
    assert!(together("dir/a") && together("provenance.linux_arm64.json"));
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "untouched");
}

#[test]
fn an_archive_is_an_image_elsewhere() {
    let (one, two) = (busybox(), empty());
    let path = one.scratch().join("image.tar");
    let to = format!("type=docker,dest={}", path.display());
    image_of(&one, &["-t", "moved:1", "-o", &to], "FROM busybox\nRUN echo moved > /f\n");
    assert!(!one.ok(&["images"]).contains("moved"));
    two.load(&path);
    assert_eq!(within(&two, "moved:1", "cat /f"), "moved");
    let to = format!("type=oci,dest={}", path.display());
    image_of(&one, &["-o", &to], "FROM busybox\nRUN echo moved > /f\n");
    assert!(two.load(&path).contains("Loaded image"));
}

#[test]
fn a_push_follows_the_build() {
    let (kist, registry) = (on_this_computer(), testkit::Registry::start());
    let dir = context(&kist, "ctx", &[("Dockerfile", DOCKERFILE), ("a", "pushed")]);
    let name = format!("{}/team/app:1", registry.address());
    let out = build(&kist, &["--push", "-t", &name], &dir);
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert!(out.stderr.contains(&format!("pushing manifest for {name}@sha256:")), "{}", out.stderr);
    kist.ok(&["rmi", &name]);
    kist.ok(&["pull", "-q", &name]);
}

#[test]
fn files_say_what_was_built() {
    let kist = empty();
    let dir = context(&kist, "ctx", &[("Dockerfile", DOCKERFILE), ("a", "new")]);
    let (iid, meta) = (kist.scratch().join("iid"), kist.scratch().join("meta"));
    let flags = ["-t", "x:1", "--iidfile", iid.to_str().unwrap(), "--metadata-file", meta.to_str().unwrap()];
    let id = image(&kist, &flags, &dir);
    assert_eq!(std::fs::read_to_string(&iid).unwrap(), id);
    let meta: serde_json::Value = serde_json::from_slice(&std::fs::read(meta).unwrap()).unwrap();
    assert_eq!(meta["containerimage.config.digest"], id);
    assert_eq!(meta["image.name"], "docker.io/library/x:1");
    // A build that fails leaves no old word behind.
    let failed = build_text(&kist, &["--iidfile", iid.to_str().unwrap()], "FROM\n");
    assert!(failed.code == 1 && !iid.exists());
}

#[test]
fn a_name_moves_to_the_new_image() {
    let kist = busybox();
    let first = image_of(&kist, &["-t", "x"], "FROM busybox\nENV A=1\n");
    let second = image_of(&kist, &["-t", "x"], "FROM busybox\nENV A=2\n");
    assert_ne!(first, second);
    assert_eq!(config(&kist, "x", "{{.Id}}"), second);
    let events = std::fs::read_to_string(kist.root().join("events.log")).unwrap();
    assert!(events.contains("\"Action\":\"tag\""), "{events}");
}
