//! `registry serve` as a program: what it serves, to whom, and that nothing breaks it.

mod own;
mod peers;
mod proxy;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use spec::digest::Digest;
use testkit::{Faults, ImageBuilder, Kist, Layer, for_each_kill};

use crate::on_this_computer;

/// A registry on an address of its own; ends with its value.
struct Server {
    child: Child,
    /// None where it ended before it listened.
    address: Option<String>,
    log: Arc<Mutex<String>>,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Server {
    /// Over a directory of the test's.
    fn over_files(kist: &Kist, faults: Option<&Faults>) -> Server {
        let storage = kist.scratch().join("registry").display().to_string();
        Server::with(kist, &["--storage", &storage], faults)
    }

    fn start(kist: &Kist, flags: &[&str]) -> Server {
        Server::with(kist, flags, None)
    }

    fn with(kist: &Kist, flags: &[&str], faults: Option<&Faults>) -> Server {
        let listen: &[&str] = if flags.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut command = kist.command(&[&["registry", "serve"], listen, flags].concat());
        if let Some(faults) = faults {
            faults.arm(&mut command);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("registry listening on http://").map(str::to_owned);
        let log = Arc::new(Mutex::new(line));
        let said = log.clone();
        // Its log must not fill up and block it.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                said.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Server { child, address, log }
    }

    #[track_caller]
    fn address(&self) -> &str {
        self.address.as_ref().unwrap_or_else(|| panic!("it does not listen: {}", self.log()))
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The log with a line for every request that was answered by now. Lines come through a pipe, and only when their answer has left:
    /// when the line of a last request is here, those before it are.
    #[track_caller]
    fn settled_log(&self) -> String {
        let last = format!("/v2/settled-{}/tags/list", self.log().len());
        self.get(&last);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.log().contains(&last) {
            assert!(Instant::now() < deadline, "it does not log {last}: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.log()
    }

    /// Sends a request; none when the server is gone.
    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(self.address.as_ref()?).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| *name == "Content-Type") {
            head.push_str(&format!("Content-Type: {MANIFEST}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
        Some(stream)
    }

    /// The status of a request and the bytes of its answer; none when the server is gone.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let reply = Reply::read(&mut self.request(method, path, &[], body)?)?;
        Some((reply.status, reply.body))
    }

    #[track_caller]
    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        Reply::read(&mut self.request("GET", path, headers, b"").unwrap()).unwrap()
    }

    #[track_caller]
    fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
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
        self.end()
    }

    fn end(&mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.child);
        // It may have been killed by then.
        let _ = kill_process(pid, Signal::TERM);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("{log}");
        } else {
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

impl Reply {
    /// None when it ends before its headers do. A body may be shorter than they say.
    fn read(stream: &mut TcpStream) -> Option<Reply> {
        let mut answer = Vec::new();
        // A connection that is cut is reset.
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let mut lines = std::str::from_utf8(&answer[..end]).ok()?.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned()));
        Some(Reply { status, headers: headers.collect(), body: answer[end + 4..].to_vec() })
    }

    #[track_caller]
    fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{:?} {}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }

    /// The status and the code and message of the first error.
    fn error(&self) -> String {
        let document: Value = serde_json::from_slice(&self.body).unwrap();
        let error = &document["errors"][0];
        format!("{} {}: {}", self.status, error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What looks like nothing in particular, and always the same.
fn noise(seed: u32, bytes: u32) -> Vec<u8> {
    (0..bytes).map(|n| ((n ^ seed).wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect()
}

/// An engine with an image that prints that it runs, and the image's ID. Docker gives a file the mode of its last hard link, so there
/// are none.
fn app(name: &str) -> (Kist, String) {
    let program = Layer::new().dir("bin/", 0o755).file("bin/busybox", 0o755, std::fs::read("/bin/busybox").unwrap());
    let image = ImageBuilder::new().name(name).layer(program).file("more", 0o644, "of a second layer");
    let image = image.config("Entrypoint", json!(["/bin/busybox", "echo", "runs"]));
    let kist = on_this_computer();
    kist.load_image(&image);
    (kist, image.id())
}

#[test]
fn a_registry_killed_at_any_act_is_whole() {
    let kist = on_this_computer();
    let acts = for_each_kill(|faults| {
        let tag = format!("t{}", faults.at());
        let layer = format!("layer {}", faults.at());
        let armed = Server::over_files(&kist, Some(faults));
        let pushed = armed.push(&tag, &layer);
        let deleted = armed.ask("DELETE", "/v2/a/manifests/t1", b"").is_some();
        assert_eq!(armed.stop() == Some(0), pushed && deleted);

        let server = Server::over_files(&kist, None);
        server.check();
        assert!(server.push(&tag, &layer) && server.push("t1", "layer 1"));
        server.check();
        assert_eq!(server.stop(), Some(0));
    });
    assert!(acts > 10, "only {acts} acts");
}
