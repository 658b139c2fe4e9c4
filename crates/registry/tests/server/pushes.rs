//! What is pushed.

use std::io::Write as _;

use spec::digest::{Algorithm, Digest, Hasher};

use crate::client::{Registry, Reply, image};

#[test]
fn a_blob_comes_in_chunks_in_order() {
    let registry = Registry::new();
    let digest = Digest::sha256(b"0123456789");
    let upload = registry.begin("a");
    let first = registry.ask("PATCH", &upload, &[("Content-Range", "0-3")], b"0123");
    assert_eq!(first.expect(202).headers["range"], "0-3");
    for range in ["0-3", "5-8"] {
        let refused = registry.ask("PATCH", &upload, &[("Content-Range", range)], b"xxxx");
        assert_eq!(refused.error(), "416 BLOB_UPLOAD_INVALID");
        assert_eq!(refused.headers["range"], "0-3");
    }
    assert_eq!(registry.ask("PATCH", &upload, &[("Content-Range", "4-9")], b"4").error(), "400 SIZE_INVALID");
    assert_eq!(
        registry.ask("PATCH", &upload, &[("Content-Range", "bytes 4-9")], b"4").error(),
        "400 BLOB_UPLOAD_INVALID"
    );
    let status = registry.get(&upload);
    assert_eq!(status.expect(204).headers["range"], "0-3");
    let streamed = registry.ask("PATCH", &upload, &[], b"456");
    assert_eq!(streamed.expect(202).headers["range"], "0-6");
    let path = format!("{upload}?digest={}", digest.to_string().replace(':', "%3A"));
    let done = registry.ask("PUT", &path, &[("Content-Range", "7-9")], b"789");
    assert_eq!(done.expect(201).headers["location"], format!("/v2/a/blobs/{digest}"));
    assert_eq!(registry.get(&done.headers["location"]).expect(200).body, b"0123456789");
    assert_eq!(registry.get(&upload).error(), "404 BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_digest_is_checked_before_a_blob_has_it() {
    let registry = Registry::new();
    let wrong = Digest::sha256(b"other");
    let upload = registry.begin("a");
    assert_eq!(registry.ask("PUT", &upload, &[], b"x").error(), "400 DIGEST_INVALID");
    assert_eq!(registry.ask("PUT", &format!("{upload}?digest=md5:1"), &[], b"x").error(), "400 DIGEST_INVALID");
    assert_eq!(registry.ask("PUT", &format!("{upload}?digest={wrong}"), &[], b"x").error(), "400 DIGEST_INVALID");
    assert_eq!(registry.get(&format!("/v2/a/blobs/{wrong}")).error(), "404 BLOB_UNKNOWN");
    let cancelled = registry.begin("a");
    registry.ask("DELETE", &cancelled, &[], b"").expect(204);
    assert_eq!(registry.get(&cancelled).error(), "404 BLOB_UPLOAD_UNKNOWN");
    // An upload belongs to its repository.
    let elsewhere = registry.begin("a").replace("/v2/a/", "/v2/b/");
    assert_eq!(registry.get(&elsewhere).error(), "404 BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn an_upload_goes_on_after_a_restart_and_after_a_broken_line() {
    let registry = Registry::new();
    let upload = registry.begin("a");
    registry.ask("PATCH", &upload, &[], b"0123").expect(202);
    let registry = registry.restart();
    let mut broken = registry.connect();
    write!(broken, "PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4567").unwrap();
    drop(broken);
    let mut range = String::new();
    for _ in 0..200 {
        let status = registry.get(&upload);
        // Busy until the server notices that nobody is there.
        range = status.headers.get("range").cloned().unwrap_or_default();
        if range == "0-7" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(range, "0-7");
    let digest = Digest::sha256(b"0123456789");
    registry.ask("PUT", &format!("{upload}?digest={digest}"), &[], b"89").expect(201);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{digest}")).body, b"0123456789");
}

#[test]
fn one_request_at_a_time_has_an_upload() {
    let registry = Registry::new();
    let upload = registry.begin("a");
    let mut slow = registry.connect();
    write!(slow, "PATCH {upload} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n01").unwrap();
    // Until the server has read that one.
    let busy = || registry.ask("PATCH", &upload, &[], b"x").status == 409;
    assert!((0..200).any(|_| busy()));
    slow.write_all(b"23").unwrap();
    Reply::read(&mut slow).expect(202);
}

#[test]
fn a_blob_is_mounted_where_it_is_known() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"layer");
    let post = |query: &str| registry.ask("POST", &format!("/v2/b/blobs/uploads/?mount={query}"), &[], b"");
    let none = format!("sha256:{}", "0".repeat(64));
    assert!(post(&format!("{none}&from=a")).expect(202).headers["location"].contains("/uploads/"));
    post(&format!("{digest}&from=c")).expect(202);
    post(&format!("{digest}&from=..%2f")).expect(202);
    assert_eq!(registry.get(&format!("/v2/b/blobs/{digest}")).error(), "404 BLOB_UNKNOWN");
    assert_eq!(post(&format!("{digest}&from=a")).expect(201).headers["location"], format!("/v2/b/blobs/{digest}"));
    registry.get(&format!("/v2/b/blobs/{digest}")).expect(200);
    registry.ask("POST", &format!("/v2/c/blobs/uploads/?mount={digest}"), &[], b"").expect(201);
}

#[test]
fn a_manifest_comes_after_its_blobs() {
    let registry = Registry::new();
    let config = registry.push_blob("a", b"{}");
    let layer = Digest::sha256(b"layer").to_string();
    let manifest = image(&config, &layer, "");
    assert_eq!(registry.put_manifest("a", "v1", &manifest).error(), "400 MANIFEST_BLOB_UNKNOWN");
    registry.push_blob("b", b"layer");
    assert_eq!(registry.put_manifest("a", "v1", &manifest).error(), "400 MANIFEST_BLOB_UNKNOWN");
    registry.push_blob("a", b"layer");
    registry.put_manifest("a", "v1", &manifest).expect(201);
    assert_eq!(registry.put_manifest("a", "v1", "{").error(), "400 MANIFEST_INVALID");
    assert_eq!(registry.put_manifest("a", &layer, &manifest).error(), "400 DIGEST_INVALID");
    let docker = [("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")];
    assert_eq!(registry.ask("PUT", "/v2/a/manifests/v1", &docker, manifest.as_bytes()).error(), "400 MANIFEST_INVALID");
    let large = format!("{manifest}{}", " ".repeat(9 << 20));
    assert_eq!(registry.put_manifest("a", "v1", &large).error(), "413 SIZE_INVALID");
    let large = format!("{manifest}{}", " ".repeat(4 << 20));
    registry.put_manifest("a", "v1", &large).expect(201);
}

#[test]
fn other_digests_than_sha256_are_kept_by_their_own_name() {
    let registry = Registry::new();
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(b"x");
    let digest = hasher.finish();
    let begun = registry.ask("POST", "/v2/a/blobs/uploads/?digest-algorithm=sha512", &[], b"");
    let upload = begun.expect(202).headers["location"].clone();
    registry.ask("PUT", &format!("{upload}?digest={digest}"), &[], b"x").expect(201);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{digest}")).expect(200).body, b"x");
    let refused = registry.ask("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5", &[], b"");
    assert_eq!(refused.error(), "400 DIGEST_INVALID");
}

#[test]
fn several_tags_come_with_one_manifest() {
    let registry = Registry::new();
    let (config, layer) = (registry.push_blob("a", b"{}"), registry.push_blob("a", b"layer"));
    let manifest = image(&config, &layer, "");
    let digest = Digest::sha256(manifest.as_bytes());
    let reply = registry.put_manifest("a", &format!("{digest}?tag=v1&tag=v2"), &manifest);
    assert_eq!(reply.expect(201).headers["oci-tag"], "v1, v2");
    assert_eq!(registry.get("/v2/a/tags/list").text(), r#"{"name":"a","tags":["v1","v2"]}"#);
}
