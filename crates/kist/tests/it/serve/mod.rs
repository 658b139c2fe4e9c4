//! `registry serve` as a program: killed at every durable act, ended by a signal.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spec::digest::Digest;
use testkit::{Faults, Kist, for_each_kill};

use crate::empty;

/// A registry over one directory of the test's.
struct Server {
    child: Child,
    address: Option<String>,
}

impl Server {
    fn start(kist: &Kist, faults: Option<&Faults>) -> Server {
        let storage = kist.scratch().join("registry").display().to_string();
        let mut command = kist.command(&["registry", "serve", "--listen", "127.0.0.1:0", "--storage", &storage]);
        if let Some(faults) = faults {
            faults.arm(&mut command);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        // Its log must not fill up and block it.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let address = line.trim().strip_prefix("registry listening on http://").map(str::to_owned);
        Server { child, address }
    }

    /// The status of a request and the bytes of its answer; none when the server is gone.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(self.address.as_ref()?).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {MANIFEST}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let status = std::str::from_utf8(&answer[..end]).ok()?.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer[end + 4..].to_vec()))
    }

    /// Pushes an image of one layer under a tag; whether all of it was accepted.
    fn push(&self, tag: &str, layer: &str) -> bool {
        let blob = |bytes: &[u8]| {
            let digest = Digest::sha256(bytes);
            let pushed = self.ask("POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), bytes);
            let descriptor = format!(r#"{{"mediaType":"x","size":{},"digest":"{digest}"}}"#, bytes.len());
            pushed.filter(|(status, _)| *status == 201).map(|_| descriptor)
        };
        let manifest = || {
            let (config, layer) = (blob(b"{}")?, blob(layer.as_bytes())?);
            let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}],"subject":{config}}}"#);
            self.ask("PUT", &format!("/v2/a/manifests/{tag}"), text.as_bytes())
        };
        manifest().is_some_and(|(status, _)| status == 201)
    }

    /// Asserts that each tag leads to a manifest and each manifest to its blobs, all of them whole.
    fn check(&self) {
        let (status, tags) = self.ask("GET", "/v2/a/tags/list", b"").unwrap();
        let tags: serde_json::Value = serde_json::from_slice(&tags).unwrap();
        let tags = tags["tags"].as_array().cloned().unwrap_or_default();
        assert!(status == 200 || status == 404);
        for tag in tags {
            let (status, bytes) = self.ask("GET", &format!("/v2/a/manifests/{}", tag.as_str().unwrap()), b"").unwrap();
            assert_eq!(status, 200, "{tag}");
            let manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            for digest in [&manifest["config"]["digest"], &manifest["layers"][0]["digest"]] {
                let digest = digest.as_str().unwrap();
                let (status, bytes) = self.ask("GET", &format!("/v2/a/blobs/{digest}"), b"").unwrap();
                assert_eq!((status, Digest::sha256(&bytes).to_string().as_str()), (200, digest), "{tag}");
            }
        }
    }

    /// Ends it by a signal and answers its exit code, if it had one.
    fn stop(mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.child);
        // It may have been killed by then.
        let _ = kill_process(pid, Signal::TERM);
        self.child.wait().unwrap().code()
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn a_registry_killed_at_any_act_is_whole() {
    let kist = empty();
    let acts = for_each_kill(|faults| {
        let tag = format!("t{}", faults.at());
        let layer = format!("layer {}", faults.at());
        let armed = Server::start(&kist, Some(faults));
        let pushed = armed.push(&tag, &layer);
        let deleted = armed.ask("DELETE", "/v2/a/manifests/t1", b"").is_some();
        assert_eq!(armed.stop() == Some(0), pushed && deleted);

        let server = Server::start(&kist, None);
        server.check();
        assert!(server.push(&tag, &layer) && server.push("t1", "layer 1"));
        server.check();
        assert_eq!(server.stop(), Some(0));
    });
    assert!(acts > 10, "only {acts} acts");
}
