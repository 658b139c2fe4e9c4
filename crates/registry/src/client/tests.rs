//! The client against registries that do what a test tells them.

mod peer;

use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::expect;
use spec::digest::{BlobDigest, Digest};
use spec::image::media;
use spec::reference::Reference;

use super::*;
use peer::*;

const MANIFEST: &str = r#"{"schemaVersion":2,"layers":[]}"#;

fn reference(peer: &Peer, rest: &str) -> Reference {
    format!("{}/{rest}", peer.address).parse().unwrap()
}

fn digest(bytes: &[u8]) -> BlobDigest {
    BlobDigest(Digest::sha256(bytes))
}

async fn all(mut body: BlobBody) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    while let Some(more) = body.chunk().await? {
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

fn manifest_reply() -> Reply {
    reply(200).header("content-type", media::MANIFEST).body(MANIFEST)
}

#[test]
fn questions_can_be_asked_from_any_task() {
    fn sendable<T: Send>(_: T) {}
    let (client, reference) = (client(), "a.test/b".parse::<Reference>().unwrap());
    sendable(client.head(&reference));
    sendable(client.manifest(&reference));
    sendable(client.blob(&reference, &digest(b""), Span::WHOLE));
    sendable(client.begin_upload(&reference, None));
}

#[test]
fn a_manifest_comes_with_the_digest_of_its_bytes() {
    run(async {
        let peer = Peer::plain(|_| manifest_reply()).await;
        let document = client().manifest(&reference(&peer, "a/b:1")).await.unwrap();
        assert_eq!(document.descriptor.digest, digest(MANIFEST.as_bytes()));
        assert_eq!(document.descriptor.media_type, media::MANIFEST);
        expect![[r#"
            GET /v2/a/b/manifests/1
        "#]]
        .assert_eq(&peer.log());
    });
}

#[test]
fn what_fails_for_the_moment_is_asked_again() {
    run(async {
        let asked = AtomicU32::new(0);
        let script = move |_: &Seen| {
            if asked.fetch_add(1, Ordering::Relaxed) < 2 {
                reply(503).header("retry-after", "0")
            } else {
                manifest_reply()
            }
        };
        let peer = Peer::plain(script).await;
        client().manifest(&reference(&peer, "a:1")).await.unwrap();
        assert_eq!(peer.seen.lock().unwrap().len(), 3);
    });
}
