//! The way to registries: what the machine and the user say about them, and the client of one command.

use std::path::PathBuf;
use std::sync::Arc;

use registry::client::{self, Client, ClientError, Login, Patience, ProxySettings};
use registry::credentials::ConfigFile;
use registry::registries::Registries;
use tokio::runtime::{self, Runtime};

use crate::error::Error;

/// Where Docker keeps certificates; ours go first.
const DOCKER_CERTS: &str = "/etc/docker/certs.d";

/// What is known about registries before one is asked.
pub struct Settings {
    /// The machine's: `registries.json` and `certs.d`.
    pub config_dir: PathBuf,
    /// The user's logins.
    pub credentials: Arc<ConfigFile>,
    /// The way out.
    pub proxy: ProxySettings,
}

/// One command's connections, and the thread they live on. It is made when a registry is first asked: most commands never are.
pub struct Session {
    client: Client,
    runtime: Runtime,
}

impl Session {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// The settings cannot be read, or make no sense.
    pub fn open(settings: &Settings) -> Result<Session, Error> {
        let client = Client::new(client_settings(settings)?);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        Ok(Session { client, runtime: runtime.map_err(Error::io("starting the client of registries"))? })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn run<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }
}

/// What a client needs to know.
pub(crate) fn client_settings(settings: &Settings) -> Result<client::Settings, Error> {
    let registries = Registries::open(&settings.config_dir).map_err(Error::other("the settings for registries"))?;
    Ok(client::Settings {
        mirrors: registries.mirrors,
        insecure: registries.insecure,
        certs_dirs: vec![settings.config_dir.join("certs.d"), DOCKER_CERTS.into()],
        credentials: settings.credentials.clone(),
        proxy: settings.proxy.clone(),
        user_agent: concat!("kist/", env!("CARGO_PKG_VERSION")).to_owned(),
        patience: Patience::usual(),
    })
}

/// Shows a login to a registry. Answers the identity token to keep in place of the password, where the registry gives one.
///
/// # Errors
/// [`Error::Denied`] if the registry does not accept it; whatever kept us from asking.
pub fn log_in(settings: &Settings, registry: &str, login: &Login) -> Result<Option<String>, Error> {
    let session = Session::open(settings)?;
    session.run(session.client().log_in(registry, login)).map_err(|error| {
        let failed = format!("login attempt to {registry} failed");
        if let ClientError::Denied { said, .. } = &error {
            let why = if said.is_empty() { "unauthorized" } else { said };
            return Error::Denied(format!("{failed}: {why}"));
        }
        Error::Other(failed, Box::new(error))
    })
}
