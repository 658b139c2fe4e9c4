//! Who we are, to whom, and what nobody else hears of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::{Expect, expect};

use super::*;

/// `Basic` of `me:secret`.
const BASIC: &str = "Basic bWU6c2VjcmV0";

fn password() -> Login {
    Login::Password { user: "me".into(), password: "secret".into() }
}

/// A client that knows this login for these registries.
fn knowing(registries: &[&Peer], login: &Login) -> Client {
    let logins = Logins::default();
    for peer in registries {
        logins.0.lock().unwrap().insert(peer.address.to_string(), login.clone());
    }
    Client::new(Settings { credentials: Arc::new(logins), ..settings() })
}

/// A registry that wants Basic.
async fn basic() -> Peer {
    Peer::plain(|seen| match seen.header("authorization") {
        BASIC => manifest_reply(),
        _ => reply(401).header("www-authenticate", "Basic realm=\"here\""),
    })
    .await
}

/// A registry that wants a token of its own, the n-th of which is `t<n>`; it takes those that `good` allows.
async fn bearer(expires_in: u64, good: impl Fn(usize, &str) -> bool + Send + Sync + 'static) -> Peer {
    let (given, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Peer::plain(move |seen| {
        if seen.target.starts_with("/token") {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            let granted = format!(r#"{{"access_token":"t{number}","expires_in":{expires_in},"refresh_token":"kept"}}"#);
            return reply(200).body(granted);
        }
        let token = seen.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        if !token.is_empty() && good(asked.fetch_add(1, Ordering::Relaxed), token) {
            return manifest_reply();
        }
        reply(401).header("www-authenticate", r#"Bearer realm="/token",service="s",scope="repository:a:pull""#)
    })
    .await
}

fn check(peer: &Peer, log: Expect) {
    log.assert_eq(&peer.log());
}

#[test]
fn a_password_is_shown_once_asked_for() {
    run(async {
        let peer = basic().await;
        let client = knowing(&[&peer], &password());
        client.manifest(&reference(&peer, "a:1")).await.unwrap();
        client.manifest(&reference(&peer, "a:2")).await.unwrap();
        check(
            &peer,
            expect![[r#"
                GET /v2/a/manifests/1
                GET /v2/a/manifests/1 Basic bWU6c2VjcmV0
                GET /v2/a/manifests/2 Basic bWU6c2VjcmV0
            "#]],
        );
    });
}

#[test]
fn without_a_login_or_with_a_wrong_one_we_are_denied() {
    run(async {
        let peer = basic().await;
        let text = async |client: Client| {
            let error = client.manifest(&reference(&peer, "a:1")).await.unwrap_err();
            assert!(matches!(error, ClientError::Denied { .. }), "{error}");
            error.to_string().replace(&peer.address.to_string(), "HOST")
        };
        expect!["HOST denies access to manifest HOST/a:1: no login for it is known"].assert_eq(&text(client()).await);
        let wrong = Login::Password { user: "me".into(), password: "wrong".into() };
        expect!["HOST denies access to manifest HOST/a:1"].assert_eq(&text(knowing(&[&peer], &wrong)).await);
    });
}

#[test]
fn a_token_is_fetched_and_kept_for_each_purpose() {
    run(async {
        let peer = bearer(300, |_, _| true).await;
        let client = client();
        client.manifest(&reference(&peer, "a:1")).await.unwrap();
        client.manifest(&reference(&peer, "a:2")).await.unwrap();
        client.blob_size(&reference(&peer, "a"), &digest(b"")).await.unwrap();
        check(
            &peer,
            expect![[r#"
                GET /v2/a/manifests/1
                GET /token?service=s&scope=repository%3Aa%3Apull
                GET /v2/a/manifests/1 Bearer t1
                GET /v2/a/manifests/2 Bearer t1
                HEAD /v2/a/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
                GET /token?service=s&scope=repository%3Aa%3Apull%2Cpush
                HEAD /v2/a/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 Bearer t2
            "#]],
        );
    });
}

#[test]
fn a_token_that_expires_or_is_revoked_is_replaced() {
    run(async {
        let peer = bearer(0, |_, _| true).await;
        let client = client();
        client.manifest(&reference(&peer, "a:1")).await.unwrap();
        client.manifest(&reference(&peer, "a:2")).await.unwrap();
        assert!(peer.log().ends_with("GET /v2/a/manifests/2 Bearer t2\n"), "{}", peer.log());

        let peer = bearer(300, |asked, token| asked == 0 || token == "t2").await;
        client.manifest(&reference(&peer, "a:1")).await.unwrap();
        client.manifest(&reference(&peer, "a:2")).await.unwrap();
        assert!(peer.log().ends_with(
            "/2 Bearer t1\nGET /token?service=s&scope=repository%3Aa%3Apull\nGET /v2/a/manifests/2 Bearer t2\n"
        ));

        let peer = bearer(300, |_, _| false).await;
        let error = client.manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(matches!(error, ClientError::Denied { .. }));
        assert_eq!(peer.seen.lock().unwrap().len(), 3, "tried once more and no longer");
    });
}

#[test]
fn a_token_is_had_for_a_password_or_an_identity() {
    run(async {
        let peer = bearer(300, |_, _| true).await;
        knowing(&[&peer], &password()).manifest(&reference(&peer, "a:1")).await.unwrap();
        knowing(&[&peer], &Login::Identity { token: "i/d".into() }).manifest(&reference(&peer, "a:1")).await.unwrap();
        check(
            &peer,
            expect![[r#"
                GET /v2/a/manifests/1
                GET /token?service=s&scope=repository%3Aa%3Apull&account=me Basic bWU6c2VjcmV0
                GET /v2/a/manifests/1 Bearer t1
                GET /v2/a/manifests/1
                POST /token
                GET /v2/a/manifests/1 Bearer t2
            "#]],
        );
        let form = String::from_utf8(peer.seen.lock().unwrap()[4].body.clone()).unwrap();
        expect!["grant_type=refresh_token&client_id=kist&refresh_token=i/d&service=s&scope=repository%3Aa%3Apull"]
            .assert_eq(&form);
    });
}

#[test]
fn many_questions_fetch_one_token() {
    run(async {
        let peer = bearer(300, |_, _| true).await;
        let client = client();
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (client, reference) = (client.clone(), reference(&peer, &format!("a:{n}")));
                tokio::spawn(async move { client.manifest(&reference).await.map(drop) })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(peer.log().matches("/token").count(), 1);
    });
}

#[test]
fn a_login_is_tried_before_it_is_kept() {
    run(async {
        let peer = basic().await;
        let registry = peer.address.to_string();
        assert_eq!(client().log_in(&registry, &password()).await.unwrap(), None);
        let wrong = Login::Password { user: "me".into(), password: "wrong".into() };
        assert!(matches!(client().log_in(&registry, &wrong).await, Err(ClientError::Denied { .. })));

        let peer = bearer(300, |_, _| true).await;
        let identity = client().log_in(&peer.address.to_string(), &password()).await.unwrap();
        assert_eq!(identity.as_deref(), Some("kept"));
        check(
            &peer,
            expect![[r#"
                GET /v2/
                GET /token?service=s&scope=repository%3Aa%3Apull&account=me&offline_token=true&client_id=kist Basic bWU6c2VjcmV0
                GET /v2/ Bearer t1
            "#]],
        );
        let open = Peer::plain(|_| reply(200)).await;
        assert_eq!(client().log_in(&open.address.to_string(), &password()).await.unwrap(), None);
    });
}

#[test]
fn a_secret_stays_with_its_host() {
    run(async {
        let blobs = Peer::plain(|_| reply(200).body("x")).await;
        let elsewhere = format!("http://{}/signed?by=them", blobs.address);
        let peer = Peer::plain(move |seen| match seen.header("authorization") {
            BASIC => reply(307).header("location", &elsewhere),
            _ => reply(401).header("www-authenticate", "Basic"),
        })
        .await;
        let client = knowing(&[&peer, &blobs], &password());
        let span = Span { from: 1, to: None };
        let body = client.blob(&reference(&peer, "a"), &digest(b"x"), span).await.unwrap();
        assert_eq!(all(body).await.unwrap(), b"x");
        assert_eq!(blobs.log(), "GET /signed?by=them\n");
        assert_eq!(blobs.seen.lock().unwrap()[0].header("range"), "bytes=1-");
    });
}

#[test]
fn a_challenge_from_elsewhere_is_not_met() {
    run(async {
        let thief = Peer::plain(|_| reply(401).header("www-authenticate", "Basic realm=\"give\"")).await;
        let elsewhere = format!("http://{}/", thief.address);
        let peer = Peer::plain(move |_| reply(307).header("location", &elsewhere)).await;
        let client = knowing(&[&peer, &thief], &password());
        let error = client.manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(matches!(error, ClientError::Denied { .. }));
        assert_eq!(thief.log(), "GET /\n");
    });
}

#[test]
fn an_upload_elsewhere_takes_no_secret_along() {
    run(async {
        let store = Peer::plain(|_| reply(201)).await;
        let elsewhere = format!("http://{}/put?signed=1", store.address);
        let peer = Peer::plain(move |seen| match seen.header("authorization") {
            BASIC => reply(202).header("location", &elsewhere),
            _ => reply(401).header("www-authenticate", "Basic"),
        })
        .await;
        let client = knowing(&[&peer, &store], &password());
        let reference = reference(&peer, "a");
        let Begun::Upload(upload) = client.begin_upload(&reference, None).await.unwrap() else { panic!("mounted") };
        client.finish_upload(&reference, upload, &digest(b"")).await.unwrap();
        assert!(store.log().starts_with("PUT /put?signed=1&digest=sha256%3Ae3b0"), "{}", store.log());
        assert!(!store.log().contains("Basic"));
    });
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", password(), Login::Identity { token: "secret".into() });
    expect![[r#"Password { user: "me", .. } Identity { .. }"#]].assert_eq(&shown);
    let proxy = ProxySettings { http: "http://me:secret@proxy".into(), ..ProxySettings::default() };
    expect![[r#"ProxySettings { no_proxy: "", .. }"#]].assert_eq(&format!("{proxy:?}"));
}
