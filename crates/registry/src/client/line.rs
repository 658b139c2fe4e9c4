//! A connection: the name looked up, each address tried, the proxy's tunnel, TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::error::{BoxError, ClientError, printable};
use super::origin::{bare, is_loopback, port};
use super::settings::Settings;
use super::tls::{Tls, Trust};
use super::wire::host_of;

/// What RFC 8305 recommends.
const HEAD_START: Duration = Duration::from_millis(250);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("the name {0} cannot be looked up")]
    Unknown(String, #[source] io::Error),
    #[error("{0} cannot be connected to")]
    Unreachable(String, #[source] io::Error),
    #[error("the proxy {proxy} does not connect us to {to}: {said}")]
    Proxy { proxy: String, to: String, said: String },
    #[error("TLS with {0}")]
    Tls(Authority, #[source] io::Error),
    #[error(transparent)]
    Settings(ClientError),
}

/// Makes connections; hyper's pool keeps them.
#[derive(Clone)]
pub(super) struct Dialer(Arc<Ways>);

struct Ways {
    tls: Tls,
    proxies: Matcher,
    patience: Duration,
}

impl Dialer {
    pub(super) fn new(settings: &Settings) -> Dialer {
        let proxy = &settings.proxy;
        let (http, https, no) = (proxy.http.clone(), proxy.https.clone(), proxy.no_proxy.clone());
        let proxies = Matcher::builder().http(http).https(https).no(no).build();
        let tls = Tls::new(settings.certs_dirs.clone(), settings.insecure.clone());
        Dialer(Arc::new(Ways { tls, proxies, patience: settings.patience.connect }))
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.0.tls
    }

    /// What a proxy that is asked for plain HTTP wants to see in each request.
    pub(super) fn proxy_secret(&self, uri: &Uri) -> Option<HeaderValue> {
        let plain = uri.scheme() == Some(&Scheme::HTTP);
        self.proxy(uri).filter(|_| plain).and_then(|proxy| proxy.basic_auth().cloned())
    }

    fn proxy(&self, uri: &Uri) -> Option<Intercept> {
        uri.host().filter(|host| !is_loopback(host)).and_then(|_| self.0.proxies.intercept(uri))
    }

    /// Connects to the host of `uri`, ready for a request.
    pub(super) async fn dial(&self, uri: &Uri) -> Result<Line, DialError> {
        let nowhere = || DialError::Settings(ClientError::Settings("an address without a host".into()));
        let authority = uri.authority().ok_or_else(nowhere)?;
        let proxy = self.proxy(uri);
        let stream = match &proxy {
            None => self.reach(uri).await?,
            Some(proxy) => self.reach_proxy(proxy).await?,
        };
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Line { stream: TokioIo::new(stream), proxied: proxy.is_some() });
        }
        let stream = match &proxy {
            None => stream,
            Some(proxy) => self.patiently(uri.host(), tunnel(stream, proxy, uri)).await?,
        };
        let trust = self.0.tls.trust(authority).await;
        Ok(Line { stream: TokioIo::new(self.secure(stream, authority, trust).await?), proxied: false })
    }

    async fn reach_proxy(&self, proxy: &Intercept) -> Result<Box<dyn Stream>, DialError> {
        let uri = proxy.uri();
        let stream = self.reach(uri).await?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http"), _) => Ok(stream),
            (Some("https"), Some(authority)) => self.secure(stream, authority, Trust::Proven).await,
            _ => Err(DialError::Settings(ClientError::Settings(format!(
                "proxies like {uri} cannot be used, only HTTP's"
            )))),
        }
    }

    /// All addresses of the name, in the order the resolver prefers (RFC 6724), each with a head start to the next (RFC 8305): where
    /// IPv6 leads nowhere, only that is lost.
    async fn reach(&self, uri: &Uri) -> Result<Box<dyn Stream>, DialError> {
        let (host, port) = (bare(uri.host().unwrap_or_default()), port(uri));
        let unknown = |e| DialError::Unknown(host.into(), e);
        let addresses = timeout(self.0.patience, tokio::net::lookup_host((host, port))).await;
        let mut addresses = addresses.unwrap_or_else(|_| Err(late())).map_err(unknown)?.fuse();
        let (mut attempts, mut failed) = (JoinSet::new(), unknown(io::Error::other("it has no address")));
        loop {
            let (next, patience) = (addresses.next(), self.0.patience);
            if let Some(address) = next {
                attempts.spawn(connect(address, patience));
            }
            let head_start = if next.is_some() { HEAD_START } else { patience };
            match timeout(head_start, attempts.join_next()).await {
                Ok(Some(Ok(Ok(stream)))) => return Ok(Box::new(stream)),
                Ok(Some(Ok(Err(error)))) => failed = error,
                Ok(None) => return Err(failed),
                Ok(Some(Err(_))) | Err(_) => {}
            }
        }
    }

    async fn secure(
        &self,
        stream: Box<dyn Stream>,
        authority: &Authority,
        trust: Trust,
    ) -> Result<Box<dyn Stream>, DialError> {
        let config = self.0.tls.config(authority, trust).map_err(DialError::Settings)?;
        let host = bare(authority.host()).to_owned();
        let failed = |e| DialError::Tls(authority.clone(), e);
        let name = ServerName::try_from(host).map_err(|e| failed(io::Error::other(e)))?;
        let secured = timeout(self.0.patience, TlsConnector::from(config).connect(name, stream)).await;
        let secured = secured.unwrap_or_else(|_| Err(late())).map_err(failed)?;
        Ok(Box::new(secured))
    }

    async fn patiently<T>(
        &self,
        host: Option<&str>,
        work: impl Future<Output = Result<T, DialError>>,
    ) -> Result<T, DialError> {
        let unreachable = |_| Err(DialError::Unreachable(host.unwrap_or_default().into(), late()));
        timeout(self.0.patience, work).await.unwrap_or_else(unreachable)
    }
}

async fn connect(address: SocketAddr, patience: Duration) -> Result<TcpStream, DialError> {
    let unreachable = |e| DialError::Unreachable(address.to_string(), e);
    let stream = timeout(patience, TcpStream::connect(address)).await.unwrap_or_else(|_| Err(late()));
    let stream = stream.map_err(unreachable)?;
    // Without it the last, short segment of a request waits for the acknowledgement of the one before.
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// Asks a proxy for a line through it (RFC 9110, section 9.3.6).
async fn tunnel(mut stream: Box<dyn Stream>, proxy: &Intercept, uri: &Uri) -> Result<Box<dyn Stream>, DialError> {
    const HEAD_MAX: usize = 8 << 10;
    let to = format!("{}:{}", uri.host().unwrap_or_default(), port(uri));
    let refused = |said: &str| DialError::Proxy { proxy: host_of(proxy.uri()), to: to.clone(), said: printable(said) };
    let secret = proxy.basic_auth().and_then(|secret| secret.to_str().ok());
    let secret = secret.map(|secret| format!("Proxy-Authorization: {secret}\r\n")).unwrap_or_default();
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{secret}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|e| refused(&e.to_string()))?;
    // Nothing follows the head before we begin with TLS, so that nothing of the tunnel is read here.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 1 << 10];
        let read = stream.read(&mut bytes).await.map_err(|e| refused(&e.to_string()))?;
        head.extend_from_slice(&bytes[..read]);
        if read == 0 || head.len() > HEAD_MAX {
            return Err(refused("no complete answer"));
        }
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.lines().next().unwrap_or_default();
    let granted = status.starts_with("HTTP/1.") && status.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    if granted { Ok(stream) } else { Err(refused(status)) }
}

/// What TCP, a tunnel and TLS have in common.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection in hyper's terms.
pub(super) struct Line {
    stream: TokioIo<Box<dyn Stream>>,
    proxied: bool,
}

impl Service<Uri> for Dialer {
    type Response = Line;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Line, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { Ok(dialer.dial(&uri).await?) })
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.proxied)
    }
}

impl Read for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
