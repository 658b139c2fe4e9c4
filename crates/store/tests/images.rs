//! Images come, are named, go, and are written out again.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "tests plant damage and run other programs")]

use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use spec::digest::ImageId;
use spec::id::ContainerId;
use store::{Damage, Depth, LoadError, LoadEvent, Remove, RemoveError, Removed, ResolveError, Several, Store};
use testkit::{Compression, ImageBuilder, Layer, Root};

fn id(n: u8) -> ContainerId {
    ContainerId::from_bytes([n; 32])
}

fn load(store: &Store, archive: &[u8]) -> Vec<store::Loaded> {
    store.load(archive, &mut |_| {}).unwrap()
}

fn remove(store: &Store, name: &str, several: Several) -> Result<String, RemoveError> {
    let removed = store.remove(name, Remove { several, may_go: &mut |_| Ok(()) })?;
    let line = |removed: &Removed| match removed {
        Removed::Untagged(name) => format!("Untagged: {}\n", name.familiar()),
        Removed::Deleted(digest) => format!("Deleted: {digest}\n"),
    };
    Ok(removed.iter().map(line).collect())
}

/// An image whose text is the same on every machine.
fn image(name: &str) -> ImageBuilder {
    ImageBuilder::new().architecture("amd64").name(name).file("a", 0o644, "a").file("b", 0o644, "bb")
}

fn du(path: &Path) -> u64 {
    let out = Command::new("du").args(["-s", "--block-size=1"]).arg(path).output().unwrap();
    String::from_utf8(out.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// Every file of the store but the locks and what all containers share.
fn files(root: &Root) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![root.path().to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root.path()).unwrap().display().to_string());
            }
        }
    }
    found.retain(|path| !path.ends_with("lock") && !path.starts_with("skeleton/"));
    found.sort();
    found
}

#[test]
fn all_kinds_of_archive_give_the_same_image() {
    let root = Root::new();
    let want = image("x:1").id();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let image = image("x:1").compression(compression);
        let outer = zstd::encode_all(image.oci_archive().as_slice(), 1).unwrap();
        for archive in [image.docker_archive(), image.oci_archive(), outer] {
            let store = Store::open(&root.join(format!("{compression:?}"))).unwrap();
            let loaded = load(&store, &archive);
            assert_eq!(loaded[0].id.to_string(), want);
            assert_eq!(loaded[0].names[0].familiar(), "x:1");
            assert_eq!(store.resolve("x:1").unwrap().id.to_string(), want);
            assert_eq!(store.check(Depth::Layers).unwrap(), []);
        }
    }
}

#[test]
fn a_layer_is_unpacked_once() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    load(&store, &image("x:1").docker_archive());
    let mut events = Vec::new();
    store.load(image("y:1").docker_archive().as_slice(), &mut |event| events.push(event)).unwrap();
    assert!(events.iter().all(|event| matches!(event, LoadEvent::Present(_))), "{events:?}");
}

#[test]
fn an_image_answers_to_all_its_names() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let hex = load(&store, &image("x").docker_archive())[0].id.0.hex().to_owned();
    for name in ["x", "x:latest", "docker.io/library/x", &hex, &hex[..12], &hex[..1], &format!("sha256:{hex}")] {
        assert_eq!(store.resolve(name).unwrap().id.0.hex(), hex, "{name}");
    }
    let no = |name: &str| store.resolve(name).unwrap_err().to_string();
    assert_eq!(no("y"), "No such image: y:latest");
    assert_eq!(no("x:2"), "No such image: x:2");
    assert_eq!(no("0000"), "No such image: 0000:latest");
    let found = store.resolve("x").unwrap();
    assert_eq!(found.size_bytes, 3);
    let rows: Vec<_> = store.history(&found).unwrap().into_iter().map(|row| row.size_bytes).collect();
    assert_eq!(rows, [2, 1]);
    // Enough images that two begin alike.
    for n in 0..17 {
        load(&store, &image("z").file("n", 0o644, n.to_string()).docker_archive());
    }
    let ids: Vec<_> = store.images().unwrap().into_iter().map(|(image, _)| image.id.0.hex().to_owned()).collect();
    let twice = ids.iter().find(|a| ids.iter().filter(|b| a[..1] == b[..1]).count() > 1).unwrap();
    assert!(matches!(store.resolve(&twice[..1]), Err(ResolveError::Ambiguous(_))));
}

#[test]
fn removal_speaks_like_docker() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let first = load(&store, &image("x:1").name("x:2").docker_archive())[0].id.clone();
    // Shares its lower two layers.
    load(&store, &image("y:1").file("c", 0o644, "c").docker_archive());
    expect!["Untagged: x:2\n"].assert_eq(&remove(&store, "x:2", Several::Refuse).unwrap());
    store.tag(&first, &"z:1".parse().unwrap()).unwrap();
    let refused = remove(&store, first.short(), Several::Refuse).unwrap_err().to_string();
    expect!["conflict: unable to delete 0dc3c6e931bf (must be forced) - image is referenced in multiple repositories"]
        .assert_eq(&refused);
    check_lines(
        &remove(&store, first.short(), Several::Untag).unwrap(),
        &expect![[r#"
        Untagged: x:1
        Untagged: z:1
        Deleted: sha256:0dc3c6e931bfcdadab42656229655874990193ea2b47a06d7576219a33c41b7b
    "#]],
    );
    let lines = remove(&store, "y:1", Several::Refuse).unwrap();
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert_eq!(files(&root), [""; 0]);
}

fn check_lines(lines: &str, want: &Expect) {
    want.assert_eq(lines);
}

#[test]
fn what_is_in_use_stays() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    load(&store, &image("x:1").docker_archive());
    let refuse = Remove { several: Several::Untag, may_go: &mut |_: &ImageId| Err("conflict: used".to_owned()) };
    assert_eq!(store.remove("x:1", refuse).unwrap_err().to_string(), "conflict: used");
    let image = store.resolve("x:1").unwrap();
    store.draft(&id(1), Some(&image)).unwrap();
    // Forced: the container keeps its layers.
    let lines = remove(&store, "x:1", Several::Untag).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert_eq!(store.collect().unwrap().layers, []);
    assert!(store.mount(&id(1), store::Mount { id_maps: None }).is_ok());
    assert_eq!(store.draft(&id(2), Some(&image)).map_err(|e| e.to_string()), Ok(()));
    for n in [1, 2] {
        store.remove_draft(&id(n)).unwrap();
    }
    assert_eq!(store.collect().unwrap().layers.len(), 2);
    let gone = store.draft(&id(1), Some(&image)).unwrap_err().to_string();
    assert_eq!(gone, format!("No such image: {}", image.id));
    assert_eq!(files(&root), [""; 0]);
}

#[test]
fn saved_is_loaded_is_saved() {
    let root = Root::new();
    let (a, b) = (Store::open(&root.join("a")).unwrap(), Store::open(&root.join("b")).unwrap());
    load(&a, &testkit::busybox().name("other:2").compression(Compression::Gzip).docker_archive());
    let (mut first, mut second) = (Vec::new(), Vec::new());
    a.save(&["busybox", "other:2"], &mut first).unwrap();
    let loaded = load(&b, &first);
    assert_eq!(loaded[0].names.iter().map(|name| name.familiar()).collect::<Vec<_>>(), ["busybox:latest", "other:2"]);
    assert_eq!(loaded[0].id.to_string(), testkit::busybox().id());
    b.save(&["busybox", "other:2"], &mut second).unwrap();
    assert!(first == second, "saved differently");
    assert_eq!(b.check(Depth::Layers).unwrap(), []);
}

#[test]
fn images_that_are_one_for_several_platforms_are_behind_one_name() {
    let root = Root::new();
    let store = Store::open(&root.join("store")).unwrap();
    load(&store, &testkit::busybox().docker_archive());
    let image = store.resolve("busybox").unwrap();
    let arm = {
        let mut arm = image.clone();
        arm.config.architecture = "arm64".into();
        arm.config_bytes = serde_json::to_vec(&arm.config).unwrap();
        arm.id = spec::digest::ImageId(spec::digest::Digest::sha256(&arm.config_bytes));
        arm
    };
    let mut archive = Vec::new();
    let images = vec![(image, Vec::new()), (arm, Vec::new())];
    let saved = store::Saved { images, names: Vec::new(), form: Default::default() };
    store.save_these(&[saved], &mut archive).unwrap();
    let texts = String::from_utf8_lossy(&archive);
    let index = texts.split("index.json").nth(1).unwrap();
    assert_eq!(index[..1024].matches("image.index.v1+json").count(), 2, "an index of one index");
    assert_eq!(texts.matches(r#""platform":{"os":"linux","architecture":"#).count(), 2, "an entry for each platform");
}

#[test]
fn skopeo_reads_and_writes() {
    if !Path::new("/usr/bin/skopeo").exists() {
        testkit::skip!("skopeo is not installed");
    }
    let root = Root::new();
    let store = Store::open(&root.join("store")).unwrap();
    load(&store, &testkit::busybox().docker_archive());
    let ours = root.join("ours.tar");
    store.save(&["busybox:latest"], fs::File::create(&ours).unwrap()).unwrap();
    let skopeo = |args: &[&str]| {
        let out = Command::new("skopeo").args(["copy", "--insecure-policy"]).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    let ours = ours.display();
    let dir = root.path().display();
    for from in [format!("docker-archive:{ours}"), format!("oci-archive:{ours}")] {
        for to in ["docker-archive", "oci-archive"] {
            for format in ["gzip", "zstd"] {
                let path = format!("{dir}/{to}.{format}.tar");
                let _ = fs::remove_file(&path);
                let format: &[&str] = match to {
                    "oci-archive" => &["--dest-compress-format", format],
                    _ => &[],
                };
                let to = format!("{to}:{path}:busybox:theirs");
                skopeo(&[format, &[from.as_str(), to.as_str()]].concat());
                let other = Store::open(&root.join("other")).unwrap();
                let loaded = load(&other, &fs::read(&path).unwrap());
                assert_eq!(loaded[0].names[0].familiar(), "busybox:theirs", "{from} {to}");
                // Converted to another format the config may be written anew; the layers are the same.
                let found = other.resolve("busybox:theirs").unwrap();
                assert_eq!(found.chains, store.resolve("busybox").unwrap().chains);
            }
        }
    }
}

#[test]
fn a_tree_becomes_an_image() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let tar = Layer::new().file("hello", 0o755, "hi").tar();
    let id = store.import(tar.as_slice(), Default::default(), Some(&"mine".parse().unwrap())).unwrap();
    let image = store.resolve("mine").unwrap();
    assert_eq!((image.id, image.size_bytes), (id, 2));
    assert_eq!(image.config.os, "linux");
    assert_eq!(store.check(Depth::Layers).unwrap(), []);
}

fn refused(archive: &[u8]) -> String {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let error = store.load(archive, &mut |_| {}).unwrap_err();
    assert_eq!(files(&root), [""; 0], "{error}");
    assert_eq!(fs::read_dir(root.join("drafts")).unwrap().count(), 0, "{error}");
    report(&error)
}

fn report(error: &LoadError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[test]
fn what_is_no_image_is_refused() {
    expect!["the archive holds no image: it has neither manifest.json nor index.json"]
        .assert_eq(&refused(&Layer::new().file("a", 0o644, "a").tar()));
    expect!["the archive is not a tar, or a damaged one"]
        .assert_eq(&refused(b"not a tar at all, but long enough to look like one".repeat(20).as_slice()));
    expect!["the archive holds no image: it has neither manifest.json nor index.json"].assert_eq(&refused(b""));
    let item =
        |config: &str, layers: &str| format!(r#"[{{"Config":"{config}","RepoTags":["x:1"],"Layers":[{layers}]}}]"#);
    let archive = |manifest: String| Layer::new().file("manifest.json", 0o644, manifest);
    expect!["the archive lacks c.json"].assert_eq(&refused(&archive(item("c.json", "")).tar()));
    expect!["manifest.json is damaged: invalid type: map, expected a sequence at line 1 column 0"]
        .assert_eq(&refused(&archive("{".to_owned()).tar()));
    expect!["the archive lacks ../../../etc/passwd"]
        .assert_eq(&refused(&archive(item("../../../etc/passwd", "")).tar()));
    let config = r#"{"rootfs":{"type":"layers","diff_ids":[]}}"#;
    expect!["invalid manifest, layers length mismatch: expected 1, got 0"]
        .assert_eq(&refused(&archive(item("c.json", "\"l\"")).file("c.json", 0o644, config).tar()));
    let name = format!("{}.json", "0".repeat(64));
    expect!["0000000000000000000000000000000000000000000000000000000000000000.json should be sha256:0000000000000000000000000000000000000000000000000000000000000000 and is sha256:bf3ddafc43cd121d9f11fc7b47e1d9f24aa8038b0d7eff8f9b2da8d6328a0550"].assert_eq(&refused(&archive(item(&name, "")).file(&name, 0o644, config).tar()));
    let huge = " ".repeat(9 << 20);
    expect!["manifest.json is 9437184 bytes long; at most 8388608 are read"].assert_eq(&refused(&archive(huge).tar()));
}

#[test]
fn bytes_that_are_not_what_was_announced_are_refused() {
    let archive = image("x:1").oci_archive();
    let at = |needle: &[u8]| archive.windows(needle.len()).position(|window| window == needle).unwrap();
    // In the layer's file, and in the config.
    let mut layer = archive.clone();
    layer[at(b"bb\0\0\0")] = b'c';
    expect!["a layer's blob should be sha256:6404a25d39e90d61693947ca1a43f00bdb5a0ae4d547ea5a3b261f443f5a4219 and is sha256:d7c6dfdf8da126b6eccf3ae4bd0ddade344e10e28107ee70715540b76ca63782"].assert_eq(&refused(&layer));
    let mut config = archive.clone();
    config[at(b"testkit layer")] = b'T';
    expect!["blobs/sha256/0dc3c6e931bfcdadab42656229655874990193ea2b47a06d7576219a33c41b7b should be sha256:0dc3c6e931bfcdadab42656229655874990193ea2b47a06d7576219a33c41b7b and is sha256:14a3a611805a6478c4e028075e945848ccd1744da9cd5dbd21651ff517385921"].assert_eq(&refused(&config));
    let cut = &archive[..archive.len() / 2];
    expect!["the archive lacks blobs/sha256/e9aa757de72e59f38db9a2126b2ac1faafff79009b84cf6f0731c975eb09b25f"]
        .assert_eq(&refused(cut));
    // The config tells of another layer than the archive holds.
    let mut docker = image("x:1").docker_archive();
    let at = docker.windows(5).position(|window| window == b"bb\0\0\0").unwrap();
    docker[at] = b'c';
    expect!["a layer's content should be sha256:6404a25d39e90d61693947ca1a43f00bdb5a0ae4d547ea5a3b261f443f5a4219 and is sha256:d7c6dfdf8da126b6eccf3ae4bd0ddade344e10e28107ee70715540b76ca63782"].assert_eq(&refused(&docker));
}

#[test]
fn wicked_layers_leave_nothing() {
    let escape = Layer::new().symlink("out", "/etc").file("out/kist-was-here", 0o644, "x");
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    // Refused, or put below the root of the layer: never outside.
    let _ = store.load(ImageBuilder::new().name("x").layer(escape).docker_archive().as_slice(), &mut |_| {});
    assert!(!Path::new("/etc/kist-was-here").exists());
    let up = Layer::new().file("../../../../kist-was-here", 0o644, "x");
    let _ = store.load(ImageBuilder::new().name("y").layer(up).docker_archive().as_slice(), &mut |_| {});
    assert!(!root.join("kist-was-here").exists() && !root.join("snapshots/kist-was-here").exists());
}

#[test]
fn artifacts_are_told_from_images() {
    let other = |from: &str, to: &str| {
        let (manifest, blobs) = image("x:1").oci_manifest();
        let manifest = String::from_utf8(manifest).unwrap().replacen(from, to, 1);
        let digest = spec::digest::Digest::sha256(manifest.as_bytes());
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":{}}}]}}"#,
            manifest.len()
        );
        let mut tar = Layer::new().file("index.json", 0o644, index);
        tar = tar.file(&format!("blobs/sha256/{}", digest.hex()), 0o644, manifest);
        for (digest, bytes) in blobs {
            tar = tar.file(&digest.replace("sha256:", "blobs/sha256/"), 0o644, bytes);
        }
        refused(&tar.tar())
    };
    expect!["not a container image but an artifact of type application/vnd.cncf.helm.config.v1+json"]
        .assert_eq(&other("application/vnd.oci.image.config.v1+json", "application/vnd.cncf.helm.config.v1+json"));
    expect!["not a container image but an artifact of type application/x"]
        .assert_eq(&other(r#""schemaVersion":2"#, r#""schemaVersion":2,"artifactType":"application/x""#));
}

#[test]
fn of_many_machines_ours_is_taken() {
    let image = |architecture: &str, text: &str| ImageBuilder::new().architecture(architecture).file("a", 0o644, text);
    let archive = |images: &[ImageBuilder]| {
        let mut tar = Layer::new();
        let mut entries = Vec::new();
        let put = |tar: Layer, bytes: &[u8]| {
            tar.file(&format!("blobs/sha256/{}", spec::digest::Digest::sha256(bytes).hex()), 0o644, bytes)
        };
        let entry = |bytes: &[u8], kind: &str, rest: &str| {
            let digest = spec::digest::Digest::sha256(bytes);
            let kind = format!("application/vnd.oci.image.{kind}.v1+json");
            format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{},{rest}}}"#, bytes.len())
        };
        for image in images {
            let (manifest, blobs) = image.oci_manifest();
            let config: serde_json::Value = serde_json::from_slice(&image.config_bytes()).unwrap();
            let platform = format!(r#""platform":{{"os":"linux","architecture":{}}}"#, config["architecture"]);
            entries.push(entry(&manifest, "manifest", &platform));
            tar = put(tar, &manifest);
            tar = blobs.into_iter().fold(tar, |tar, (_, bytes)| put(tar, &bytes));
        }
        entries.push(entry(b"{}", "manifest", r#""platform":{"os":"unknown","architecture":"unknown"}"#));
        let nested = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        tar = put(tar, nested.as_bytes());
        let name = r#""annotations":{"io.containerd.image.name":"docker.io/library/many:1"}"#;
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entry(nested.as_bytes(), "index", name));
        tar.file("index.json", 0o644, index).tar()
    };
    let host = spec::platform::Platform::host().architecture;
    let (ours, other) = (image(&host, "ours"), image("s390x", "theirs"));
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let loaded = load(&store, &archive(&[other.clone(), ours.clone()]));
    assert_eq!(loaded.len(), 1);
    assert_eq!(store.resolve("many:1").unwrap().id.to_string(), ours.id());
    let text = refused(&archive(&[other]));
    let want = format!("no matching manifest for linux/{host} in the manifest list entries: linux/s390x");
    assert_eq!(text, want);
}

#[test]
fn a_platform_that_is_asked_for_must_be_there() {
    let host = spec::platform::Platform::host();
    let theirs = ImageBuilder::new().architecture("s390x").name("x:1").file("a", 0o644, "a");
    let wanted: spec::platform::Platform = "linux/s390x".parse().unwrap();
    for archive in [theirs.docker_archive(), theirs.oci_archive()] {
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let error = store.load_stream(archive.as_slice(), Some(&host), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), format!("requested platform ({host}) not found: image x:1 is for linux/s390x"));
        assert_eq!(files(&root), [""; 0]);
        for platform in [Some(&wanted), None] {
            assert_eq!(store.load_stream(archive.as_slice(), platform, &mut |_| {}).unwrap().len(), 1);
        }
    }
}

#[test]
fn a_damaged_image_can_be_removed() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    load(&store, &image("y:1").file("c", 0o644, "c").docker_archive());
    for text in ["{}", "not JSON", ""] {
        let found = load(&store, &image("x:1").docker_archive())[0].id.clone();
        let config = root.join("blobs/sha256").join(found.0.hex());
        match text {
            "" => fs::remove_file(&config).unwrap(),
            text => fs::write(&config, text).unwrap(),
        }
        assert!(store.collect().is_err());
        let damages = store.check(Depth::Records).unwrap();
        let [damage] = &damages[..] else { panic!("{damages:?}") };
        let remedy = format!("load or pull the image again, or remove it: kist rmi -f {}", found.short());
        assert_eq!(damage.remedy(), remedy);
        // Even by the ID alone, and what only it needed goes.
        assert!(remove(&store, found.short(), Several::Untag).unwrap().contains("Deleted: "));
        assert_eq!(store.check(Depth::Layers).unwrap(), []);
        store.collect().unwrap();
    }
    remove(&store, "y:1", Several::Untag).unwrap();
    assert_eq!(files(&root), [""; 0]);
}

#[test]
fn documents_under_other_digests_are_refused() {
    let (_, blobs) = image("x:1").oci_manifest();
    let config = &blobs[0].0;
    let sha512 = format!("sha512:{}", "0".repeat(128));
    let index = |digest: &str| {
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":3}}]}}"#
        )
    };
    let text = refused(&Layer::new().file("index.json", 0o644, index(&sha512)).tar());
    assert_eq!(text, format!("documents under sha512 digests are not stored: {sha512}"));
    let manifest = String::from_utf8(image("x:1").oci_manifest().0).unwrap();
    let manifest = manifest.replacen(config.as_str(), &sha512, 1);
    let digest = spec::digest::Digest::sha256(manifest.as_bytes());
    let index = index(&digest.to_string()).replace(r#""size":3"#, &format!(r#""size":{}"#, manifest.len()));
    let tar = Layer::new().file("index.json", 0o644, index);
    let text = refused(&tar.file(&format!("blobs/sha256/{}", digest.hex()), 0o644, manifest).tar());
    assert_eq!(text, format!("documents under sha512 digests are not stored: {sha512}"));
}

#[test]
fn whatever_fails_nothing_is_half_there() {
    use disk::faults::fail_at;
    let archive = image("x:1").docker_archive();
    let mut n = 0;
    loop {
        n += 1;
        let root = Root::new();
        let store = Store::open(root.path()).unwrap();
        let armed = fail_at(n, rustix::io::Errno::NOSPC);
        let run = || -> Result<(), Box<dyn std::error::Error>> {
            store.load(archive.as_slice(), &mut |_| {})?;
            store.draft(&id(1), Some(&store.resolve("x:1")?))?;
            drop(store.mount(&id(1), store::Mount { id_maps: None })?);
            store.remove_draft(&id(1))?;
            store.remove("x:1", Remove { several: Several::Untag, may_go: &mut |_| Ok(()) })?;
            Ok(())
        };
        let ended = run();
        let hit = armed.hit();
        drop(armed);
        // A name may be gone before its image, and then comes back with it; nothing else may be amiss.
        let damages = store.check(Depth::Layers).unwrap();
        assert!(damages.iter().all(|damage| matches!(damage, Damage::Garbage(_))), "act {n}: {ended:?}: {damages:?}");
        store.remove_draft(&id(1)).unwrap();
        for (image, _) in store.images().unwrap() {
            remove(&store, image.id.0.hex(), Several::Untag).unwrap();
        }
        store.collect().unwrap();
        assert_eq!(files(&root), [""; 0], "act {n}: {ended:?}");
        if !hit {
            ended.unwrap();
            break;
        }
    }
    assert!(n > 20, "only {n} acts");
}

#[test]
fn usage_is_what_du_says() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    load(&store, &testkit::busybox().docker_archive());
    load(&store, &testkit::busybox().unnamed().name("more").file("big", 0o644, vec![1; 100_000]).docker_archive());
    store.draft(&id(1), Some(&store.resolve("more").unwrap())).unwrap();
    fs::write(root.join("drafts").join(id(1).as_str()).join("upper/new"), "12345").unwrap();
    let usage = store.usage().unwrap();
    let dirs = ["snapshots", "blobs", "images"].map(|dir| du(&root.join(dir)));
    assert_eq!(usage.images_disk_bytes, dirs.iter().sum::<u64>());
    assert_eq!(usage.disk_bytes, usage.images_disk_bytes + du(&root.join("drafts")));
    assert_eq!(usage.drafts[0].1.disk_bytes, du(&root.join("drafts").join(id(1).as_str())));
    assert_eq!(store.draft_size_bytes(&id(1)).unwrap(), 5);
    assert_eq!(usage.garbage_disk_bytes, 0);
    let more = usage.images.iter().find(|usage| usage.unique_disk_bytes > 0).unwrap();
    assert!(more.unique_disk_bytes >= 100_000 && more.shared_disk_bytes > more.unique_disk_bytes, "{more:?}");
    store.remove_draft(&id(1)).unwrap();
    let before = usage.images_disk_bytes;
    remove(&store, "more", Several::Refuse).unwrap();
    assert!(store.usage().unwrap().images_disk_bytes <= before - more.unique_disk_bytes);
}

#[test]
fn each_damage_is_named() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let found = load(&store, &image("x:1").docker_archive())[0].id.clone();
    let image_ = store.image(&found).unwrap();
    let snapshot = |n: usize| root.join("snapshots").join(image_.chains[n].0.hex());
    let check = |depth| store.check(depth).unwrap();
    assert_eq!(check(Depth::Layers), []);

    let file = snapshot(0).join("fs/a");
    fs::write(&file, "b").unwrap();
    assert_eq!(check(Depth::Records), []);
    assert!(matches!(&check(Depth::Layers)[..], [Damage::LayerChanged(chain, _)] if *chain == image_.chains[0]));
    fs::write(&file, "a").unwrap();
    let of_file = check(Depth::Layers);
    assert!(matches!(&of_file[..], [Damage::LayerFile(chain, ..)] if *chain == image_.chains[0]), "{of_file:?}");
    assert!(of_file[0].to_string().contains(": /a: its time is "), "{}", of_file[0]);
    expect!["remove the images and containers that use layer e9aa757de72e, then load or pull them again"]
        .assert_eq(&of_file[0].remedy());
    let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    fs::File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
    assert_eq!(check(Depth::Layers), []);

    let config = root.join("blobs/sha256").join(found.0.hex());
    fs::write(&config, "{}").unwrap();
    assert!(matches!(&check(Depth::Records)[..], [Damage::BlobChanged(..)]), "{:?}", check(Depth::Records));
    fs::remove_file(&config).unwrap();
    assert!(matches!(&check(Depth::Records)[..], [Damage::BlobMissing(..)]));
    // Nothing is collected while it is not known what is needed, and loading again mends it.
    assert!(store.collect().is_err());
    load(&store, &image("x:1").docker_archive());
    assert_eq!(check(Depth::Layers), []);

    fs::rename(snapshot(1), root.join("aside")).unwrap();
    assert!(matches!(&check(Depth::Records)[..], [Damage::LayerMissing(..)]));
    store.draft(&id(1), None).unwrap();
    fs::rename(root.join("aside"), snapshot(1)).unwrap();

    let record = root.join("images").join(format!("{}.json", found.0.hex()));
    let good = fs::read_to_string(&record).unwrap();
    fs::write(&record, good.replace("\"format\":1", "\"format\":9")).unwrap();
    assert!(check(Depth::Records).iter().any(|damage| matches!(damage, Damage::Newer(_))));
    fs::write(&record, "{").unwrap();
    assert!(check(Depth::Records).iter().any(|damage| matches!(damage, Damage::Record(..))));
    fs::remove_file(&record).unwrap();
    let all = check(Depth::Records);
    assert!(all.iter().any(|damage| matches!(damage, Damage::NameDangling(..))), "{all:?}");
    assert_eq!(all.iter().filter(|damage| matches!(damage, Damage::Garbage(_))).count(), 3, "{all:?}");
    for damage in all {
        assert!(!damage.to_string().is_empty() && !damage.remedy().is_empty());
    }
}

#[test]
fn what_dead_processes_left_is_collected() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    load(&store, &image("x:1").docker_archive());
    let before = files(&root);
    root.write("drafts/.ingest-1-0/fs/file", "x");
    root.write("drafts/.removed-1-0/upper/file", "x");
    root.write(&format!("drafts/{}/upper/file", id(3)), "x");
    root.write("images/.x.json.1.0", "x");
    root.write("images/names/.x.json.1.0", "x");
    root.write("blobs/sha256/.abc.1.0", "x");
    root.write(&format!("blobs/sha256/{}", "0".repeat(64)), "x");
    fs::create_dir(root.join("snapshots").join("0".repeat(64))).unwrap();
    assert_eq!(store.check(Depth::Records).unwrap().len(), 8);
    assert_eq!(store.collect().unwrap().layers.len(), 1);
    assert_eq!(files(&root), before);
    assert_eq!(store.check(Depth::Layers).unwrap(), []);
}

#[test]
fn many_at_once() {
    let root = Root::new();
    let archives: Vec<_> = (0..3)
        .map(|n| image("x:1").file("n", 0o644, n.to_string()).compression(Compression::Gzip).docker_archive())
        .collect();
    std::thread::scope(|scope| {
        for n in 0..4u8 {
            let (root, archives) = (&root, &archives);
            scope.spawn(move || {
                for round in 0..10u8 {
                    let store = Store::open(root.path()).unwrap();
                    load(&store, &archives[usize::from(n + round) % 3]);
                    let container = id(n * 16 + round);
                    // Any of these may lose against a removal; none may see half of anything.
                    match store.resolve("x:1") {
                        Ok(image) => match store.draft(&container, Some(&image)) {
                            Ok(()) => drop(store.mount(&container, store::Mount { id_maps: None }).unwrap()),
                            Err(store::StoreError::Gone(_)) => {}
                            Err(other) => panic!("{other:?}"),
                        },
                        Err(ResolveError::NotFound(_)) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                    match remove(&store, "x:1", Several::Untag) {
                        Ok(_) | Err(RemoveError::Resolve(ResolveError::NotFound(_))) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                    store.remove_draft(&container).unwrap();
                }
            });
        }
    });
    let store = Store::open(root.path()).unwrap();
    for (image, _) in store.images().unwrap() {
        remove(&store, image.id.0.hex(), Several::Untag).unwrap();
    }
    store.collect().unwrap();
    assert_eq!(files(&root), [""; 0]);
}
