//! One request and its response: redirects, time-outs, and repetition of what failed for the moment.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, PROXY_AUTHORIZATION, RETRY_AFTER, USER_AGENT,
};
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::{Payload, Pulse, Watched, whole};
use super::error::{ClientError, is_passing, said};
use super::line::{DialError, Dialer};
use super::origin::{Role, resolve, same_origin};
use super::settings::{Patience, Settings};

const REDIRECTS_MAX: usize = 10;
/// Registries send a dozen headers, content networks some thirty.
const HEADERS_MAX: usize = 100;
/// Also what is read of a body at once.
const HEAD_MAX_BYTES: usize = 256 << 10;
const COMPLAINT_MAX_BYTES: usize = 64 << 10;

/// A request.
pub(super) struct Call {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    /// `Authorization`, for the origin of `uri` and no other.
    pub secret: Option<HeaderValue>,
    pub payload: Payload,
}

/// A response, of whatever status.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Incoming,
    /// Who gave it: after redirects not the one who was asked.
    pub uri: Uri,
}

impl Answer {
    pub(super) fn host(&self) -> String {
        host_of(&self.uri)
    }

    /// A header as text; what is no text counts as absent.
    pub(super) fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// How often a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempts {
    /// There is somebody else to ask.
    One,
    /// As often as patience allows.
    Several,
}

impl Attempts {
    pub(super) fn of(role: Role) -> Attempts {
        match role {
            Role::Mirror => Attempts::One,
            Role::Registry => Attempts::Several,
        }
    }
}

/// The pool of connections and what goes over them.
pub(super) struct Wire {
    http: legacy::Client<Dialer, Watched>,
    dialer: Dialer,
    user_agent: HeaderValue,
    patience: Patience,
}

impl Wire {
    pub(super) fn new(settings: &Settings) -> Wire {
        let dialer = Dialer::new(settings);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_headers(HEADERS_MAX)
            .http1_max_buf_size(HEAD_MAX_BYTES)
            .build(dialer.clone());
        let user_agent = HeaderValue::from_str(&settings.user_agent);
        let user_agent = user_agent.unwrap_or(HeaderValue::from_static("kist"));
        Wire { http, dialer, user_agent, patience: settings.patience.clone() }
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    pub(super) fn stall(&self) -> Duration {
        self.patience.stall
    }

    /// Sends until there is an answer that is not of the moment only, or patience ends; then the last answer is the answer.
    pub(super) async fn send(&self, call: &mut Call, attempts: Attempts) -> Result<Answer, ClientError> {
        let repeatable = call.payload.is_repeatable() && attempts == Attempts::Several;
        let pauses: &[Duration] = if repeatable { &self.patience.pauses } else { &[] };
        for pause in pauses {
            let pause = match self.follow(call).await {
                Ok(answer) if !is_passing(answer.status) => return Ok(answer),
                Ok(answer) => {
                    let Some(pause) = self.asked_pause(&answer, *pause) else { return Ok(answer) };
                    self.spend(answer).await;
                    pause
                }
                Err(error) if error.is_transient() && !is_unknown_name(&error) => jittered(*pause),
                Err(error) => return Err(error),
            };
            tokio::time::sleep(pause).await;
        }
        self.follow(call).await
    }

    /// How long to wait after this answer; nothing when that would be longer than anybody waits.
    fn asked_pause(&self, answer: &Answer, ours: Duration) -> Option<Duration> {
        match retry_after(answer) {
            Some(pause) => (pause <= self.patience.retry_after).then_some(pause.max(jittered(ours))),
            // Docker Hub's limits are by the hour: with nothing left, a moment does not help.
            None if answer.header("ratelimit-remaining").is_some_and(|left| left.split(';').next() == Some("0")) => {
                None
            }
            None => Some(jittered(ours)),
        }
    }

    /// Sends, and goes where the answer points. The secret stays with the origin it is for.
    async fn follow(&self, call: &mut Call) -> Result<Answer, ClientError> {
        let mut uri = call.uri.clone();
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.once(call, &uri).await?;
            let repeats = matches!(answer.status.as_u16(), 307 | 308);
            if !repeats && !matches!(answer.status.as_u16(), 301..=303) {
                return Ok(answer);
            }
            let host = answer.host();
            let broken = |why: &str| ClientError::broken(&host, why);
            if !is_reading(&call.method) && !repeats || !call.payload.is_repeatable() {
                return Err(broken(&format!("it redirects a {} with {}", call.method, answer.status)));
            }
            let next = answer.header(LOCATION).and_then(|location| resolve(&uri, location));
            let next = next.ok_or_else(|| broken("it redirects to no address"))?;
            if uri.scheme() == Some(&Scheme::HTTPS) && next.scheme() == Some(&Scheme::HTTP) {
                return Err(broken(&format!("it redirects from https to plain http at {}", host_of(&next))));
            }
            self.spend(answer).await;
            uri = next;
        }
        Err(ClientError::broken(host_of(&uri), format!("more than {REDIRECTS_MAX} redirects")))
    }

    async fn once(&self, call: &mut Call, uri: &Uri) -> Result<Answer, ClientError> {
        let mut headers = call.headers.clone();
        headers.insert(USER_AGENT, self.user_agent.clone());
        if let Some(secret) = call.secret.as_ref().filter(|_| same_origin(&call.uri, uri)) {
            headers.insert(AUTHORIZATION, secret.clone());
        }
        // hyper leaves it out where there is no body, and some servers answer 411 then.
        if matches!(call.payload, Payload::Nothing) && !is_reading(&call.method) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(secret) = self.dialer.proxy_secret(uri) {
            headers.insert(PROXY_AUTHORIZATION, secret);
        }
        let pulse = Pulse::new();
        let mut request = Request::new(call.payload.take(&pulse));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let host = host_of(uri);
        match pulse.or_silence(self.patience.headers, self.http.request(request)).await {
            Some(Ok(response)) => Ok(answer(response, uri)),
            Some(Err(error)) => Err(self.explain(error, uri)),
            None => {
                let text = format!("no answer came for {} s", self.patience.headers.as_secs());
                Err(ClientError::transport(host, io::Error::new(io::ErrorKind::TimedOut, text)))
            }
        }
    }

    fn explain(&self, error: legacy::Error, uri: &Uri) -> ClientError {
        let host = host_of(uri);
        if let Some(DialError::Settings(ClientError::Settings(why))) = dial_error(&error) {
            return ClientError::Settings(why.clone());
        }
        let advice = uri.authority().and_then(|authority| self.dialer.tls().advice(&error, authority));
        match advice {
            Some(advice) => ClientError::Untrusted { host, advice, source: error.into() },
            None if is_nonsense(&error) => ClientError::broken(host, "its answer is not HTTP"),
            None => ClientError::transport(host, error),
        }
    }

    /// Reads the body of an answer whose head says all: a connection with unread bytes cannot be used again.
    pub(super) async fn spend(&self, answer: Answer) {
        let host = answer.host();
        // If it does not come or does not end, the connection is closed, and that is all.
        let _ = whole(answer.body, &host, self.patience.stall, COMPLAINT_MAX_BYTES).await;
    }

    /// The error an answer stands for, if it is no success.
    pub(super) async fn expect_success(
        &self,
        answer: Answer,
        registry: &str,
        what: &str,
    ) -> Result<Answer, ClientError> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let (registry, what, status) = (registry.to_owned(), what.to_owned(), answer.status);
        let limit = answer.header("ratelimit-limit").map(super::error::printable);
        let retry_after = retry_after(&answer);
        let host = answer.host();
        // The status says enough when the complaint does not arrive.
        let complaint = whole(answer.body, &host, self.patience.stall, COMPLAINT_MAX_BYTES).await;
        let said = complaint.map(|bytes| said(&bytes)).unwrap_or_default();
        Err(match status {
            StatusCode::NOT_FOUND => ClientError::NotFound { registry, what, said },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ClientError::Denied { registry, what, said },
            StatusCode::TOO_MANY_REQUESTS => ClientError::RateLimited { registry, limit, retry_after, said },
            _ => ClientError::Refused { registry, what, status, said },
        })
    }
}

fn is_reading(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn answer(response: Response<Incoming>, uri: &Uri) -> Answer {
    let (head, body) = response.into_parts();
    Answer { status: head.status, headers: head.headers, body, uri: uri.clone() }
}

/// Host and port, without what a URI may hold of secrets: signed addresses carry them in their query.
pub(super) fn host_of(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    // Neither a user nor a password is told with what failed.
    authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned()
}

/// Whether a name could not be looked up: the resolver had its own patience (resolv.conf(5), `attempts`).
fn is_unknown_name(error: &ClientError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    source.and_then(dial_error).is_some_and(|error| matches!(error, DialError::Unknown(..)))
}

fn dial_error(error: &legacy::Error) -> Option<&DialError> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Whether the other side answered with what hyper cannot read, which will be no different next time.
fn is_nonsense(error: &legacy::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<hyper::Error>());
    source.is_some_and(hyper::Error::is_parse)
}

/// In seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header(RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(then.duration_since(jiff::Timestamp::now()).try_into().unwrap_or_default())
}

/// Give or take a quarter, so that many who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    pause * 3 / 4 + pause * u32::try_from(random).unwrap_or_default() / 1024
}
