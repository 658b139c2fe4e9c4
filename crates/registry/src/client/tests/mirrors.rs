//! Whom we ask for what somebody else has.

use super::*;

fn mirrored(key: &str, mirrors: &[&Peer]) -> Client {
    let urls = mirrors.iter().map(|mirror| format!("http://{}/prefix/", mirror.address)).collect();
    Client::new(Settings { mirrors: [(key.to_owned(), urls)].into(), ..settings() })
}

#[test]
fn mirrors_are_asked_in_turn_and_the_registry_at_last() {
    run(async {
        let down = Peer::plain(|_| reply(503)).await;
        let empty = Peer::plain(|_| reply(404)).await;
        let peer = Peer::plain(|_| manifest_reply()).await;
        let client = mirrored(&peer.address.to_string(), &[&down, &empty]);
        client.manifest(&reference(&peer, "a:1")).await.unwrap();
        client.manifest(&reference(&peer, "a:2")).await.unwrap();
        assert_eq!(down.log(), "GET /prefix/v2/a/manifests/1\n", "asked once, and then known to be down");
        assert_eq!(empty.log(), "GET /prefix/v2/a/manifests/1\nGET /prefix/v2/a/manifests/2\n");
        assert_eq!(peer.log(), "GET /v2/a/manifests/1\nGET /v2/a/manifests/2\n");
    });
}

#[test]
fn a_mirror_of_any_learns_which_registry_is_meant() {
    run(async {
        let mirror = Peer::plain(|_| manifest_reply()).await;
        let client = mirrored("*", &[&mirror]);
        client.manifest(&"nginx".parse().unwrap()).await.unwrap();
        assert_eq!(mirror.log(), "GET /prefix/v2/library/nginx/manifests/latest?ns=docker.io\n");
    });
}

#[test]
fn what_a_mirror_sends_is_checked_like_anything() {
    run(async {
        let wrong = Peer::plain(|_| reply(200).header("content-type", media::MANIFEST).body("{}")).await;
        let peer = Peer::plain(|_| manifest_reply()).await;
        let client = mirrored("*", &[&wrong]);
        let by_digest = reference(&peer, &format!("a@{}", digest(MANIFEST.as_bytes())));
        assert_eq!(client.manifest(&by_digest).await.unwrap().bytes, MANIFEST.as_bytes());
        assert_eq!(wrong.seen.lock().unwrap().len(), 1);
    });
}

#[test]
fn a_mirror_whose_blob_breaks_off_is_not_asked_again() {
    run(async {
        let breaks = Peer::plain(|_| reply(200).body("ab").length(3)).await;
        let peer = Peer::plain(|_| reply(200).body("abc")).await;
        let client = mirrored("*", &[&breaks]);
        let name = reference(&peer, "a");
        let fetch = async || all(client.blob(&name, &digest(b"abc"), Span::WHOLE).await.unwrap()).await;
        assert!(fetch().await.unwrap_err().is_transient());
        assert_eq!(fetch().await.unwrap(), b"abc");
    });
}

#[test]
fn a_mirrors_own_login_is_shown_to_it() {
    run(async {
        let mirror = Peer::plain(|seen| match seen.header("authorization") {
            "Basic bTpt" => manifest_reply(),
            _ => reply(401).header("www-authenticate", "Basic"),
        })
        .await;
        let logins = Logins::default();
        let login = Login::Password { user: "m".into(), password: "m".into() };
        logins.0.lock().unwrap().insert(mirror.address.to_string(), login);
        let urls = vec![format!("http://{}", mirror.address)];
        let mirrors = [("docker.io".to_owned(), urls)].into();
        let client = Client::new(Settings { mirrors, credentials: Arc::new(logins), ..settings() });
        client.manifest(&"nginx".parse().unwrap()).await.unwrap();
    });
}

#[test]
fn a_push_goes_past_the_mirrors() {
    run(async {
        let mirror = Peer::plain(|_| reply(200)).await;
        let peer = Peer::plain(|_| reply(201)).await;
        let client = mirrored("*", &[&mirror]);
        client.put_manifest(&reference(&peer, "a:1"), media::MANIFEST, MANIFEST.into()).await.unwrap();
        client.blob_size(&reference(&peer, "a"), &digest(b"")).await.unwrap();
        assert_eq!(mirror.log(), "");
    });
}

#[test]
fn a_mirror_that_is_no_url_is_somebodys_mistake() {
    run(async {
        for url in ["mirror.test", "ftp://mirror.test", "https://me:secret@mirror.test", "https://mirror.test?x"] {
            let mirrors = [("*".to_owned(), vec![url.to_owned()])].into();
            let client = Client::new(Settings { mirrors, ..settings() });
            let error = client.manifest(&"nginx".parse().unwrap()).await.unwrap_err();
            assert!(matches!(&error, ClientError::Settings(why) if !why.contains("secret")), "{error}");
        }
    });
}
