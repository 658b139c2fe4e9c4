//! A registry in this process and the smallest client there is.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use registry::server::{Access, Files, Serve, Server};
use spec::digest::Digest;
use testkit::Root;
use tokio::sync::oneshot;

/// A server over a directory of its own; ends with its value.
pub(crate) struct Registry {
    pub(crate) root: Root,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What most tests serve.
pub(crate) fn plain(root: &Root) -> Serve {
    Serve {
        listen: "127.0.0.1:0".into(),
        storage: Arc::new(Files::open(&root.join("registry")).unwrap()),
        access: Access::ReadWrite,
        htpasswd: None,
        tls: None,
        upstream: None,
        say: Arc::new(|_| {}),
    }
}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry::with(Root::new(), |_| {})
    }

    pub(crate) fn with(root: Root, change: impl FnOnce(&mut Serve)) -> Registry {
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let mut serve = plain(&root);
        serve.say = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
        change(&mut serve);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(Server::bind(serve)).unwrap();
        let address = server.address();
        let (end, ends) = oneshot::channel();
        let thread = std::thread::spawn(move || runtime.block_on(server.run(async { drop(ends.await) })));
        Registry { root, address, log, end: Some(end), thread: Some(thread) }
    }

    /// The same directory under a new server.
    pub(crate) fn restart(mut self) -> Registry {
        self.stop();
        Registry::with(std::mem::take(&mut self.root), |_| {})
    }

    pub(crate) fn stop(&mut self) {
        self.tell();
        self.thread.take().unwrap().join().unwrap();
    }

    /// Tells it to end, without waiting.
    pub(crate) fn tell(&mut self) {
        let _ = self.end.take().unwrap().send(());
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || ["PUT", "POST", "PATCH"].contains(&method) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // The server may refuse before it has read all.
        let _ = stream.write_all(body);
        Reply::read(&mut stream)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"")
    }

    /// Pushes a blob and answers its digest.
    pub(crate) fn push_blob(&self, name: &str, bytes: &[u8]) -> String {
        let digest = Digest::sha256(bytes).to_string();
        self.ask("POST", &format!("/v2/{name}/blobs/uploads/?digest={digest}"), &[], bytes).expect(201);
        digest
    }

    /// Pushes a manifest of an image with one layer and answers its digest.
    pub(crate) fn push_image(&self, name: &str, tag: &str, layer: &[u8]) -> String {
        let manifest = image(&self.push_blob(name, b"{}"), &self.push_blob(name, layer), "");
        let reply = self.put_manifest(name, tag, &manifest);
        reply.expect(201);
        reply.headers["docker-content-digest"].clone()
    }

    pub(crate) fn put_manifest(&self, name: &str, which: &str, manifest: &str) -> Reply {
        let headers = [("Content-Type", "application/vnd.oci.image.manifest.v1+json")];
        self.ask("PUT", &format!("/v2/{name}/manifests/{which}"), &headers, manifest.as_bytes())
    }

    /// Begins an upload and answers its path.
    pub(crate) fn begin(&self, name: &str) -> String {
        let reply = self.ask("POST", &format!("/v2/{name}/blobs/uploads/"), &[], b"");
        reply.expect(202);
        reply.headers["location"].clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if self.end.is_some() {
            self.tell();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// An image's manifest; `more` are further fields, with a comma in front.
pub(crate) fn image(config: &str, layer: &str, more: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"{config}"}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1,"digest":"{layer}"}}]{more}}}"#
    )
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn read(stream: &mut TcpStream) -> Reply {
        let mut bytes = Vec::new();
        let mut piece = [0; 65536];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => bytes.extend_from_slice(&piece[..n]),
                // A reset behind an answer is an end too.
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset && !bytes.is_empty() => break,
                Err(e) => panic!("{e} after {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        Reply::parse(&bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Reply {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the headers");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Reply { status, headers: lines.filter_map(pair).collect(), body: bytes[end + 4..].to_vec() }
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> &Reply {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        self
    }

    /// The status and the specification's code of each error.
    pub(crate) fn error(&self) -> String {
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let codes =
            document["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap().to_owned());
        format!("{} {}", self.status, codes.collect::<Vec<_>>().join(" "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
