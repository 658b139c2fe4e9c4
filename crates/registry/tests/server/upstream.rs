//! A registry in front of another.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use registry::server::{Answered, Chunks, Fetched, Manifest, Repository, Upstream, UpstreamError, Which};
use spec::digest::{BlobDigest, Digest};
use testkit::Root;

use crate::client::{Registry, image};

/// A registry of one image.
struct Behind {
    manifest: Mutex<Result<Option<Manifest>, String>>,
    asked: Mutex<Vec<String>>,
}

const LAYER: &[u8] = b"layer from far away";

fn manifest(tag: &str) -> Manifest {
    let bytes = image(
        &Digest::sha256(b"{}").to_string(),
        &Digest::sha256(LAYER).to_string(),
        &format!(r#","annotations":{{"t":"{tag}"}}"#),
    );
    Manifest {
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        digest: BlobDigest(Digest::sha256(bytes.as_bytes())),
        bytes: bytes.into_bytes(),
    }
}

struct Pieces(VecDeque<&'static [u8]>);

impl Chunks for Pieces {
    fn chunk(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send + '_>> {
        Box::pin(async { Ok(self.0.pop_front().map(Bytes::from_static)) })
    }
}

impl Upstream for Behind {
    fn digest<'a>(&'a self, repository: &'a Repository, which: &'a Which) -> Answered<'a, BlobDigest> {
        self.asked.lock().unwrap().push(format!("{repository} {which}?"));
        let answer = self.manifest.lock().unwrap().clone().map_err(UpstreamError::Failed);
        Box::pin(async { answer.map(|found| found.map(|manifest| manifest.digest)) })
    }

    fn manifest<'a>(&'a self, repository: &'a Repository, which: &'a Which) -> Answered<'a, Manifest> {
        self.asked.lock().unwrap().push(format!("{repository} {which}"));
        let answer = self.manifest.lock().unwrap().clone().map_err(UpstreamError::Failed);
        Box::pin(async { answer })
    }

    fn blob_size<'a>(&'a self, _: &'a Repository, digest: &'a BlobDigest) -> Answered<'a, u64> {
        let layer = *digest == BlobDigest(Digest::sha256(LAYER));
        Box::pin(async move { Ok(layer.then_some(LAYER.len() as u64)) })
    }

    fn blob<'a>(&'a self, repository: &'a Repository, digest: &'a BlobDigest) -> Answered<'a, Fetched> {
        self.asked.lock().unwrap().push(format!("{repository} {digest}"));
        let layer = *digest == BlobDigest(Digest::sha256(LAYER));
        let pieces = Pieces(LAYER.chunks(5).collect());
        Box::pin(async move { Ok(layer.then(|| Fetched { size: LAYER.len() as u64, chunks: Box::new(pieces) })) })
    }
}

#[test]
fn what_is_not_here_is_fetched_once() {
    let behind = Arc::new(Behind { manifest: Mutex::new(Ok(Some(manifest("1")))), asked: Mutex::default() });
    let upstream = behind.clone();
    let registry = Registry::with(Root::new(), |serve| serve.upstream = Some(upstream));
    let taken = || std::mem::take(&mut *behind.asked.lock().unwrap());

    assert_eq!(registry.get("/v2/a/manifests/v1").expect(200).body, manifest("1").bytes);
    assert_eq!(taken(), ["a v1"]);
    registry.get(&format!("/v2/a/manifests/{}", manifest("1").digest)).expect(200);
    assert_eq!(taken(), [""; 0]);

    let blob = format!("/v2/a/blobs/{}", Digest::sha256(LAYER));
    let head = registry.ask("HEAD", &blob, &[], b"");
    assert_eq!(head.expect(200).headers["content-length"], LAYER.len().to_string());
    assert_eq!(taken(), [""; 0]);
    assert_eq!(registry.get(&blob).expect(200).body, LAYER);
    assert_eq!(taken().len(), 1);
    let kept = || registry.get(&blob).expect(200).body == LAYER && taken().is_empty();
    assert!((0..100).any(|_| kept() || (std::thread::sleep(std::time::Duration::from_millis(10)), false).1));
    assert_eq!(registry.get(&format!("/v2/a/blobs/{}", Digest::sha256(b"no"))).error(), "404 BLOB_UNKNOWN");

    // A tag that moved there moves here; one that cannot be asked for stays.
    *behind.manifest.lock().unwrap() = Ok(Some(manifest("2")));
    assert_eq!(registry.get("/v2/a/manifests/v1").body, manifest("2").bytes);
    *behind.manifest.lock().unwrap() = Err("unreachable".into());
    assert_eq!(registry.get("/v2/a/manifests/v1").body, manifest("2").bytes);
    assert_eq!(registry.get("/v2/a/manifests/v2").error(), "502 UNKNOWN");
    *behind.manifest.lock().unwrap() = Ok(None);
    assert_eq!(registry.get("/v2/a/manifests/v2").error(), "404 MANIFEST_UNKNOWN");
}
