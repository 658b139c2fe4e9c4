//! Who may come in, and by which line.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::server::{Server, Tls};
use testkit::Root;

use crate::client::{Registry, plain};

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

#[test]
fn a_password_is_asked_for_and_slow_only_once() {
    let root = Root::new();
    let hash = bcrypt::hash("s:ecret", 10).unwrap();
    let file = root.write("users", format!("amy:{hash}\n"));
    let registry = Registry::with(root, |serve| serve.htpasswd = Some(file));
    let ask = |headers: &[(&str, &str)]| registry.ask("GET", "/v2/", headers, b"");
    let refused = ask(&[]);
    assert_eq!(refused.error(), "401 UNAUTHORIZED");
    assert_eq!(refused.headers["www-authenticate"], "Basic realm=\"kist registry\", charset=\"UTF-8\"");
    for bad in ["amy:wrong", "bob:s:ecret", "amy", ":", "amy:"] {
        assert_eq!(ask(&[("Authorization", &basic(bad))]).error(), "401 UNAUTHORIZED", "{bad}");
    }
    for bad in ["Basic", "Basic %%%", "Bearer x"] {
        assert_eq!(ask(&[("Authorization", bad)]).error(), "401 UNAUTHORIZED", "{bad}");
    }
    let right = basic("amy:s:ecret");
    ask(&[("Authorization", &right)]).expect(200);
    let began = Instant::now();
    for _ in 0..50 {
        ask(&[("Authorization", &right)]).expect(200);
    }
    assert!(began.elapsed().as_millis() < 50 * 40, "{:?}", began.elapsed());
    let log = registry.log.lock().unwrap().join("\n");
    assert!(log.contains("GET /v2/ 200 2 ") && !log.contains("ecret") && !log.contains(&right[6..]), "{log}");
}

#[test]
fn a_file_of_other_hashes_is_refused_with_its_line() {
    let root = Root::new();
    let mut serve = plain(&root);
    serve.htpasswd = Some(root.write("users", "# old\namy:{SHA}x\n"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Server::bind(serve)).map(drop).unwrap_err().to_string();
    assert!(error.ends_with("/users:2: only bcrypt hashes are supported (htpasswd -B)"), "{error}");
}

#[test]
fn a_certificate_makes_it_https() {
    let root = Root::new();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = root.write("cert.pem", own.cert.pem());
    let key = root.write("key.pem", own.signing_key.serialize_pem());
    let tls = Tls { certificate: certificate.clone(), key };
    let registry = Registry::with(root, |serve| serve.tls = Some(tls));
    assert!(registry.log.lock().unwrap()[0].starts_with("registry listening on https://127.0.0.1:"));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = registry.connect();
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    std::io::Write::write_all(&mut tls, b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut tls, &mut answer);
    crate::client::Reply::parse(&answer).expect(200);
}
