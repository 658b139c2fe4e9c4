//! A question to a registry: to its mirrors in turn, then to itself; as nobody first, and then as whom it wants.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{Method, Uri};

use super::Client;
use super::body::Payload;
use super::error::ClientError;
use super::origin::{Endpoint, Role};
use super::tls::Trust;
use super::wire::{Answer, Attempts, Call};

/// A question, whoever it is asked.
pub(super) struct Ask<'a> {
    pub method: Method,
    pub to: To<'a>,
    pub headers: Vec<(HeaderName, String)>,
    pub payload: Payload,
    /// What a token for it must allow: `repository:library/nginx:pull`.
    pub scopes: Vec<String>,
    /// For errors: `manifest library/nginx:latest`.
    pub what: String,
}

/// Where a question goes at an endpoint.
pub(super) enum To<'a> {
    /// Below `/v2/`.
    Path(String, Vec<(&'a str, &'a str)>),
    /// Where the registry pointed.
    Location(Uri),
}

impl Client {
    /// Asks one endpoint; any success is returned, anything else is an error.
    pub(super) async fn ask(&self, endpoint: &Endpoint, ask: Ask<'_>) -> Result<Answer, ClientError> {
        let uri = match &ask.to {
            To::Location(uri) => uri.clone(),
            To::Path(path, query) => endpoint.uri(&self.scheme(endpoint).await, path, query)?,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in ask.headers {
            let value = HeaderValue::try_from(value);
            headers
                .insert(name, value.map_err(|_| ClientError::Settings(format!("{} cannot be asked for", ask.what)))?);
        }
        let mut call = Call { method: ask.method, uri, headers, secret: None, payload: ask.payload };
        let attempts = match endpoint.role {
            Role::Mirror => Attempts::One,
            Role::Registry => Attempts::Several,
        };
        let answer = self.0.wire.send(&mut call, attempts).await?;
        self.0.wire.expect_success(answer, &endpoint.name, &ask.what).await
    }

    /// What an endpoint speaks. One that need not prove who it is may speak plain HTTP, which shows when TLS is tried.
    pub(super) async fn scheme(&self, endpoint: &Endpoint) -> Scheme {
        let (known, dialer) = (&self.0.known, self.0.wire.dialer());
        if let Some(scheme) = endpoint.scheme.clone().or_else(|| known.scheme(&endpoint.authority)) {
            return scheme;
        }
        let scheme = match dialer.tls().trust(&endpoint.authority).await {
            Trust::Proven => Scheme::HTTPS,
            Trust::Blind => match endpoint.uri(&Scheme::HTTPS, "", &[]) {
                Ok(uri) if dialer.dial(&uri).await.is_ok() => Scheme::HTTPS,
                Ok(_) | Err(_) => Scheme::HTTP,
            },
        };
        known.speaks(&endpoint.authority, &scheme);
        scheme
    }
}
