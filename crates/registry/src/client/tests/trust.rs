//! TLS and proxies.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

struct Signed {
    cert: String,
    key: KeyPair,
}

fn signed(authority: &Authority, name: &str) -> Signed {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    Signed { cert: params.signed_by(&key, authority).unwrap().pem(), key }
}

fn server(own: &Signed, clients: Option<&Authority>) -> ServerConfig {
    use rustls::pki_types::pem::PemObject;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            config.with_client_cert_verifier(verifier)
        }
    };
    let cert = CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(own.key.serialize_pem().as_bytes()).unwrap();
    config.with_single_cert(vec![cert], key).unwrap()
}

/// A client whose `certs.d` has these files for `host`.
struct Trusting {
    client: Client,
    dir: std::path::PathBuf,
}

#[allow(clippy::disallowed_methods, reason = "tests lay files out as they need them")]
fn trusting(host: &str, files: &[(&str, &str)], settings: Settings) -> Trusting {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("kist-certs-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir_all(dir.join(host)).unwrap();
    for (name, text) in files {
        std::fs::write(dir.join(host).join(name), text).unwrap();
    }
    Trusting { client: Client::new(Settings { certs_dirs: vec![dir.clone()], ..settings }), dir }
}

impl Drop for Trusting {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

impl Trusting {
    async fn refusal(&self, peer: &Peer) -> String {
        let error = self.client.manifest(&reference(peer, "a:1")).await.unwrap_err();
        assert!(matches!(error, ClientError::Untrusted { .. }), "{}", chain(error));
        error.to_string().replace(&peer.address.to_string(), "HOST").replace(&self.dir.display().to_string(), "DIR")
    }
}

#[test]
fn an_authority_in_certs_d_is_trusted() {
    run(async {
        let authority = authority();
        let peer = Peer::tls(server(&signed(&authority, "127.0.0.1"), None), |_| manifest_reply()).await;
        let host = peer.address.to_string();
        let trusting = trusting(&host, &[("ca.crt", &authority.pem())], settings());
        trusting.client.manifest(&reference(&peer, "a:1")).await.unwrap();
    });
}

#[test]
fn a_certificate_that_is_not_trusted_says_what_helps() {
    run(async {
        let (ours, theirs) = (authority(), authority());
        let peer = Peer::tls(server(&signed(&theirs, "127.0.0.1"), None), |_| manifest_reply()).await;
        let unknown = trusting(&peer.address.to_string(), &[("ca.crt", &ours.pem())], settings());
        expect!["the connection to HOST cannot be trusted: an authority that is not known here signed its certificate; put that authority's certificate into DIR/HOST/ca.crt"]
            .assert_eq(&unknown.refusal(&peer).await);
        assert_eq!(peer.log(), "", "and nothing was asked by plain HTTP");

        let peer = Peer::tls(server(&signed(&ours, "other.test"), None), |_| manifest_reply()).await;
        let other = trusting(&peer.address.to_string(), &[("ca.crt", &ours.pem())], settings());
        expect!["the connection to HOST cannot be trusted: its certificate is for another name (the names that count are the subjectAltName's)"]
            .assert_eq(&other.refusal(&peer).await);

        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        let expired = Signed { cert: params.signed_by(&key, &ours).unwrap().pem(), key };
        let peer = Peer::tls(server(&expired, None), |_| manifest_reply()).await;
        let old = trusting(&peer.address.to_string(), &[("ca.crt", &ours.pem())], settings());
        expect!["the connection to HOST cannot be trusted: its certificate has expired, or the clock of this machine is wrong"]
            .assert_eq(&old.refusal(&peer).await);
    });
}

#[test]
fn a_servers_own_certificate_in_certs_d_is_trusted() {
    run(async {
        let own = |name: &str, ca: IsCa| {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.is_ca = ca;
            let key = KeyPair::generate().unwrap();
            Signed { cert: params.self_signed(&key).unwrap().pem(), key }
        };
        let check = async |own: Signed| {
            let peer = Peer::tls(server(&own, None), |_| manifest_reply()).await;
            let trusting = trusting(&peer.address.to_string(), &[("ca.crt", &own.cert)], settings());
            trusting.client.manifest(&reference(&peer, "a:1")).await.map(drop)
        };
        check(own("127.0.0.1", IsCa::NoCa)).await.unwrap();
        check(own("127.0.0.1", IsCa::Ca(BasicConstraints::Unconstrained))).await.unwrap();
        let other = check(own("other.test", IsCa::Ca(BasicConstraints::Unconstrained))).await;
        assert!(matches!(other, Err(ClientError::Untrusted { .. })), "{other:?}");

        let ours = authority();
        let unknown = own("127.0.0.1", IsCa::Ca(BasicConstraints::Unconstrained));
        let peer = Peer::tls(server(&unknown, None), |_| manifest_reply()).await;
        let unknown = trusting(&peer.address.to_string(), &[("ca.crt", &ours.pem())], settings());
        expect!["the connection to HOST cannot be trusted: its certificate is not acceptable; if it is one that it made for itself, put it into DIR/HOST/ca.crt"]
            .assert_eq(&unknown.refusal(&peer).await);
    });
}

#[test]
fn we_show_a_certificate_where_one_is_wanted() {
    run(async {
        let authority = authority();
        let server = server(&signed(&authority, "127.0.0.1"), Some(&authority));
        let peer = Peer::tls(server, |_| manifest_reply()).await;
        let (host, ca, ours) = (peer.address.to_string(), authority.pem(), signed(&authority, "client"));
        let key = ours.key.serialize_pem();
        let files = [("ca.crt", ca.as_str()), ("client.cert", &ours.cert), ("client.key", &key)];
        trusting(&host, &files, settings()).client.manifest(&reference(&peer, "a:1")).await.unwrap();
        expect!["the connection to HOST cannot be trusted: it does not accept our certificate or the want of one; put one and its key into DIR/HOST/client.cert and client.key"]
            .assert_eq(&trusting(&host, &files[..1], settings()).refusal(&peer).await);
        let error =
            trusting(&host, &files[..2], settings()).client.manifest(&reference(&peer, "a:1")).await.unwrap_err();
        assert!(matches!(&error, ClientError::Settings(why) if why.contains("client.key: the key of")), "{error}");
    });
}

#[test]
fn loopback_need_not_prove_itself() {
    run(async {
        let peer = Peer::tls(server(&signed(&authority(), "any"), None), |_| manifest_reply()).await;
        client().manifest(&reference(&peer, "a:1")).await.unwrap();
    });
}

#[test]
fn https_does_not_lead_to_http() {
    run(async {
        let plain = Peer::plain(|_| manifest_reply()).await;
        let elsewhere = format!("http://{}/", plain.address);
        let config = server(&signed(&authority(), "any"), None);
        let peer = Peer::tls(config, move |seen| match seen.method.as_str() {
            "POST" => reply(202).header("location", &elsewhere),
            "HEAD" => reply(401).header("www-authenticate", &format!("Bearer realm=\"{elsewhere}\"")),
            _ => reply(307).header("location", &elsewhere),
        })
        .await;
        let (client, name) = (client(), reference(&peer, "a:1"));
        let told = |error: ClientError| error.to_string().replace(&plain.address.to_string(), "PLAIN");
        let redirected = told(client.manifest(&name).await.unwrap_err());
        assert!(redirected.ends_with("it redirects from https to plain http at PLAIN"), "{redirected}");
        let tokens = told(client.blob_size(&name, &digest(b"")).await.unwrap_err());
        assert!(tokens.ends_with("it wants our login to go to PLAIN by plain http"), "{tokens}");
        let Begun::Upload(upload) = client.begin_upload(&name, None).await.unwrap() else { panic!("mounted") };
        let uploaded = told(client.finish_upload(&name, upload, &digest(b"")).await.unwrap_err());
        assert!(uploaded.ends_with("it points from https to plain http at PLAIN"), "{uploaded}");
        assert_eq!(plain.log(), "");
    });
}

/// A proxy that brings everybody to `to`.
async fn proxy(to: &Peer) -> Peer {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Peer { address: listener.local_addr().unwrap(), seen: Arc::default() };
    let (seen, to) = (proxy.seen.clone(), to.address);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let (line, authorization) = (head.lines().next().unwrap(), "Proxy-Authorization: Basic bWU6c2VjcmV0");
            let mut words = line.split(' ').map(str::to_owned);
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            seen.lock().unwrap().push(Seen { method, target, headers: Default::default(), body: Vec::new() });
            if !head.contains(authorization) {
                stream.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").await.unwrap();
                continue;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut onward = tokio::net::TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut onward).await });
        }
    });
    proxy
}

#[test]
fn a_proxy_tunnels_https() {
    run(async {
        let authority = authority();
        let peer = Peer::tls(server(&signed(&authority, "registry.test"), None), |_| manifest_reply()).await;
        let proxy = proxy(&peer).await;
        let through = |user: &str, no_proxy: &str| {
            let https = format!("http://{user}@{}", proxy.address);
            let proxy = ProxySettings { https, no_proxy: no_proxy.into(), ..ProxySettings::default() };
            trusting("registry.test:5000", &[("ca.crt", &authority.pem())], Settings { proxy, ..settings() })
        };
        let name: Reference = "registry.test:5000/a:1".parse().unwrap();
        through("me:secret", "").client.manifest(&name).await.unwrap();
        assert_eq!(proxy.log(), "CONNECT registry.test:5000\n");
        assert_eq!(peer.log(), "GET /v2/a/manifests/1\n");
        let error = chain(through("me:wrong", "").client.manifest(&name).await.unwrap_err());
        assert!(error.contains("does not connect us to registry.test:5000: HTTP/1.1 407 Who are you"), "{error}");
        assert!(!error.contains("wrong"));
        let past = through("me:secret", "registry.test").client.manifest(&name).await.unwrap_err();
        assert!(chain(past).contains("the name registry.test cannot be looked up"));
    });
}

#[test]
fn a_proxy_is_asked_for_plain_http_with_the_whole_address() {
    run(async {
        let proxy = Peer::plain(|_| manifest_reply()).await;
        let http = format!("http://me:secret@{}", proxy.address);
        // Where nothing tunnels, what need not prove itself is asked by plain HTTP.
        let insecure = vec!["registry.test:5000".to_owned()];
        let client =
            Client::new(Settings { proxy: ProxySettings { http, ..ProxySettings::default() }, insecure, ..settings() });
        client.manifest(&"registry.test:5000/a:1".parse().unwrap()).await.unwrap();
        assert_eq!(proxy.log(), "GET http://registry.test:5000/v2/a/manifests/1\n");
        assert_eq!(proxy.seen.lock().unwrap()[0].header("proxy-authorization"), "Basic bWU6c2VjcmV0");
    });
}
