//! Registries that break off, lie, are slow and forget, and commands that are killed or have no room: what came is not fetched again,
//! what is wrong does not stay, and nobody waits for ever.
#![expect(clippy::too_many_lines, reason = "what is said, in full")]

use std::fs;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use rustix::process::Signal;
use serde_json::json;
use testkit::{
    Answer, Bend, Compression, EntryType, Fault, Faults, ImageBuilder, Kist, Layer, Registry, for_each_fault,
    for_each_kill,
};

use crate::on_this_computer;
use crate::registry::{digests, entries, settled};

const MIB: usize = 1 << 20;

/// Bytes that no packing makes smaller; `seed` tells them from others.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed + 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

fn big(seed: u64, length: usize) -> ImageBuilder {
    ImageBuilder::new().file("noise", 0o644, noise(seed, length))
}

fn layer_of(image: &ImageBuilder) -> String {
    digests(image)[1].clone()
}

fn id(kist: &Kist, name: &str) -> String {
    kist.ok(&["image", "inspect", "--format", "{{.Id}}", name])
}

/// How many bytes of blobs lie there for the next pull, by the slots.
fn kept_bytes(kist: &Kist) -> u64 {
    let slots = entries(kist, "partial").into_iter().filter(|name| name.ends_with(".slots"));
    let bytes = slots.flat_map(|name| fs::read(kist.root().join("partial").join(name)).unwrap());
    let bytes: Vec<u8> = bytes.collect();
    bytes.chunks_exact(8).map(|slot| u64::from_le_bytes(slot.try_into().unwrap())).sum()
}

/// A pull that this bend of the layer's blob does not keep from its end.
#[track_caller]
fn overcomes(bends: &[Bend]) {
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, 300_000));
    registry.put("app", "1", &image);
    bends.iter().for_each(|bend| registry.bend("GET", &layer_of(&image), 1, bend.clone()));
    let out = kist.run(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!(out.code, 0, "{bends:?}: {}", out.stderr);
    assert_eq!(id(&kist, &registry.name("app:1")), image.id());
    settled(&kist);
}

#[test]
fn what_breaks_off_goes_on_where_it_broke() {
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, 300_000));
    registry.put("app", "1", &image);
    let (layer, size) = (layer_of(&image), image.oci_manifest().1[1].1.len() as u64);
    registry.bend("GET", &layer, 1, Bend::Cut(100_000));
    registry.bend("GET", &layer, 1, Bend::Cut(100_000));
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!((registry.count("GET", &layer), registry.sent_bytes(&layer)), (3, size));
    settled(&kist);
}

#[test]
fn what_a_moment_cures_is_asked_again() {
    overcomes(&[Bend::Answer(Answer::new(503)), Bend::Cut(0)]);
    overcomes(&[Bend::Answer(Answer::new(429).header("Retry-After", "1").body("slow down"))]);
    overcomes(&[Bend::NoRanges]);
    overcomes(&[Bend::Cut(5), Bend::NoRanges]);
    overcomes(&[Bend::Late(Duration::from_millis(200))]);
    overcomes(&[Bend::Slow(100_000, Duration::from_millis(50))]);
}

#[test]
fn a_registry_that_sends_all_whatever_is_asked_is_enough() {
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, 17 * MIB));
    registry.put("app", "1", &image);
    let (layer, size) = (layer_of(&image), image.oci_manifest().1[1].1.len() as u64);
    registry.bend("GET", &layer, 1, Bend::Cut(3 << 20));
    registry.bend("GET", &layer, 99, Bend::NoRanges);
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!(id(&kist, &registry.name("app:1")), image.id());
    // Requests that were under way when it showed are broken off, and no more are made.
    assert!(registry.count("GET", &layer) <= 4, "{}", registry.count("GET", &layer));
    assert!(registry.sent_bytes(&layer) < 4 * size, "{}", registry.sent_bytes(&layer));
    settled(&kist);
}

#[test]
fn documents_are_asked_again_too() {
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, 10));
    registry.put("app", "1", &image);
    registry.bend("HEAD", "/manifests/", 1, Bend::Answer(Answer::new(502)));
    registry.bend("GET", "/manifests/", 1, Bend::Answer(Answer::new(500)));
    registry.bend("GET", &digests(&image)[0], 1, Bend::Cut(0));
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    settled(&kist);
}

#[test]
fn a_registry_without_head_and_digests_is_enough() {
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, 10));
    registry.put("app", "1", &image);
    registry.bend("HEAD", "/manifests/", 9, Bend::Answer(Answer::new(405)));
    registry.bend("GET", "/manifests/1", 9, Bend::Header("Docker-Content-Digest", String::new()));
    registry.bend("GET", "/manifests/", 9, Bend::Header("Content-Type", "application/octet-stream".to_owned()));
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert!(kist.ok(&["pull", &registry.name("app:1")]).contains("Image is up to date"));
    settled(&kist);
}

/// A pull of `app:1` that fails within some seconds, saying this, and leaves nothing at all.
#[track_caller]
fn refused(registry: &Registry, expected: Expect) {
    let kist = on_this_computer();
    let since = Instant::now();
    let out = kist.run(&["pull", "-q", &registry.name("app:1")]);
    let took = since.elapsed();
    expected.assert_eq(&out.scrubbed().replace(registry.address(), "REG"));
    assert!(took < Duration::from_secs(9), "it took {took:?}");
    assert_eq!((out.code, kist.ok(&["images", "-aq"]).as_str()), (1, ""));
    settled(&kist);
    assert_eq!(entries(&kist, "snapshots"), [""; 0]);
}

/// The same of an image, when requests for its layer's blob are bent.
#[track_caller]
fn refused_layer(image: &ImageBuilder, bend: Bend, expected: Expect) {
    let registry = Registry::start();
    registry.put("app", "1", image);
    registry.bend("GET", &layer_of(image), 99, bend);
    refused(&registry, expected);
}

#[test]
fn a_layer_that_is_not_what_was_announced_is_refused() {
    let (image, tar) = (big(1, 50_000), Layer::new().file("noise", 0o644, noise(2, 50_000)).tar());
    refused_layer(
        &image,
        Bend::Body(tar),
        expect![[r#"
        [stderr]
        Error response from daemon: a layer's blob should be sha256:<id64> and is sha256:<id64>
        [exit 1]
    "#]],
    );
    refused_layer(
        &image,
        Bend::Body(noise(3, image.oci_manifest().1[1].1.len())),
        expect![[r#"
        [stderr]
        Error response from daemon: a layer's blob should be sha256:<id64> and is sha256:<id64>
        [exit 1]
    "#]],
    );
    refused_layer(
        &image,
        Bend::Short(10_000),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull a layer: blob sha256:<id64> should be 51712 bytes long and is 10000
        [exit 1]
    "#]],
    );
    let longer = [&image.oci_manifest().1[1].1[..], b"more"].concat();
    refused_layer(
        &image,
        Bend::Body(longer),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull a layer: blob sha256:<id64> should be 51712 bytes long and is 51716
        [exit 1]
    "#]],
    );
    refused_layer(
        &image,
        Bend::Answer(Answer::new(200)),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull a layer: blob sha256:<id64> should be 51712 bytes long and is 0
        [exit 1]
    "#]],
    );
    refused_layer(
        &image,
        Bend::Answer(Answer::new(404)),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG has no blob sha256:<id64> of app
        [exit 1]
    "#]],
    );
    refused_layer(
        &image,
        Bend::Answer(Answer::new(403).body("no")),
        expect![[r#"
        [stderr]
        Error response from daemon: pull access denied for REG/app, repository does not exist or may require 'docker login': no
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
}

#[test]
fn another_part_of_a_layer_than_was_asked_for_is_refused() {
    let image = big(1, 50_000);
    let (registry, layer) = (Registry::start(), layer_of(&image));
    registry.put("app", "1", &image);
    registry.bend("GET", &layer, 1, Bend::Cut(1000));
    registry.bend("GET", &layer, 99, Bend::Header("Content-Range", "bytes 0-51199/51200".to_owned()));
    let kist = on_this_computer();
    let out = kist.fails(&["pull", "-q", &registry.name("app:1")]);
    expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG does not speak the protocol: it sends another part of a blob than was asked for
        [exit 1]
    "#]].assert_eq(&out.scrubbed().replace(registry.address(), "REG"));
    registry.straighten();
    registry.take_asked();
    let kept = kept_bytes(&kist);
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!(registry.sent_bytes(&layer) + kept, image.oci_manifest().1[1].1.len() as u64);
    settled(&kist);
}

#[test]
fn documents_that_are_not_what_was_announced_are_refused() {
    let image = big(1, 10);
    let check = |method: &str, part: &str, bend: Bend, expected: Expect| {
        let registry = Registry::start();
        registry.put("app", "1", &image);
        registry.bend(method, part, 99, bend);
        refused(&registry, expected);
    };
    let other = format!("sha256:{}", "1".repeat(64));
    check(
        "HEAD",
        "/manifests/1",
        Bend::Header("Docker-Content-Digest", other),
        expect![[r#"
        [stderr]
        Error response from daemon: manifest for REG/app:1 not found: manifest unknown: manifest unknown
        [exit 1]
    "#]],
    );
    check(
        "GET",
        "/manifests/",
        Bend::Answer(Answer::new(200).body("{}")),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG sent sha256:<id64> where sha256:<id64> was asked for
        [exit 1]
    "#]],
    );
    check(
        "GET",
        "/manifests/",
        Bend::Answer(Answer::new(200).body(vec![b' '; MIB]).endless()),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG does not speak the protocol: a document of more than 8388608 bytes
        [exit 1]
    "#]],
    );
    check(
        "GET",
        "/manifests/",
        Bend::Answer(Answer::new(200).header("X-Long", "x".repeat(MIB))),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG does not speak the protocol: its answer is not HTTP
        [exit 1]
    "#]],
    );
    check(
        "GET",
        "/manifests/",
        Bend::Answer(Answer::new(401)),
        expect![[r#"
        [stderr]
        Error response from daemon: pull access denied for REG/app, repository does not exist or may require 'docker login': it does not say how to log in
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
    check(
        "HEAD",
        "/manifests/",
        Bend::Answer(Answer::new(403)),
        expect![[r#"
        [stderr]
        Error response from daemon: pull access denied for REG/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
    check(
        "HEAD",
        "/manifests/",
        Bend::Answer(Answer::new(418)),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG answered 418 I'm a teapot for manifest REG/app:1
        [exit 1]
    "#]],
    );
    check(
        "HEAD",
        "/manifests/",
        Bend::Answer(Answer::new(429).header("Retry-After", "3600")),
        expect![[r#"
        [stderr]
        Error response from daemon: toomanyrequests: REG takes no more requests; wait 3600 s, log in with an account that may ask more, or set a mirror
        [exit 1]
    "#]],
    );
    check(
        "GET",
        &digests(&image)[0],
        Bend::Body(b"{}".to_vec()),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG does not speak the protocol: sha256:<id64> has 2 bytes and not 369
        [exit 1]
    "#]],
    );
    check(
        "GET",
        &digests(&image)[0],
        Bend::Answer(Answer::new(404)),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG has no blob sha256:<id64> of app
        [exit 1]
    "#]],
    );
    check(
        "GET",
        &digests(&image)[0],
        Bend::Answer(Answer::new(302).header("Location", "/v2/app/loop")),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG has no blob sha256:<id64> of app: not found: not found
        [exit 1]
    "#]],
    );
}

/// A manifest whose parts a test has changed: `(config, layers)` as the registry will have them.
fn put_changed(registry: &Registry, config: &[u8], layers: &[(&str, u64)]) {
    let digest = registry.put_blob("app", config);
    let layers: Vec<_> = layers
        .iter()
        .map(|(digest, size)| json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size }))
        .collect();
    let config =
        json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len() });
    let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers });
    registry.put_manifest("app", "1", "application/vnd.oci.image.manifest.v1+json", manifest.to_string().into_bytes());
}

#[test]
fn manifests_and_configs_that_contradict_each_other_are_refused() {
    let (image, other) = (big(1, 5000), big(2, 5000));
    let (digest, size) = (layer_of(&image), image.oci_manifest().1[1].1.len() as u64);
    let check = |config: &[u8], layers: &[(&str, u64)], expected: Expect| {
        let registry = Registry::start();
        registry.put("app", "other", &image);
        put_changed(&registry, config, layers);
        refused(&registry, expected);
    };
    let config = image.config_bytes();
    check(
        &config,
        &[(&digest, size + 1)],
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull a layer: blob sha256:<id64> should be 6657 bytes long and is 6656
        [exit 1]
    "#]],
    );
    check(
        &config,
        &[(&digest, size - 1)],
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull a layer: blob sha256:<id64> should be 6655 bytes long and is 6656
        [exit 1]
    "#]],
    );
    check(
        &config,
        &[(&digest, u64::MAX)],
        expect![[r#"
            [stderr]
            Error response from daemon: keeping what comes: a layer of 18446744073709551615 bytes is announced, and more than 1099511627776 are not taken
            [exit 1]
        "#]],
    );
    check(
        &config,
        &[(&format!("sha256:{}", "1".repeat(64)), size)],
        expect![[r#"
        [stderr]
        Error response from daemon: failed to pull REG/app:1: REG has no blob sha256:<id64> of app: blob unknown: blob unknown
        [exit 1]
    "#]],
    );
    check(
        &config,
        &[("sha256:../../../x", size)],
        expect![[r#"
        [stderr]
        Error response from daemon: sha256:<id64> is damaged: invalid digest format: "sha256:../../../x" at line 1 column 200
        [exit 1]
    "#]],
    );
    check(
        &config,
        &[],
        expect![[r#"
        [stderr]
        Error response from daemon: invalid manifest, layers length mismatch: expected 0, got 1
        [exit 1]
    "#]],
    );
    check(
        &config,
        &[(&digest, size), (&digest, size)],
        expect![[r#"
        [stderr]
        Error response from daemon: invalid manifest, layers length mismatch: expected 2, got 1
        [exit 1]
    "#]],
    );
    check(
        &other.config_bytes(),
        &[(&digest, size)],
        expect![[r#"
        [stderr]
        Error response from daemon: a layer's content should be sha256:<id64> and is sha256:<id64>
        [exit 1]
    "#]],
    );
    check(
        b"{}",
        &[(&digest, size)],
        expect![[r#"
        [stderr]
        Error response from daemon: invalid manifest, layers length mismatch: expected 1, got 0
        [exit 1]
    "#]],
    );
}

#[test]
fn hostile_layers_are_refused() {
    let check = |tar: Vec<u8>, expected: Expect| {
        let registry = Registry::start();
        registry.put("app", "1", &ImageBuilder::new().compression(Compression::Gzip).layer_tar(tar));
        refused(&registry, expected);
    };
    check(
        Layer::new().file("../../out", 0o644, "x").tar(),
        expect![[r#"
        [stderr]
        Error response from daemon: layer sha256:<id64>: refused layer entry ../../out: a name may not hold ".."
        [exit 1]
    "#]],
    );
    check(
        Layer::new().symlink("link", "/etc").file("link/x", 0o644, "x").hardlink("pass", "/etc/passwd").tar(),
        expect![[r#"
        [stderr]
        Error response from daemon: layer sha256:<id64>: refused layer entry link: it is a symbolic link to no directory of this layer, yet entries lie below it
        [exit 1]
    "#]],
    );
    check(
        Layer::new().entry("x", "", b"", |header| header.set_size(1 << 60)).tar(),
        expect![[r#"
        [stderr]
        Error response from daemon: layer sha256:<id64>: the layer is larger than allowed: more than 1099511627776 bytes
        [exit 1]
    "#]],
    );
    check(
        Layer::new().entry("dev", "", b"", |header| header.set_entry_type(EntryType::new(b'V'))).tar()[..700].to_vec(),
        expect![[r#"
        [stderr]
        Error response from daemon: layer sha256:<id64>: the archive is cut short: it ends within the first header
        [exit 1]
    "#]],
    );
    check(
        noise(1, 5000),
        expect![[r#"
        [stderr]
        Error response from daemon: layer sha256:<id64>: bad archive: �@\u{4}�: not a tar archive (wrong checksum)
        [exit 1]
    "#]],
    );
}

#[test]
fn a_pull_goes_on_where_it_was_killed() {
    // Two ranges and a bit.
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, 17 * MIB));
    registry.put("app", "1", &image);
    let (layer, size) = (layer_of(&image), image.oci_manifest().1[1].1.len() as u64);
    let mut fetched = 0;
    for megabytes in [0, 1, 6] {
        registry.bend("GET", &layer, 9, Bend::Slow(64 << 10, Duration::from_millis(4)));
        let pull = kist.spawn(&["pull", "-q", &registry.name("app:1")]);
        let before = kept_bytes(&kist);
        kist.wait_until("some of it has come", |kist| {
            registry.count("GET", &layer) > 0 && kept_bytes(kist) >= before + megabytes * MIB as u64
        });
        pull.signal(Signal::KILL);
        assert_eq!(pull.wait().code, 137);
        registry.straighten();
        registry.take_asked();
        fetched = kept_bytes(&kist);
    }
    assert!(fetched >= 7 * MIB as u64, "{fetched}");
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!(registry.sent_bytes(&layer), size - fetched);
    assert_eq!(id(&kist, &registry.name("app:1")), image.id());
    // Also what the dead had unpacked.
    settled(&kist);
}

#[test]
fn a_pull_is_in_nobodys_way() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let image = big(1, MIB);
    registry.put("app", "1", &image);
    registry.bend("GET", &layer_of(&image), 1, Bend::Stall(100_000));
    let pull = kist.spawn(&["pull", "-q", &registry.name("app:1")]);
    kist.wait_until("some of it has come", |kist| kept_bytes(kist) > 0);
    kist.load_image(&big(2, 100).name("other"));
    kist.load_image(&big(3, 100).name("other"));
    for command in ["images -a", "rmi other", "image prune -f", "system prune -f", "system df", "system check"] {
        kist.ok(&command.split(' ').collect::<Vec<_>>());
    }
    // None of them waited until it gave up.
    assert_eq!(kist.ok(&["images", "-aq"]), "");
    pull.signal(Signal::KILL);
    assert_eq!(pull.wait().code, 137);
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!(registry.sent_bytes(&layer_of(&image)), image.oci_manifest().1[1].1.len() as u64);
    settled(&kist);
}

#[test]
fn what_came_stays_when_the_line_breaks_for_good_and_prune_takes_it() {
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, MIB));
    registry.put("app", "1", &image);
    let layer = layer_of(&image);
    registry.bend("GET", &layer, 1, Bend::Cut(500_000));
    registry.bend("GET", &layer, 99, Bend::Answer(Answer::new(403).body("the account is closed")));
    let out = kist.fails(&["pull", "-q", &registry.name("app:1")]);
    expect![[r#"
        [stderr]
        Error response from daemon: pull access denied for REG/app, repository does not exist or may require 'docker login': the account is closed
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]].assert_eq(&out.scrubbed().replace(registry.address(), "REG"));
    assert_eq!(kept_bytes(&kist), 500_000);
    let reclaimable = kist.ok(&["system", "df", "--format", "{{.Type}} {{.Reclaimable}}"]);
    assert!(reclaimable.starts_with("Images 5"), "{reclaimable}");
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
    let reclaimed = kist.ok(&["image", "prune", "-f"]);
    settled(&kist);
    assert!(!reclaimed.contains(" 0B"), "{reclaimed}");
    kist.fails(&["pull", "-q", &registry.name("app:1")]);
    kist.ok(&["system", "prune", "-f"]);
    settled(&kist);
}

#[test]
fn what_lies_there_and_is_wrong_is_fetched_anew() {
    let (kist, registry, image) = (on_this_computer(), Registry::start(), big(1, MIB));
    registry.put("app", "1", &image);
    let (layer, size) = (layer_of(&image), image.oci_manifest().1[1].1.len());
    registry.bend("GET", &layer, 1, Bend::Cut(500_000));
    registry.bend("GET", &layer, 99, Bend::Answer(Answer::new(403)));
    kist.fails(&["pull", "-q", &registry.name("app:1")]);
    // What a loss of power may leave: counted, and never written.
    let file = entries(&kist, "partial").into_iter().find(|name| !name.ends_with(".slots")).unwrap();
    fs::write(kist.root().join("partial").join(&file), vec![0; 500_000]).unwrap();
    registry.straighten();
    registry.take_asked();
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!(registry.sent_bytes(&layer), (size - 500_000 + size) as u64);
    assert_eq!(id(&kist, &registry.name("app:1")), image.id());
    settled(&kist);
}

#[test]
fn a_wrong_layer_is_told_while_another_does_not_come() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let image = big(1, 50_000).file("other", 0o644, noise(2, 60_000));
    registry.put("app", "1", &image);
    let [_, wrong, stalled] = &digests(&image)[..] else { unreachable!() };
    registry.bend("GET", stalled, 9, Bend::Stall(1000));
    registry.bend("GET", wrong, 9, Bend::Body(noise(3, image.oci_manifest().1[1].1.len())));
    let since = Instant::now();
    let out = kist.fails(&["pull", "-q", &registry.name("app:1")]);
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert!(out.stderr.contains("a layer's blob should be sha256:"), "{}", out.stderr);
    settled(&kist);
}

#[test]
fn a_mirror_that_breaks_off_or_lies_costs_nothing_but_time() {
    let image = big(1, 300_000);
    let layer = layer_of(&image);
    let wrong = Bend::Body(noise(2, image.oci_manifest().1[1].1.len()));
    for bend in [wrong, Bend::Body(b"short".to_vec()), Bend::Cut(1000), Bend::Answer(Answer::new(500))] {
        let (mut kist, registry, mirror) = (on_this_computer(), Registry::start(), Registry::start());
        registry.put("app", "1", &image);
        mirror.put("app", "1", &image);
        let file = json!({ "mirrors": { registry.address(): [format!("http://{}", mirror.address())] } });
        let file = kist.scratch().write("config/registries.json", file.to_string());
        kist.env("KIST_CONFIG", file.parent().unwrap().to_str().unwrap());
        mirror.bend("GET", &layer, 99, bend.clone());
        let out = kist.run(&["pull", "-q", &registry.name("app:1")]);
        assert_eq!(out.code, 0, "{bend:?}: {}", out.stderr);
        assert_eq!((mirror.count("GET", &layer), registry.count("GET", &layer)), (1, 1), "{bend:?}");
        assert_eq!(registry.count("HEAD", "/manifests/"), 0);
        assert_eq!(id(&kist, &registry.name("app:1")), image.id());
        settled(&kist);
    }
}

/// A small image of two layers in a registry, and what is true of a pull after whatever happened to the one before.
struct Small {
    registry: Registry,
    image: ImageBuilder,
}

impl Small {
    fn new() -> Small {
        let (registry, image) = (Registry::start(), big(1, 2000).file("b", 0o644, "b"));
        registry.put("small", "1", &image);
        Small { registry, image }
    }

    fn each_act(&self, fault: Fault, kist: &Kist) -> usize {
        let name = self.registry.name("small:1");
        let round = |faults: &Faults| {
            let out = kist.run_with_faults(&["pull", "-q", &name], faults);
            assert!(!out.stderr.contains("panicked"), "{}", out.stderr);
            // A kill may come after all is done.
            assert!(out.code != 0 || id(kist, &name) == self.image.id());
            self.pulls_as_ever(kist);
        };
        if fault == Fault::Kill { for_each_kill(round) } else { for_each_fault(fault, round) }
    }

    #[track_caller]
    fn pulls_as_ever(&self, kist: &Kist) {
        let name = self.registry.name("small:1");
        kist.ok(&["pull", "-q", &name]);
        assert_eq!(id(kist, &name), self.image.id());
        kist.ok(&["rmi", &name]);
        kist.ok(&["system", "prune", "-f"]);
        assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
        for dir in ["partial", "blobs/sha256", "snapshots", "drafts", "limbo", "images/names", "origins"] {
            assert_eq!(entries(kist, dir), [""; 0], "{dir}");
        }
    }
}

#[test]
fn pull_killed_at_each_act_leaves_nothing() {
    let acts = Small::new().each_act(Fault::Kill, &on_this_computer());
    assert!(acts > 8, "{acts} acts");
}

#[test]
fn pull_without_space_at_each_act_leaves_nothing() {
    Small::new().each_act(Fault::NoSpace, &on_this_computer());
}

#[test]
fn pull_with_input_errors_at_each_act_leaves_nothing() {
    Small::new().each_act(Fault::Io, &on_this_computer());
}

#[test]
fn push_killed_or_failed_at_each_act_leaves_nothing() {
    let (small, kist) = (Small::new(), on_this_computer());
    let name = small.registry.name("small:1");
    kist.load_image(&small.image.clone().name("small:1"));
    kist.ok(&["tag", "small:1", &name]);
    for fault in [Fault::Kill, Fault::Io] {
        for_each_fault(fault, |faults| {
            small.registry.remove_blobs("small");
            let out = kist.run_with_faults(&["push", "-q", &name], faults);
            assert!(!out.stderr.contains("panicked"), "{}", out.stderr);
            kist.ok(&["push", "-q", &name]);
            kist.ok(&["system", "prune", "-f"]);
            settled(&kist);
        });
    }
}

#[test]
fn who_pulls_what_another_pulls_waits_for_it() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    // Which shares its big layer with the next.
    let first = big(1, MIB).file("first", 0o644, "x");
    let second = big(1, MIB).file("second", 0o644, "x");
    registry.put("app", "1", &first);
    registry.put("app", "2", &second);
    registry.bend("GET", &layer_of(&first), 1, Bend::Slow(100_000, Duration::from_millis(50)));
    let pulls = ["app:1", "app:2"].map(|name| kist.spawn(&["pull", &registry.name(name)]));
    for pull in pulls {
        let out = pull.wait();
        assert_eq!(out.code, 0, "{}", out.stderr);
    }
    for digest in digests(&first).into_iter().chain(digests(&second)) {
        assert_eq!(registry.count("GET", &digest), 1, "{digest}");
    }
    settled(&kist);
}

#[test]
fn ten_pulls_at_once_fetch_each_blob_once() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let image = big(1, MIB).file("b", 0o644, "b").file("c", 0o644, noise(2, 5000));
    registry.put("app", "1", &image);
    for round in 0..3 {
        let pulls: Vec<_> = (0..10).map(|_| kist.spawn(&["pull", "-q", &registry.name("app:1")])).collect();
        for pull in pulls {
            let out = pull.wait();
            assert_eq!(out.code, 0, "{}", out.stderr);
        }
        for layer in &digests(&image)[1..] {
            assert_eq!(registry.count("GET", layer), 1, "round {round}");
        }
        settled(&kist);
        registry.take_asked();
        kist.ok(&["rmi", &registry.name("app:1")]);
    }
}

#[test]
fn images_with_the_same_layers_in_opposite_order_do_not_wait_for_each_other() {
    let (kist, registry) = (on_this_computer(), Registry::start());
    let layer = |n: u64| Layer::new().file(&format!("file{n}"), 0o644, noise(n, 200_000));
    let image = |order: [u64; 4]| order.into_iter().fold(ImageBuilder::new(), |image, n| image.layer(layer(n)));
    let images = [image([1, 2, 3, 4]), image([4, 3, 2, 1]), image([2, 1, 4, 3])];
    let names: Vec<_> = (0..3).map(|n| registry.name(&format!("app:{n}"))).collect();
    for (n, image) in images.iter().enumerate() {
        registry.put("app", &n.to_string(), image);
    }
    for killed in [false, true] {
        registry.bend("GET", "/blobs/", 8, Bend::Slow(50_000, Duration::from_millis(20)));
        let mut pulls: Vec<_> = names.iter().map(|name| kist.spawn(&["pull", "-q", name])).collect();
        if killed {
            std::thread::sleep(Duration::from_millis(150));
            pulls.remove(0).signal(Signal::KILL);
        }
        for pull in pulls {
            let out = pull.wait();
            assert_eq!(out.code, 0, "{}", out.stderr);
        }
        kist.ok(&["pull", "-q", &names[0]]);
        for (name, image) in names.iter().zip(&images) {
            assert_eq!(id(&kist, name), image.id());
            kist.ok(&["rmi", name]);
        }
        settled(&kist);
    }
}

/// An engine that has an image of one big layer under this registry's name for it.
fn pusher(registry: &Registry, length: usize) -> (Kist, ImageBuilder) {
    let (kist, image) = (on_this_computer(), big(1, length).name("app"));
    kist.load_image(&image);
    kist.ok(&["tag", "app", &registry.name("app:1")]);
    (kist, image)
}

/// What was pushed is the image.
#[track_caller]
fn comes_back(registry: &Registry, image: &ImageBuilder) {
    let kist = on_this_computer();
    kist.ok(&["pull", "-q", &registry.name("app:1")]);
    assert_eq!(id(&kist, &registry.name("app:1")), image.id());
    settled(&kist);
}

#[test]
fn an_upload_that_breaks_off_goes_on_where_it_broke() {
    let registry = Registry::start();
    let (kist, image) = pusher(&registry, MIB);
    registry.bend("PATCH", "/uploads/", 1, Bend::Cut(400_000));
    kist.ok(&["push", "-q", &registry.name("app:1")]);
    let sent: Vec<_> = registry.asked().into_iter().filter(|asked| asked.method == "PATCH").collect();
    let (config, layer) = (image.config_bytes().len() as u64, sent[0].received_bytes + sent[1].received_bytes);
    assert_eq!(sent[0].received_bytes, 400_000);
    assert_eq!(registry.received_bytes("PATCH"), layer + config);
    comes_back(&registry, &image);
}

#[test]
fn an_upload_that_is_forgotten_begins_again() {
    let registry = Registry::start();
    let (kist, image) = pusher(&registry, MIB);
    registry.bend("PATCH", "/uploads/", 1, Bend::Cut(400_000));
    registry.bend("GET", "/uploads/", 1, Bend::Forget);
    kist.ok(&["push", "-q", &registry.name("app:1")]);
    comes_back(&registry, &image);
    settled(&kist);
}

#[test]
fn an_upload_whose_state_cannot_be_asked_for_begins_again() {
    let registry = Registry::start();
    let (kist, image) = pusher(&registry, MIB);
    registry.bend("PATCH", "/uploads/", 1, Bend::Cut(400_000));
    registry.bend("GET", "/uploads/", 9, Bend::Answer(Answer::new(405)));
    kist.ok(&["push", "-q", &registry.name("app:1")]);
    comes_back(&registry, &image);
}

#[test]
fn a_push_outlives_what_passes() {
    let registry = Registry::start();
    let (kist, image) = pusher(&registry, 20 * MIB);
    registry.bend("HEAD", "/blobs/", 1, Bend::Answer(Answer::new(503)));
    registry.bend("POST", "/uploads/", 1, Bend::Answer(Answer::new(500)));
    registry.bend("PATCH", "/uploads/", 1, Bend::Answer(Answer::new(502)));
    registry.bend("PUT", "/uploads/", 1, Bend::Answer(Answer::new(504)));
    registry.bend("PUT", "/manifests/", 1, Bend::Cut(0));
    kist.ok(&["push", "-q", &registry.name("app:1")]);
    comes_back(&registry, &image);
}

#[test]
fn a_registry_that_does_not_mount_gets_the_layer() {
    for answer in [404, 405, 400] {
        let registry = Registry::start();
        let (kist, image) = pusher(&registry, 1000);
        kist.ok(&["tag", "app", &registry.name("other:1")]);
        kist.ok(&["push", "-q", &registry.name("other:1")]);
        registry.bend("POST", "mount=", 1, Bend::Answer(Answer::new(answer)));
        let out = kist.run(&["push", "-q", &registry.name("app:1")]);
        assert_eq!(out.code, 0, "{answer}: {}", out.stderr);
        comes_back(&registry, &image);
    }
}

#[test]
fn a_push_that_is_refused_says_why() {
    let check = |method: &str, part: &str, answer: Answer, expected: Expect| {
        let registry = Registry::start();
        let (kist, _) = pusher(&registry, 1000);
        registry.bend(method, part, 99, Bend::Answer(answer));
        let since = Instant::now();
        let out = kist.fails(&["push", "-q", &registry.name("app:1")]);
        assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
        expected.assert_eq(&out.scrubbed().replace(registry.address(), "REG"));
        assert!(registry.manifest("app", "1").is_none());
        settled(&kist);
    };
    check(
        "POST",
        "/uploads/",
        Answer::new(403).body("read only"),
        expect![[r#"
        [stderr]
        Error response from daemon: push access denied for REG/app: read only
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
    check(
        "PATCH",
        "/uploads/",
        Answer::new(413),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to push REG/app:1: REG answered 413 Payload Too Large for upload to app
        [exit 1]
    "#]],
    );
    check(
        "PUT",
        "/uploads/",
        Answer::new(400).body("digest"),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to push REG/app:1: REG answered 400 Bad Request for upload to app: digest
        [exit 1]
    "#]],
    );
    check(
        "PUT",
        "/manifests/",
        Answer::new(403).header("Content-Type", "text/html").body("<html>"),
        expect![[r#"
        [stderr]
        Error response from daemon: push access denied for REG/app: denied: requested access to the resource is denied
          `kist login REGISTRY` shows the registry who you are; is the name spelled as there?
        [exit 1]
    "#]],
    );
    check(
        "PUT",
        "/manifests/",
        Answer::new(201).header("Docker-Content-Digest", format!("sha256:{}", "1".repeat(64))),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to push REG/app:1: REG sent sha256:<id64> where sha256:<id64> was asked for
        [exit 1]
    "#]],
    );
    check(
        "POST",
        "/uploads/",
        Answer::new(202),
        expect![[r#"
        [stderr]
        Error response from daemon: failed to push REG/app:1: REG does not speak the protocol: an upload without a place
        [exit 1]
    "#]],
    );
}

#[test]
fn two_pushes_and_a_killed_one() {
    let registry = Registry::start();
    let (kist, image) = pusher(&registry, 4 * MIB);
    registry.bend("PATCH", "/uploads/", 1, Bend::Late(Duration::from_secs(5)));
    let push = kist.spawn(&["push", "-q", &registry.name("app:1")]);
    kist.wait_until("it sends", |_| registry.count("POST", "/uploads/") > 0);
    push.signal(Signal::KILL);
    assert_eq!(push.wait().code, 137);
    let pushes = [(); 2].map(|()| kist.spawn(&["push", "-q", &registry.name("app:1")]));
    for push in pushes {
        let out = push.wait();
        assert_eq!(out.code, 0, "{}", out.stderr);
    }
    comes_back(&registry, &image);
}
