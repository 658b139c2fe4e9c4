//! A registry that does what a test tells it, and remembers what it was asked.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::client::{Client, ClientError, Credentials, Login, Patience, ProxySettings, Settings};

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub method: String,
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// The answer, as it goes over the line; afterwards the line is closed if it is shorter than it says.
pub(super) struct Reply {
    head: String,
    body: Vec<u8>,
    length: Option<usize>,
    pub stall: bool,
}

pub(super) fn reply(status: u16) -> Reply {
    Reply { head: format!("HTTP/1.1 {status} X\r\n"), body: Vec::new(), length: None, stall: false }
}

impl Reply {
    pub(super) fn header(mut self, name: &str, value: &str) -> Reply {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// Says another length than it has.
    pub(super) fn length(mut self, length: usize) -> Reply {
        self.length = Some(length);
        self
    }
}

#[derive(Clone)]
pub(super) struct Peer {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Peer {
    pub(super) async fn plain(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Peer {
        Peer::listen(None, script).await
    }

    pub(super) async fn tls(
        config: rustls::ServerConfig,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Peer {
        Peer::listen(Some(TlsAcceptor::from(Arc::new(config))), script).await
    }

    async fn listen(tls: Option<TlsAcceptor>, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let (seen, script) = (peer.seen.clone(), Arc::new(script));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, script, tls) = (seen.clone(), script.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &*script, &seen).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &*script, &seen).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        peer
    }

    /// `GET /v2/ Bearer x`, one a line.
    pub(super) fn log(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let line = |seen: &Seen| {
            let text = format!("{} {} {}", seen.method, seen.target, seen.header("authorization"));
            text.trim_end().replace(&self.address.to_string(), "HOST") + "\n"
        };
        seen.iter().map(line).collect()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: &(dyn Fn(&Seen) -> Reply + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) -> Option<()> {
    loop {
        let seen = request(&mut stream).await?;
        log.lock().unwrap().push(seen.clone());
        let reply = script(&seen);
        let length = reply.length.unwrap_or(reply.body.len());
        let silent = reply.head.starts_with("HTTP/1.1 204") || reply.head.contains("content-length");
        let length_line = if silent { String::new() } else { format!("content-length: {length}\r\n") };
        stream.write_all(format!("{}{length_line}\r\n", reply.head).as_bytes()).await.ok()?;
        if seen.method != "HEAD" {
            stream.write_all(&reply.body).await.ok()?;
        }
        stream.flush().await.ok()?;
        if reply.stall {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        if length != reply.body.len() && seen.method != "HEAD" {
            return stream.shutdown().await.ok();
        }
    }
}

async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
        // Somebody tries TLS: no HTTP server takes this for a request.
        if head[0] == 0x16 {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> = pairs.map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { method, target, headers, body })
}

/// Logins of a test.
#[derive(Default)]
pub(super) struct Logins(pub Mutex<BTreeMap<String, Login>>);

impl Credentials for Logins {
    fn of(&self, registry: &str) -> Result<Option<Login>, String> {
        Ok(self.0.lock().unwrap().get(registry).cloned())
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        mirrors: BTreeMap::new(),
        insecure: Vec::new(),
        certs_dirs: Vec::new(),
        credentials: Arc::new(Logins::default()),
        proxy: ProxySettings::default(),
        user_agent: "kist/test".into(),
        patience: Patience {
            connect: Duration::from_secs(2),
            headers: Duration::from_secs(2),
            stall: Duration::from_millis(200),
            pauses: vec![Duration::from_millis(1); 2],
            retry_after: Duration::from_secs(1),
        },
    }
}

pub(super) fn client() -> Client {
    Client::new(settings())
}

pub(super) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// An error and its sources.
pub(super) fn chain(error: ClientError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
