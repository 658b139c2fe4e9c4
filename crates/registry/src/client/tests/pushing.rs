//! Growing blobs.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};

use super::*;

fn body(bytes: &'static [u8]) -> Outgoing {
    Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}).boxed_unsync()
}

async fn begun(client: &Client, reference: &Reference) -> Upload {
    match client.begin_upload(reference, None).await.unwrap() {
        Begun::Upload(upload) => upload,
        Begun::Mounted => panic!("nothing was to be mounted"),
    }
}

#[test]
fn a_blob_grows_in_chunks_where_the_registry_points() {
    run(async {
        let peer = Peer::plain(|seen| match (seen.method.as_str(), seen.header("content-range")) {
            ("POST", _) => reply(202).header("location", "/up/1?state=a").header("oci-chunk-min-length", "3"),
            ("PATCH", "0-2") => reply(202).header("location", "2?state=b").header("range", "0-2"),
            ("PATCH", "3-5") => reply(202).header("location", "/up/3").header("range", "0-4"),
            ("PATCH", _) => reply(202).header("range", "0-5"),
            ("GET", _) => reply(204).header("location", "/up/4").header("range", "0-4"),
            _ => reply(201),
        })
        .await;
        let (client, name) = (client(), reference(&peer, "a"));
        let mut upload = begun(&client, &name).await;
        assert_eq!(upload.chunk_min_bytes, Some(3));
        client.upload_chunk(&name, &mut upload, 0, Some(3), body(b"abc")).await.unwrap();
        let error = client.upload_chunk(&name, &mut upload, 3, Some(3), body(b"def")).await.unwrap_err();
        assert!(error.is_transient(), "it kept less than was sent: {error}");
        assert_eq!(client.upload_offset(&name, &mut upload).await.unwrap(), 5);
        client.upload_chunk(&name, &mut upload, 5, Some(1), body(b"f")).await.unwrap();
        client.finish_upload(&name, upload, &digest(b"abcdef")).await.unwrap();
        expect![[r#"
            POST /v2/a/blobs/uploads/
            PATCH /up/1?state=a
            PATCH /up/2?state=b
            GET /up/3
            PATCH /up/4
            PUT /up/4?digest=sha256%3Abef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721
        "#]]
        .assert_eq(&peer.log());
        let seen = peer.seen.lock().unwrap();
        assert_eq!((seen[1].body.as_slice(), seen[1].header("transfer-encoding")), (&b"abc"[..], ""));
        // Some registries, or what stands before them, answer 411 without it.
        assert_eq!((seen[0].header("content-length"), seen[5].header("content-length")), ("0", "0"));
    });
}

#[test]
fn an_upload_of_nothing_begins_at_nothing() {
    run(async {
        for (range, offset) in [(Some("0-0"), 0), (None, 0), (Some("bytes=0-9"), 10)] {
            let peer = Peer::plain(move |seen| match (seen.method.as_str(), range) {
                ("POST", _) => reply(202).header("location", "/up"),
                (_, Some(range)) => reply(204).header("range", range),
                (_, None) => reply(204),
            })
            .await;
            let (client, name) = (client(), reference(&peer, "a"));
            let mut upload = begun(&client, &name).await;
            assert_eq!(client.upload_offset(&name, &mut upload).await.unwrap(), offset);
        }
    });
}

#[test]
fn a_chunk_is_sent_once() {
    run(async {
        let peer = Peer::plain(|seen| match seen.method.as_str() {
            "POST" => reply(202).header("location", "/up"),
            _ => reply(500),
        })
        .await;
        let (client, name) = (client(), reference(&peer, "a"));
        let mut upload = begun(&client, &name).await;
        let error = client.upload_chunk(&name, &mut upload, 0, Some(3), body(b"abc")).await.unwrap_err();
        assert!(error.is_transient());
        assert_eq!(peer.log().matches("PATCH").count(), 1);
    });
}

#[test]
fn a_token_that_expires_under_a_chunk_is_renewed_for_the_next() {
    run(async {
        let peer = Peer::plain(|seen| match (seen.method.as_str(), seen.header("authorization")) {
            ("GET", _) if seen.target.starts_with("/token") => {
                let renewed = seen.target.contains("b%3Apull%2Cpush");
                reply(200).body(if renewed { r#"{"token":"t"}"# } else { "{}" })
            }
            ("POST", _) => reply(202).header("location", "/up"),
            (_, "Bearer t") => reply(202),
            _ => reply(401).header("www-authenticate", "Bearer realm=\"/token\""),
        })
        .await;
        let (client, name) = (client(), reference(&peer, "b"));
        let mut upload = begun(&client, &name).await;
        let error = client.upload_chunk(&name, &mut upload, 0, Some(3), body(b"abc")).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        client.upload_chunk(&name, &mut upload, 0, Some(3), body(b"abc")).await.unwrap();
    });
}

#[test]
fn a_blob_is_mounted_or_uploaded() {
    run(async {
        let peer = Peer::plain(|seen| match seen.target.as_str() {
            target if target.contains("from=mine") => reply(201),
            target if target.contains("from=secret") => reply(403),
            _ => reply(202).header("location", "/up"),
        })
        .await;
        let (client, name, digest) = (client(), reference(&peer, "a"), digest(b""));
        let mounted = async |from: &str| {
            matches!(client.begin_upload(&name, Some((&digest, from))).await.unwrap(), Begun::Mounted)
        };
        assert!(mounted("mine").await);
        assert!(!mounted("secret").await);
        assert!(!mounted("empty").await);
        expect![[r#"
            POST /v2/a/blobs/uploads/?mount=sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855&from=mine
            POST /v2/a/blobs/uploads/?mount=sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855&from=secret
            POST /v2/a/blobs/uploads/
            POST /v2/a/blobs/uploads/?mount=sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855&from=empty
        "#]]
        .assert_eq(&peer.log());
    });
}

#[test]
fn an_end_whose_answer_was_lost_is_an_end() {
    run(async {
        let peer = Peer::plain(|seen| match seen.method.as_str() {
            "POST" => reply(202).header("location", "/up"),
            "PUT" => reply(404),
            _ => reply(if seen.target.contains("e3b0c4") { 200 } else { 404 }),
        })
        .await;
        let (client, name) = (client(), reference(&peer, "a"));
        let upload = begun(&client, &name).await;
        client.finish_upload(&name, upload.clone(), &digest(b"")).await.unwrap();
        let lost = client.finish_upload(&name, upload, &digest(b"other")).await;
        assert!(matches!(lost, Err(ClientError::NotFound { .. })));
    });
}

#[test]
fn a_manifest_is_stored_under_its_tag_or_digest() {
    run(async {
        let peer =
            Peer::plain(|_| reply(201).header("docker-content-digest", &digest(MANIFEST.as_bytes()).to_string())).await;
        let client = client();
        let by_digest = reference(&peer, "a").with_digest(digest(MANIFEST.as_bytes()).0);
        for name in [reference(&peer, "a:1"), by_digest] {
            let stored = client.put_manifest(&name, media::MANIFEST, MANIFEST.into()).await.unwrap();
            assert_eq!(stored, digest(MANIFEST.as_bytes()).0);
        }
        let error = client.put_manifest(&reference(&peer, "a:1"), media::MANIFEST, b"{}".to_vec()).await.unwrap_err();
        assert!(matches!(error, ClientError::Corrupt { .. }));
        assert!(peer.log().starts_with("PUT /v2/a/manifests/1\nPUT /v2/a/manifests/sha256:"), "{}", peer.log());
        assert_eq!(peer.seen.lock().unwrap()[0].header("content-type"), media::MANIFEST);
    });
}

/// A body whose only bytes come after a while.
struct Slow(Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

impl hyper::body::Body for Slow {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, BoxError>>> {
        let Some(sleep) = &mut self.0 else { return std::task::Poll::Ready(None) };
        std::task::ready!(sleep.as_mut().poll(cx));
        self.0 = None;
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"abc")))))
    }
}

#[test]
fn we_may_be_slow_and_they_may_not() {
    run(async {
        let patience = Patience { headers: Duration::from_millis(100), pauses: Vec::new(), ..settings().patience };
        let client = Client::new(Settings { patience, ..settings() });
        let peer = Peer::plain(|seen| match seen.method.as_str() {
            "POST" => reply(202).header("location", "/up"),
            "PATCH" => reply(202),
            _ => reply(404),
        })
        .await;
        let name = reference(&peer, "a");
        let mut upload = begun(&client, &name).await;
        let slow = Slow(Some(Box::pin(tokio::time::sleep(Duration::from_millis(400))))).boxed_unsync();
        client.upload_chunk(&name, &mut upload, 0, Some(3), slow).await.unwrap();

        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mirrors = [("*".to_owned(), vec![format!("http://{}", silent.local_addr().unwrap())])].into();
        let patience = Patience { headers: Duration::from_millis(100), pauses: Vec::new(), ..settings().patience };
        let client = Client::new(Settings { mirrors, patience, ..settings() });
        let begun = Instant::now();
        assert!(matches!(client.head(&name).await, Err(ClientError::NotFound { .. })));
        assert!((100..1000).contains(&begun.elapsed().as_millis()), "the mirror is given up");
    });
}
