//! The client against registries that do what a test tells them.

mod login;
mod mirrors;
mod peer;
mod pushing;
mod trust;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use expect_test::expect;
use spec::digest::{BlobDigest, Digest};
use spec::image::{Descriptor, media};
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

/// A peer that gives these answers in turn, and then the last one again.
async fn in_turn(replies: impl IntoIterator<Item = fn() -> Reply>) -> Peer {
    let (replies, asked) = (replies.into_iter().collect::<Vec<_>>(), AtomicUsize::new(0));
    Peer::plain(move |_| replies[asked.fetch_add(1, Ordering::Relaxed).min(replies.len() - 1)]()).await
}

#[test]
fn what_fails_for_the_moment_is_asked_again() {
    run(async {
        let peer = in_turn([(|| reply(503)) as fn() -> Reply, || reply(200).length(5), manifest_reply]).await;
        let client = client();
        client.manifest(&reference(&peer, "a:1")).await.unwrap();
        assert_eq!(peer.seen.lock().unwrap().len(), 3);
    });
}

#[test]
fn patience_ends_with_the_registrys_own_words() {
    run(async {
        let peer =
            in_turn(
                [(|| reply(500).body(r#"{"errors":[{"code":"UNKNOWN","message":"disk full"}]}"#)) as fn() -> Reply],
            )
            .await;
        let error = client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(error.is_transient());
        let text = error.to_string().replace(&peer.address.to_string(), "HOST");
        expect!["HOST answered 500 Internal Server Error for manifest HOST/a:1: unknown: disk full"].assert_eq(&text);
        assert_eq!(peer.seen.lock().unwrap().len(), 3);
    });
}

#[test]
fn nobody_listening_is_transient() {
    run(async {
        let peer = Peer { address: "127.0.0.1:1".parse().unwrap(), seen: Default::default() };
        let error = client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(error.is_transient());
        expect!["no complete answer from 127.0.0.1:1: client error (Connect): 127.0.0.1:1 cannot be connected to: Connection refused (os error 111)"]
            .assert_eq(&chain(error));
    });
}

#[test]
fn a_registry_that_wants_a_pause_gets_it() {
    run(async {
        let peer = in_turn([(|| reply(429).header("retry-after", "1")) as fn() -> Reply, manifest_reply]).await;
        let begun = Instant::now();
        client().manifest(&reference(&peer, "a:1")).await.unwrap();
        assert!(begun.elapsed().as_millis() >= 1000);
    });
}

#[test]
fn a_pause_too_long_is_told_instead() {
    run(async {
        let check = async |header: &'static str, value: &'static str, expected: expect_test::Expect| {
            let peer = Peer::plain(move |_| {
                let limited = reply(429).header(header, value).header("ratelimit-limit", "100;w=21600");
                limited.body(
                    r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#,
                )
            })
            .await;
            let error = client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
            assert_eq!(peer.seen.lock().unwrap().len(), 1, "asked once");
            expected.assert_eq(&error.to_string().replace(&peer.address.to_string(), "HOST"));
        };
        check(
            "retry-after",
            "3600",
            expect!["HOST takes no more requests (limit 100;w=21600): toomanyrequests: You have reached your pull rate limit.; wait 3600 s, log in with an account that may ask more, or set a mirror"],
        )
        .await;
        check(
            "ratelimit-remaining",
            "0;w=21600",
            expect!["HOST takes no more requests (limit 100;w=21600): toomanyrequests: You have reached your pull rate limit.; wait, log in with an account that may ask more, or set a mirror"],
        )
        .await;
    });
}

#[test]
fn a_pause_may_be_a_date() {
    run(async {
        let peer =
            in_turn([(|| reply(503).header("retry-after", "Fri, 31 Dec 2199 23:59:59 GMT")) as fn() -> Reply]).await;
        client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert_eq!(peer.seen.lock().unwrap().len(), 1, "nobody waits that long");
        let peer = in_turn([
            (|| reply(503).header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")) as fn() -> Reply,
            manifest_reply,
        ])
        .await;
        client().manifest(&reference(&peer, "a:1")).await.unwrap();
    });
}

#[test]
fn a_part_of_a_blob_is_what_was_asked_for_or_says_so() {
    run(async {
        let blob = b"0123456789";
        let peer = Peer::plain(move |seen| match (seen.target.as_str(), seen.header("range")) {
            (path, "bytes=4-") if path.starts_with("/v2/knows/") => {
                reply(206).header("content-range", "bytes 4-9/10").body(&blob[4..])
            }
            (path, "bytes=4-6") if path.starts_with("/v2/knows/") => {
                reply(206).header("content-range", "bytes 4-6/10").body(&blob[4..7])
            }
            (path, _) if path.starts_with("/v2/lies/") => {
                reply(206).header("content-range", "bytes 0-5/10").body(&blob[..6])
            }
            _ => reply(200).body(*blob),
        })
        .await;
        let client = client();
        let part = async |name: &str, from, to| {
            let body = client.blob(&reference(&peer, name), &digest(blob), Span { from, to }).await?;
            let (from, total) = (body.from, body.total_bytes);
            Ok::<_, ClientError>((from, total, all(body).await?))
        };
        assert_eq!(part("knows", 4, None).await.unwrap(), (4, Some(10), b"456789".to_vec()));
        assert_eq!(part("knows", 4, Some(7)).await.unwrap(), (4, Some(10), b"456".to_vec()));
        assert_eq!(part("ignores", 4, Some(7)).await.unwrap(), (0, Some(10), blob.to_vec()));
        assert!(matches!(part("lies", 4, None).await, Err(ClientError::Broken { .. })));
    });
}

#[test]
fn a_body_that_ends_early_or_stalls_is_transient() {
    run(async {
        let peer = Peer::plain(|seen| {
            let stall = seen.target.starts_with("/v2/stalls/");
            let mut reply = reply(200).body("abc").length(10);
            reply.stall = stall;
            reply
        })
        .await;
        for (name, why) in [("ends", "end of file before message length reached"), ("stalls", "nothing came for 0 s")] {
            let body = client().blob(&reference(&peer, name), &digest(b""), Span::WHOLE).await.unwrap();
            let error = all(body).await.unwrap_err();
            assert!(error.is_transient());
            assert!(chain(error).contains(why), "{name}");
        }
    });
}

#[test]
fn a_head_tells_or_the_manifest_does() {
    run(async {
        let said = digest(MANIFEST.as_bytes()).to_string();
        let full = move |_: &Seen| manifest_reply().header("docker-content-digest", &said);
        let no_head = |seen: &Seen| if seen.method == "HEAD" { reply(405) } else { manifest_reply() };
        let mut heads = Vec::new();
        for (peer, asked) in [
            (Peer::plain(full).await, "HEAD /v2/a/manifests/1\n"),
            (Peer::plain(|_| manifest_reply()).await, "HEAD /v2/a/manifests/1\nGET /v2/a/manifests/1\n"),
            (Peer::plain(no_head).await, "HEAD /v2/a/manifests/1\nGET /v2/a/manifests/1\n"),
        ] {
            heads.push(client().head(&reference(&peer, "a:1")).await.unwrap());
            assert_eq!(peer.log(), asked);
        }
        let media_type = media::MANIFEST.to_owned();
        let head = Head { media_type, digest: digest(MANIFEST.as_bytes()).0, size_bytes: MANIFEST.len() as u64 };
        assert!(heads.iter().all(|found| *found == head));
    });
}

#[test]
fn bytes_are_hashed_before_they_are_believed() {
    run(async {
        let peer = Peer::plain(|seen| match seen.target.contains("says") {
            true => manifest_reply().header("docker-content-digest", &digest(b"other").to_string()),
            false => manifest_reply(),
        })
        .await;
        let client = client();
        let corrupt = |error| matches!(error, ClientError::Corrupt { .. });
        let by_digest = reference(&peer, &format!("a@{}", digest(b"other")));
        assert!(corrupt(client.manifest(&by_digest).await.unwrap_err()));
        assert!(corrupt(client.manifest(&reference(&peer, "says:1")).await.unwrap_err()));
        let descriptor = |digest, size| Descriptor {
            media_type: media::CONFIG.into(),
            digest,
            size,
            platform: None,
            annotations: Default::default(),
        };
        let (name, size) = (reference(&peer, "a"), MANIFEST.len() as u64);
        let document = async |descriptor| client.document(&name, &descriptor).await;
        assert!(corrupt(document(descriptor(digest(b"other"), size)).await.unwrap_err()));
        let short = document(descriptor(digest(MANIFEST.as_bytes()), 3)).await;
        assert!(matches!(short, Err(ClientError::Broken { .. })));
        assert_eq!(document(descriptor(digest(MANIFEST.as_bytes()), size)).await.unwrap(), MANIFEST.as_bytes());
    });
}

#[test]
fn a_manifest_without_a_type_shows_what_it_is() {
    run(async {
        let check = async |header: &'static str, body: &'static str, is: &str| {
            let peer = Peer::plain(move |_| reply(200).header("content-type", header).body(body)).await;
            let document = client().manifest(&reference(&peer, "a:1")).await.unwrap();
            assert_eq!(document.descriptor.media_type, is);
        };
        check("application/vnd.oci.image.index.v1+json; charset=utf-8", "{}", media::INDEX).await;
        check("application/json", r#"{"manifests":[]}"#, media::INDEX).await;
        check("text/plain", MANIFEST, media::MANIFEST).await;
        check(
            "text/plain",
            r#"{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#,
            media::DOCKER_MANIFEST,
        )
        .await;
        check("application/x", "x", "application/x").await;
    });
}

#[test]
fn what_is_too_large_is_not_read() {
    run(async {
        let peer = Peer::plain(|seen| match seen.target.contains("headers") {
            true => (0..200).fold(reply(200), |reply, n| reply.header(&format!("x-{n}"), "y")),
            false => reply(200).body(vec![b' '; (8 << 20) + 1]),
        })
        .await;
        let error = client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(error.to_string().contains("a document of more than 8388608 bytes"), "{error}");
        let error = client().manifest(&reference(&peer, "headers:1")).await.unwrap_err();
        assert!(error.to_string().ends_with("its answer is not HTTP"), "{error}");
    });
}

#[test]
fn redirects_end() {
    run(async {
        let peer = Peer::plain(|seen| reply(307).header("location", &format!("{}x", seen.target))).await;
        let error = client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(error.to_string().ends_with("more than 10 redirects"), "{error}");
        let peer = Peer::plain(|_| reply(302).header("location", "file:///etc/passwd")).await;
        let error = client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(error.to_string().ends_with("it redirects to no address"), "{error}");
    });
}

#[test]
fn what_is_not_there_is_named() {
    run(async {
        let peer = Peer::plain(|_| {
            reply(404).body(r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#)
        })
        .await;
        let error = client().manifest(&reference(&peer, "a:1")).await.unwrap_err();
        let text = error.to_string().replace(&peer.address.to_string(), "HOST");
        expect!["HOST has no manifest HOST/a:1: manifest unknown: manifest unknown"].assert_eq(&text);
        assert_eq!(client().blob_size(&reference(&peer, "a"), &digest(b"")).await.unwrap(), None);
    });
}
