//! Bodies that come, with a limit to their silence and, where they are kept in memory, to their length; bodies that go, watched in the
//! same way.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, sleep_until, timeout};

use super::error::{BoxError, ClientError};
use super::origin::locked;

/// A body that is sent once, while it is made.
pub type Outgoing = UnsyncBoxBody<Bytes, BoxError>;

/// The next bytes of `body`, or none at its end.
pub(super) async fn next(body: &mut Incoming, host: &str, stall: Duration) -> Result<Option<Bytes>, ClientError> {
    loop {
        let frame = timeout(stall, body.frame()).await;
        let silence = || io::Error::new(io::ErrorKind::TimedOut, format!("nothing came for {} s", stall.as_secs()));
        match frame.map_err(|_| ClientError::transport(host, silence()))? {
            None => return Ok(None),
            Some(Err(e)) => return Err(ClientError::transport(host, e)),
            // Trailers say nothing about content.
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// The whole of `body`, up to `max_bytes` of it and one more, by which the caller sees that it is longer.
pub(super) async fn whole(
    mut body: Incoming,
    host: &str,
    stall: Duration,
    max_bytes: usize,
) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    while let Some(more) = next(&mut body, host, stall).await? {
        let room = (max_bytes + 1).saturating_sub(bytes.len());
        bytes.extend_from_slice(&more[..more.len().min(room)]);
        if bytes.len() > max_bytes {
            break;
        }
    }
    Ok(bytes)
}

/// What a request carries.
pub(super) enum Payload {
    Nothing,
    Bytes(Bytes),
    /// A body of this length, where that is known; gone once it was sent, so that such a request is never repeated.
    Once(Option<u64>, Option<Outgoing>),
}

impl Payload {
    pub(super) fn is_repeatable(&self) -> bool {
        match self {
            Payload::Nothing | Payload::Bytes(_) => true,
            Payload::Once(..) => false,
        }
    }

    pub(super) fn take(&mut self, pulse: &Pulse) -> Watched {
        let nothing = || Empty::new().map_err(|never| match never {}).boxed_unsync();
        let (left_bytes, body) = match self {
            Payload::Nothing => (Some(0), nothing()),
            Payload::Bytes(bytes) => {
                (Some(bytes.len() as u64), Full::new(bytes.clone()).map_err(|never| match never {}).boxed_unsync())
            }
            Payload::Once(length, body) => (*length, body.take().unwrap_or_else(nothing)),
        };
        Watched { body, left_bytes, pulse: pulse.clone() }
    }
}

/// When the other side last took something from us; nothing while it is we who are slow.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<Option<Instant>>>);

impl Pulse {
    pub(super) fn new() -> Pulse {
        Pulse(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    /// The outcome of `work`, or nothing if the other side is silent for so long meanwhile.
    pub(super) async fn or_silence<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut silence) = (pin!(work), pin!(self.silence(limit)));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => silence.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    async fn silence(&self, limit: Duration) {
        loop {
            let last = *locked(&self.0);
            sleep_until(last.unwrap_or_else(Instant::now) + limit).await;
            if last.is_some() && *locked(&self.0) == last {
                return;
            }
        }
    }
}

/// A body that feels its pulse, and that breaks off when it is not as long as it was said to be: hyper would wait for an answer that
/// cannot come.
pub(super) struct Watched {
    body: Outgoing,
    /// None: nobody knows.
    left_bytes: Option<u64>,
    pulse: Pulse,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        *locked(&self.pulse.0) = polled.is_ready().then(Instant::now);
        let wrong = || Poll::Ready(Some(Err("the body has another length than was announced".into())));
        match &polled {
            Poll::Ready(None) if self.left_bytes.is_some_and(|left| left > 0) => wrong(),
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                if let Some(left) = self.left_bytes {
                    let Some(left) = left.checked_sub(length) else { return wrong() };
                    self.left_bytes = Some(left);
                }
                polled
            }
            Poll::Ready(None | Some(Err(_))) | Poll::Pending => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes.unwrap_or_default() == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left_bytes.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
