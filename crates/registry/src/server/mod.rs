//! The registry server: the distribution API (OCI distribution specification 1.1) over a [`Storage`].
//!
//! ```text
//! listen ── answer ── route                     one task a connection, HTTP/1.1
//!             │  manifests, blobs, uploads, lists    one method a request
//!             │  users                               htpasswd
//!             │  upstream, coming                    what is not here, from another registry
//!          Storage ── Files                     in threads that may wait; Files is a directory
//! ```
//!
//! Bodies are never held in memory but for manifests, which are small; whoever sends or reads too slowly is left.

mod answer;
mod blobs;
mod body;
mod coming;
mod document;
mod files;
mod incoming;
mod listen;
mod lists;
mod log;
mod manifests;
mod names;
mod range;
mod reply;
mod route;
mod stall;
mod storage;
mod uploads;
mod upstream;
mod users;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sys::signalfd::Signals;
use tokio::runtime;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

use self::answer::Registry;
use self::coming::Fetching;
use self::listen::Listener;
use self::range::Wanted;
use self::route::Route;
use self::users::Users;

pub use self::document::{Descriptor, Document, DocumentError, MANIFEST_MAX};
pub use self::files::Files;
pub use self::log::chain;
pub use self::names::{NameError, Repository, Tag, UploadId, Which};
pub use self::storage::{
    Blob, Content, Demand, Listed, Manifest, More, Page, Referrers, Storage, StorageError, Upload,
};
pub use self::upstream::{Answered, Chunks, Fetched, Upstream, UpstreamError};
pub use self::users::UsersError;

/// Pushed at once; others wait.
const LARGE_MANIFESTS: usize = 16;

/// A registry to be served.
pub struct Serve {
    /// `host:port`; a port of 0 takes any, no host means all.
    pub listen: String,
    /// What is served.
    pub storage: Arc<dyn Storage>,
    /// What clients may do.
    pub access: Access,
    /// A file of users; none: everybody.
    pub htpasswd: Option<PathBuf>,
    /// None: plain HTTP.
    pub tls: Option<Tls>,
    /// Where images come from that are not here.
    pub upstream: Option<Arc<dyn Upstream>>,
    /// Gets the lines of the log, the first of which says where the server listens.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What clients may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Pull, push and delete.
    ReadWrite,
    /// Pull.
    ReadOnly,
}

/// Who the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the server's certificate, then those that lead to a root.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// Why a registry cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not an address, or somebody else listens there.
    #[error("listening on {0}")]
    Listen(String, #[source] io::Error),
    /// The file of users is not one.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// A certificate or key is missing or is none.
    #[error("reading {0}")]
    Pem(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// They do not belong together.
    #[error("using {0}")]
    Tls(PathBuf, #[source] rustls::Error),
    /// No threads, no descriptors.
    #[error("starting the server")]
    Start(#[source] io::Error),
}

/// Serves until SIGINT or SIGTERM comes, then answers what was asked and returns.
///
/// # Errors
/// [`ServeError`], before anything is served.
pub fn serve(serve: Serve) -> Result<(), ServeError> {
    // A connection and the file it reads are two descriptors, and 1024 is the usual limit. Where it cannot be raised, fewer are served.
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    // Blocked before there are other threads, so that they are blocked in all of them.
    let signals = Signals::watch(&[Signal::INT.as_raw(), Signal::TERM.as_raw()]).map_err(ServeError::Start)?;
    let (end, ends) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = poll(&mut [PollFd::new(&signals, PollFlags::IN)], None);
        end.send(())
    });
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Start)?;
    let served = runtime.block_on(async {
        Server::bind(serve).await?.run(async { drop(ends.await) }).await;
        Ok(())
    });
    // What still collects garbage may be stopped anywhere.
    runtime.shutdown_background();
    served
}

/// A registry that has its address.
pub struct Server {
    listener: Listener,
    address: SocketAddr,
}

impl Server {
    /// Reads what it needs and takes the address.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(serve: Serve) -> Result<Server, ServeError> {
        let Serve { listen, storage, access, htpasswd, tls, upstream, say } = serve;
        let users = htpasswd.as_deref().map(Users::read).transpose()?;
        let acceptor = tls.as_ref().map(acceptor).transpose()?;
        let failed = |error| ServeError::Listen(listen.clone(), error);
        let everywhere = if listen.starts_with(':') { "[::]" } else { "" };
        let addresses: Vec<SocketAddr> = format!("{everywhere}{listen}").to_socket_addrs().map_err(failed)?.collect();
        let tcp = Listener::bind(&addresses).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        say(&format!("registry listening on {scheme}://{address}"));
        let (large, garbage) = (Semaphore::new(LARGE_MANIFESTS), Notify::new());
        let registry =
            Arc::new(Registry { storage, access, users, upstream, fetching: Fetching::default(), large, garbage, say });
        Ok(Server { listener: Listener { tcp, tls: acceptor, registry }, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `ends` is over, then answers what was asked and returns.
    pub async fn run(self, ends: impl Future<Output = ()>) {
        let registry = self.listener.registry.clone();
        // A registry that nothing comes to has no garbage, and may lie where nothing can be written.
        let grows = registry.access == Access::ReadWrite || registry.upstream.is_some();
        let collector = grows.then(|| tokio::spawn(async move { registry.collect().await }));
        self.listener.run(ends).await;
        if let Some(collector) = collector {
            collector.abort();
        }
    }
}

/// For fuzzing: takes apart what a request says. Names must be none that leads out of a directory, and ranges within the blob.
pub fn fuzz(path: &str, range: &str, size: u64) {
    if let Ok(Route::Tags(name) | Route::Manifest(name, _) | Route::Upload(name, _)) = Route::of(path) {
        assert!(name.as_str().split('/').all(|part| !part.is_empty() && !part.starts_with('.')), "{name} is a path");
    }
    if let Wanted::Part { first, last } = Wanted::of(Some(range), size) {
        assert!(first <= last && last < size, "{first} to {last} of {size}");
    }
    let _ = range::chunk(range);
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServeError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |error| ServeError::Pem(path, error)
    };
    let failed = |error| ServeError::Tls(tls.certificate.clone(), error);
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(&tls.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(pem(&tls.key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_request_is_taken_apart(
            path in "/v2/([a-z.%2Fe]{1,8}/){0,3}(tags|manifests|blobs)/(list|uploads/)?.{0,12}",
            range in "(bytes=)?[0-9]{0,22}-?[0-9+]{0,22}.{0,3}",
            size: u64,
        ) {
            super::fuzz(&path, &range, size);
        }
    }
}
