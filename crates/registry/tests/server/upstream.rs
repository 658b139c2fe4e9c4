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
    /// What the next requests for its layer get; then it is sent as it is.
    layers: Mutex<VecDeque<Vec<io::Result<&'static [u8]>>>>,
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

struct Pieces(VecDeque<io::Result<&'static [u8]>>);

impl Chunks for Pieces {
    fn chunk(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send + '_>> {
        Box::pin(async { self.0.pop_front().map(|piece| piece.map(Bytes::from_static)).transpose() })
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
        let broken = self.layers.lock().unwrap().pop_front();
        let pieces = Pieces(broken.unwrap_or_else(|| LAYER.chunks(5).map(Ok).collect()).into());
        Box::pin(async move { Ok(layer.then(|| Fetched { size: LAYER.len() as u64, chunks: Box::new(pieces) })) })
    }
}

/// A registry, and one in front of it.
fn behind<const N: usize>(layers: [Vec<io::Result<&'static [u8]>>; N]) -> (Arc<Behind>, Registry) {
    let layers = Mutex::new(layers.into());
    let behind = Arc::new(Behind { layers, manifest: Mutex::new(Ok(Some(manifest("1")))), asked: Mutex::default() });
    let upstream = behind.clone();
    let registry = Registry::with(Root::new(), |serve| serve.upstream = Some(upstream));
    (behind, registry)
}

#[test]
fn what_is_not_here_is_fetched_once() {
    let (behind, registry) = behind([]);
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

#[test]
fn what_breaks_off_or_is_something_else_is_not_kept() {
    let broken = vec![Ok(&LAYER[..7]), Err(io::ErrorKind::ConnectionReset.into())];
    let wrong = vec![Ok(b"layer of somebody..".as_slice())];
    let (behind, registry) = behind([broken, wrong]);
    let path = format!("/v2/a/blobs/{}", Digest::sha256(LAYER));
    let said = |what: &str| registry.log.lock().unwrap().iter().any(|line| line.contains(what));
    let wait = |what: &str| {
        // What failed is given up some moments after the client saw it.
        assert!((0..1000).any(|_| said(what) || (std::thread::sleep(std::time::Duration::from_millis(10)), false).1));
    };
    let cut = registry.get(&path);
    assert!(cut.headers["content-length"] == LAYER.len().to_string() && cut.body.len() <= 7, "{cut:?}");
    wait("connection reset");
    let wrong = registry.get(&path).expect(200).body.clone();
    assert_ne!(wrong, LAYER, "whoever asks compares with the digest");
    wait("did not match uploaded content");
    let uploads = registry.root.join("registry/repositories/a/uploads");
    assert_eq!(std::fs::read_dir(uploads).unwrap().count(), 0);
    assert_eq!(registry.get(&path).expect(200).body, LAYER);
    assert_eq!(behind.asked.lock().unwrap().len(), 3);
}

#[test]
fn a_part_of_what_is_not_here_is_sent() {
    let (_behind, registry) = behind([]);
    let path = format!("/v2/a/blobs/{}", Digest::sha256(LAYER));
    let part = registry.ask("GET", &path, &[("Range", "bytes=3-8")], b"");
    assert_eq!(part.expect(206).headers["content-range"], format!("bytes 3-8/{}", LAYER.len()));
    assert_eq!(part.body, LAYER[3..=8]);
}
