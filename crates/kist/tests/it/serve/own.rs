//! Without `--storage`: the engine's images, and what clients push over them.

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use spec::digest::Digest;
use testkit::{ImageBuilder, Kist, Layer};

use super::{Reply, Server, noise};
use crate::{busybox_on_this_computer, on_this_computer};

/// An image whose second layer has small files, a file that is larger than a piece, links, and a whiteout.
fn image(name: &str) -> ImageBuilder {
    let first = Layer::new().file("kept", 0o644, "kept").file("gone", 0o644, "gone");
    let mut second = Layer::new().dir("d/", 0o750).file("d/large", 0o644, noise(1, 700_001)).whiteout("gone");
    for n in 0..40 {
        second = second.file(&format!("d/{n}"), 0o600, noise(n, n * 97));
    }
    let second =
        second.hardlink("d/again", "d/large").symlink("d/link", "large").file("last", 0o644, noise(9, 300_000));
    ImageBuilder::new().name(name).layer(first).layer(second)
}

fn digests(manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    let all = [&manifest["config"]].into_iter().chain(layers);
    all.map(|blob| blob["digest"].as_str().unwrap().to_owned()).collect()
}

fn names(server: &Server, path: &str, list: &str) -> Vec<String> {
    let listed = server.get(path).expect(200).json();
    listed[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn images_have_the_names_that_docker_gives_them() {
    let kist = on_this_computer();
    kist.load_image(&image("app:1"));
    for name in ["team/app:2", "localhost:5000/team/app:3", "ghcr.io/team/app:4", "registry.example:5000/deep/app"] {
        kist.ok(&["tag", "app:1", name]);
    }
    kist.load_image(&ImageBuilder::new().unnamed().file("f", 0o644, "nobody asks for it"));
    let server = Server::start(&kist, &[]);
    assert_eq!(names(&server, "/v2/_catalog", "repositories"), ["app", "deep/app", "ghcr.io/team/app", "team/app"]);
    for (repository, tags) in [
        ("app", &["1"][..]),
        ("library/app", &["1"]),
        ("team/app", &["2", "3"]),
        ("ghcr.io/team/app", &["4"]),
        ("deep/app", &["latest"]),
    ] {
        assert_eq!(names(&server, &format!("/v2/{repository}/tags/list"), "tags"), tags, "{repository}");
        let path = format!("/v2/{repository}/manifests/{}", tags[0]);
        assert_eq!(digests(&server.get(&path).expect(200).json())[0], image("app:1").id());
    }
    assert_eq!(names(&server, "/v2/_catalog?n=2&last=app", "repositories"), ["deep/app", "ghcr.io/team/app"]);
    server.get("/v2/team/app/manifests/1").expect(404);
    server.get("/v2/docker.io/library/app/manifests/1").expect(404);
    // What is tagged, loaded and removed meanwhile is seen at once.
    kist.ok(&["tag", "app:1", "new:x"]);
    assert_eq!(names(&server, "/v2/new/tags/list", "tags"), ["x"]);
    kist.ok(&["rmi", "new:x"]);
    assert_eq!(server.get("/v2/new/tags/list").error(), "404 NAME_UNKNOWN: repository name not known to registry: new");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_assembled_layer_is_sent_whole_or_in_part() {
    let kist = on_this_computer();
    let image = image("app:1");
    kist.load_image(&image);
    let server = Server::start(&kist, &[]);
    let by_tag = server.get("/v2/app/manifests/1").expect(200);
    let digest = by_tag.headers["docker-content-digest"].clone();
    assert_eq!(digest, Digest::sha256(&by_tag.body).to_string());
    assert_eq!(server.get(&format!("/v2/app/manifests/{digest}")).expect(200).body, by_tag.body);
    let head = Reply::read(&mut server.request("HEAD", "/v2/app/manifests/1", &[], b"").unwrap()).unwrap();
    assert_eq!((head.headers["content-length"].clone(), head.body), (by_tag.body.len().to_string(), vec![]));

    let manifest = by_tag.json();
    assert_eq!(digests(&manifest)[0], image.id());
    let described = [&manifest["config"]].into_iter().chain(manifest["layers"].as_array().unwrap());
    for blob in described {
        let (digest, size) = (blob["digest"].as_str().unwrap(), blob["size"].as_u64().unwrap());
        let path = format!("/v2/app/blobs/{digest}");
        let whole = server.get(&path).expect(200);
        assert_eq!((Digest::sha256(&whole.body).to_string().as_str(), whole.body.len() as u64), (digest, size));
        let head = Reply::read(&mut server.request("HEAD", &path, &[], b"").unwrap()).unwrap();
        assert_eq!((head.headers["content-length"].clone(), head.body), (size.to_string(), vec![]));
        server.get_with(&path, &[("If-None-Match", &head.headers["etag"])]).expect(304);
        for part in 0..40 {
            let first = size * part / 40;
            let last = (first + part * 20_011).min(size - 1);
            let reply = server.get_with(&path, &[("Range", &format!("bytes={first}-{last}"))]).expect(206);
            assert_eq!(reply.headers["content-range"], format!("bytes {first}-{last}/{size}"));
            let at = |n: u64| usize::try_from(n).unwrap();
            assert!(reply.body == whole.body[at(first)..=at(last)], "{first}-{last} of {digest}");
        }
        server.get_with(&path, &[("Range", &format!("bytes={size}-"))]).expect(416);
    }
}

#[test]
fn what_was_pushed_goes_before_and_what_is_the_engines_stays() {
    let kist = on_this_computer();
    kist.load_image(&image("a:t"));
    let server = Server::start(&kist, &[]);
    let own = server.get("/v2/a/manifests/t").expect(200);
    assert!(server.push("t", "pushed") && server.push("u", "pushed"));
    let pushed = server.get("/v2/a/manifests/t").expect(200);
    assert_ne!(pushed.body, own.body);
    assert_eq!(names(&server, "/v2/a/tags/list", "tags"), ["t", "u"]);
    // Both are there by their digests.
    let by_digest = format!("/v2/a/manifests/{}", own.headers["docker-content-digest"]);
    assert_eq!(server.get(&by_digest).expect(200).body, own.body);
    assert_eq!(server.ask("DELETE", "/v2/a/manifests/t", b"").unwrap().0, 202);
    assert_eq!(server.get("/v2/a/manifests/t").expect(200).body, own.body);

    let blob = format!("/v2/a/blobs/{}", digests(&own.json())[1]);
    for path in ["/v2/a/manifests/t", &by_digest, &blob] {
        let refused = Reply::read(&mut server.request("DELETE", path, &[], b"").unwrap()).unwrap();
        assert_eq!(
            refused.error(),
            "405 UNSUPPORTED: the operation is unsupported: this is an image of the engine: `kist rmi` removes it"
        );
    }
    server.get(&blob).expect(200);
}

#[test]
fn a_push_over_the_engines_own_layers_keeps_them() {
    let kist = on_this_computer();
    kist.load_image(&image("a:t"));
    let server = Server::start(&kist, &[]);
    let own = server.get("/v2/a/manifests/t").expect(200);
    // A client that heard that all blobs are there sends the manifest alone.
    let mut manifest = own.json();
    manifest["annotations"] = json!({"x": "y"});
    let bytes = manifest.to_string().into_bytes();
    let put = Reply::read(&mut server.request("PUT", "/v2/a/manifests/u", &[], &bytes).unwrap()).unwrap();
    put.expect(201);
    kist.ok(&["rmi", "a:t"]);
    assert_eq!(server.get("/v2/a/manifests/u").expect(200).body, bytes);
    for digest in digests(&manifest) {
        let blob = server.get(&format!("/v2/a/blobs/{digest}")).expect(200);
        assert_eq!(Digest::sha256(&blob.body).to_string(), digest);
    }
    server.get("/v2/a/manifests/t").expect(404);
    // What is nowhere is still missed.
    let bytes = manifest.to_string().replace(&digests(&manifest)[2][7..15], "00000000");
    let put = Reply::read(&mut server.request("PUT", "/v2/a/manifests/v", &[], bytes.as_bytes()).unwrap()).unwrap();
    assert!(put.error().starts_with("400 MANIFEST_BLOB_UNKNOWN"), "{}", put.error());
}

/// The first bytes of an answer.
fn begin(stream: &mut TcpStream) -> Vec<u8> {
    let mut first = vec![0; 64 << 10];
    stream.read_exact(&mut first).unwrap();
    first
}

#[test]
fn an_image_removed_while_it_is_sent_breaks_off() {
    let kist = on_this_computer();
    let mut layer = Layer::new();
    for n in 0..48 {
        layer = layer.file(&format!("f{n}"), 0o644, noise(n, 1 << 20));
    }
    kist.load_image(&ImageBuilder::new().name("a:t").layer(layer));
    let server = Server::start(&kist, &[]);
    let layer = server.get("/v2/a/manifests/t").expect(200).json()["layers"][0].clone();
    let path = format!("/v2/a/blobs/{}", layer["digest"].as_str().unwrap());
    let mut under_way = server.request("GET", &path, &[], b"").unwrap();
    let mut got = begin(&mut under_way).len() as u64;
    kist.ok(&["rmi", "a:t"]);
    let mut rest = Vec::new();
    let _ = under_way.read_to_end(&mut rest);
    got += rest.len() as u64;
    assert!(got < layer["size"].as_u64().unwrap(), "{got} of {layer}");
    assert_eq!(server.get(&path).error().split(':').next().unwrap(), "404 BLOB_UNKNOWN");
    kist.load_image(&image("b:t"));
    server.get("/v2/b/manifests/t").expect(200);
    assert_eq!(server.stop(), Some(0));
}

/// Pulls all of an image; whether it was there to the end. Nothing but its absence may keep one from it.
fn pull(server: &Server, name: &str) -> bool {
    let manifest = server.get(&format!("/v2/{name}/manifests/1"));
    if manifest.status == 404 {
        return false;
    }
    digests(&manifest.expect(200).json()).iter().all(|digest| {
        let blob = server.get(&format!("/v2/{name}/blobs/{digest}"));
        let whole = blob.headers["content-length"] == blob.body.len().to_string();
        assert!([200, 404].contains(&blob.status), "{blob:?}");
        assert!(blob.status == 404 || !whole || Digest::sha256(&blob.body).to_string() == *digest);
        blob.status == 200 && whole
    })
}

#[test]
fn images_come_and_go_while_they_are_served() {
    let kist = on_this_computer();
    kist.load_image(&image("stays:1"));
    let server = Server::start(&kist, &[]);
    let archive = kist.scratch().write("goes.tar", image("goes:1").file("goes", 0o644, "x").docker_archive());
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    assert!(pull(&server, "stays"));
                    pull(&server, "goes");
                }
            });
        }
        let changing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..12 {
                kist.load(&archive);
                kist.ok(&["rmi", "goes:1"]);
            }
        }));
        ended.store(true, Ordering::Relaxed);
        changing.unwrap();
    });
    let log = server.settled_log();
    assert!(!log.contains("damaged"), "{log}");
}

fn id(kist: &Kist, name: &str) -> String {
    kist.ok(&["inspect", "--format", "{{.Id}}", name])
}

#[test]
fn engines_pull_from_and_push_to_each_other() {
    let (kist, other, third) = (busybox_on_this_computer(), on_this_computer(), on_this_computer());
    let server = Server::start(&kist, &[]);
    let at = |name: &str| format!("{}/{name}", server.address());
    other.ok(&["pull", "-q", &at("busybox")]);
    assert_eq!(id(&other, &at("busybox")), id(&kist, "busybox"));
    assert_eq!(other.ok(&["run", "--rm", "--network", "none", &at("busybox"), "echo", "runs"]), "runs");

    // Over the name of the engine's own, and by another.
    for name in ["busybox", "team/box:2"] {
        other.ok(&["tag", &at("busybox"), &at(name)]);
        other.ok(&["push", &at(name)]);
        third.ok(&["pull", "-q", &at(name)]);
        assert_eq!(id(&third, &at(name)), id(&kist, "busybox"));
    }
    assert_eq!(third.ok(&["run", "--rm", "--network", "none", &at("team/box:2"), "echo", "runs"]), "runs");
    // Pushing made no images of the engine.
    assert_eq!(kist.ok(&["images", "--format", "{{.Repository}}"]), "busybox");
}

#[test]
fn an_imported_tree_is_served() {
    let (kist, other) = (on_this_computer(), on_this_computer());
    let tar = Layer::new().dir("bin/", 0o755).file("bin/busybox", 0o755, std::fs::read("/bin/busybox").unwrap()).tar();
    let tree = kist.scratch().write("tree.tar", tar);
    kist.ok(&["import", "-c", "ENTRYPOINT [\"/bin/busybox\"]", tree.to_str().unwrap(), "mine:1"]);
    let server = Server::start(&kist, &[]);
    let name = format!("{}/mine:1", server.address());
    assert_eq!(other.ok(&["run", "--rm", "--network", "none", &name, "echo", "runs"]), "runs");
    assert_eq!(id(&other, &name), id(&kist, "mine:1"));
}

#[test]
fn who_may_only_read_changes_nothing() {
    let kist = busybox_on_this_computer();
    let server = Server::start(&kist, &["--read-only"]);
    server.get("/v2/busybox/manifests/latest").expect(200);
    let refused =
        Reply::read(&mut server.request("DELETE", "/v2/busybox/manifests/latest", &[], b"").unwrap()).unwrap();
    assert_eq!(refused.error(), "405 UNSUPPORTED: this registry is read-only");
    assert!(!server.push("t", "x"));
}
