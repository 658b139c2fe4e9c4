//! From a request to its answer: who asks, what for, and whether it may be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{Notify, Semaphore};

use super::Access;
use super::body::Body;
use super::coming::Fetching;
use super::incoming;
use super::log::{Line, Say};
use super::reply::{self, Answer, Code, Refusal};
use super::route::{Query, Route};
use super::storage::{Storage, StorageError};
use super::upstream::Upstream;
use super::users::Users;

/// What all connections share.
pub(super) struct Registry {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) access: Access,
    pub(super) users: Option<Users>,
    pub(super) upstream: Option<Arc<dyn Upstream>>,
    pub(super) fetching: Fetching,
    /// For manifests that are not small, since they are held in memory.
    pub(super) large: Semaphore,
    /// Something was deleted.
    pub(super) garbage: Notify,
    pub(super) say: Say,
}

/// What a request asks for, without its body.
pub(super) struct Asked {
    pub(super) parts: Parts,
    pub(super) query: Query,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// Whether only the headers are wanted.
    pub(super) fn is_head(&self) -> bool {
        self.parts.method == Method::HEAD
    }
}

impl Registry {
    /// Always answers; what went wrong is in the answer and, where it is the server's fault, in the log.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let began = Instant::now();
        let (parts, mut body) = request.into_parts();
        let asked = Asked { query: Query::of(&parts.uri), parts };
        let mut response = self.route(&asked, &mut body).await.unwrap_or_else(|refusal| {
            if let Some(fault) = &refusal.fault {
                self.say(fault);
            }
            refusal.respond()
        });
        // A client that still sends would not read what it is told; one that waits to be asked must not be.
        if asked.header("expect").is_none() {
            incoming::drain(&mut body).await;
        }
        let headers = response.headers_mut();
        headers.insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        let request = format!("{} {}", asked.parts.method, asked.parts.uri.path());
        let line = Line::new(self.say.clone(), request, response.status().as_u16(), began);
        response.map(|body| body.logged(line))
    }

    async fn route(&self, asked: &Asked, body: &mut Incoming) -> Answer {
        if let Some(users) = &self.users {
            users.admit(asked.parts.headers.get(AUTHORIZATION)).await?;
        }
        let route = Route::of(asked.parts.uri.path())?;
        let method = match &asked.parts.method {
            &Method::HEAD => &Method::GET,
            method => method,
        };
        if self.access == Access::ReadOnly && method != Method::GET {
            return Err(Refusal::unsupported("this registry is read-only", "GET, HEAD"));
        }
        // What a client pushed, the next answer from behind would hide.
        if self.upstream.is_some() && method != Method::GET && method != Method::DELETE {
            let message = "this registry keeps what it fetches from another: push there";
            return Err(Refusal::unsupported(message, "GET, HEAD, DELETE"));
        }
        match (route, method) {
            (Route::Base, &Method::GET) => Ok(reply::json(&serde_json::json!({}))),
            (Route::Catalog, &Method::GET) => self.catalog(asked).await,
            (Route::Tags(name), &Method::GET) => self.tags(asked, name).await,
            (Route::Referrers(name, subject), &Method::GET) => self.referrers(asked, name, subject).await,
            (Route::Manifest(name, which), &Method::GET) => self.pull_manifest(asked, name, which).await,
            (Route::Manifest(name, which), &Method::PUT) => self.push_manifest(asked, name, which, body).await,
            (Route::Manifest(name, which), &Method::DELETE) => self.delete_manifest(name, which).await,
            (Route::Blob(name, digest), &Method::GET) => self.pull_blob(asked, name, digest).await,
            (Route::Blob(name, digest), &Method::DELETE) => self.delete_blob(name, digest).await,
            (Route::Uploads(name), &Method::POST) => self.begin_upload(asked, name, body).await,
            (Route::Upload(name, id), &Method::GET) => self.upload_status(name, id).await,
            (Route::Upload(name, id), &Method::PATCH) => self.continue_upload(asked, name, id, body).await,
            (Route::Upload(name, id), &Method::PUT) => self.finish_upload(asked, name, id, body).await,
            (Route::Upload(name, id), &Method::DELETE) => self.cancel_upload(name, id).await,
            (Route::Nowhere, _) => Err(Refusal::new(StatusCode::NOT_FOUND, Code::Unsupported, "no such endpoint")),
            (Route::Base | Route::Catalog | Route::Tags(_) | Route::Referrers(..), _) => Err(no_method("GET, HEAD")),
            (Route::Manifest(..), _) => Err(no_method("GET, HEAD, PUT, DELETE")),
            (Route::Blob(..), _) => Err(no_method("GET, HEAD, DELETE")),
            (Route::Uploads(_), _) => Err(no_method("POST")),
            (Route::Upload(..), _) => Err(no_method("GET, HEAD, PATCH, PUT, DELETE")),
        }
    }

    /// Asks the storage in a thread that may wait for a disk.
    pub(super) async fn block<T: Send + 'static>(
        &self,
        act: impl FnOnce(&dyn Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let storage = self.storage.clone();
        block(move || act(&*storage)).await
    }

    pub(super) fn say(&self, text: &str) {
        (self.say)(text);
    }

    /// Collects garbage now and then: every hour, and some seconds after something was deleted.
    pub(super) async fn collect(&self) {
        const EVERY: Duration = Duration::from_secs(3600);
        const SOON: Duration = Duration::from_secs(5);
        loop {
            match self.block(|storage| storage.collect()).await {
                Ok(0) => {}
                Ok(freed) => self.say(&format!("garbage collected: {freed} bytes")),
                Err(error) => {
                    self.say(&format!("collecting garbage: {}", Refusal::from(error).log()));
                }
            }
            // One thing deleted is rarely the only one.
            if tokio::time::timeout(EVERY, self.garbage.notified()).await.is_ok() {
                tokio::time::sleep(SOON).await;
            }
        }
    }
}

/// Runs what blocks. It cannot be cancelled; if it panics, so does the caller.
pub(super) async fn block<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StorageError::Damaged("the server is ending".into())),
        },
    }
}

fn no_method(allow: &str) -> Refusal {
    Refusal::unsupported("the operation is unsupported", allow)
}
