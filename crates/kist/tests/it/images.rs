//! Images come from archives, lie in the store, and go.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::{Compression, EntryType, Kist, Layer};

use crate::{background, busybox, empty, idle, sh};

fn small(name: &str) -> testkit::ImageBuilder {
    testkit::ImageBuilder::new().name(name).file("file", 0o644, format!("of {name}"))
}

fn images(kist: &Kist) -> String {
    kist.ok(&["images", "--format", "{{.Repository}}:{{.Tag}}"])
}

#[test]
fn archives_of_both_kinds_and_all_compressions_load_as_the_same_image() {
    let kist = empty();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let image = testkit::busybox().compression(compression);
        for archive in [image.docker_archive(), image.oci_archive()] {
            let path = kist.scratch().write("image.tar", archive);
            assert_eq!(kist.load(&path), "Loaded image: busybox:latest", "{compression:?}");
            assert_eq!(kist.ok(&["run", "--rm", "busybox", "echo", "runs"]), "runs");
            assert_eq!(kist.ok(&["inspect", "--format", "{{.Id}}", "busybox"]), image.id());
            kist.ok(&["rmi", "busybox"]);
        }
    }
}

#[test]
fn load_reads_standard_input_and_compressed_archives() {
    let kist = empty();
    let out = kist.run_with_input(&["load"], small("piped:1").docker_archive());
    assert_eq!((out.stdout.as_str(), out.code), ("Loaded image: piped:1\n", 0), "{}", out.stderr);
    let path = kist.scratch().write("image.tar", small("packed:1").docker_archive());
    for (program, suffix) in [("gzip", "gz"), ("xz", "xz")] {
        if !Command::new(program).arg("-kf").arg(&path).status().is_ok_and(|status| status.success()) {
            continue;
        }
        let packed = path.with_extension(format!("tar.{suffix}"));
        let out = kist.run(&["load", "-q", "-i", packed.to_str().unwrap()]);
        assert_eq!((out.stdout.as_str(), out.code), ("Loaded image: packed:1\n", 0), "{}", out.stderr);
    }
}

#[test]
fn an_image_without_a_name_is_known_by_its_id() {
    let kist = empty();
    let image = small("x").unnamed();
    assert_eq!(kist.load_image(&image), format!("Loaded image ID: {}", image.id()));
    assert_eq!(images(&kist), "<none>:<none>");
    assert_eq!(kist.ok(&["images", "-q"]), image.id()["sha256:".len()..][..12]);
}

#[test]
fn a_name_that_moves_leaves_the_old_image_without_one() {
    let kist = empty();
    let (old, new) = (small("app:1"), small("app:1").file("more", 0o644, "x"));
    kist.load_image(&old);
    let said = kist.load_image(&new);
    assert!(said.ends_with("Loaded image: app:1") && said.contains("renaming the old one"), "{said}");
    assert_eq!(kist.ok(&["images", "-q", "--no-trunc", "--filter", "dangling=true"]), old.id());
    assert_eq!(kist.ok(&["images", "-q", "--no-trunc", "app"]), new.id());
}

#[test]
fn save_and_load_keep_the_id_and_others_can_read_it() {
    let kist = busybox();
    let id = kist.ok(&["inspect", "--format", "{{.Id}}", "busybox"]);
    kist.ok(&["tag", "busybox", "second:name"]);
    let path = kist.scratch().join("saved.tar");
    let path = path.to_str().unwrap();
    kist.ok(&["save", "-o", path, "busybox", "second:name"]);
    let other = empty();
    let mut said: Vec<_> = other.load(Path::new(path)).lines().map(ToOwned::to_owned).collect();
    said.sort();
    assert_eq!(said, ["Loaded image: busybox:latest", "Loaded image: second:name"]);
    assert_eq!(other.ok(&["inspect", "--format", "{{.Id}}", "busybox"]), id);
    assert_eq!(other.ok(&["run", "--rm", "busybox", "echo", "runs"]), "runs");
    let listed = Command::new("tar").args(["-tf", path]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(
        ["manifest.json", "index.json", "oci-layout"].iter().all(|name| listed.lines().any(|line| line == *name)),
        "{listed}"
    );
}

#[test]
fn save_writes_to_a_pipe_and_not_to_a_terminal() {
    let kist = empty();
    kist.load_image(&small("x:1"));
    let mut command = kist.command(&["save", "x:1"]);
    let saved = command.output().unwrap().stdout;
    assert_eq!(empty().run_with_input(&["load"], saved).stdout, "Loaded image: x:1\n");
    let (shown, code) = kist.pty(&["save", "x:1"]).finish();
    assert!(code == 1 && shown.contains("cowardly refusing to save to a terminal"), "{shown}");
    assert!(kist.fails(&["save", "nothing"]).stderr.contains("No such image: nothing"));
}

#[test]
fn skopeo_and_kist_read_each_others_archives() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        testkit::skip!("skopeo is not installed");
    }
    let kist = busybox();
    let saved = kist.scratch().join("saved.tar");
    kist.ok(&["save", "-o", saved.to_str().unwrap(), "busybox"]);
    for (from, to) in [("docker-archive", "oci-archive"), ("oci-archive", "docker-archive")] {
        let copied = kist.scratch().join(format!("{to}.tar"));
        let args = ["--insecure-policy", "copy", "-q", "--tmpdir", kist.scratch().path().to_str().unwrap()]
            .map(ToOwned::to_owned);
        let ends = [format!("{from}:{}", saved.display()), format!("{to}:{}:copied:{to}", copied.display())];
        let out = Command::new("skopeo").args(args).args(ends).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let other = empty();
        let said = other.load(&copied);
        assert!(said.starts_with("Loaded image: "), "{said}");
        let name = said.trim_start_matches("Loaded image: ").to_owned();
        assert_eq!(other.ok(&["run", "--rm", &name, "echo", "runs"]), "runs");
    }
}

#[test]
fn import_makes_an_image_of_a_tree() {
    let kist = empty();
    let tar = Layer::new().dir("bin/", 0o755).file("bin/busybox", 0o755, fs::read("/bin/busybox").unwrap()).tar();
    let path = kist.scratch().write("tree.tar", tar);
    let changes = [
        "-c",
        "ENTRYPOINT [\"/bin/busybox\"]",
        "-c",
        "CMD [\"echo\", \"imported\"]",
        "-c",
        "ENV A=1",
        "--change",
        "LABEL x=y",
        "-c",
        "WORKDIR /bin",
        "-c",
        "USER 12",
    ];
    let id = kist.ok(&[&["import"], &changes[..], &["-m", "by hand", path.to_str().unwrap(), "mine:1"]].concat());
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    assert_eq!(kist.ok(&["run", "--rm", "mine:1"]), "imported");
    assert_eq!(kist.ok(&["run", "--rm", "mine:1", "sh", "-c", "echo $A; pwd; id -u"]), "1\n/bin\n12");
    assert_eq!(kist.ok(&["inspect", "--format", "{{.Config.Labels.x}}", "mine:1"]), "y");
    assert!(kist.ok(&["history", "mine:1"]).contains("by hand"));
    let piped = kist.run_with_input(&["import", "-", "piped"], fs::read(&path).unwrap());
    assert_eq!(piped.code, 0, "{}", piped.stderr);
    assert_eq!(kist.run(&["import", "-c", "RUN x", path.to_str().unwrap()]).code, 1);
}

#[test]
fn tags_are_names_of_the_same_image() {
    let kist = empty();
    kist.load_image(&small("one:1"));
    kist.ok(&["tag", "one:1", "two"]);
    kist.ok(&["image", "tag", "one:1", "host.example:5000/deep/path:v2"]);
    assert_eq!(images(&kist).lines().count(), 3);
    let ids = kist.ok(&["images", "-q"]);
    assert!(ids.lines().all(|id| id == ids.lines().next().unwrap()));
    assert_eq!(kist.ok(&["rmi", "two"]), "Untagged: two:latest");
    assert!(kist.fails(&["tag", "nothing", "x"]).stderr.contains("No such image: nothing:latest"));
    assert!(kist.fails(&["tag", "one:1", "UPPER"]).stderr.contains("must be lowercase"));
}

#[test]
fn rmi_tells_what_goes_and_frees_it() {
    let kist = empty();
    let image = small("gone:1");
    kist.load_image(&image);
    let said = kist.ok(&["rmi", "gone:1"]);
    assert!(said.starts_with(&format!("Untagged: gone:1\nDeleted: {}\nDeleted: sha256:", image.id())), "{said}");
    for dir in ["blobs/sha256", "snapshots", "images/names"] {
        assert_eq!(fs::read_dir(kist.root().join(dir)).unwrap().count(), 0, "{dir}");
    }
}

#[test]
fn an_image_in_use_is_kept() {
    let kist = busybox();
    let id = kist.ok(&["inspect", "--format", "{{.Id}}", "busybox"]);
    let stopped = kist.ok(&["create", "--name", "box", "busybox"]);
    let out = kist.fails(&["rmi", "busybox"]);
    let want = format!(
        "Error response from daemon: conflict: unable to delete busybox:latest (must be forced) - container {} is using its referenced image {}",
        &stopped[..12],
        &id["sha256:".len()..][..12]
    );
    let legacy = want.replace(
        "unable to delete busybox:latest (must be forced)",
        "unable to remove repository reference \"busybox\" (must force)",
    );
    assert!([want.as_str(), legacy.as_str()].contains(&out.stderr.lines().next().unwrap()), "{}", out.stderr);
    let running = idle(&kist, "");
    let out = kist.fails(&["rmi", "-f", &id]);
    assert!(
        out.stderr
            .contains(&format!("(cannot be forced) - image is being used by running container {}", &running[..12])),
        "{}",
        out.stderr
    );
    kist.ok(&["rm", "-f", &running]);
    kist.ok(&["rmi", "-f", "busybox"]);
    assert_eq!(kist.run(&["start", "-a", "box"]).code, 0, "a container outlives the name of its image");
}

#[test]
fn rmi_of_what_is_not_there() {
    let kist = empty();
    let out = kist.run(&["rmi", "nothing"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.starts_with("Error response from daemon: No such image: nothing:latest"), "{}", out.stderr);
    let out = kist.run(&["rmi", "-f", "nothing"]);
    assert!(out.code == 0 && out.stderr.contains("No such image: nothing:latest"), "{}", out.stderr);
}

#[test]
fn shared_layers_are_stored_once_and_stay_while_they_are_used() {
    let kist = empty();
    let base = testkit::busybox().name("base");
    kist.load_image(&base);
    kist.load_image(&base.clone().name("top").file("more", 0o644, "x"));
    assert_eq!(fs::read_dir(kist.root().join("snapshots")).unwrap().count(), 2);
    kist.ok(&["rmi", "base"]);
    assert_eq!(kist.ok(&["run", "--rm", "top", "cat", "/more"]), "x");
    kist.ok(&["rmi", "top:latest"]);
    assert!(fs::read_dir(kist.root().join("snapshots")).unwrap().count() <= 2);
    kist.ok(&["image", "prune", "-a", "-f"]);
    assert_eq!(fs::read_dir(kist.root().join("snapshots")).unwrap().count(), 0);
}

#[test]
fn prune_takes_what_nothing_uses() {
    let kist = busybox();
    kist.load_image(&small("app:1"));
    kist.load_image(&small("app:1").file("more", 0o644, "x"));
    kist.ok(&["create", "busybox"]);
    assert!(kist.ok(&["image", "prune", "-f"]).contains("Total reclaimed space: "));
    assert_eq!(kist.ok(&["images", "-aq"]).lines().count(), 2);
    let out = kist.ok(&["image", "prune", "-a", "-f"]);
    assert!(out.contains("Untagged: app:1") || out.contains("untagged: app:1"), "{out}");
    assert_eq!(images(&kist), "busybox:latest");
    let asked = kist.run_with_input(&["image", "prune", "-a"], "n\n");
    assert!(asked.stdout.contains("Are you sure you want to continue? [y/N]"), "{}", asked.stdout);
    assert_eq!(images(&kist), "busybox:latest");
}

#[test]
fn images_and_history_are_dockers_tables() {
    let kist = empty();
    kist.load_image(&small("app:1").config("Cmd", json!(["x"])));
    expect_test::expect![[r#"
        REPOSITORY   TAG   IMAGE ID   CREATED   SIZE
        app   1   <id>   10 months ago   8B
    "#]]
    .assert_eq(&kist.run(&["images"]).scrubbed());
    expect_test::expect![[r#"
        IMAGE   CREATED   CREATED BY   SIZE   COMMENT
        <id>   10 months ago   testkit layer 0   8B
    "#]]
    .assert_eq(&kist.run(&["history", "app:1"]).scrubbed());
    let json: Value = serde_json::from_str(&kist.ok(&["image", "inspect", "app:1"])).unwrap();
    assert_eq!(json[0]["RepoTags"], json!(["app:1"]));
    assert_eq!((&json[0]["Os"], &json[0]["Config"]["Cmd"]), (&json!("linux"), &json!(["x"])));
}

#[test]
fn the_platform_that_is_asked_for_must_be_the_images() {
    let kist = busybox();
    let here = kist.ok(&["image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", "busybox"]);
    assert!(kist.ok(&["history", "--platform", &here, "busybox"]).starts_with("IMAGE"));
    for verb in [&["history"][..], &["save", "-o", "/dev/null"], &["rmi"]] {
        let refused = kist.fails(&[verb, &["--platform", "linux/s390x", "busybox"]].concat());
        assert!(refused.stderr.contains("does not match the specified platform (linux/s390x)"), "{}", refused.stderr);
    }
    kist.ok(&["rmi", "--platform", &here, "busybox"]);
}

#[test]
fn system_df_says_what_du_says() {
    let kist = busybox();
    background(&kist, "--name box", "dd if=/dev/zero of=/big bs=100k count=30 2>/dev/null");
    kist.ok(&["wait", "box"]);
    let used = |dir: &str| {
        let out = Command::new("du").args(["-s", "-B1"]).arg(kist.root().join(dir)).output().unwrap();
        String::from_utf8(out.stdout).unwrap().split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    let rows = kist.ok(&["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Size}}"]);
    let size = |kind: &str| {
        let line = rows.lines().find(|line| line.starts_with(kind)).unwrap();
        let text = line.rsplit('|').next().unwrap();
        let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let unit = match &text[at..] {
            "B" => 1.0,
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            other => panic!("{other}"),
        };
        text[..at].parse::<f64>().unwrap() * unit
    };
    let images = used("snapshots") + used("blobs") + used("images");
    assert!((size("Images") / images - 1.0).abs() < 0.1, "{rows} against {images}");
    let containers = used("drafts") + used("containers");
    assert!((size("Containers") / containers - 1.0).abs() < 0.1, "{rows} against {containers}");
}

#[test]
fn check_finds_and_names_damage() {
    let kist = busybox();
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
    let snapshot = fs::read_dir(kist.root().join("snapshots")).unwrap().next().unwrap().unwrap().path();
    let file = find(&snapshot, "passwd").unwrap();
    let good = fs::read(&file).unwrap();
    fs::write(&file, "damaged").unwrap();
    let out = kist.fails(&["system", "check"]);
    assert!(out.stdout.contains("etc/passwd") || out.stdout.contains("passwd"), "{}", out.stdout);
    fs::write(&file, good).unwrap();
    let blob = fs::read_dir(kist.root().join("blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&blob).unwrap();
    fs::write(&blob, "damaged").unwrap();
    let name = blob.file_name().unwrap().to_str().unwrap();
    let out = kist.run(&["system", "check"]);
    assert!(out.code != 0 && out.stdout.contains(&name[..12]), "{}{}", out.stdout, out.stderr);
    fs::write(&blob, good).unwrap();
}

fn find(dir: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(dir).ok()?.flatten().find_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => find(&entry.path(), name),
        Ok(_) if entry.file_name() == name => Some(entry.path()),
        _ => None,
    })
}

/// An archive that must be refused, with nothing of it left and nothing written where it aimed.
#[track_caller]
fn refused(archive: impl AsRef<[u8]>) -> String {
    let kist = empty();
    let path = kist.scratch().write("image.tar", archive);
    let out = kist.run(&["load", "-i", path.to_str().unwrap()]);
    assert_eq!(out.code, 1, "{}{}", out.stdout, out.stderr);
    nothing_of_it(&kist);
    out.stderr
}

#[track_caller]
fn nothing_of_it(kist: &Kist) {
    assert!(!kist.scratch().join("escaped").exists() && !Path::new("/escaped").exists());
    assert_eq!(kist.ok(&["images", "-aq"]), "");
    for dir in ["blobs/sha256", "snapshots", "drafts", "limbo"] {
        let left: Vec<_> =
            fs::read_dir(kist.root().join(dir)).into_iter().flatten().flatten().map(|e| e.path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn names_that_climb_never_write_outside() {
    for name in ["../escaped", "../../../../../../../escaped", "a/../../../escaped", "/../escaped", "./../escaped"] {
        let said = refused(small("x").layer(Layer::new().file(name, 0o644, "x")).docker_archive());
        assert!(said.contains("escaped"), "{said}");
    }
}

#[test]
fn an_absolute_name_lands_inside() {
    let kist = empty();
    kist.load_image(&testkit::busybox().layer(Layer::new().file("/escaped", 0o644, "inside")));
    assert!(!Path::new("/escaped").exists());
    assert_eq!(kist.ok(&["run", "--rm", "busybox", "cat", "/escaped"]), "inside");
}

#[test]
fn links_out_of_the_root_are_not_walked() {
    for target in ["..", "/", "../../../../..", "/proc/self/root"] {
        let layer = Layer::new().symlink("link", target).file("link/escaped", 0o644, "x");
        let kist = empty();
        let path = kist.scratch().write("image.tar", testkit::busybox().layer(layer).docker_archive());
        kist.run(&["load", "-i", path.to_str().unwrap()]);
        assert!(!Path::new("/escaped").exists() && !kist.root().join("snapshots/escaped").exists(), "{target}");
    }
    let kist = empty();
    let secret = kist.scratch().write("secret", "s");
    let through =
        Layer::new().symlink("link", kist.scratch().path().to_str().unwrap()).hardlink("stolen", "link/secret");
    let path = kist.scratch().write("image.tar", testkit::busybox().layer(through).docker_archive());
    kist.run(&["load", "-i", path.to_str().unwrap()]);
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&fs::metadata(&secret).unwrap()), 1);
}

#[test]
fn a_hard_link_out_of_the_layer_is_refused() {
    for target in ["../../../../../etc/passwd", "nothing-like-it"] {
        let said = refused(small("x").layer(Layer::new().hardlink("stolen", target)).docker_archive());
        assert!(said.contains("stolen"), "{said}");
    }
}

#[test]
fn archives_that_lie_or_end_too_early_are_refused() {
    let good = small("x").docker_archive();
    refused(&good[..good.len() / 2]);
    refused(b"no archive at all");
    refused(b"");
    refused(Layer::new().file("manifest.json", 0o644, "{ not json").tar());
    refused(
        Layer::new()
            .file(
                "manifest.json",
                0o644,
                json!([{ "Config": "no.json", "RepoTags": ["x:1"], "Layers": [] }]).to_string(),
            )
            .tar(),
    );
    refused(
        Layer::new()
            .file(
                "manifest.json",
                0o644,
                json!([{ "Config": "../../etc/passwd", "RepoTags": ["x:1"], "Layers": ["/etc/passwd"] }]).to_string(),
            )
            .tar(),
    );
}

#[test]
fn a_blob_that_is_not_what_its_digest_says_is_refused() {
    let (manifest, blobs) = small("x").oci_manifest();
    let digest = |bytes: &[u8]| {
        let out = Command::new("sh")
            .args(["-c", "printf %s \"$0\" | sha256sum", &String::from_utf8_lossy(bytes)])
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout)[..64].to_owned()
    };
    let index = json!({ "schemaVersion": 2, "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": format!("sha256:{}", digest(&manifest)), "size": manifest.len() }] });
    let mut archive = Layer::new().file("oci-layout", 0o644, r#"{"imageLayoutVersion":"1.0.0"}"#).file(
        "index.json",
        0o644,
        index.to_string(),
    );
    archive = archive.file(&format!("blobs/sha256/{}", digest(&manifest)), 0o644, &manifest);
    for (name, mut bytes) in blobs {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        archive = archive.file(&name.replace("sha256:", "blobs/sha256/"), 0o644, bytes);
    }
    refused(archive.tar());
}

#[test]
fn odd_files_of_an_image_are_kept() {
    let kist = empty();
    let layer = Layer::new()
        .entry("pipe", "", &[], |header| header.set_entry_type(EntryType::Fifo))
        .entry("null", "", &[], |header| {
            header.set_entry_type(EntryType::Char);
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        })
        .xattrs(&[
            ("user.colour", b"blue"),
            (
                "security.capability",
                b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            ),
        ])
        .file("attributed", 0o755, "x")
        .file(&format!("{}name", "long/".repeat(60)), 0o644, "deep")
        .hardlink("twin", "attributed");
    kist.load_image(&testkit::busybox().layer(layer));
    let script = "ls -l /pipe /null | cut -c1; cat /long/long/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/name; echo; stat -c %h /twin";
    assert_eq!(sh(&kist, "", script), "c\np\ndeep\n2");
    let snapshots = kist.root().join("snapshots");
    let file = find(&snapshots, "attributed").unwrap();
    let mut value = [0; 64];
    let len = rustix::fs::getxattr(&file, "user.colour", &mut value).unwrap();
    assert_eq!(&value[..len], b"blue");
    assert_eq!(rustix::fs::getxattr(&file, "security.capability", &mut value).unwrap(), 20);
}

#[test]
fn whiteouts_and_opaque_directories_hide_what_is_below() {
    let kist = empty();
    let base = testkit::busybox().layer(
        Layer::new()
            .dir("d/", 0o755)
            .file("d/old", 0o644, "x")
            .file("gone", 0o644, "x")
            .dir("e/", 0o755)
            .file("e/f", 0o644, "x"),
    );
    let top = Layer::new().whiteout("gone").dir("d/", 0o755).opaque("d").file("d/new", 0o644, "y").whiteout("e");
    let again = Layer::new().file("gone", 0o644, "back");
    kist.load_image(&base.layer(top).layer(again));
    assert_eq!(sh(&kist, "", "ls /d; cat /gone; echo; ls -d /e 2>/dev/null || echo none"), "new\nback\nnone");
}

#[test]
fn two_processes_load_run_and_remove_at_once() {
    let kist = busybox();
    let path =
        kist.scratch().write("image.tar", testkit::busybox().name("shared").file("x", 0o644, "x").docker_archive());
    let path = path.to_str().unwrap();
    for _ in 0..6 {
        let running = [
            kist.spawn(&["load", "-i", path]),
            kist.spawn(&["run", "--rm", "busybox", "true"]),
            kist.spawn(&["load", "-i", path]),
            kist.spawn(&["rmi", "-f", "shared"]),
        ];
        let outs = running.map(testkit::Running::wait);
        for (n, out) in outs.iter().enumerate() {
            assert!(out.code == 0, "{n}: {}", out.stderr);
        }
    }
    kist.load(Path::new(path));
    assert_eq!(kist.ok(&["run", "--rm", "shared", "cat", "/x"]), "x");
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
}

#[test]
fn an_image_can_be_named_by_id_prefix_and_digest() {
    let kist = busybox();
    let id = kist.ok(&["inspect", "--format", "{{.Id}}", "busybox"]);
    for name in [&id[..], &id[7..], &id[7..19], "docker.io/library/busybox", "library/busybox:latest"] {
        assert_eq!(kist.ok(&["run", "--rm", name, "echo", "runs"]), "runs", "{name}");
    }
}
