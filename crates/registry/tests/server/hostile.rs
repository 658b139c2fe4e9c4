//! Clients that mean harm or die.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::client::{Registry, Reply};

#[test]
fn endless_headers_are_cut_off() {
    let registry = Registry::new();
    let mut stream = registry.connect();
    let sent = stream
        .write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n")
        .and_then(|()| (0..100).try_for_each(|n| write!(stream, "X-{n}: {}\r\n", "y".repeat(1000))));
    // Cut off while it writes, or told so.
    if sent.is_ok() {
        assert_eq!(Reply::read(&mut stream).status, 431);
    }
    registry.get("/v2/").expect(200);
}

#[test]
fn nonsense_ends_a_connection_and_nothing_else() {
    let registry = Registry::new();
    for nonsense in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\n\r\n",
        "PUT /v2/a/manifests/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ] {
        let mut stream = registry.connect();
        stream.write_all(nonsense.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{nonsense:?}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    registry.get("/v2/").expect(200);
}

#[test]
fn a_refused_client_hears_why_before_it_has_sent_all() {
    let registry = Registry::new();
    let body = vec![0; 600_000];
    let digest = format!("sha256:{}", "0".repeat(64));
    let refused = registry.ask("PATCH", "/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000", &[], &body);
    assert_eq!(refused.error(), "404 BLOB_UPLOAD_UNKNOWN");
    let refused = registry.ask("PUT", &format!("/v2/a/manifests/{digest}"), &[], &body);
    assert_eq!(refused.error(), "400 MANIFEST_INVALID");
}

#[test]
fn what_is_under_way_is_answered_before_the_end() {
    let mut registry = Registry::new();
    let upload = registry.begin("a");
    let mut slow = registry.connect();
    write!(slow, "PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n01").unwrap();
    let mut idle = registry.connect();
    write!(idle, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    registry.tell();
    std::thread::sleep(Duration::from_millis(200));
    assert!(std::net::TcpStream::connect(registry.address).is_err(), "nobody new is let in");
    slow.write_all(b"23").unwrap();
    Reply::read(&mut slow).expect(202);
    Reply::read(&mut idle).expect(200);
    drop(registry);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_slow_reader_holds_no_thread() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", &vec![7; 8 << 20]);
    let request = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n");
    let slow: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = registry.connect();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    // More of them than threads that may block.
    registry.get(&format!("/v2/a/blobs/{digest}")).expect(200);
    drop(slow);
}
