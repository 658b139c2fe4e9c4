//! A question to a registry: to its mirrors in turn, then to itself; as nobody first, and then as whom it wants.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{Method, StatusCode, Uri};

use super::Client;
use super::body::Payload;
use super::error::ClientError;
use super::line::DialError;
use super::origin::{Endpoint, same_origin};
use super::tls::Trust;
use super::tokens::{Demand, challenges};
use super::wire::{Answer, Attempts, Call, host_of};

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
        let scheme = self.scheme(endpoint).await?;
        let home = endpoint.uri(&scheme, "", &[])?;
        let uri = match &ask.to {
            To::Path(path, query) => endpoint.uri(&scheme, path, query)?,
            To::Location(uri) => uri.clone(),
        };
        if scheme == Scheme::HTTPS && uri.scheme() == Some(&Scheme::HTTP) {
            let why = format!("it points from https to plain http at {}", host_of(&uri));
            return Err(ClientError::broken(&endpoint.name, why));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in ask.headers {
            let value = HeaderValue::try_from(value);
            headers
                .insert(name, value.map_err(|_| ClientError::Settings(format!("{} cannot be asked for", ask.what)))?);
        }
        // Where a registry sends us elsewhere, the address itself is the permission.
        let at_home = same_origin(&uri, &home);
        let secret = self.secret(endpoint, &ask.scopes).filter(|_| at_home);
        let mut call = Call { method: ask.method, uri, headers, secret, payload: ask.payload };
        let attempts = Attempts::of(endpoint.role);
        let mut answer = self.0.wire.send(&mut call, attempts).await?;
        if answer.status == StatusCode::UNAUTHORIZED && at_home && same_origin(&answer.uri, &home) {
            let (host, challenges, scopes) = (answer.host(), challenges(&answer), &ask.scopes);
            self.0.wire.spend(answer).await;
            let demand = Demand { endpoint, uri: &home, challenges, scopes, what: &ask.what };
            call.secret = Some(self.meet(&demand, call.secret.as_ref()).await?);
            if !call.payload.is_repeatable() {
                return Err(ClientError::transport(host, "our token has expired; there is a new one now"));
            }
            answer = self.0.wire.send(&mut call, attempts).await?;
        }
        self.0.wire.expect_success(answer, &endpoint.name, &ask.what).await
    }

    /// What an endpoint speaks. One that need not prove who it is may speak plain HTTP, which shows when TLS is tried.
    pub(super) async fn scheme(&self, endpoint: &Endpoint) -> Result<Scheme, ClientError> {
        let (known, dialer) = (&self.0.known, self.0.wire.dialer());
        if let Some(scheme) = endpoint.scheme.clone().or_else(|| known.scheme(&endpoint.authority)) {
            return Ok(scheme);
        }
        let scheme = match dialer.tls().trust(&endpoint.authority).await {
            Trust::Proven => Scheme::HTTPS,
            Trust::Blind => match dialer.dial(&endpoint.uri(&Scheme::HTTPS, "", &[])?).await {
                Ok(_) => Scheme::HTTPS,
                Err(DialError::Tls(..)) => Scheme::HTTP,
                // There is nobody to learn anything from; perhaps next time. Without a port in the name, HTTP's is another.
                Err(DialError::Unknown(..) | DialError::Unreachable(..) | DialError::Proxy { .. }) => {
                    return Ok(Scheme::HTTP);
                }
                Err(DialError::Settings(error)) => return Err(error),
            },
        };
        known.speaks(&endpoint.authority, &scheme);
        Ok(scheme)
    }
}
