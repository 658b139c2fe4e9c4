//! What a client is told before it speaks. Nothing here is read from the environment or found on disk.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How registries are reached.
#[derive(Clone)]
pub struct Settings {
    /// Registry, or `*` for any, to the base URLs asked before it; a URL may carry a path prefix. Only reads go there.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// `host`, `host:port` or CIDR of registries whose certificate is not verified and that may speak plain HTTP.
    pub insecure: Vec<String>,
    /// Directories as Docker's `certs.d`: `<host:port>/` with `*.crt` (authorities) and one pair `*.cert` and `*.key` (ourselves). The
    /// first that knows a host counts.
    pub certs_dirs: Vec<PathBuf>,
    /// Who we are at which registry.
    pub credentials: Arc<dyn Credentials>,
    /// The way out.
    pub proxy: ProxySettings,
    /// `User-Agent`.
    pub user_agent: String,
    /// How long is waited for what.
    pub patience: Patience,
}

/// `HTTP_PROXY` and its like; empty where there is none. Loopback is never asked by a proxy.
#[derive(Clone, Default)]
pub struct ProxySettings {
    /// For `http` URLs.
    pub http: String,
    /// For `https` URLs.
    pub https: String,
    /// Hosts, domains and networks that are reached without.
    pub no_proxy: String,
}

/// Proxy URLs may hold passwords.
impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySettings").field("no_proxy", &self.no_proxy).finish_non_exhaustive()
    }
}

/// How long is waited for what.
#[derive(Clone, Debug)]
pub struct Patience {
    /// For a connection to one address, and for the TLS handshake.
    pub connect: Duration,
    /// For the head of a response, after the request is sent.
    pub headers: Duration,
    /// For the next bytes of a body.
    pub stall: Duration,
    /// Before the second, third, … attempt, give or take a quarter.
    pub pauses: Vec<Duration>,
    /// The longest `Retry-After` that is obeyed; a registry that asks for more is given up.
    pub retry_after: Duration,
}

impl Patience {
    /// What suits a person who waits at a terminal.
    #[must_use]
    pub fn usual() -> Patience {
        Patience {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            pauses: [300, 1000, 3000].map(Duration::from_millis).to_vec(),
            retry_after: Duration::from_secs(60),
        }
    }
}

/// Who we are at which registry. Asked at most once a registry, and only after it wants to know; may run a program.
pub trait Credentials: Send + Sync {
    /// The login for a registry, by its name in references (`docker.io`) or a mirror's `host[:port]`.
    ///
    /// # Errors
    /// A sentence that says what could not be read or run.
    fn of(&self, registry: &str) -> Result<Option<Login>, String>;
}

/// Proof of who we are.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A name and a password, or an access token in its place.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A refresh token that the registry once gave for a password.
    Identity {
        /// The token.
        token: String,
    },
}

/// Without the secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Login::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
            Login::Identity { .. } => f.debug_struct("Identity").finish_non_exhaustive(),
        }
    }
}
