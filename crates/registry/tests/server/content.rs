//! What is pulled.

use crate::client::Registry;

#[test]
fn a_manifest_is_what_was_pushed() {
    let registry = Registry::new();
    let digest = registry.push_image("a/b", "v1", b"layer");
    for which in ["v1", &digest] {
        let path = format!("/v2/a/b/manifests/{which}");
        // What the client can read is its own business.
        let reply =
            registry.ask("GET", &path, &[("Accept", "application/vnd.docker.distribution.manifest.v1+json")], b"");
        reply.expect(200);
        assert_eq!(reply.headers["content-type"], "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(reply.headers["docker-content-digest"], digest);
        assert_eq!(reply.headers["docker-distribution-api-version"], "registry/2.0");
        let head = registry.ask("HEAD", &path, &[], b"");
        assert_eq!(head.expect(200).headers["content-length"], reply.body.len().to_string());
        assert_eq!(head.body, b"");
        let etag = reply.headers["etag"].clone();
        assert_eq!(registry.ask("GET", &path, &[("If-None-Match", &etag)], b"").expect(304).body, b"");
        registry.ask("GET", &path, &[("If-None-Match", "\"other\"")], b"").expect(200);
    }
}

#[test]
fn a_blob_is_sent_whole_or_in_part() {
    let registry = Registry::new();
    // Larger than a piece, and not a multiple of one.
    let bytes: Vec<u8> = (0..1_500_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let digest = registry.push_blob("a", &bytes);
    let path = format!("/v2/a/blobs/{digest}");
    assert!(registry.get(&path).expect(200).body == bytes);
    let head = registry.ask("HEAD", &path, &[], b"");
    assert_eq!(head.expect(200).headers["content-length"], "1500000");
    for (range, first, last) in [
        ("0-0", 0, 0),
        ("10-99", 10, 99),
        ("1499999-", 1_499_999, 1_499_999),
        ("-10", 1_499_990, 1_499_999),
        ("1-9999999", 1, 1_499_999),
    ] {
        let reply = registry.ask("GET", &path, &[("Range", &format!("bytes={range}"))], b"");
        assert_eq!(reply.expect(206).headers["content-range"], format!("bytes {first}-{last}/1500000"));
        assert!(reply.body == bytes[first..=last], "{range}");
    }
    let outside = registry.ask("GET", &path, &[("Range", "bytes=1500000-")], b"");
    assert_eq!(outside.expect(416).headers["content-range"], "bytes */1500000");
    let other = [("Range", "bytes=0-0"), ("If-Range", "\"other\"")];
    registry.ask("GET", &path, &other, b"").expect(200);
}

#[test]
fn what_is_not_there_has_a_name() {
    let registry = Registry::new();
    let none = format!("sha256:{}", "0".repeat(64));
    registry.push_blob("a", b"x");
    for (path, error) in [
        ("/v2/a/manifests/x".to_owned(), "404 MANIFEST_UNKNOWN"),
        (format!("/v2/a/manifests/{none}"), "404 MANIFEST_UNKNOWN"),
        (format!("/v2/a/blobs/{none}"), "404 BLOB_UNKNOWN"),
        ("/v2/b/tags/list".to_owned(), "404 NAME_UNKNOWN"),
        ("/v2/A/tags/list".to_owned(), "400 NAME_INVALID"),
        ("/v2/a/blobs/sha256:1".to_owned(), "400 DIGEST_INVALID"),
        ("/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(), "400 DIGEST_INVALID"),
        ("/v2/a/manifests/-".to_owned(), "400 MANIFEST_INVALID"),
        ("/v2/a/blobs/uploads/x".to_owned(), "404 BLOB_UPLOAD_UNKNOWN"),
        ("/v2/a/blobs/uploads/".to_owned(), "405 UNSUPPORTED"),
        ("/v2/a".to_owned(), "404 UNSUPPORTED"),
        ("/v2/../../etc/passwd".to_owned(), "404 UNSUPPORTED"),
        ("/v2/..%2f..%2fetc/tags/list".to_owned(), "400 NAME_INVALID"),
    ] {
        assert_eq!(registry.get(&path).error(), error, "{path}");
    }
    registry.get("/v2/").expect(200);
}

#[test]
fn what_is_deleted_is_gone_and_tags_with_it() {
    let registry = Registry::new();
    let digest = registry.push_image("a", "v1", b"layer");
    registry.push_image("a", "v2", b"layer");
    registry.ask("DELETE", "/v2/a/manifests/v2", &[], b"").expect(202);
    assert_eq!(registry.get("/v2/a/tags/list").text(), r#"{"name":"a","tags":["v1"]}"#);
    registry.get(&format!("/v2/a/manifests/{digest}")).expect(200);
    registry.ask("DELETE", &format!("/v2/a/manifests/{digest}"), &[], b"").expect(202);
    assert_eq!(registry.get("/v2/a/manifests/v1").error(), "404 MANIFEST_UNKNOWN");
    assert_eq!(registry.get("/v2/a/tags/list").text(), r#"{"name":"a","tags":[]}"#);
    assert_eq!(registry.ask("DELETE", &format!("/v2/a/manifests/{digest}"), &[], b"").error(), "404 MANIFEST_UNKNOWN");
    let blob = format!("/v2/a/blobs/{}", registry.push_blob("a", b"layer"));
    registry.ask("DELETE", &blob, &[], b"").expect(202);
    assert_eq!(registry.get(&blob).error(), "404 BLOB_UNKNOWN");
}

#[test]
fn a_read_only_registry_is_not_written_to() {
    let root = testkit::Root::new();
    let registry = Registry::with(root, |serve| serve.access = registry::server::Access::ReadOnly);
    for (method, path) in
        [("POST", "/v2/a/blobs/uploads/"), ("PUT", "/v2/a/manifests/x"), ("DELETE", "/v2/a/manifests/x")]
    {
        assert_eq!(registry.ask(method, path, &[], b"").error(), "405 UNSUPPORTED");
    }
    registry.get("/v2/_catalog").expect(200);
}
