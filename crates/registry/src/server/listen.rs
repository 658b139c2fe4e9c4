//! Connections: how many, for how long, and how they end.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::answer::Registry;
use super::incoming::STALL;
use super::stall::Stall;

/// Connections at once; others wait to be accepted. With [`BUFFER`] and the pieces of bodies this bounds the memory: half a GiB if all of
/// them dawdle.
const CONNECTIONS: usize = 1024;

/// How long the next request may take to come, from its first byte or from the end of the one before.
const HEADERS: Duration = Duration::from_secs(30);

const HEADERS_MAX: usize = 32 << 10;

/// What is read ahead of a body, and at most waits to be written.
const BUFFER: usize = 128 << 10;

/// How long requests that are under way may take when the server ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listening registry.
pub(super) struct Listener {
    pub(super) tcp: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) registry: Arc<Registry>,
}

impl Listener {
    pub(super) async fn bind(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
        TcpListener::bind(addresses).await
    }

    /// Serves until `ends` is over; then answers what was asked and returns.
    pub(super) async fn run(self, ends: impl Future<Output = ()>) {
        let mut ends = pin!(ends);
        let (end, ending) = watch::channel(());
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let mut accept = pin!(async {
                let place = places.clone().acquire_owned().await.expect("nobody closes the semaphore");
                (place, self.tcp.accept().await)
            });
            let accepted = poll_fn(|cx| match ends.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => accept.as_mut().poll(cx).map(Some),
            });
            let Some((place, accepted)) = accepted.await else { break };
            let Ok((stream, _)) = accepted else {
                // Of the connection, or of too many files: the next one may do.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let (registry, tls, ending) = (self.registry.clone(), self.tls.clone(), ending.clone());
            tokio::spawn(async move {
                converse(registry, tls, stream, ending).await;
                drop(place);
            });
        }
        drop(self.tcp);
        // Nobody listens when nobody is connected.
        let _ = end.send(());
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(PATIENCE, places.acquire_many(all)).await;
    }
}

/// One client; what goes wrong with its connection is its own business.
async fn converse(registry: Arc<Registry>, tls: Option<TlsAcceptor>, stream: TcpStream, ending: watch::Receiver<()>) {
    // Answers are written whole: waiting for more of them only delays.
    let _ = stream.set_nodelay(true);
    let stream = Stall::new(stream, STALL);
    match tls {
        None => speak(registry, stream, ending).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HEADERS, tls.accept(stream)).await {
                speak(registry, stream, ending).await;
            }
        }
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin>(registry: Arc<Registry>, stream: S, mut ending: watch::Receiver<()>) {
    let answer = service_fn(|request| {
        let registry = registry.clone();
        async move { Ok::<_, std::convert::Infallible>(registry.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_header_size(HEADERS_MAX)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let mut ends = pin!(ending.changed());
    let mut told = false;
    let _ = poll_fn(|cx| {
        if !told && ends.as_mut().poll(cx).is_ready() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
}
