//! Who we are, as a registry wants to hear it: a password (RFC 7617) or a token that its token server gives for one
//! (the distribution project's "Token Authentication" and "OAuth 2 Token Authentication").
//!
//! A registry is asked as nobody first. Its challenge says what it wants; then, and not before, the credentials are asked.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::uri::Scheme;
use hyper::{Method, StatusCode, Uri};
use serde::Deserialize;
use tokio::time::Instant;

use super::Client;
use super::body::{Payload, whole};
use super::challenge::{Challenge, parse};
use super::error::ClientError;
use super::origin::{Endpoint, append_query, locked, resolve};
use super::settings::Login;
use super::wire::{Answer, Attempts, Call, host_of};

/// Token servers ask clients to name themselves.
const CLIENT_ID: &str = "kist";
const TOKEN_MAX_BYTES: usize = 1 << 20;
/// What holds where the token server does not say.
const LIFETIME_S: u64 = 60;

/// What was proven to whom; kept in memory only.
#[derive(Default)]
pub(super) struct Tokens {
    secrets: Mutex<BTreeMap<Key, Secret>>,
    logins: Mutex<BTreeMap<String, Option<Login>>>,
    /// Held while a token is fetched: of many requests that are refused together, the first fetches it for all.
    fetching: tokio::sync::Mutex<()>,
}

/// An endpoint and what is wanted there.
type Key = (String, Vec<String>);

struct Secret {
    header: HeaderValue,
    until: Option<Instant>,
}

/// What a registry demands of a request, and of whom.
pub(super) struct Demand<'a> {
    pub endpoint: &'a Endpoint,
    /// Who demands it.
    pub uri: &'a Uri,
    pub challenges: Vec<Challenge>,
    /// What the request wants to do.
    pub scopes: &'a [String],
    /// For errors.
    pub what: &'a str,
}

/// Whether an identity token is wanted in place of the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    Wanted,
    Unneeded,
}

/// The answer to a demand.
struct Proof {
    header: HeaderValue,
    lifetime: Option<Duration>,
    identity: Option<String>,
}

impl Client {
    /// What was last accepted, as far as we know, and has not expired.
    pub(super) fn secret(&self, endpoint: &Endpoint, scopes: &[String]) -> Option<HeaderValue> {
        let secrets = locked(&self.0.tokens.secrets);
        let secret = secrets.get(&(endpoint.name.clone(), scopes.to_vec()))?;
        secret.until.is_none_or(|until| Instant::now() < until).then(|| secret.header.clone())
    }

    /// Meets a demand that was made in spite of `refused`.
    pub(super) async fn meet(
        &self,
        demand: &Demand<'_>,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, ClientError> {
        let _turn = self.0.tokens.fetching.lock().await;
        let known = self.secret(demand.endpoint, demand.scopes);
        if let Some(known) = known.filter(|known| Some(known) != refused) {
            return Ok(known);
        }
        let login = self.login(&demand.endpoint.name).await?;
        let proof = self.prove(demand, login.as_ref(), Identity::Unneeded).await?;
        let until = proof.lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime));
        let secret = Secret { header: proof.header.clone(), until };
        locked(&self.0.tokens.secrets).insert((demand.endpoint.name.clone(), demand.scopes.to_vec()), secret);
        Ok(proof.header)
    }

    /// Shows a login to a registry. Returns the identity token to keep in place of the password, if the registry gives any.
    ///
    /// # Errors
    /// See [`ClientError`]; `Denied` if the registry does not accept the login.
    pub async fn log_in(&self, registry: &str, login: &Login) -> Result<Option<String>, ClientError> {
        let endpoint = Endpoint::registry(registry)?;
        let uri = endpoint.uri(&self.scheme(&endpoint).await?, "", &[])?;
        let (headers, payload) = (HeaderMap::new(), Payload::Nothing);
        let mut call = Call { method: Method::GET, uri, headers, secret: None, payload };
        let what = "the login";
        let answer = self.0.wire.send(&mut call, Attempts::Several).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            // One that does not want to know who we are is content with anybody.
            self.0.wire.expect_success(answer, registry, what).await?;
            return Ok(None);
        }
        let demand = Demand { endpoint: &endpoint, uri: &call.uri, challenges: challenges(&answer), scopes: &[], what };
        let proof = self.prove(&demand, Some(login), Identity::Wanted).await?;
        call.secret = Some(proof.header);
        let answer = self.0.wire.send(&mut call, Attempts::Several).await?;
        self.0.wire.expect_success(answer, registry, what).await?;
        Ok(proof.identity)
    }

    async fn login(&self, name: &str) -> Result<Option<Login>, ClientError> {
        if let Some(login) = locked(&self.0.tokens.logins).get(name) {
            return Ok(login.clone());
        }
        let (credentials, registry) = (self.0.settings.credentials.clone(), name.to_owned());
        // It may run a program, and other transfers go on meanwhile.
        let login = tokio::task::spawn_blocking(move || credentials.of(&registry)).await;
        let login = login.map_err(|e| ClientError::Settings(e.to_string()))?.map_err(ClientError::Settings)?;
        locked(&self.0.tokens.logins).insert(name.to_owned(), login.clone());
        Ok(login)
    }

    async fn prove(
        &self,
        demand: &Demand<'_>,
        login: Option<&Login>,
        identity: Identity,
    ) -> Result<Proof, ClientError> {
        let denied = |said: &str| ClientError::Denied {
            registry: demand.endpoint.name.clone(),
            what: demand.what.into(),
            said: said.into(),
        };
        let of = |scheme: &str| demand.challenges.iter().find(|challenge| challenge.scheme == scheme);
        match (of("bearer"), of("basic"), login) {
            (Some(bearer), _, _) => self.token(demand, bearer, login, identity).await,
            (None, Some(_), Some(Login::Password { user, password })) => {
                Ok(Proof { header: basic(user, password), lifetime: None, identity: None })
            }
            (None, Some(_), Some(Login::Identity { .. })) => {
                Err(denied("it wants a password, and there is only a token"))
            }
            (None, Some(_), None) => Err(denied("no login for it is known")),
            (None, None, _) => Err(denied("it does not say how to log in")),
        }
    }

    async fn token(
        &self,
        demand: &Demand<'_>,
        bearer: &Challenge,
        login: Option<&Login>,
        identity: Identity,
    ) -> Result<Proof, ClientError> {
        let mut call = request(demand, bearer, login, identity)?;
        let answer = self.0.wire.send(&mut call, Attempts::of(demand.endpoint.role)).await?;
        let answer = self.0.wire.expect_success(answer, &demand.endpoint.name, demand.what).await?;
        let host = answer.host();
        let body = whole(answer.body, &host, self.0.wire.stall(), TOKEN_MAX_BYTES).await?;
        let broken = || ClientError::broken(&host, "its answer holds no token");
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| broken())?;
        let token = granted.token.or(granted.access_token).filter(|token| !token.is_empty()).ok_or_else(broken)?;
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| broken())?;
        header.set_sensitive(true);
        // A tenth earlier, so that it does not expire on the way.
        let lifetime = Duration::from_secs(granted.expires_in.unwrap_or(LIFETIME_S)) * 9 / 10;
        Ok(Proof { header, lifetime: Some(lifetime), identity: granted.refresh_token })
    }
}

/// All challenges of an answer.
pub(super) fn challenges(answer: &Answer) -> Vec<Challenge> {
    let headers = answer.headers.get_all(WWW_AUTHENTICATE).iter();
    headers.flat_map(|header| parse(&String::from_utf8_lossy(header.as_bytes()))).collect()
}

/// A token server's answer. `token` is the older name; where both are given they are the same.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

/// The request to the token server that `bearer` names.
fn request(
    demand: &Demand<'_>,
    bearer: &Challenge,
    login: Option<&Login>,
    identity: Identity,
) -> Result<Call, ClientError> {
    let host = host_of(demand.uri);
    let realm = bearer.parameter("realm").and_then(|realm| resolve(demand.uri, realm));
    let realm = realm.ok_or_else(|| ClientError::broken(&host, "it does not say where its tokens are"))?;
    if demand.uri.scheme() == Some(&Scheme::HTTPS) && realm.scheme() == Some(&Scheme::HTTP) {
        let why = format!("it wants our login to go to {} by plain http", host_of(&realm));
        return Err(ClientError::broken(host, why));
    }
    let scopes = scopes(demand, bearer);
    let service = bearer.parameter("service").map(|service| ("service", service));
    let mut call = Call {
        method: Method::GET,
        uri: realm.clone(),
        headers: HeaderMap::new(),
        secret: None,
        payload: Payload::Nothing,
    };
    if let Some(Login::Identity { token }) = login {
        let scope = scopes.join(" ");
        let fixed = [("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", token)];
        let mut form = String::from("?");
        append_query(&mut form, fixed.into_iter().chain(service).chain([("scope", scope.as_str())]));
        call.method = Method::POST;
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        call.payload = Payload::Bytes(form.trim_start_matches(['?', '&']).to_owned().into());
        return Ok(call);
    }
    let mut uri = realm.to_string();
    append_query(&mut uri, service.into_iter().chain(scopes.iter().map(|scope| ("scope", scope.as_str()))));
    if let Some(Login::Password { user, password }) = login {
        append_query(&mut uri, [("account", user.as_str())].into_iter());
        call.secret = Some(basic(user, password));
    }
    if identity == Identity::Wanted {
        append_query(&mut uri, [("offline_token", "true"), ("client_id", CLIENT_ID)].into_iter());
    }
    call.uri = uri.parse().map_err(|_| ClientError::broken(host, "its tokens are at no address"))?;
    Ok(call)
}

/// What the token is for: what we are about to do, so that one token serves a whole pull or push, and what else the registry names.
/// A mirror below a path calls its repositories by other names than we do, so there only its own words count.
fn scopes(demand: &Demand<'_>, bearer: &Challenge) -> Vec<String> {
    let resource = |scope: &str| scope.rsplit_once(':').map(|(resource, _)| resource.to_owned());
    let ours = if demand.endpoint.prefix.is_empty() { demand.scopes } else { &[] };
    let theirs = bearer.parameter("scope").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty());
    let theirs = theirs.filter(|scope| !ours.iter().any(|our| resource(our) == resource(scope)));
    ours.iter().cloned().chain(theirs.map(Into::into)).collect()
}

fn basic(user: &str, password: &str) -> HeaderValue {
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    let mut header = HeaderValue::try_from(format!("Basic {encoded}")).expect("base64 is a header's value");
    header.set_sensitive(true);
    header
}
